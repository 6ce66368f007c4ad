"""A run as a results file of the TechEmpower benchmarks (TFB): one value a level, and no more than that. Pure."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchlab.core.quantities import counted
from benchlab.experiment import placement, profiles, stack
from benchlab.experiment.stack import UNSTATED
from benchlab.records.facts import UNAVAILABLE
from benchlab.records.plan import NO_PROXY, Manifest, Settings
from benchlab.records.run import Failure, Run, Sample
from benchlab.statistics.cells import Cell, every_cell

# The format has one list of levels for all tests that vary the same thing.
LEVELS: Mapping[str, tuple[str, ...]] = {
    "concurrencyLevels": ("json", "db", "fortune"),
    "pipelineConcurrencyLevels": ("plaintext",),
    "queryIntervals": ("query", "update"),
    "cachedQueryIntervals": ("cached-query",),
}
# What a run has and the format has no place for.
LEFT_OUT = "intervals, ranks, verdicts, CPU time, memory and bottlenecks"
# The format has whole seconds, and slices are shorter: their rates are written as those of samples that take as long as
# TechEmpower's own.
SAMPLE_S = 15
# The format's word for what does not apply or is not known.
NONE = "none"
# Labels with this prefix hold the format's own metadata of an entry.
OWN_WORDS = "tfb."

Key = tuple[str, str, int]


def results(run: Run) -> dict[str, Any]:
    """Return the run as a TFB results file, ready for JSON.

    A level is one sample that stands for all that count: its totalRequests are the geometric mean rate over the blocks
    times the duration, so that whoever divides the two gets the report's value.
    """
    manifest, settings = run.manifest, run.manifest.settings
    raw = _raw(run)
    entries = sorted(manifest.entries)
    tried = {(record.trial.entry, record.trial.test) for record in run.taken + run.failures}
    tests = [test for group in LEVELS.values() for test in group]
    unfinished = run.to_come > 0 or run.awaits_decision
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"benchlab {manifest.run_id} {manifest.created_at.isoformat()}")),
        "name": manifest.run_id,
        "environmentDescription": _environment(run),
        "git": _git(manifest),
        "startTime": round(manifest.created_at.timestamp() * 1000),
        "completionTime": None if unfinished else round(run.ended_at.timestamp() * 1000),
        **{name: _levels(settings, group) for name, group in LEVELS.items()},
        "frameworks": entries,
        "duration": _duration_s(settings),
        "rawData": raw,
        "completed": _completed(run),
        "succeeded": {test: list(raw[test]) for test in tests},
        "failed": {
            test: [entry for entry in entries if (entry, test) in tried and entry not in raw[test]] for test in tests
        },
        "verify": _verified(run),
        "testMetadata": [_metadata(entry, manifest.entries[entry]) for entry in entries],
    }


def _duration_s(settings: Settings) -> int:
    return SAMPLE_S if settings.together else int(settings.duration_s)


def latency(microseconds: float) -> str:
    """Return the time as wrk prints it: 635.91us, 1.39ms, 7.84s."""
    for unit, size in (("us", 1), ("ms", 1_000)):
        if round(microseconds / size, 2) < 1_000:
            return f"{microseconds / size:.2f}{unit}"
    return f"{microseconds / 1e6:.2f}s"


def _levels(settings: Settings, tests: Iterable[str]) -> list[int]:
    return sorted({level for test in tests for level in settings.levels.get(test, ())})


def _raw(run: Run) -> dict[str, dict[str, list[dict[str, object]]]]:
    """Return, by test and entry, a value for each level; {} for one that has none.

    A list ends at its test's own largest level, even where another test of the same kind goes on: a reader takes the
    last value of query for that of the most queries.
    """
    settings = run.manifest.settings
    values = _values(run)
    raw: dict[str, dict[str, list[dict[str, object]]]] = {}
    for group in LEVELS.values():
        levels = _levels(settings, group)
        for test in group:
            own = [level for level in levels if level <= max(settings.levels.get(test, (0,)))]
            entries = sorted({entry for entry, of, _ in values if of == test})
            raw[test] = {entry: [values.get((entry, test, level), {}) for level in own] for entry in entries}
    return raw


def _values(run: Run) -> dict[Key, dict[str, object]]:
    samples: dict[Key, list[Sample]] = defaultdict(list)
    for sample in run.samples:
        samples[sample.trial.entry, sample.trial.test, sample.trial.level.key.value].append(sample)
    cells = {(cell.entry, cell.test, cell.level.value): cell for cell in every_cell(run)}
    return {key: _value(cell, samples[key], _duration_s(run.manifest.settings)) for key, cell in cells.items()}


def _value(cell: Cell, samples: Sequence[Sample], duration_s: int) -> dict[str, object]:
    began_s = int(min(sample.started_at for sample in samples).timestamp())
    mean_us, stdev_us = _pooled(samples)
    return {
        "latencyAvg": latency(mean_us),
        "latencyStdev": latency(stdev_us),
        "latencyMax": latency(max(sample.load.latency.max_us for sample in samples)),
        "totalRequests": round(cell.rate.mean * duration_s),
        "startTime": began_s,
        "endTime": began_s + duration_s,
        **_errors(samples),
    }


def _pooled(samples: Iterable[Sample]) -> tuple[float, float]:
    """Return mean and standard deviation of wrk's latency over the requests of all samples, in microseconds."""
    parts = [(sample.load.requests, sample.load.latency) for sample in samples]
    count = sum(requests for requests, _ in parts)
    mean = sum(requests * part.mean_us for requests, part in parts) / count
    square = sum(requests * (part.stdev_us**2 + (part.mean_us - mean) ** 2) for requests, part in parts) / count
    return mean, math.sqrt(square)


def _errors(samples: Sequence[Sample]) -> dict[str, int]:
    """Return the mean time-outs of a sample, rounded up so that none is lost; {} if there were none.

    The format has them beside the other errors, none of which a sample that counts has.
    """
    timeouts = sum(sample.load.errors.timeout for sample in samples)
    none = dict.fromkeys(("connect", "read", "write"), 0)
    return {**none, "timeout": math.ceil(timeouts / len(samples))} if timeouts else {}


def _completed(run: Run) -> dict[str, str]:
    """Return when each entry was last measured, in UTC, or why it did not start."""
    last: dict[str, Sample | Failure] = {}
    served: set[str] = set()
    tried = [failure for failure in run.failures if failure.was_tried]
    records: list[Sample | Failure] = [*run.taken, *tried]
    for record in sorted(records, key=lambda record: record.started_at):
        last[record.trial.entry] = record
        if isinstance(record, Sample) or record.is_wrong_answer:
            served.add(record.trial.entry)
    return {
        entry: f"{record.started_at:%Y%m%d%H%M%S}"
        if isinstance(record, Sample) or entry in served
        else f"ERROR: {record.reason}"
        for entry, record in sorted(last.items())
    }


def _verified(run: Run) -> dict[str, dict[str, str]]:
    """Return, by entry and test, the worst result of verification: pass, warn or fail."""
    passed = [(sample.trial.entry, sample.trial.test) for sample in run.taken]
    warned = [(finding.entry, finding.test) for finding in run.findings if finding.warning]
    failed = [
        *((failure.trial.entry, failure.trial.test) for failure in run.failures if failure.is_wrong_answer),
        *((finding.entry, finding.test) for finding in run.findings if not finding.warning),
    ]
    words = dict.fromkeys(passed, "pass") | dict.fromkeys(warned, "warn") | dict.fromkeys(failed, "fail")
    results: dict[str, dict[str, str]] = defaultdict(dict)
    for (entry, test), word in sorted(words.items()):
        results[entry][test] = word
    return dict(results)


def _metadata(entry: str, labels: Mapping[str, str]) -> dict[str, object]:
    """Return what an entry is made of, from its `tfb.` labels or else from the lab's own labels.

    What no label states is NONE.
    """

    def labelled(key: str, otherwise: str = NONE) -> str:
        return labels.get(f"{OWN_WORDS}{key}") or otherwise

    server = labels["server"] if labels["server"] != UNSTATED else NONE
    lower = {
        "approach": labelled("approach"),
        "classification": labelled("classification"),
        "database": labelled("database", NONE if labels["driver"] == NONE else "postgres"),
        "framework": labelled("framework", labels["framework"]),
        "language": labelled("language", "python"),
        "orm": labelled("orm", labels["orm"] if labels["orm"] != UNSTATED else NONE),
        "platform": labelled("platform"),
        "webserver": labelled("webserver", server),
    }
    return {
        "project_name": labelled("project", entry if stack.is_adopted(labels) else labels["framework"]),
        "name": entry,
        **{key: word.lower() for key, word in lower.items()},
        "os": "linux",
        "database_os": "linux",
        "display_name": labelled("display_name", entry),
        "notes": "; ".join(filter(None, [labelled("notes", ""), stack.other_base(labels)])),
        "versus": labelled("versus"),
        "tags": [],
    }


def _git(manifest: Manifest) -> dict[str, str] | None:
    """Return the lab's commit, repository and branch, "" where unknown; None without a commit."""
    facts = manifest.facts
    if not facts.lab_commit:
        return None
    return {
        "commitId": facts.lab_commit,
        "repositoryUrl": facts.lab_repository or "",
        "branchName": facts.lab_branch or "",
    }


def _environment(run: Run) -> str:
    """Return how and on what the run was measured, and what is left out: the format's only place for free text."""
    facts, settings = run.manifest.facts, run.manifest.settings
    samples = "rounds of slices" if settings.together else f"{settings.duration_s:g}-s samples"
    parts = [
        *([facts.host.cpu_model] if facts.host.cpu_model else []),
        placement.summary(run.manifest.placement, run.manifest.cpus),
        f"Docker {facts.engine_version or UNAVAILABLE}",
        f"benchlab {facts.lab_version or UNAVAILABLE}, profile {settings.profile}",
        *([] if settings.proxy == NO_PROXY else [settings.through]),
        *profiles.cautions(run.manifest),
        f"geometric means over up to {counted(run.blocks, 'block')} of {samples}",
        f"without {LEFT_OUT}",
    ]
    return "; ".join(parts)
