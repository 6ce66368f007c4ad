"""A run's results in plain sentences: who leads by how much, who cannot be told apart, and warnings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchlab.core import quantities
from benchlab.core.quantities import counted, minutes
from benchlab.experiment import profiles
from benchlab.experiment.settings import DURATION, PROFILE
from benchlab.factors import catalog
from benchlab.load.metrics import PER_CPU, Better, Metric
from benchlab.quality import judge
from benchlab.quality.rules import HEAVY_LOGGING
from benchlab.records.counters import APP, CLIENT, DB, PROXY
from benchlab.records.facts import is_unavailable
from benchlab.records.plan import LevelKey, Manifest
from benchlab.records.run import INVALID, SUSPECT, Failure, Run, Sample
from benchlab.report import outcomes, tables
from benchlab.report.document import Conclusion, Warnings
from benchlab.statistics import bottleneck
from benchlab.statistics.analysis import ALL_LEVELS, Over, Result
from benchlab.statistics.comparison import LEAST_BLOCKS, Outcome, Pair, Standing
from benchlab.statistics.sizing import Because, Size
from benchlab.statistics.stats import EQUIVALENCE, Ratio

NO_CONCLUSION = "No sample counts, so there is no answer."
# What limited a row, as the end of "limited by".
LIMITS = {
    bottleneck.HOST: "the host's CPUs, which all roles share",
    bottleneck.OTHERS: "other processes on the host, which took the CPUs",
    CLIENT: "wrk, the load generator",
    APP: "the entry itself",
    DB: "the database",
    PROXY: "the proxy",
    bottleneck.CONCURRENCY: "too few connections",
    bottleneck.WAITING: "waiting for something other than CPU",
    bottleneck.UNMEASURED_GROWTH: "waiting, or too few connections: not measured",
    bottleneck.MIXED: "several things at once",
    bottleneck.UNKNOWN: "something that this host does not report",
}
# A sentence lists at most so many names, and counts the rest.
MOST_NAMES = 4
# A calm host has up to this share of suspect samples.
NOISY_SHARE = 0.05
# Noise keeps some warm-ups from becoming steady. Above this share the report warns. Chosen, not measured.
UNSTEADY_SHARE = 0.25
# Differences are per cent up to this ratio, and "times" above it.
TIMES = 1.5
# The most decimals of a per cent; anything smaller is rounding.
MOST_DIGITS = 6


@dataclass(frozen=True)
class _Followers:
    """The entries beside the leader of a test, grouped by their outcome against it, in the order of their ratios.

    Beside a control some may be ahead.
    """

    leader: str
    ahead: list[Standing]
    behind: list[Standing]
    equal: list[Standing]
    undecided: list[Standing]
    uncompared: list[Standing]


def conclusions(run: Run, results: Sequence[Result]) -> list[Conclusion]:
    """Return the conclusion of each test; a test without a result was not measured."""
    if not results:
        return [Conclusion("", NO_CONCLUSION, "")]
    limited = [limits(result) for result in results]
    # Counts of rows are those of one test: only what limited every row can be reported of several tests at once.
    alike = len(results) == 1 or len({cell.bottleneck for result in results for cell in result.cells}) == 1
    common = limited[0] if alike and len(set(limited)) == 1 else ""
    measured = {
        result.test: Conclusion(result.test, conclusion(result), "" if common else own)
        for result, own in zip(results, limited, strict=True)
    }
    tests = [measured.get(test, Conclusion(test, "Not measured.", "")) for test in run.manifest.settings.tests]
    return [*tests, *([Conclusion("", "", common)] if common else [])]


def last_lines(run: Run, results: Sequence[Result]) -> Iterator[str]:
    """Yield the last lines of a run: one for each conclusion, and one for all warnings."""
    yield from map(str, conclusions(run, results))
    if warned := list(warnings(run, results)):
        yield f"{Warnings.title}: {' '.join(warned)}"


def conclusion(result: Result) -> str:
    """Return who leads the test by how much, who cannot be told apart, and who has no sample that counts."""
    return " ".join([*_standing(result), *_absent(result)])


def _standing(result: Result) -> Iterator[str]:
    ranked = result.overall.entries
    if not ranked:
        yield "wrk was the limit of every row: what the entries can do is not known, and none has a rank."
    elif result.lacks_control:
        yield f"Nothing is compared with {result.control}, the baseline: none of its levels has a value that counts."
    elif len(ranked) == 1:
        yield f"There is nothing to compare {ranked[0]} with."
    elif result.control:
        yield from _against(result, result.control)
    elif result.basis is None:
        yield from _unranked(result)
    elif result.overall.leader is None:
        yield "Nobody leads: each entry is slower than another one at the levels that both have."
    else:
        yield from _led(result, _followers(result), result.basis)


def _led(result: Result, followers: _Followers, basis: Metric) -> Iterator[str]:
    yield from _undecided(result, followers, basis)
    yield from _equal(result, followers, basis)
    yield from _behind(result, followers, basis)
    if followers.uncompared:
        without = names([other.entry for other in followers.uncompared])
        yield f"{followers.leader} has no block in common with {without}."
    if len(result.standings) > tables.MANY:
        yield from _tiers(result)
    if result.is_host_full:
        yield from _in_usual(result, followers.leader, result.standings[1].entry)


def _against(result: Result, control: str) -> Iterator[str]:
    """Yield which entries are faster than the control, which are slower, and by how much."""
    if result.basis is None:
        neither = " nor ".join(metric.long_name for metric in result.measures.ranking)
        yield (
            f"Nothing is compared with {control} over all levels: some rows filled the host and others did not, so "
            f"neither {neither} are comparable."
        )
        return
    followers = _followers(result)
    yield from _apart(result, followers.ahead, "faster", result.basis)
    yield from _equal(result, followers, result.basis)
    yield from _undecided(result, followers, result.basis)
    yield from _apart(result, followers.behind, "slower", result.basis)
    if followers.uncompared:
        yield f"{control} has no block in common with {names([other.entry for other in followers.uncompared])}."


def _apart(result: Result, others: Sequence[Standing], word: str, basis: Metric) -> Iterator[str]:
    """Yield that these entries are certainly faster than the control, or slower: the first and the last by how much."""
    if not others:
        return
    control = result.control
    leads = [
        f"{other.entry} has {_lead(result, control, other.entry, basis)}"
        for other in dict.fromkeys((others[0], others[-1]))
    ]
    verb = "is" if len(others) == 1 else "are"
    subject = f"{names([other.entry for other in others])} {verb} {word} than {control}"
    yield f"{subject}: {', and '.join(leads)}.{_disagreement(result, control, others)}"


def _tiers(result: Result) -> Iterator[str]:
    """Yield the groups of ranks: every entry of one is known to be faster than every one of those after it."""
    tiers, place, told = result.tiers, 1, []
    for tier in tiers:
        last = place + len(tier) - 1
        told.append(f"{place if place == last else f'{place}–{last}'}: {', '.join(tier)}")
        place = last + 1
    if len(tiers) > 1:
        yield f"Groups of ranks, each ahead of all after it: {'; '.join(told)}."


def _unranked(result: Result) -> Iterator[str]:
    """Yield that no metric ranks the entries, with the ratios in each metric."""
    neither = " nor ".join(metric.long_name for metric in result.measures.ranking)
    yield (
        f"Nobody leads: some rows filled the host and others did not, so neither {neither} are comparable over all "
        "levels."
    )
    pairs = result.compared[result.measures.ranked_by].pairs
    if len(pairs) == 1:
        ratios = [
            f"{_ratio(pair.ratio)} in {metric.long_name}"
            for metric in result.measures.ranking
            for pair in result.compared[metric].pairs
        ]
        (pair,) = pairs
        yield f"{pair.ratio.first} / {pair.ratio.second} is {' and '.join(ratios)}."


def limits(result: Result) -> str:
    """Return what limited the test's rows."""
    counts = Counter(cell.bottleneck for cell in result.cells)
    rows = "all rows" if len(counts) == 1 else ""
    causes = [f"{LIMITS[name]} ({rows or counted(count, 'row')})" for name, count in counts.most_common()]
    basis = result.basis if result.is_host_full and len(result.standings) > 1 else None
    ranked = f" So entries are compared by {basis.long_name}." if basis else ""
    return f"Limited by {'; '.join(causes)}.{ranked}"


def warnings(run: Run, results: Sequence[Result]) -> Iterator[str]:
    """Yield what a reader must know before trusting any number; nothing for a calm, complete run."""
    yield from (f"{words[0].upper()}{words[1:]}." for words in profiles.cautions(run.manifest))
    blocks = len({sample.trial.block for sample in run.samples})
    if blocks < run.blocks:
        yield f"The run is not complete: it has samples of {blocks} of {counted(run.blocks, 'block')}."
    if blocks == 1:
        yield "One block shows no spread: there are no intervals, and nothing can be told apart."
    elif 0 < blocks < LEAST_BLOCKS and any(result.compared[result.measures.ranked_by].pairs for result in results):
        yield f"{blocks} blocks are too few to rank entries: it takes {LEAST_BLOCKS} to call anything faster or equal."
    if run.manifest.settings.together and is_unavailable(run.manifest.facts.host.fact("cgroup_tree")):
        yield (
            "The CPU time of containers is not known, because the load generator's container cannot read the host's "
            "cgroup tree (see compose.yaml): entries are compared by requests per second, even where they filled the "
            "host."
        )
    yield from _rejected(run.taken)
    yield from _noisy(run.samples)
    yield from _unsteady(run)
    yield from _heavy_logging(run.samples)
    if bound := [
        f"{cell.entry} in {cell.test} at {cell.level}" for r in results for cell in r.cells if cell.client_bound
    ]:
        yield f"wrk was the limit of {names(bound)}: these rates are lower bounds, without a rank."
    if reopened := sorted(
        {finding.entry for finding in run.findings if finding.rule == "keep-alive" and finding.warning}
    ):
        closes = "closes its connection" if len(reopened) == 1 else "close their connections"
        yield f"{names(reopened)} {closes} after each answer: each request opens a new one, which is measured too."
    yield from _same_images(run)
    if warned := sorted({f"{finding.entry} in {finding.test}" for finding in run.findings if finding.warning}):
        yield f"Verification warned of {names(warned)}: see “Verification”."
    if unbuilt := run.manifest.unbuilt:
        yield f"{names(list(unbuilt))} could not be built, so there are no results: see “Not measured”."
    if missing := judge.missing(run):
        yield f"{_missing(run, missing)} could not be measured: see “Not measured”."


def _missing(run: Run, missing: Sequence[Failure]) -> str:
    """Return what could not be measured: how many samples, or whose rounds."""
    if not run.manifest.settings.together:
        return counted(len(missing), "sample")
    of = sorted({f"{failure.trial.entry} in {failure.trial.test}" for failure in missing})
    return f"Rounds of {names(of)}"


def why_so_many(size: Size, precision: float | None, block_s: float) -> str:
    """Return why a run gets this number of blocks; one block takes `block_s` seconds."""
    match size.because:
        case Because.BUDGET:
            return f"what the budget has time for, at {minutes(block_s)} a block"
        case Because.NO_PAIR:
            return "there is no pair to compare, so the spread is unknown"
        case Because.NO_SPREAD:
            return "no pair has two blocks in common, so the spread is unknown"
        case Because.PRECISION:
            return f"with the pilot's spread ± {precision:.1%} takes {size.needed}"
        case Because.BUDGET_BEFORE_PRECISION:
            cap = "more than the budget has time for"
        case Because.MOST_BEFORE_PRECISION:
            cap = "more than a run can have"
    return f"± {precision:.1%} would take {size.needed}, {cap}; with {size.blocks} the result will be less precise"


def better_direction(of: Iterable[Better]) -> str:
    """Return the direction of better ratios in a plot of these metrics."""
    directions = set(of)
    if Better.LOWER not in directions:
        return "Further right is better"
    return "Further left is better" + (", or further right where higher is better" if len(directions) > 1 else "")


def names(of: Sequence[str]) -> str:
    """Return the names as a list in a sentence; after MOST_NAMES the rest are counted."""
    shown = list(of) if len(of) <= MOST_NAMES else [*of[: MOST_NAMES - 1], f"{len(of) - MOST_NAMES + 1} others"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _absent(result: Result) -> Iterator[str]:
    """Yield which entries have no samples that count at any planned level."""
    without = {entry for entry, _ in result.unmeasured} - {cell.entry for cell in result.cells}
    if without:
        yield f"{names(sorted(without))} {'was' if len(without) == 1 else 'were'} not measured."


def _followers(result: Result) -> _Followers:
    leader, *others = result.standings
    of: dict[Outcome | None, list[Standing]] = defaultdict(list)
    for other in others:
        of[other.pair.outcome if other.pair else None].append(other)
    return _Followers(
        leader.entry, of[Outcome.FASTER], of[Outcome.SLOWER], of[Outcome.EQUAL], of[Outcome.UNDECIDED], of[None]
    )


def _undecided(result: Result, followers: _Followers, basis: Metric) -> Iterator[str]:
    if not followers.undecided:
        return
    leader, last = followers.leader, followers.undecided[-1]
    which = ", the last of them" if len(followers.undecided) > 1 else ""
    together = _together(result, followers.leader, followers.undecided, (Outcome.UNDECIDED, Outcome.EQUAL))
    others = names([other.entry for other in followers.undecided])
    lead = f"{_lead(result, last.entry, leader, basis)}{which}"
    few = {_too_few(other) for other in followers.undecided}
    if len(few) == 1 and (blocks := few.pop()):
        apart = f"{together} apart" if together else f"{others} apart from {leader}"
        subject = f"{blocks} blocks are too few to tell {apart}"
    else:
        subject = f"{together} cannot be told apart" if together else f"{others} cannot be told apart from {leader}"
        lead += _why_undecided(last)
    yield f"{subject}: {leader} has {lead}.{_disagreement(result, leader, followers.undecided)}"


def _too_few(other: Standing) -> int:
    """Return how many blocks are too few for an outcome although they show a spread; 0 where that is not why."""
    pair = other.pair
    return pair.ratio.blocks if pair and pair.adjusted_p is None and pair.ratio.high is not None else 0


def _why_undecided(last: Standing) -> str:
    """Return why an apparent gap is undecided; "" where its interval shows that."""
    pair = last.pair
    if pair is None:
        return ""
    if pair.ratio.high is None:
        return "; only one block has both, so the spread is unknown"
    if few := _too_few(last):
        return f"; {few} blocks are too few to tell"
    return f"; among {pair.among} pairs chance alone can produce such a gap" if pair.is_unclear else ""


def _equal(result: Result, followers: _Followers, basis: Metric) -> Iterator[str]:
    if not followers.equal:
        return
    together = _together(result, followers.leader, followers.equal, (Outcome.EQUAL,))
    others = names([other.entry for other in followers.equal])
    subject = f"{together} are equal" if together else f"{others} are equal to {followers.leader}"
    whose = "of each other" if together else "of its own"
    disagreement = _disagreement(result, followers.leader, followers.equal)
    yield f"{subject}: their {basis.long_name} lie within {EQUIVALENCE:.0%} {whose}.{disagreement}"


def _together(result: Result, leader: str, others: Sequence[Standing], outcomes: Collection[Outcome]) -> str:
    """Return the names of leader and others if each pair of them has one of the outcomes; else ""."""
    entries = [leader, *(other.entry for other in others)]
    pairs = [result.overall.between(*two) for two in combinations(entries, 2)]
    return names(entries) if all(pair and pair.outcome in outcomes for pair in pairs) else ""


def _behind(result: Result, followers: _Followers, basis: Metric) -> Iterator[str]:
    """Yield the lead over entries that are certainly behind: over the nearest and over the last."""
    if not followers.behind:
        return
    leader, (first, *rest) = followers.leader, followers.behind
    alone = not (followers.undecided or followers.equal or followers.uncompared)
    # Entries that share the worst rank have no last one.
    worst = [other.rank.worst if other.rank else 0 for other in followers.behind]
    which = ", the last" if rest and max(worst[:-1]) < worst[-1] else ""
    last = f", and {_lead(result, rest[-1].entry, leader, basis)}{which}" if rest else ""
    subject = (
        f"{leader} leads" if alone else f"{leader} is ahead of {names([other.entry for other in followers.behind])}"
    )
    disagreement = _disagreement(result, leader, followers.behind)
    yield f"{subject}: it has {_lead(result, first.entry, leader, basis)}{last}.{disagreement}"


def _disagreement(result: Result, leader: str, others: Sequence[Standing]) -> str:
    """Return the levels whose outcome contradicts the one over all levels; "" if there are none."""
    disagreements = [
        f"{leader} / {other.entry} is {names([_at(level, pair) for level, pair in odd.items()])}"
        for other in others
        if (odd := _odd_levels(result, leader, other))
    ]
    more = [f"and {len(disagreements) - MOST_NAMES} more"] if len(disagreements) > MOST_NAMES else []
    return f" Levels disagree: {'; '.join([*disagreements[:MOST_NAMES], *more])}." if disagreements else ""


def _at(level: LevelKey, pair: Pair) -> str:
    """Return the ratio at a level, and the entry that it goes through where the two have no block in common there."""
    through = f" through {pair.ratio.through}" if pair.ratio.through else ""
    return f"{outcomes.ratio(pair)} at {level}{through}"


def _odd_levels(result: Result, leader: str, other: Standing) -> dict[LevelKey, Pair]:
    """Return the levels that contradict how the two compare over all levels.

    Where the leader is ahead, those at which it is known to be slower, or seems so by more than EQUIVALENCE; where a
    control is behind, the other way round. Where the two are not told apart, those at which they are; and where none
    is, those beyond EQUIVALENCE if there are such on both sides of 1: they may well cancel out.
    """
    by_level = {level: compared.between(leader, other.entry) for level, compared in result.decided_levels.items()}
    pairs = {level: pair for level, pair in by_level.items() if pair}
    gains = {level: result.overall.better.gain(pair.ratio.ratio) for level, pair in pairs.items()}
    below = {level for level, gain in gains.items() if gain * (1 + EQUIVALENCE) < 1}
    above = {level for level, gain in gains.items() if gain > 1 + EQUIVALENCE}
    decided = {level for level, pair in pairs.items() if pair.outcome in (Outcome.FASTER, Outcome.SLOWER)}
    outcome = other.pair.outcome if other.pair else None
    if outcome is Outcome.SLOWER:
        odd = below | {level for level in decided if pairs[level].outcome is Outcome.SLOWER}
    elif outcome is Outcome.FASTER:
        odd = above | {level for level in decided if pairs[level].outcome is Outcome.FASTER}
    else:
        odd = decided or (below | above if below and above else set())
    return {level: pair for level, pair in pairs.items() if level in odd}


def _in_usual(result: Result, leader: str, second: str) -> Iterator[str]:
    """Yield how the first two compare in the metric that ranks entries on hosts that are not full."""
    usual = result.measures.ranked_by
    if pair := result.compared[usual].between(leader, second):
        yield f"In {usual.long_name}, for information, {leader} / {second} is {_ratio(pair.ratio)}."


def _lead(result: Result, other: str, leader: str, basis: Metric) -> str:
    """Return how much more or less of the metric the leader has than the other, with interval and levels."""
    pair = result.overall.between(leader, other)
    assert pair is not None  # those without are `_Followers.uncompared`
    ratio, low, high = pair.ratio.ratio, pair.ratio.low, pair.ratio.high
    over = of_levels(result.over(pair.ratio.over))
    over += f", compared through {pair.ratio.through}" if pair.ratio.through else ""
    if all(1 / TIMES < value < TIMES for value in (ratio, low, high) if value is not None):
        bounds = "" if low is None or high is None else f" [{_share(low - 1, '+')} to {_share(high - 1, '+')}]"
        more, fewer = ("more", "fewer") if basis.better is Better.HIGHER else ("higher", "lower")
        lead = f"{_share(abs(ratio - 1))} {more if ratio >= 1 else fewer} {basis.long_name}"
        return f"{lead} than {other}{bounds}{over}"
    return f"{ratio:.2f} times the {basis.long_name} of {other}{quantities.interval(low, high, '{:.2f}')}{over}"


def _share(part: float, sign: str = "") -> str:
    """Return the share in per cent, with enough decimals that only 0 looks like 0."""
    texts = (f"{part:{sign}.{digits}%}" for digits in range(1, MOST_DIGITS + 1))
    return next((text for text in texts if float(text.rstrip("%")) or not part), f"{part:{sign}.1%}")


def of_levels(over: Over | None) -> str:
    """Return the levels that a value covers; "" if it covers all."""
    if over is None or over.are_all:
        return ""
    shown = outcomes.levels(over)
    return f" over all levels{shown.removeprefix(str(ALL_LEVELS))}" if over.are_most else f" at {shown}"


def _ratio(ratio: Ratio) -> str:
    return f"{quantities.ratio(ratio.ratio)}{quantities.bounds(ratio.low, ratio.high)}"


def _same_images(run: Run) -> Iterator[str]:
    """Yield which versions are the same image, started alike: any difference between them is noise."""
    manifest = run.manifest
    for newer, older in sorted(catalog.versions(manifest.variants, manifest.settings).items()):
        images = {manifest.images.get(name) for name in (newer, older)}
        if len(images) == 1 and None not in images and _started(manifest, newer) == _started(manifest, older):
            yield f"{newer} and {older} are the same image: any difference between them is noise."


def _started(manifest: Manifest, name: str) -> dict[str, object]:
    """Return how an entry's container is made, but for what it and its image are called."""
    return {key: value for key, value in manifest.services.get(name, {}).items() if key not in ("image", "labels")}


def _rejected(taken: Sequence[Sample]) -> Iterator[str]:
    rejected = [sample for sample in taken if sample.verdict.severity == INVALID]
    if rejected:
        verbs = "was invalid and does" if len(rejected) == 1 else "were invalid and do"
        yield f"{counted(len(rejected), 'sample')} of {len(taken):,} {verbs} not count: {_reasons(rejected)}."


def _noisy(samples: Sequence[Sample]) -> Iterator[str]:
    suspect = [sample for sample in samples if sample.verdict.severity == SUSPECT]
    if samples and len(suspect) / len(samples) > NOISY_SHARE:
        count = counted(len(samples), "sample that counts", "samples that count")
        share = f"{counted(len(suspect), 'is', 'are')} suspect ({len(suspect) / len(samples):.0%})"
        yield f"A noisy host: of the {count}, {share}: {_reasons(suspect)}."


def _unsteady(run: Run) -> Iterator[str]:
    """Yield that many samples followed a warm-up that was too short, and how to reduce that."""
    count = sum("unsteady" in sample.verdict.broken for sample in run.samples)
    if count <= UNSTEADY_SHARE * len(run.samples):
        return
    longest = max(profiles.PROFILES.values(), key=lambda profile: profile.warmup_s)
    is_longer = longest.warmup_s > run.manifest.settings.warmup_s
    longer = f"{PROFILE.name} {longest.name} warms up for {longest.warmup_s[1]} s, and " if is_longer else ""
    yield (
        f"Before {count:,} of the {counted(len(run.samples), 'sample that counts', 'samples that count')} "
        f"({count / len(run.samples):.0%}), the warm-up ended without a steady rate, because of noise or because the "
        f"entry was still getting faster: {longer}a longer {DURATION.name} gives the start of a sample less weight."
    )


def _heavy_logging(samples: Iterable[Sample]) -> Iterator[str]:
    loud = {
        f"{sample.trial.entry} in {sample.trial.test}" for sample in samples if HEAVY_LOGGING in sample.verdict.broken
    }
    if loud:
        yield (
            f"{names(sorted(loud))} logged heavily under load: the engine's work on the log lowers the rate, is not "
            f"counted in {PER_CPU.long_name}, and looks like background CPU."
        )


def _reasons(samples: Iterable[Sample]) -> str:
    """Return why these samples were not good, the most frequent reason first."""
    samples = list(samples)
    worst = {sample.verdict.severity for sample in samples}
    counts = Counter(name for sample in samples for name in sample.verdict.broken if judge.severity(name) in worst)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return names([f"{judge.meaning(name)} ({count:,})" for name, count in ordered])
