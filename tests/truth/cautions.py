"""The sentences around the answer: what to know before it is believed, what the run is, how its samples were judged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from . import table_checker
from .findings import Findings, Sentence, fine, read
from .printed import Row
from .sampled import Sampled, key, level, missing, part
from .tables import TOO_FEW, Report, half_unit, listed, number
from .telling import Records

# So many suspect samples are told of, and so many that followed a warm-up that was too short: more than these shares.
NOISY, UNSTEADY = 0.05, 0.25
# Entries that are not loaded may use so much of a CPU together.
IDLE_ENTRIES = 0.01


@dataclass(frozen=True)
class Place:
    """The report that the sentence stands in, and the files of its run."""

    report: Report
    sampled: Sampled
    records: Records


def check(warnings: Sequence[str], about: Sequence[str], place: Place) -> Findings:
    """Hold the warnings, and what the run is, against the samples and the tables."""
    findings = Findings()
    for warning in warnings:
        read(warning, WARNINGS, place, findings, "warning")
    for line in about:
        read(line, ABOUT, place, findings, "about")
    findings.hold("nothing is hidden", "; ".join(warnings), _hidden(warnings, place))
    return findings


def _hidden(warnings: Sequence[str], place: Place) -> Iterator[str]:
    """Find what the samples and tables ask to be warned of and no warning tells, and what is warned of for nothing."""
    whole = " ".join(warnings)
    taken, counting = place.sampled.taken, place.sampled.counting
    blocks = len({row["block"] for row in counting})
    suspect, unsteady = len(_of(counting, "suspect")), sum("unsteady" in row["broken"].split("; ") for row in counting)
    pairs = [pair for of_test in place.report.tests.values() for pair in of_test.pairs]
    asked = {
        "invalid and do": bool(_of(taken, "invalid")),
        "could not be measured": bool(_missing(place)),
        "The run is not complete": blocks < place.records.blocks,
        "could not be built": bool(place.records.unbuilt),
        "A noisy host": suspect > NOISY * len(counting),
        "the warm-up ended without a steady rate": unsteady > UNSTEADY * len(counting),
        "logged heavily under load": any("heavy logging" in row["broken"].split("; ") for row in counting),
        "wrk was the limit of": any(row["limited by"] == "client" for row in place.report.cells),
        "Verification warned of": bool(place.records.warned),
        "after each answer: each request opens a new one": bool(place.records.reopened),
        "One block shows no spread": blocks == 1,
        "blocks are too few to rank entries": 1 < blocks < 3 and bool(pairs),
    }
    for words, is_so in asked.items():
        if is_so and words not in whole:
            yield f"nothing is said of this: {words}"
        # Of entries at levels of which no two have one in common, the report has no rows either.
        if not is_so and words in whole and words != "blocks are too few to rank entries":
            yield f"it is said for nothing: {words}"


def _of(rows: Sequence[Row], severity: str) -> list[Row]:
    return [row for row in rows if row["verdict"] == severity]


def _missing(place: Place) -> set[str]:
    return missing(place.sampled, place.records.failed, place.records.rounds)


def _to_come(place: Place) -> int:
    """Return how many trials are still to come; of rounds those of entries that were not lost in the block and test."""
    records = place.records
    tried = {key(row) for row in place.sampled.taken} | set(records.failed)
    lost = {part(each, 3) for each in records.failed} if records.rounds else set()
    each_test = [
        ((str(block), entry, test), records.repeats * len(records.levels[test]))
        for block in range(1, records.blocks + 1)
        for entry, tests in records.tests.items()
        for test in tests
    ]
    planned = sum(trials for place_of, trials in each_test if place_of not in lost)
    return planned - sum(part(each, 3) not in lost for each in tried)


def _incomplete(match: re.Match[str], place: Place) -> Iterator[str]:
    blocks = len({row["block"] for row in place.sampled.counting})
    if (int(match["had"]), int(match["of"])) != (blocks, place.records.blocks):
        yield f"{blocks} of {place.records.blocks} blocks have samples"


def _one_block(_: re.Match[str], place: Place) -> Iterator[str]:
    if len({row["block"] for row in place.sampled.counting}) != 1:
        yield "there are more blocks"
    for of_test in place.report.tests.values():
        yield from (f"told apart: {pair}" for pair in of_test.pairs if pair.is_decided or pair.ratio.low is not None)


def _too_few(match: re.Match[str], place: Place) -> Iterator[str]:
    blocks = len({row["block"] for row in place.sampled.counting})
    if int(match["blocks"]) != blocks or blocks >= 3:
        yield f"{blocks} blocks have samples"
    for of_test in place.report.tests.values():
        yield from (f"told: {pair}" for pair in of_test.pairs if pair.is_decided or pair.is_equal)


def _rejected(match: re.Match[str], place: Place) -> Iterator[str]:
    invalid = _of(place.sampled.taken, "invalid")
    if (number(match["count"]), number(match["of"])) != (len(invalid), len(place.sampled.taken)):
        yield f"{len(invalid)} of {len(place.sampled.taken)} are invalid"
    yield from _reasons(match["reasons"], invalid, place)


def _noisy(match: re.Match[str], place: Place) -> Iterator[str]:
    counting, suspect = place.sampled.counting, _of(place.sampled.counting, "suspect")
    if (number(match["of"]), number(match["count"])) != (len(counting), len(suspect)):
        yield f"{len(suspect)} of {len(counting)} are suspect"
    yield from _share(match, len(suspect), len(counting))
    yield from _reasons(match["reasons"], suspect, place)


def _reasons(text: str, rows: Sequence[Row], place: Place) -> Iterator[str]:
    """Hold how often each reason is told against how often samples broke the rule, which the table of rules names."""
    names = {row["meaning"]: row["rule"] for row in place.report.rules}
    broken = [row["broken"].split("; ") for row in rows]
    counts: Callable[[str], int] = lambda rule: sum(rule in told for told in broken)  # noqa: E731
    for meaning, count in re.findall(r"(.+?) \(([\d,]+)\)(?:, | and |$)", text):
        if meaning not in names:
            yield f"no rule means: {meaning}"
        elif counts(names[meaning]) != number(count):
            yield f"{names[meaning]}: {counts(names[meaning])} samples"
    if not re.fullmatch(r".+? \([\d,]+\)(?:(?:, | and ).+? \([\d,]+\))*(?: and \d+ others)?", text):
        yield "not read"


def _share(match: re.Match[str], part: int, whole: int) -> Iterator[str]:
    if abs(float(match["share"]) - 100 * part / whole) > 0.51:
        yield f"{part} of {whole} are {part / whole:.1%}"


def _unsteady(match: re.Match[str], place: Place) -> Iterator[str]:
    counting = place.sampled.counting
    count = sum("unsteady" in row["broken"].split("; ") for row in counting)
    if (number(match["count"]), number(match["of"])) != (count, len(counting)):
        yield f"{count} of {len(counting)}"
    yield from _share(match, count, len(counting))


def _bound(match: re.Match[str], place: Place) -> Iterator[str]:
    names, more = listed(match["names"])
    bound = {f"{r['entry']} in {r['test']} at {r['level']}" for r in place.report.cells if r["limited by"] == "client"}
    if set(names) - bound or len(names) + more != len(bound):
        yield f"the table has {sorted(bound)}"


def _warned(match: re.Match[str], place: Place) -> Iterator[str]:
    names, more = listed(match["names"])
    if set(names) - set(place.records.warned) or len(names) + more != len(place.records.warned):
        yield f"it warned of {place.records.warned}"


def _reopened(match: re.Match[str], place: Place) -> Iterator[str]:
    names, more = listed(match["names"])
    if set(names) - set(place.records.reopened) or len(names) + more != len(place.records.reopened):
        yield f"it warned of {place.records.reopened}"


def _unbuilt(match: re.Match[str], place: Place) -> Iterator[str]:
    names, more = listed(match["names"])
    if set(names) - set(place.records.unbuilt) or len(names) + more != len(place.records.unbuilt):
        yield f"it was {place.records.unbuilt}"


def _not_measured(match: re.Match[str], place: Place) -> Iterator[str]:
    if number(match["count"]) != len(_missing(place)):
        yield f"{len(_missing(place))} trials have no sample that counts"


def _without_rounds(match: re.Match[str], place: Place) -> Iterator[str]:
    names, more = listed(match["names"])
    expected = {f"{entry} in {test}" for _, entry, test in (part(each, 3) for each in _missing(place))}
    if set(names) - expected or len(names) + more != len(expected):
        yield f"rounds of {sorted(expected)} are missing"


def _blocks(match: re.Match[str], place: Place) -> Iterator[str]:
    blocks = len({row["block"] for row in place.sampled.counting})
    if (int(match["had"]), int(match["of"])) != (blocks, place.records.blocks):
        yield f"{blocks} of {place.records.blocks}"


def _samples(match: re.Match[str], place: Place) -> Iterator[str]:
    if number(match["count"]) != len(place.sampled.counting):
        yield f"{len(place.sampled.counting)} count"


def _sampling(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold the time that sampling took against all samples taken: those that do not count took time too."""
    took = sum(int(row["duration_us"]) for row in place.sampled.taken) / 1e6
    if abs(_seconds(match["took"]) - took) > 0.51:
        yield f"all samples took {took:.0f} s"
    counted = sum(int(row["duration_us"]) for row in place.sampled.taken) / 1e6
    if match["counted"] and abs(_seconds(match["counted"]) - counted) > 0.51:
        yield f"all samples counted {counted:.0f} s"
    share = 100 * _seconds(match["took"]) / max(_seconds(match["of"]), 1)
    if abs(share - float(match["share"])) > 0.5 + 100 * 0.6 * (1 + share / 100) / max(_seconds(match["of"]), 1):
        yield f"that is {share:.1f} %"


def _seconds(text: str) -> float:
    parts = {unit: float(count) for count, unit in re.findall(r"(\d+) (h|min|s)", text)}
    return 3600 * parts.get("h", 0) + 60 * parts.get("min", 0) + parts.get("s", 0)


def _decided(match: re.Match[str], place: Place) -> Iterator[str]:
    if (place.records.pilot, place.records.blocks) != (int(match["pilot"]), int(match["blocks"])):
        yield f"after {place.records.pilot}, {place.records.blocks}"


def _became(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold what became of the samples taken against their verdicts; the parts add up to all."""
    taken, counting = place.sampled.taken, place.sampled.counting
    invalid, suspect = len(_of(taken, "invalid")), len(_of(counting, "suspect"))
    again = len(taken) - len(counting) - invalid
    found = {"taken": len(taken), "count": len(counting), "suspect": suspect, "again": again, "invalid": invalid}
    if {name: number(match[name] or "0") for name in found} != found:
        yield f"by the samples {found}"


def _loud(match: re.Match[str], place: Place) -> Iterator[str]:
    names, more = listed(match["names"])
    loud = {
        f"{row['entry']} in {row['test']}"
        for row in place.sampled.counting
        if "heavy logging" in row["broken"].split("; ")
    }
    if set(names) - loud or len(names) + more != len(loud):
        yield f"by the samples {sorted(loud)}"


def _widest(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold how well ratios are known against the samples of the rows over all levels; of new to old, of the versions.

    Where a test has no figure that ranks, both count.
    """
    is_of_versions, control = bool(place.records.versions), place.records.control
    named = "new to old" if is_of_versions else f"an entry to {control}" if control else "two entries"
    if match["of"] != named or bool(match["own"]) != bool(control):
        yield f"it is that of {named}"
    if is_of_versions:
        # The ratios of new to old stand in the comparison, which holds them against the samples.
        return
    every = [(of_test, pair) for of_test in place.report.tests.values() for pair in of_test.pairs]
    rows = [(t, p) for t, p in every if p.is_over_levels and t.basis in ("", p.figure)]
    owns = [table_checker.ratio_of(pair, of_test, place.report, place.sampled, place.records) for of_test, pair in rows]
    reached = [figure.bounds()[1] / figure.middle - 1 for figure in owns if figure and figure.blocks > 1]  # type: ignore[index]
    if bool(match["bare"]) != (len(reached) < len(rows)):
        yield "that some have no interval is said where that is so, and there alone"
    widest = max(reached, default=0.0)
    if abs(number(match["widest"]) - 100 * widest) > 0.0501 + 1e-9 * widest:
        yield f"by the rows {widest:.2%}"


def _lacking(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold in how many samples each rule had no value against the run's records."""
    told = dict(re.findall(r"(?:^|, )([\w -]+?) in (all samples|[\d,]+ of them) \(", match["rules"]))
    taken = len(place.sampled.taken)
    counts = {name: taken if count == "all samples" else int(number(count.split()[0])) for name, count in told.items()}
    if counts != dict(place.records.unknown):
        yield f"by the records {place.records.unknown}"


WIDEST = (
    r"The widest ratio of (?P<of>.+?) over all levels is known to ± (?P<widest>[\d.,]+)%"
    r"(?P<own>, by its own interval)?(?P<bare>; some have no interval)?\."
)
NAMES = r"(?P<names>.+?)"
REASONS = r"(?P<reasons>.+?\))"
BECAME: Sentence[Place] = Sentence(
    "what became of samples",
    r"(?P<taken>[\d,]+) samples? w(?:as|ere) taken: "
    r"(?:(?P<count>[\d,]+) counts?(?: \((?P<suspect>[\d,]+) of them suspect\))?|none counts)"
    r"(?:, (?P<again>[\d,]+) w(?:as|ere) suspect and repeated)?(?:, (?P<invalid>[\d,]+) (?:is|are) invalid)?\.",
    _became,
)
RULES: Sentence[Place] = Sentence("rules without a value", r"Rules without a value: (?P<rules>.+)\.", _lacking)
WARNINGS: Sequence[Sentence[Place]] = (
    Sentence("first look", r"A first look, not to be quoted\.", fine),
    Sentence(
        "incomplete", r"The run is not complete: it has samples of (?P<had>\d+) of (?P<of>\d+) blocks?\.", _incomplete
    ),
    Sentence(
        "one block",
        r"One block shows no spread: there are no intervals, and nothing can be told apart\.",
        _one_block,
    ),
    Sentence(
        "too few blocks",
        r"(?P<blocks>\d+) blocks are too few to rank entries: it takes 3 to call anything faster or equal\.",
        _too_few,
    ),
    Sentence(
        "rejected",
        r"(?P<count>[\d,]+) samples? of (?P<of>[\d,]+) w(?:as|ere) invalid and do(?:es)? not count: " + REASONS + r"\.",
        _rejected,
    ),
    Sentence(
        "noisy",
        r"A noisy host: of the (?P<of>[\d,]+) samples? that counts?, (?P<count>[\d,]+) (?:is|are) suspect "
        r"\((?P<share>\d+)%\): " + REASONS + r"\.",
        _noisy,
    ),
    Sentence(
        "unsteady",
        r"Before (?P<count>[\d,]+) of the (?P<of>[\d,]+) samples? that counts? \((?P<share>\d+)%\), the warm-up ended "
        r"without a steady rate, .+? less weight\.",
        _unsteady,
    ),
    Sentence("loud", NAMES + r" logged heavily under load: the engine's work on the log .+", _loud),
    Sentence(
        "wrk's limit",
        r"wrk was the limit of " + NAMES + r": these rates are lower bounds, without a rank\.",
        _bound,
    ),
    Sentence(
        "reopened",
        NAMES + r" closes? (?:its|their) connections? after each answer: each request opens a new one, which is "
        r"measured too\.",
        _reopened,
    ),
    Sentence("warned", r"Verification warned of " + NAMES + r": see “Verification”\.", _warned),
    Sentence("unbuilt", NAMES + r" could not be built, so there are no results: see “Not measured”\.", _unbuilt),
    Sentence(
        "missing",
        r"(?P<count>[\d,]+) samples? could not be measured: see “Not measured”\.",
        _not_measured,
    ),
    Sentence(
        "without rounds", r"Rounds of " + NAMES + r" could not be measured: see “Not measured”\.", _without_rounds
    ),
)
ABOUT: Sequence[Sentence[Place]] = (
    Sentence(
        "profile", r"(?:Eight blocks|The study's levels|A first look|The original study|The test types)[^.]+\.", fine
    ),
    Sentence("changed", r"Changed: [^.]+\.", fine),
    Sentence("blocks", r"Blocks with samples: (?P<had>\d+) of (?P<of>\d+)\.", _blocks),
    Sentence("samples", r"Samples: (?P<count>[\d,]+)\.", _samples),
    Sentence("load", r"Load: closed loop, from the same \d+-CPU host\.", fine),
    Sentence("seed", r"Seed \d+\.", fine),
    Sentence("CPUs", r"CPUs: [^.]+\.", fine),
    Sentence(
        "measured when", r"Measured from [\d :-]+ to [\d :-]+ UTC by benchlab [^ ]+?(?:, analysed by [^ ]+)?\.", fine
    ),
    Sentence(
        "sampling",
        r"Sampling took (?P<took>[\dhmins ]+) of (?P<of>[\dhmins ]+) \((?P<share>\d+)%\), pauses included"
        r"(?:; (?P<counted>[\dhmins ]+) of it are counted)?\.",
        _sampling,
    ),
    BECAME,
    Sentence(
        "decided",
        r"After a pilot of (?P<pilot>\d+) blocks? the number of blocks was set to (?P<blocks>\d+): [^.]+\.",
        _decided,
    ),
    Sentence(
        "widest",
        WIDEST,
        _widest,
    ),
)
JUDGED: Sequence[Sentence[Place]] = (BECAME, RULES)


def broken_counts(rows: Sequence[Row], sampled: Sampled) -> Iterator[str]:
    """Hold the table of broken rules against the samples."""
    counts = Counter(name for row in sampled.taken for name in row["broken"].split("; "))
    for row in rows:
        if row["rule"] in counts and number(row["samples"]) != counts[row["rule"]]:
            yield f"{counts[row['rule']]} samples broke {row['rule']}"


def study(test: str) -> Sequence[Sentence[Place]]:
    """Return what is said under the study's tables of a test."""
    return (
        Sentence(
            "means over fewer",
            r"Means over fewer than (?P<most>\d+) samples, so not quite comparable: (?P<cells>.+)\.",
            lambda match, place: _fewer(match, place, test),
        ),
        Sentence(
            "time-outs", r"Time-outs \(.+?\), over all blocks: (?P<cells>.+)\.", lambda m, p: _timeouts(m, p, test)
        ),
    )


def _fewer(match: re.Match[str], place: Place, test: str) -> Iterator[str]:
    counts = Counter(f"{r['entry']} at {level(r)}" for r in place.sampled.counting if r["test"] == test)
    most = max(counts.values())
    told = {cell: int(count) for cell, count in re.findall(r"(\S+ at \d+): (\d+)", match["cells"])}
    if int(match["most"]) != most or told != {cell: count for cell, count in counts.items() if count < most}:
        yield f"by the samples {dict(counts)}"


def _timeouts(match: re.Match[str], place: Place, test: str) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for row in place.sampled.counting:
        if row["test"] == test:
            counts[f"{row['entry']} at {level(row)}"] += int(row["errors_timeout"])
    told = {cell: int(count) for cell, count in re.findall(r"(\S+ at \d+): (\d+)", match["cells"])}
    if told != {cell: count for cell, count in counts.items() if count}:
        yield f"by the samples {dict(counts)}"


def _none_counts(match: re.Match[str], place: Place) -> Iterator[str]:
    if place.sampled.counting or number(match["taken"]) != len(place.sampled.taken):
        yield f"{len(place.sampled.counting)} of {len(place.sampled.taken)} count"


def _headlines(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold how many comparisons are said to be corrected together against the rows over all levels."""
    rows = [p for t in place.report.tests.values() for p in t.over_levels(t.basis) if p.outcome not in (TOO_FEW, "–")]
    if number(match["count"]) != len(rows):
        yield f"{len(rows)} rows over all levels have an outcome"


def _hides_levels(place: Place) -> bool:
    """Return whether a test has so many entries that its pairs are shown over all levels alone."""
    return any(
        not any(p.level.isdecimal() for p in t.pairs) and len(t.summary) > 6 for t in place.report.tests.values()
    )


def _levels(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold how many levels are said to have outcomes against the rows, and the chance against that number."""
    rows = [(t.test, pair) for t in place.report.tests.values() for pair in t.pairs if not pair.is_over_levels]
    levels = {(test, pair.level) for test, pair in rows if pair.outcome not in (TOO_FEW, "–")}
    # Of more pairs than a report shows at single levels, it has no rows of these.
    if int(match["count"]) < len(levels) or (int(match["count"]) > len(levels) and not _hides_levels(place)):
        yield f"{len(levels)} levels have outcomes"
    if abs(float(match["share"]) - 100 * (1 - 0.95 ** int(match["count"]))) > 0.51:
        yield f"that is {1 - 0.95 ** int(match['count']):.1%}"


def _idle_entries(match: re.Match[str], place: Place) -> Iterator[str]:
    """Hold what entries used that were not loaded against the samples."""
    known = [row for row in place.sampled.counting if row["idle_entries_cpu_us"]]
    used = fmean(int(row["idle_entries_cpu_us"]) / int(row["between_us"]) for row in known)
    if abs(float(match["used"]) / 100 - used) > half_unit(match["used"]) / 100 + 1e-9:
        yield f"they used {used:.3%}"
    if bool(match["much"]) != (used > IDLE_ENTRIES):
        yield f"{used:.3%} is {'too much' if used > IDLE_ENTRIES else 'little'}"


NOTHING: Sequence[Sentence[Place]] = (
    Sentence(
        "idle entries",
        r"While one entry was loaded, the others used (?P<used>[\d.]+)% of a CPU together"
        r"(?P<much>: too much; `--profile study` has one entry up at a time)?\.",
        _idle_entries,
    ),
    Sentence(
        "chance over all levels",
        r"Over all levels, 5 % is the chance that any outcome of this report says faster or slower wrongly "
        r"\(Holm, over (?P<count>[\d,]+) comparisons? of all tests\)\.",
        _headlines,
    ),
    Sentence(
        "chance beside a baseline",
        r"Over all levels, all intervals of ratios to (?P<control>\S+) hold at once in 95 % of such reports "
        r"\((?P<count>[\d,]+) comparisons? of all tests\): so 5 % is the chance that any outcome says faster or slower "
        r"wrongly\.",
        _headlines,
    ),
    Sentence(
        "chance at single levels",
        r"At a single level it is 5 % for the (?:pairs|ratios) of that level alone: where nothing differs, one or more "
        r"of (?P<count>\d+) levels say otherwise in up to (?P<share>\d+)% of reports\.",
        _levels,
    ),
    Sentence("none counts", r"Of the (?P<taken>[\d,]+) samples? taken, none counts\.", _none_counts),
)


def unmeasured(bullets: Sequence[str], place: Place) -> Iterator[str]:
    """Hold how many trials are told to have failed, and to be still to come, against the records."""
    failed = 0
    for bullet in bullets:
        if match := re.fullmatch(r"([\d,]+) trials? still to come\.", bullet):
            if number(match[1]) != _to_come(place):
                yield f"{_to_come(place)} are to come"
        elif match := re.fullmatch(r".+ \(([\d,]+) trials?, (?:first )?\S+\)", bullet):
            failed += int(number(match[1]))
        elif not re.search(r"; measured later$|; the block has enough rounds without$|, all of it: ", bullet):
            yield f"not read: {bullet}"
    if failed != len(_missing(place)):
        yield f"{len(_missing(place))} trials have no sample that counts, {failed} are told"
