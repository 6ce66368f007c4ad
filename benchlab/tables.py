"""The study's tables and the overview, made from a run's samples: pure, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from benchlab import judge, profiles, stack
from benchlab.forecast import minutes
from benchlab.model import Failure, Run, Sample
from benchlab.workloads import WORKLOADS, varied
from benchlab.wrk import TIMEOUT_S

FORMATS = {
    "totalRequests": "{:.1f}",
    "seconds": "{:.2f}",
    "requestsPerSecond": "{:.2f}",
    "latencyAvg": "{:.3f}",
    "latencyMax": "{:.3f}",
}
LEFT = ("framework", "test")


def report(run: Run) -> str:
    """Return the run's report as Markdown: what it is, the overview, the study's tables, what failed."""
    parts = [_heading(run), "## Entries\n\n" + stack.table(run.manifest.entries)]
    if run.samples:
        parts += [_overview_section(run), *_study_sections(run)]
    else:
        parts.append("No sample was measured.")
    if missing := judge.missing(run):
        parts.append(_missing(missing))
    return "\n\n".join(parts) + "\n"


def study(samples: tuple[Sample, ...], test: str) -> pd.DataFrame:
    """Return one row for each entry and level of the test, with the study's columns.

    Each figure is the mean over the blocks. latencyAvg and latencyMax are wrk's own, in ms.
    """
    column = WORKLOADS[test].column
    rows = [
        {
            "framework": sample.trial.entry,
            column: varied(test, sample.trial.level),
            "totalRequests": sample.load.requests,
            "seconds": sample.load.seconds,
            "requestsPerSecond": sample.load.requests_per_second,
            "latencyAvg": sample.load.latency.mean_us / 1000,
            "latencyMax": sample.load.latency.max_us / 1000,
        }
        for sample in samples
        if sample.trial.test == test
    ]
    columns = ["framework", column, *FORMATS]
    return pd.DataFrame(rows, columns=columns).groupby(["framework", column], as_index=False).mean()


def overview(samples: tuple[Sample, ...]) -> pd.DataFrame:
    """Return requests per second for each test and level, a column an entry: mean, and its extremes.

    A cell that has fewer blocks than the fullest one says so.
    """
    rows = [
        {
            "test": sample.trial.test,
            "level": varied(sample.trial.test, sample.trial.level),
            "entry": sample.trial.entry,
            "rps": sample.load.requests_per_second,
        }
        for sample in samples
    ]
    grouped = pd.DataFrame(rows, columns=["test", "level", "entry", "rps"]).groupby(["test", "level", "entry"])["rps"]
    figures = grouped.agg(["mean", "min", "max", "count"])
    cells = figures.apply(_cell, axis=1, most=figures["count"].max())
    return cells.unstack("entry", fill_value="–").reset_index().rename_axis(columns=None)


def markdown(table: pd.DataFrame) -> str:
    return table.to_markdown(index=False, tablefmt="github", disable_numparse=True, colalign=_alignment(table))


def _cell(row: pd.Series, most: int) -> str:
    short = f" ({row['count']:.0f} of {most} blocks)" if row["count"] < most else ""
    return f"{row['mean']:,.0f} [{row['min']:,.0f}–{row['max']:,.0f}]{short}"


def _alignment(table: pd.DataFrame) -> list[str]:
    return ["left" if column in LEFT else "right" for column in table.columns]


def _heading(run: Run) -> str:
    settings = run.manifest.settings
    through = "" if settings.proxy == "none" else f" through {settings.proxy}"
    return "\n".join(
        [
            f"# {run.manifest.run_id}",
            "",
            profiles.note(settings),
            f"Blocks with samples: {len({sample.trial.block for sample in run.samples})} of {settings.blocks}. "
            f"Samples: {len(run.samples)}. Load{through}: closed loop, from the same {run.manifest.cpus}-CPU host. "
            f"Seed {settings.seed}.",
            *_share(run),
        ]
    )


def _share(run: Run) -> Iterator[str]:
    """Yield how much of the time went into samples; a resumed run's pauses count as time."""
    if run.samples:
        last = max(run.samples, key=lambda sample: sample.started_at)
        wall_s = (last.started_at - run.manifest.created_at).total_seconds() + last.load.seconds
        sampling_s = sum(sample.load.seconds for sample in run.samples)
        yield f"Sampling took {minutes(sampling_s)} of {minutes(wall_s)} ({sampling_s / wall_s:.0%}), pauses included."


def _overview_section(run: Run) -> str:
    caution = profiles.caution(run.manifest.settings)
    title = f"## Overview: requests per second, mean over blocks [lowest–highest block]{caution}"
    return f"{title}\n\n{markdown(overview(run.samples))}"


def _study_sections(run: Run) -> Iterator[str]:
    caution = profiles.caution(run.manifest.settings)
    for test in run.manifest.settings.tests:
        table = study(run.samples, test)
        if table.empty:
            continue
        for by, ascending in (("requestsPerSecond", False), ("latencyAvg", True)):
            order = "ascending" if ascending else "descending"
            ordered = table.sort_values(by, ascending=ascending, kind="stable")
            title = f"## {test}, by {by} {order} (latency in ms){caution}"
            yield f"{title}\n\n{markdown(_formatted(ordered))}"
        yield from _short(run, test)
        yield from _timeouts(run, test)


def _short(run: Run, test: str) -> Iterator[str]:
    """Yield which cells of the test have fewer blocks than its fullest one, where there are any."""
    counts = Counter(
        f"{sample.trial.entry} at {varied(test, sample.trial.level)}"
        for sample in run.samples
        if sample.trial.test == test
    )
    most = max(counts.values())
    if short := [f"{cell}: {count}" for cell, count in sorted(counts.items()) if count < most]:
        yield f"Means over fewer than {most} blocks, so not quite comparable: {', '.join(short)}."


def _timeouts(run: Run, test: str) -> Iterator[str]:
    """Yield how many requests of the test were open for longer than wrk waits, where there were any."""
    counts: dict[str, int] = {}
    for sample in run.samples:
        if sample.trial.test == test and sample.load.errors.timeout:
            cell = f"{sample.trial.entry} at {varied(test, sample.trial.level)}"
            counts[cell] = counts.get(cell, 0) + sample.load.errors.timeout
    if counts:
        told = ", ".join(f"{cell}: {count}" for cell, count in sorted(counts.items()))
        yield f"Time-outs (a request that was answered after more than {TIMEOUT_S} s), over all blocks: {told}."


def _formatted(table: pd.DataFrame) -> pd.DataFrame:
    formatted = table.astype(object)
    for column, form in FORMATS.items():
        formatted[column] = table[column].map(form.format)
    return formatted


def _missing(missing: tuple[Failure, ...]) -> str:
    reasons: dict[str, list[str]] = {}
    for failure in missing:
        reasons.setdefault(f"{failure.trial.entry}, {failure.trial.test}: {failure.reason}", []).append(
            failure.trial.key
        )
    lines = [f"* {reason} ({len(keys)} trial(s), first {keys[0]})" for reason, keys in reasons.items()]
    return "## Not measured\n\n" + "\n".join(lines)
