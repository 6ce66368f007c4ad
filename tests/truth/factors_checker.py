"""The sentences of what factors do: against the table's rows, and these against the samples of the entries crossed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from .findings import Findings
from .printed import Row, Section, sections
from .sampled import Figure, Sampled
from .table_checker import outcome
from .tables import MEASURES, TOO_FEW, UNCLEAR, UNDECIDED, Printed, Report, levels_of, printed

# How a sentence calls a factor's level, where not by its label.
CALLED = {
    "the ORM": "full",
    "raw SQL": "raw",
    "no proxy": "none",
    "an adopted entry": "adopted",
    "the lab's own": "lab",
}
TOGETHER = {"more together": "faster", "less together": "slower", "independent": "equal"}
# Of what is nothing but its name, such as a package, that stands before the level.
STEP = r"(?:uvicorn )?(?P<level>[^;:()]+?) instead of (?P<reference>[^;:()]+?)(?P<between> \(between [^)]+ alone\))?"
TIMES = r"(?P<times>\d+\.\d+x(?: \[[^\]]+\])?(?: \(90 %\))?)"
DOUBT = r"(?: among (?P<among>\d+) effects|(?P<few> on \d+ blocks?))?"
ALONE = {
    "equal": rf"{STEP} made no difference beyond 3% \({TIMES}\)",
    "cannot be told apart": rf"{STEP} cannot be told from no change{DOUBT} \({TIMES}\)",
    "faster or slower": rf"{STEP} gave {TIMES}",
}
BOTH = {
    "equal": rf"{STEP} gave the same with (?P<where>.+?) as with (?P<there>.+?), within 3% \({TIMES}\)",
    "cannot be told apart": rf"whether {STEP} gave more with (?P<where>.+?) than with (?P<there>.+?) cannot be told"
    rf"{DOUBT} \({TIMES}\)",
    "faster or slower": rf"{STEP} gave {TIMES} as much with (?P<where>.+?) as with (?P<there>.+?)",
}
NOTHING = (
    "only one factor was studied, so there are no interactions",
    "how the factors interact is unknown, because entries are missing",
)
FULL = (
    r"At (?P<level>\d+) (?:quer(?:y|ies) a request(?: \((?P<of>[\w-]+)\))?|connections? \((?P<test>[\w-]+)\)) "
    r"some entries filled the host and others did not, so neither requests per second nor requests per CPU-second "
    r"shows what a factor does\."
)
NO_BLOCK = "No block has a sample of all the entries that an effect needs."
NO_SINGLE = "No block has a sample of all the entries that an effect of one change needs."


@dataclass(frozen=True)
class Effect:
    """A row: the changes, each a factor with its level and its reference ("" where the row does not name it)."""

    level: str
    title: str
    changes: tuple[tuple[str, str, str], ...]
    figures: Mapping[str, Printed | None]
    outcome: str


@dataclass(frozen=True)
class Crossing:
    """Which entry has which level of each factor."""

    factors: tuple[str, ...]
    entries: Mapping[tuple[str, ...], str]
    levels: Mapping[str, Sequence[str]]

    def only(self, entries: set[str]) -> Crossing:
        """Return the crossing with these entries alone; what levels there are stays."""
        return replace(self, entries={cell: entry for cell, entry in self.entries.items() if entry in entries})

    def groups(
        self, changes: Sequence[tuple[str, str, str]], references: Mapping[str, str]
    ) -> list[list[tuple[str, int]]]:
        """Return for each choice of the other factors' levels the entries with their signs, of those that are whole."""
        others = [name for name in self.factors if name not in {change[0] for change in changes}]
        found = []
        for fixed in product(*(self.levels[name] for name in others)):
            group = []
            for made in product((True, False), repeat=len(changes)):
                levels = dict(zip(others, fixed, strict=True))
                for (factor, level, _), is_made in zip(changes, made, strict=True):
                    levels[factor] = level if is_made else references[factor]
                group.append(
                    (self.entries.get(tuple(levels[name] for name in self.factors), ""), (-1) ** made.count(False))
                )
            found.append(group)
        return found


def check(text: str, report: Report, sampled: Sampled) -> Findings:
    findings = Findings()
    top, crossed, *rest = (section for section in sections(text) if section.title)
    table = crossed.tables[0]
    names = table.columns[1:]
    crossing = Crossing(
        names,
        {tuple(row[name] for name in names): row["entry"] for row in table.rows},
        {name: sorted({row[name] for row in table.rows}) for name in names},
    )
    rows = {_test(section): [_effect(row) for row in section.tables[0].rows] for section in rest}
    figures = {_test(section): _by(section.title) for section in rest}
    for test, effects in rows.items():
        for effect in effects:
            told = f"{test} {effect.level} {effect.title} {effect.outcome}"
            findings.hold("row of effects", told, _row(effect, test, figures[test], rows, crossing, report, sampled))
    sentence = " ".join(top.paragraphs)
    _sentence(sentence, rows, figures, crossing, sampled, findings)
    for note in crossed.bullets:
        _note(note, rows, crossing, findings)
    for section in rest:
        for paragraph in section.paragraphs:
            if re.fullmatch(r"Left out: .+\.", paragraph) or paragraph.startswith("An interval that is"):
                findings.read["left out"] += 1
            else:
                findings.unread.append(("factors", paragraph))
    return findings


def _test(section: Section) -> str:
    return section.title.removeprefix("Factors in ").partition(":")[0]


def _by(title: str) -> str:
    return match[1] if (match := re.search(r"outcome by (requests/(?:CPU-)?s)", title)) else ""


def _effect(row: Row) -> Effect:
    title = row["effect: level / reference"]
    if " × " in title:
        changes = tuple(
            (factor, level, "") for factor, _, level in (part.partition(" ") for part in title.split(" × "))
        )
    else:
        factor, _, step = title.partition(": ")
        level, _, reference = step.partition(" / ")
        changes = ((factor, level, reference),)
    figures = {name: printed(row[name]) for name in ("requests/s", "requests/CPU-s")}
    return Effect(row["level"], title, changes, figures, TOGETHER.get(row["outcome"], row["outcome"]))


def _references(rows: Mapping[str, Sequence[Effect]]) -> dict[str, str]:
    """Return each factor's reference, as the rows of one change name it."""
    return {c[0]: c[2] for effects in rows.values() for effect in effects for c in effect.changes if c[2]}


def _row(
    effect: Effect,
    test: str,
    by: str,
    rows: Mapping[str, Sequence[Effect]],
    crossing: Crossing,
    report: Report,
    sampled: Sampled,
) -> Iterator[str]:
    """Hold a row against the samples, and its outcome against the interval of the figure that decides it."""
    # Where no figure decides over all levels, either may at a single one.
    decisive = [figure for name, figure in effect.figures.items() if figure is not None and by in ("", name)]
    found = [list(outcome(effect.outcome, figure)) for figure in decisive]
    if found and all(found):
        yield from found[0]
    references = _references(rows)
    if any(change[0] not in references for change in effect.changes):
        return
    measured = {row["entry"] for row in sampled.counting if row["test"] == test}
    groups = [
        group for group in crossing.groups(effect.changes, references) if all(entry in measured for entry, _ in group)
    ]
    bound = {(r["entry"], int(r["level"])) for r in report.cells if (r["test"], r["limited by"]) == (test, "client")}
    every = sorted({int(r["level"]) for r in report.overview.rows if r["test"] == test}) if report.overview else []
    for name, told in effect.figures.items():
        own = _contrast(groups, name, test, levels_of(effect.level, every), bound, sampled)
        if told is not None and (own is None or (own.blocks and not told.shows(own.middle))):
            yield f"{name}: by the samples {own.middle if own else None}"


def _contrast(
    groups: Sequence[Sequence[tuple[str, int]]],
    figure: str,
    test: str,
    levels: Sequence[int],
    bound: set[tuple[str, int]],
    sampled: Sampled,
) -> Figure | None:
    """Return the mean over the groups of the signed sum of logarithms, in blocks that have all entries and levels."""
    found = []
    for level in levels:
        entries = sorted({entry for group in groups for entry, _ in group})
        if not entries or any((entry, level) in bound for entry in entries):
            continue
        logs = dict(zip(entries, sampled.in_common(figure, test, entries, level), strict=True))
        blocks = set.intersection(*map(set, logs.values())) if logs else set()
        if blocks:
            found.append(
                {
                    block: sum(sign * logs[entry][block] for g in groups for entry, sign in g) / len(groups)
                    for block in blocks
                }
            )
    if not found:
        return None
    whole = set.intersection(*map(set, found))
    return Figure(tuple(float(np.mean([of[block] for of in found])) for block in sorted(whole)))


def _sentence(
    text: str,
    rows: Mapping[str, Sequence[Effect]],
    figures: Mapping[str, str],
    crossing: Crossing,
    sampled: Sampled,
    findings: Findings,
) -> None:
    """Read what is told of the test that asks most of the database: each effect alone, and two together."""
    if text in (NO_BLOCK, NO_SINGLE):
        found = [
            e for of in rows.values() for e in of if e.level.isdecimal() and (text == NO_BLOCK or len(e.changes) == 1)
        ]
        findings.hold("no effect", text, iter([f"there is {effect.title}" for effect in found]))
        return
    if match := re.fullmatch(FULL, text):
        findings.hold("no figure tells", text, _no_figure(rows, match, figures))
        return
    match = re.fullmatch(
        r"At (?P<level>\d+) (?:quer(?:y|ies) a request(?: \((?P<of>[\w-]+)\))?|connections? \((?P<test>[\w-]+)\)), in "
        rf"(?P<measure>{'|'.join(MEASURES)}), (?P<alone>.+?)\. (?P<both>.+)\.",
        text,
    )
    if match is None:
        findings.unread.append(("factors", text))
        return
    test = match["test"] or match["of"] or "query"
    level, figure = match["level"], MEASURES[match["measure"]]
    crossing = crossing.only({row["entry"] for row in sampled.counting if row["test"] == test})
    singles = [effect for effect in rows[test] if len(effect.changes) == 1 and effect.level.isdecimal()]
    findings.hold("effects: where", text[:80], _where(level, figure, figures[test], singles))
    here = [effect for effect in rows[test] if effect.level == level and effect.figures[figure]]
    parts = _parts(match["alone"])
    told = [_told(part, ALONE, here, figure, crossing, rows, findings) for part in parts]
    both = match["both"][0].lower() + match["both"][1:] if match["both"] not in NOTHING else match["both"]
    if both not in NOTHING:
        told += [_told(part, BOTH, here, figure, crossing, rows, findings) for part in _raised(match["both"])]
    unsaid = [
        effect.title
        for effect in here
        if effect.title not in told and (len(effect.changes) == 1 or both not in NOTHING)
    ]
    findings.hold("effects: all", text, iter([f"not said: {unsaid}"] if unsaid else []))


def _no_figure(rows: Mapping[str, Sequence[Effect]], match: re.Match[str], figures: Mapping[str, str]) -> Iterator[str]:
    """Find outcomes of the level where neither figure is said to tell anything."""
    test = match["test"] or match["of"] or "query"
    for effect in rows[test]:
        if effect.level == match["level"] and effect.outcome != "–":
            yield f"the table has {effect.title}: {effect.outcome}"
    if figures[test]:
        yield f"outcomes are said to be by {figures[test]}"


def _parts(text: str) -> list[str]:
    """Return the parts of a sentence between semicolons, but of those in brackets."""
    return re.split(r"; (?![^(]*\))", text)


def _raised(text: str) -> list[str]:
    """Return the parts of a sentence, whose first letter may have been small before it began one."""
    return _parts(text)


def _where(level: str, figure: str, by: str, singles: Sequence[Effect]) -> Iterator[str]:
    largest = max((int(effect.level) for effect in singles if effect.figures[figure]), default=0)
    if int(level) != largest:
        yield f"the largest level is {largest}"
    if by and figure != by:
        yield f"told in {figure}, outcomes by {by}"


def _told(
    part: str,
    grammar: Mapping[str, str],
    here: Sequence[Effect],
    figure: str,
    crossing: Crossing,
    rows: Mapping[str, Sequence[Effect]],
    findings: Findings,
) -> str:
    """Hold what is told of one effect against its row; return the row's title."""
    for kind, pattern in grammar.items():
        if match := re.fullmatch(pattern, part, flags=re.IGNORECASE):
            effect = _named(match, here)
            findings.hold(f"effect: {kind}", part, _effect_told(match, kind, effect, figure, crossing, rows))
            return effect.title if effect else ""
    findings.unread.append(("factors", part))
    return ""


def _label(words: str) -> str:
    """Return the label of a factor's level from how a sentence calls it."""
    called = {name.lower(): label for name, label in CALLED.items()}
    return called.get(words.lower(), words)


def _named(match: re.Match[str], here: Sequence[Effect]) -> Effect | None:
    level, reference = _label(match["level"]), _label(match["reference"])
    where = _label(match["where"]) if "where" in match.groupdict() else None
    for effect in here:
        first = effect.changes[0]
        if first[1].lower() != level.lower() or (first[2] and first[2].lower() != reference.lower()):
            continue
        if (where is None) == (len(effect.changes) == 1) and (where is None or effect.changes[1][1] == where):
            return effect
    return None


def _effect_told(
    match: re.Match[str],
    kind: str,
    effect: Effect | None,
    figure: str,
    crossing: Crossing,
    rows: Mapping[str, Sequence[Effect]],
) -> Iterator[str]:
    if effect is None:
        yield "the table has no such row at the level"
        return
    row, told = effect.figures[figure], printed(match["times"].replace("x", "", 1))
    if row is None or told is None:
        yield "the row has no figure"
        return
    if told.is_90 != row.is_90:
        yield "another interval than that of the row"
    slack = [a + b for a, b in zip((told.half_unit, *told.half_units), (row.half_unit, *row.half_units), strict=True)]
    for mine, theirs, most in zip(told.bare, row.bare, slack, strict=True):
        if (mine is None) != (theirs is None) and not row.is_too_wide:
            yield f"{mine} here, {theirs} in the row"
        if mine is not None and theirs is not None and abs(mine - theirs) > most:
            yield f"{mine} here, {theirs} in the row"
    few, unclear = effect.outcome == TOO_FEW, UNCLEAR.fullmatch(effect.outcome)
    if kind != "faster or slower" and kind != effect.outcome and not (kind == UNDECIDED and (few or unclear)):
        yield f"the row says {effect.outcome}"
    if kind == UNDECIDED and ((match["few"] is not None) != few or match["among"] != (unclear[1] if unclear else None)):
        yield f"the row says {effect.outcome}"
    if kind == "faster or slower" and effect.outcome not in ("faster", "slower"):
        yield f"the row says {effect.outcome}"
    references = _references(rows)
    if any(change[0] not in references for change in effect.changes):
        return
    groups = crossing.groups(effect.changes, references)
    whole = [group for group in groups if all(entry for entry, _ in group)]
    told_groups = _groups((match["between"] or "").removeprefix(" (between ").removesuffix(" alone)"))
    own_groups = {frozenset(entry for entry, _ in group) for group in whole}
    if told_groups != (own_groups if len(whole) < len(groups) else set()):
        yield f"of {len(groups)} groups {len(whole)} have entries: {[sorted(group) for group in own_groups]}"


def _note(note: str, rows: Mapping[str, Sequence[Effect]], crossing: Crossing, findings: Findings) -> None:
    """Read a note: cells without an entry, what an effect comes from, what changes along."""
    references = _references(rows)
    if match := re.fullmatch(r"Cells without an entry \((?P<factors>[^)]+)\): (?P<cells>.+)\.", note):
        findings.hold("note: missing cells", note, _missing(match, crossing))
    elif match := re.fullmatch(r"(?P<title>.+?) comes from (?P<groups>.+)\.", note):
        findings.hold("note: comes from", note, _sources(match, rows, crossing, references))
    elif re.fullmatch(r".+ also changes .+; this effect includes what that does\.", note):
        findings.read["note: along"] += 1
    elif note.startswith("Outcomes are corrected (Holm) for all effects of a level"):
        findings.read["note: corrected"] += 1
    else:
        findings.unread.append(("factors", note))


def _groups(text: str) -> set[frozenset[str]]:
    """Return the groups of entries in a text such as a and b; c and d."""
    return {frozenset(group.split(" and ")) for group in text.split("; ") if group}


def _missing(match: re.Match[str], crossing: Crossing) -> Iterator[str]:
    names = match["factors"].split(", ")
    told = match["cells"].split("; ")
    more = int(found[1]) if (found := re.fullmatch(r"and (\d+) more", told[-1])) else 0
    cells = [tuple(cell.split()) for cell in (told[:-1] if more else told)]
    if tuple(names) != crossing.factors or any(cell in crossing.entries for cell in cells):
        yield "the table has such an entry"
    levels = [len({cell[place] for cell in crossing.entries}) for place in range(len(names))]
    if int(np.prod(levels)) - len(crossing.entries) != len(cells) + more:
        yield f"{int(np.prod(levels)) - len(crossing.entries)} cells are missing"


def _sources(
    match: re.Match[str], rows: Mapping[str, Sequence[Effect]], crossing: Crossing, references: Mapping[str, str]
) -> Iterator[str]:
    effects = [effect for found in rows.values() for effect in found if effect.title == match["title"]]
    if not effects or any(change[0] not in references for change in effects[0].changes):
        return
    told = _groups(match["groups"])
    groups = crossing.groups(effects[0].changes, references)
    own = {frozenset(entry for entry, _ in group) for group in groups if all(entry for entry, _ in group)}
    if told != own:
        yield f"by the table of entries it comes from {[sorted(group) for group in own]}"
