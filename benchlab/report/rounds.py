"""How noisy rounds and blocks were, test by test, and which of the two more of would help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import pandas as pd

from benchlab.quality.rules import IDLE_ENTRIES_CPUS
from benchlab.records.run import Run
from benchlab.report import document, sentences
from benchlab.report.document import Block, Heading, Paragraph
from benchlab.statistics import lives
from benchlab.statistics.analysis import Result
from benchlab.statistics.lives import LEAST_LIFE, Spread, Verdict

MEANING = (
    "Standard deviations of the ratio of two entries: “between rounds” in one round at one level; “between blocks” "
    "over all levels, from block to block; “rounds alone” what the rounds of a block explain of that; “lives” what is "
    "left for the lives of the containers, and the most that it may be (95 %)."
)
# What is said of the tests with each verdict.
ADVICE = {
    Verdict.YES: "lives of containers differ by more than their rounds explain, so more blocks make ratios more "
    "precise, and more rounds hardly do.",
    Verdict.SMALL: f"lives of containers differ, but by less than {LEAST_LIFE:.0%}: more rounds make ratios more "
    "precise.",
    Verdict.NO: "rounds explain how blocks differ: more rounds make ratios more precise.",
    Verdict.UNKNOWN: "one block does not show how lives of containers differ.",
}
WORDS = ("test", "metric", "lives matter")


def blocks(run: Run, results: Sequence[Result], caution: str) -> Iterator[Block]:
    """Yield the spread of each test that has blocks of several rounds, and advice; nothing if none has."""
    spreads = {result.test: found for result in results if (found := lives.of_test(run, result))}
    if not spreads:
        return
    yield Heading(f"Rounds and blocks{caution}", key="rounds", short="rounds")
    frame = pd.DataFrame(_row(test, spread) for test, spread in spreads.items())
    yield document.table(frame, words=WORDS, notes=[MEANING])
    yield Paragraph((*advice(spreads), *idle(run)))


def advice(spreads: Mapping[str, Spread]) -> Iterator[str]:
    """Yield what would make ratios more precise, with the tests of which that is true."""
    for verdict, words in ADVICE.items():
        if tests := [test for test, spread in spreads.items() if spread.verdict is verdict]:
            yield f"{sentences.names(tests)}: {words}"


def idle(run: Run) -> Iterator[str]:
    """Yield how much CPU the entries used that were not loaded, and what helps where that is much."""
    known = [cpus for sample in run.samples if (cpus := sample.counters.idle_entries_cpus) is not None]
    if not known or len(run.manifest.entries) < 2:
        return
    used = fmean(known)
    remedy = "" if used <= IDLE_ENTRIES_CPUS else ": too much; `--profile study` has one entry up at a time"
    yield f"While one entry was loaded, the others used {used:.1%} of a CPU together{remedy}."


def _row(test: str, spread: Spread) -> dict[str, str]:
    return {
        "test": test,
        "metric": spread.metric.name,
        "blocks": str(spread.blocks),
        "rounds": str(spread.rounds),
        "between rounds": _share(spread.between_rounds),
        "between blocks": _share(spread.between_blocks),
        "rounds alone": _share(spread.predicted),
        "lives": _lives(spread),
        "lives matter": spread.verdict.value,
    }


def _lives(spread: Spread) -> str:
    return "–" if spread.life is None else f"{_share(spread.life)} (≤ {_share(spread.life_high)})"


def _share(stdev: float | None) -> str:
    return "–" if stdev is None else f"{stdev:.1%}"
