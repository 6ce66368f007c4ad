"""Holds new against old: two runs, or two versions of an entry in one run; says whether something got slower."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import pandas as pd

from benchlab.core import markdown
from benchlab.core.errors import ConfigError
from benchlab.core.measured import Decision, Run
from benchlab.core.model import Manifest
from benchlab.plan.naming import AT
from benchlab.plan.profiles import PROFILES
from benchlab.plan.workloads import varied
from benchlab.statistics import analysis, sequential, stats
from benchlab.statistics.analysis import ALL_LEVELS, PER_CPU, RATE
from benchlab.statistics.comparison import holm
from benchlab.statistics.stats import ALPHA, Blocks, Ratio

NEW, OLD = "new", "old"
# The two figures that can get worse.
FIGURES: Mapping[str, analysis.Figure] = {RATE: analysis.rate, PER_CPU: analysis.per_cpu_s}

# The gate's answers, which are its exit codes; 2 is an error everywhere.
NO_REGRESSION, REGRESSION, TOO_NOISY = 0, 1, 3


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the samples of a run, with the name each entry is compared under."""

    run: Run
    names: Mapping[str, str]

    def figures(self, entry: str, test: str, figure: analysis.Figure) -> dict[int, Blocks]:
        """Return the figure by level and block of what is compared under the entry's name.

        Without the rates that wrk was the limit of: there the entry could do more, and by how much is not known.
        """
        samples = [
            sample
            for sample in self.run.samples
            if self.names.get(sample.trial.entry) == entry and sample.trial.test == test
        ]
        found: dict[int, Blocks] = {
            level: blocks for level, entries in analysis.figures(samples, figure).items() for blocks in entries.values()
        }
        if figure is not analysis.rate:
            return found
        return {level: blocks for level, blocks in found.items() if (entry, test, level) not in self.client_bound}

    @cached_property
    def client_bound(self) -> set[tuple[str, str, int]]:
        """Return entry, test and level of what wrk was the limit of."""
        return {
            (self.names[cell.entry], cell.test, cell.level)
            for result in analysis.analyse(self.run)
            for cell in result.cells
            if cell.client_bound and cell.entry in self.names
        }

    @property
    def cells(self) -> set[tuple[str, str, int]]:
        """Return entry, test and level of all that has samples."""
        return {
            (self.names[trial.entry], trial.test, varied(trial.test, trial.level))
            for trial in (sample.trial for sample in self.run.samples)
            if trial.entry in self.names
        }

    @property
    def trials(self) -> set[tuple[str, str]]:
        """Return entry and test of all that has samples."""
        return {(entry, test) for entry, test, _ in self.cells}


@dataclass(frozen=True)
class Row:
    """The ratio of new to old in one figure, at one level of a test or over all of them."""

    entry: str
    test: str
    level: int | str
    figure: str
    ratio: Ratio


@dataclass(frozen=True)
class Gate:
    """The answer to "did anything get slower by `margin`?": an exit code, and why in one line."""

    exit_code: int
    reason: str


def of_runs(old: Run, new: Run) -> tuple[Side, Side]:
    """Return two runs as sides; entries are matched by name."""
    return tuple(Side(run, {name: name for name in run.manifest.entries}) for run in (old, new))  # type: ignore[return-value]


def of_versions(run: Run) -> tuple[Side, Side]:
    """Return the two versions of the entries in one run as sides. Raises ConfigError where it has none."""
    old = {name: name.partition(AT)[0] for name in run.manifest.entries if AT in name}
    if not old:
        raise ConfigError(
            f"{run.manifest.run_id} holds no entry of another commit; name two runs, or measure with --against"
        )
    return Side(run, old), Side(run, {name: name for name in old.values()})


def differences(old: Manifest, new: Manifest) -> list[str]:
    """Return what makes two runs incomparable, each with both values: other host, other load, other resources."""
    common = old.entries.keys() & new.entries.keys()
    before, after = _conditions(old, common), _conditions(new, common)
    return [
        f"{name} was {before.get(name)}, is {after.get(name)}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def rows(old: Side, new: Side) -> tuple[Row, ...]:
    """Return every ratio of new to old that both sides have samples for, the worst first.

    Blocks of one run are compared in pairs, those of two runs are not: they share no time. Raises ConfigError where
    the sides have nothing in common.
    """
    ratio = partial(_paired, old.run.decision) if old.run is new.run else _unpaired
    common = sorted(old.trials & new.trials)
    found = [
        row
        for entry, test in common
        for name, figure in FIGURES.items()
        for row in _rows(entry, test, name, old.figures(entry, test, figure), new.figures(entry, test, figure), ratio)
    ]
    if not found:
        raise ConfigError("the two have no entry, test and level in common; compare runs of the same ones")
    return tuple(sorted(found, key=lambda row: row.ratio.ratio))


def lost(old: Side, new: Side) -> list[str]:
    """Return what one side has samples of and the other has not, and what wrk was the limit of on either side.

    Of these nothing can be said, of the latter as far as the rate goes.
    """
    found = [f"{entry} {test} at {level}" for entry, test, level in sorted(old.cells ^ new.cells)]
    bound = sorted((old.client_bound | new.client_bound) & old.cells & new.cells)
    return [*found, *(f"the rate of {entry} {test} at {level}, which wrk limited" for entry, test, level in bound)]


def gate(found: Iterable[Row], margin: float, untold: Sequence[str] = ()) -> Gate:
    """Return whether anything got slower by `margin`, a share such as 0.03, as the ratios over all levels tell.

    A regression is shown where a ratio is significantly below 1, after Holm over all tests and figures, and one of the
    margin's size cannot be excluded. It is excluded where the 95 % interval lies above 1 - margin. Of what is `untold`,
    it never is.
    """
    found = list(found)
    overall = [row for row in found if row.level == ALL_LEVELS]
    tested = [row for row in overall if row.ratio.p is not None]
    adjusted = dict(zip(map(_key, tested), holm([row.ratio.p or 0.0 for row in tested]), strict=True))
    open_rows = [row for row in overall if row.ratio.low is None or row.ratio.low <= 1 - margin]
    shown = [row for row in open_rows if row.ratio.ratio < 1 and adjusted.get(_key(row), 1.0) <= ALPHA]
    if shown:
        return Gate(REGRESSION, f"slower: {'; '.join(map(_told, shown))}")
    if untold:
        return Gate(
            TOO_NOISY,
            f"nothing can be excluded where only one side was measured, or wrk was the limit: {', '.join(untold)}",
        )
    if not open_rows and overall:
        return Gate(NO_REGRESSION, f"no regression: everything is above {1 - margin:.3f} of what it was")
    told = "; ".join(map(_told, open_rows)) or "no block has all levels"
    return Gate(TOO_NOISY, f"too noisy to exclude a regression of {margin:.1%} ({_needed(open_rows, margin)}): {told}")


def table(found: Sequence[Row]) -> str:
    """Return the ratios as Markdown, in the order given."""
    return markdown.table(frame(found))


def frame(found: Sequence[Row]) -> pd.DataFrame:
    """Return the ratios as they are shown, in the order given."""
    return pd.DataFrame(
        {
            "entry": row.entry,
            "test": row.test,
            "level": row.level,
            "figure": row.figure,
            "new / old": f"{row.ratio.ratio:.3f}",
            "95 % interval": markdown.interval(row.ratio.low, row.ratio.high, "{:.3f}").strip() or "–",
            "blocks": row.ratio.blocks,
        }
        for row in found
    )


def _needed(rows: Sequence[Row], margin: float) -> str:
    """Return how many blocks would exclude the margin, if the ratios stayed where they are."""
    blocks = 0
    for row in rows:
        if row.ratio.stdev is None:
            return "it takes at least 2 blocks"
        width = row.ratio.ratio / (1 - margin) - 1
        if width <= 0:
            return "as far as it is known, no number of blocks will"
        blocks = max(blocks, sequential.blocks_needed([row.ratio], width))
    return f"it would take about {blocks} blocks"


def _key(row: Row) -> tuple[str, str, str]:
    return row.entry, row.test, row.figure


def _told(row: Row) -> str:
    bounds = markdown.interval(row.ratio.low, row.ratio.high, "{:.3f}")
    return f"{row.entry} {row.test} {row.figure} {row.ratio.ratio:.3f}{bounds}"


Compare = Callable[[list[Blocks], list[Blocks]], Ratio | None]


def _rows(
    entry: str, test: str, name: str, old: Mapping[int, Blocks], new: Mapping[int, Blocks], compare: Compare
) -> Iterable[Row]:
    """Yield the ratio at each level that both have, and over all of these."""
    levels = sorted(old.keys() & new.keys())
    groups: list[tuple[int | str, list[int]]] = [*((level, [level]) for level in levels), (ALL_LEVELS, levels)]
    for label, group in groups:
        ratio = compare([new[level] for level in group], [old[level] for level in group]) if group else None
        if ratio is not None:
            yield Row(entry, test, label, name, ratio)


def _paired(decision: Decision | None, new: list[Blocks], old: list[Blocks]) -> Ratio | None:
    levels = [{NEW: mine, OLD: theirs} for mine, theirs in zip(new, old, strict=True)]
    found = analysis.compared(levels, decision).pairs
    return found[0].ratio if found else None


def _unpaired(new: list[Blocks], old: list[Blocks]) -> Ratio | None:
    return stats.unpaired(NEW, OLD, _over_levels(new), _over_levels(old))


def _over_levels(levels: list[Blocks]) -> Blocks:
    """Return each block's geometric mean over the levels, of the blocks that have all of them."""
    complete = set.intersection(*(set(blocks) for blocks in levels))
    return {
        block: math.exp(math.fsum(math.log(blocks[block]) for blocks in levels) / len(levels)) for block in complete
    }


def _digest(content: object) -> str | None:
    return None if content is None else hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _conditions(manifest: Manifest, entries: Iterable[str]) -> dict[str, object]:
    """Return, by name, what must be equal for two runs to be comparable."""
    facts = manifest.facts
    host, wrk = (content if isinstance(content, dict) else {} for content in (facts.get("host"), facts.get("wrk")))
    resources = {
        f"{name}'s {label}": manifest.entries[name].get(label)
        for name in entries
        for label in ("workers", "pool", "base")
    }
    return {
        "lab version": facts.get("lab_version"),
        "digest of the rules' and tests' limits": _digest(facts.get("analysis")),
        "number of CPUs": manifest.cpus,
        "CPU model": host.get("cpu_model"),
        "kernel": host.get("kernel"),
        "engine": facts.get("engine_version"),
        "wrk": wrk.get("version"),
        "wrk's scripts": wrk.get("scripts_sha256"),
        "duration in s": manifest.settings.duration_s,
        "samples of a level in a visit": manifest.settings.repeats,
        "proxy": manifest.settings.proxy,
        "primer in s": manifest.settings.primer_s,
        "warm-up in s": manifest.settings.warmup_s,
        "placement": manifest.placement or "shared",
        "connections where N varies": PROFILES[manifest.settings.profile].query_connections,
        **resources,
    }
