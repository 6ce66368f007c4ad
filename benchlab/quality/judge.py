"""Judges a sample by what happened around it, never by its throughput: counters in, verdict out.

Source: docs/method.md, section 4.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from benchlab.experiment.settings import DURATION
from benchlab.quality.rules import BY_NAME, NOT_REPORTED, RULES, Evidence, Rule
from benchlab.records.plan import Trial
from benchlab.records.run import GOOD, INVALID, SUSPECT, Failure, Run, Sample, Verdict

# Before as many samples, each with two looks at the host's speed, nothing is called its usual one.
LEAST_PROBED = 4
# A cell that has such a share of its rounds lacks nothing: a pair is compared over the rounds that both have.
ENOUGH = 0.5
# What the detail of a verdict begins with where connections failed for want of a local port.
NO_PORT = "wrk had no local port left"


def judge(evidence: Evidence, rules: Sequence[Rule] = RULES) -> Verdict:
    """Return the verdict: the rules that the sample breaks, with what was measured, and those without a value."""
    measured = {rule.name: rule.measure(evidence) for rule in rules}
    limits = {rule.name: rule.limit for rule in rules}
    broken = {name: value for name, value in measured.items() if value is not None and value > limits[name]}
    severities = {severity(name) for name in broken}
    worst = next((each for each in (INVALID, SUSPECT) if each in severities), GOOD)
    unknown = tuple(name for name, value in measured.items() if value is None)
    return Verdict(worst, broken, unknown, "; ".join(_details(evidence)))


def _details(evidence: Evidence) -> Iterator[str]:
    """Yield what must be known of a sample beside the values of its rules."""
    if evidence.lacks_ports and (ports := evidence.ports):
        yield (
            f"{NO_PORT}: of its {ports.range:,}, {ports.waiting:,} waited after a connection that had ended "
            "(TIME_WAIT, a minute each), because each request makes one"
        )
    yield from (str(problem) for problem in evidence.wrong_answers[:1])


def usual_speed_us(samples: Sequence[Sample], block: int) -> float | None:
    """Return how long the speed probe took in the block so far, the median; None where it is too early to say.

    Entries are compared within a block, so that a host which changes its speed between blocks harms nothing. At the
    beginning of a block the last samples before it are asked.
    """
    of_block = [sample for sample in samples if sample.trial.block == block]
    near = of_block if len(of_block) >= LEAST_PROBED else samples[-LEAST_PROBED:]
    return (
        median(speed for sample in near for speed in sample.counters.speeds_us) if len(near) >= LEAST_PROBED else None
    )


def missing(run: Run) -> tuple[Failure, ...]:
    """Return why trials whose turn has come have no sample that counts, in the order of time.

    It is the reason of a trial's last try; where it was never tried, why not. A slice is made up for by any other round
    of its block, and is not missing where at least half of these count.
    """
    return tuple(failure for failure in _lacking(run) if not _is_spared(run, failure))


def number_missing(run: Run) -> int:
    """Return how many samples are missing: of an entry that was lost in a block, all slices from there on."""
    return sum(
        1 if failure.passing or not run.manifest.settings.together else _rounds_from(run, failure.trial)
        for failure in missing(run)
    )


def _rounds_from(run: Run, trial: Trial) -> int:
    # Rounds that were taken anew have numbers beyond these.
    return max(1, run.rounds(trial.test) - trial.repeat + 1)


def spared(run: Run) -> tuple[Failure, ...]:
    """Return why slices do not count that no other round makes up for, though their blocks have enough without them."""
    return tuple(failure for failure in _lacking(run) if _is_spared(run, failure))


def made_up_for(run: Run) -> tuple[Failure, ...]:
    """Return why trials failed that have a sample that counts from another visit, without what wrk failed at."""
    return tuple(
        failure
        for failure in run.failures
        if failure.was_tried and not failure.passing and _is_measured(run, failure.trial)
    )


def _lacking(run: Run) -> list[Failure]:
    """Return why trials whose turn has come were not measured, and no other makes up for them, in the order of time."""
    invalid = (sample for sample in run.taken if sample.verdict.severity == INVALID)
    retried = (Failure(sample.trial, sample.started_at, reason(sample), passing=True) for sample in invalid)
    tries = sorted((*run.failures, *retried), key=lambda failure: (failure.was_tried, failure.started_at))
    last = {failure.trial.key: failure for failure in tries}
    missed = (failure for failure in last.values() if not _is_measured(run, failure.trial))
    return sorted(missed, key=lambda failure: failure.started_at)


def _is_spared(run: Run, failure: Failure) -> bool:
    """Return whether only this slice failed, and its block has enough others: an entry that is lost takes no more."""
    return run.manifest.settings.together and failure.passing and _share_that_counts(run, failure.trial) >= ENOUGH


def _is_measured(run: Run, trial: Trial) -> bool:
    if not run.manifest.settings.together:
        return trial.key in run.measured
    return _share_that_counts(run, trial) >= 1


def _share_that_counts(run: Run, trial: Trial) -> float:
    """Return how many slices count in the trial's block, of its entry at its level, as a share of the rounds."""
    return run.once(_rounds_that_count)[_cell(trial)] / run.rounds(trial.test)


def _rounds_that_count(run: Run) -> Counter[tuple[object, ...]]:
    return Counter(_cell(sample.trial) for sample in run.samples)


def _cell(trial: Trial) -> tuple[object, ...]:
    return trial.block, trial.entry, trial.test, trial.level.key


def reason(sample: Sample) -> str:
    """Return in one line why the sample does not count, with what was measured, and what to do where that is known."""
    broken, detail = sample.verdict.broken, sample.verdict.detail
    words = [sentence(name, value) for name, value in broken.items() if severity(name) == sample.verdict.severity]
    details = [str(sample.load.errors)] if "errors" in broken else []
    advice = f"use a shorter {DURATION.name}" if detail.startswith(NO_PORT) else ""
    return "; ".join([*words, *details, *filter(None, [detail, advice])])


def sentence(name: str, value: float) -> str:
    """Return a broken rule as a sentence with its value; of a rule this lab does not know, its name."""
    if (rule := BY_NAME.get(name)) is None:
        return f"{name} ({value:g})"
    return f"{rule.sentence} ({rule.form.format(value)})" if rule.form else rule.sentence


def severity(name: str) -> str:
    return BY_NAME[name].severity if name in BY_NAME else INVALID


def unknown(name: str) -> str:
    """Return why a sample may have no value for the rule."""
    return BY_NAME[name].unknown if name in BY_NAME else NOT_REPORTED


def meaning(name: str) -> str:
    return BY_NAME[name].sentence if name in BY_NAME else name
