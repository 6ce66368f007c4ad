"""The settings of a run, each declared once: its flag, its place in `Settings`, its default, its bounds, its words."""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from benchlab.core import letters, quantities
from benchlab.core.errors import UsageError
from benchlab.core.quantities import MOST_SHARE, counted
from benchlab.experiment import placement, profiles
from benchlab.experiment.flags import ENTRIES, Flag
from benchlab.experiment.profiles import DEFAULT, MAX_CONNECTIONS, PROFILES, PROXY_CHOICES, RENAMED, Profile
from benchlab.experiment.workloads import MAX_QUERIES, WORKLOADS
from benchlab.records.plan import NO_PROXY, QUERIES, Manifest, Settings

# The entries keep an idle connection for 620 s: a sample must end before.
LEAST_DURATION_S, MAX_DURATION_S = 0.1, 600
# A slice is over before it hides what comes and goes.
MAX_SLICE_S = 60
MAX_BLOCKS = 1_000
MAX_REPEATS = 100
# Python's shuffling takes a seed and its negative for the same, and other programs read no larger number for certain.
MAX_SEED = 2**53 - 1
# What --vary may call a factor: a package, a variable as env.NAME, or a word that an entry declares.
FACTOR_NAME = re.compile(r"(?!env\.)[A-Za-z][\w.-]*|env\.[A-Za-z_]\w*")
# Postgres is configured for 2,000 connections; some stay free for the lab itself.
MAX_DB_CONNECTIONS = 1_900

OF_PROFILE = "the profile's"
# The profiles whose entries are not up together.
ONE_AT_A_TIME = " and ".join(each.name for each in PROFILES.values() if not each.together)
PROTOCOLS = "; ".join(f"{each.name} is {counted(each.blocks, 'block')} of {each.samples}" for each in PROFILES.values())


@dataclass(frozen=True)
class Bounds:
    """What a number may be; the words follow "use" on the command line, and "must be" in a manifest."""

    least: float
    most: float
    words: str

    def allow(self, number: float) -> bool:
        return self.least <= number <= self.most


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, kw_only=True)
class Setting(Flag):
    """A flag whose value has a place in `Settings`.

    `usual` returns what a profile has there. `gather` makes the place's value of what was given, of a repeatable flag
    of all its values. `write` returns a value as it is typed. `bounds` are those of each number in it, by the key of a
    mapping, else under "". `changed` says in a report's words what is not as in the profile; `compared_as` what the
    setting is called where it must be equal for two runs to be compared. Bounds that older runs did not have
    are `of_new_runs`.
    """

    place: str
    usual: Callable[[Profile], Any]
    gather: Callable[[Any], Any] = _same
    write: Callable[[Any], str] = str
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    of_new_runs: bool = False
    changed: Callable[[Any, Profile], str] | None = None
    compared_as: str = ""

    def value(self, given: Any, profile: Profile) -> Any:
        return self.gather(given) if is_given(given) else self.usual(profile)

    def unusual(self, settings: Settings) -> Any:
        """Return the value where it is not the profile's, of a mapping the parts that are not; else None."""
        value, usual = getattr(settings, self.place), self.usual(profiles.of(settings))
        if isinstance(value, Mapping):
            return {key: part for key, part in value.items() if part != usual.get(key)} or None
        return None if value == usual else value

    def beyond(self, settings: Settings) -> Iterator[tuple[str, Any, str]]:
        """Yield each number that is out of bounds: its key in a mapping, itself, and what it could be."""
        for key, part in _parts(getattr(settings, self.place)).items():
            for number in part if isinstance(part, tuple) else () if part is None else (part,):
                if key in self.bounds and not self.bounds[key].allow(number):
                    yield key, number, self.bounds[key].words

    def differences(self, given: Any, settings: Settings) -> Iterator[str]:
        """Yield how what was given differs from what the run has, as both are typed."""
        kept = _parts(getattr(settings, self.place))
        for key, part in _parts(self.gather(given)).items():
            other = kept.get(key, ())
            if (set(part) != set(other)) if isinstance(part, tuple) else part != other:
                named = f"{self.name} {key}=" if key else f"{self.name} "
                yield f"{named}{self._shown(part)} was given, the run has {self._shown(other)}"

    def _shown(self, value: Any) -> str:
        if isinstance(value, tuple):
            return ",".join(map(str, sorted(value))) or "none"
        return "none" if value is None else self.write(value)


def is_given(value: Any) -> bool:
    return value is not None and value is not False and value not in ([], (), {})


def _parts(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"": value}


def _always(value: Any) -> Callable[[Profile], Any]:
    return lambda _: value


def _duration(_: str, text: str) -> float:
    """Return the seconds in a text such as 3 or 0.5; whole ones as a whole number."""
    try:
        return quantities.whole(text)
    except ValueError:
        if not re.fullmatch(r"\d+\.\d+", text):
            raise
    return float(text)


def _whole(_: str, text: str) -> int:
    return quantities.whole(text)


def _numbers(_: str, text: str) -> tuple[int, ...]:
    """Return the numbers in a text such as 8,16, the smallest first."""
    try:
        numbers = {quantities.whole(number) for number in text.split(",")}
    except ValueError:
        numbers = set()
    if len(numbers) < len(text.split(",")):
        raise ValueError(f"{text!r}: use whole numbers, each once, as in 16,32")
    return tuple(sorted(numbers))


def _levels(flag: str, text: str) -> tuple[str, tuple[int, ...]]:
    """Return the test type and the values in a text such as `json=16,32`."""
    test, equals, values = text.partition("=")
    if not equals or test not in WORKLOADS:
        hint = "" if test in WORKLOADS else letters.meant(test, WORKLOADS)
        raise UsageError(f"{flag} {text}: {hint}write TEST=N,N with a test of {', '.join(WORKLOADS)}, as in json=16,32")
    try:
        numbers = tuple(quantities.whole(value) for value in values.split(","))
    except ValueError:
        raise UsageError(f"{flag} {text}: levels are whole numbers, such as {test}=16,32") from None
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"{flag} {text}: a level is named twice; name each once")
    return test, numbers


def _of_each_test(given: Mapping[str, tuple[int, ...]] | Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
    levels: dict[str, tuple[int, ...]] = {}
    for test, values in given.items() if isinstance(given, Mapping) else given:
        if test in levels:
            raise UsageError(f"{LEVELS.name} {test} is given twice; name all its levels in one: {test}=16,32")
        levels[test] = tuple(values)
    return levels


def _varied(flag: str, text: str) -> tuple[str, tuple[str, ...]]:
    """Return the factor and its levels in a text such as `uvicorn=0.49.0,0.50.0`."""
    name, _, levels = text.partition("=")
    values = tuple(levels.split(","))
    if not FACTOR_NAME.fullmatch(name) or not all(values):
        raise UsageError(f"{flag} {text}: write NAME=LEVEL,LEVEL, as in uvicorn=0.49.0,0.50.0")
    if again := [value for value, times in Counter(values).items() if times > 1]:
        raise UsageError(f"{flag} {text}: the level {again[0]} is named twice; name each once")
    if len(values) < 2:
        raise UsageError(f"{flag} {text}: one level has nothing to be compared with; name another behind a comma")
    return name, values


def _of_each_factor(given: Mapping[str, tuple[str, ...]] | Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, Any]:
    factors: dict[str, tuple[str, ...]] = {}
    for name, values in given.items() if isinstance(given, Mapping) else given:
        if name in factors:
            raise UsageError(f"{VARY.name} {name} is given twice; name all its levels in one: {name}=LEVEL,LEVEL,LEVEL")
        factors[name] = tuple(values)
    return factors


def _entry(flag: str, text: str) -> str:
    if not text:
        raise UsageError(f"{flag} names nothing; name an entry, as `python lab.py list` shows them")
    return text


def _commit(flag: str, text: str) -> str:
    if not text:
        raise UsageError(f"{flag} names nothing; name a commit, a branch or a tag")
    return text


def _control(flag: str, text: str) -> str:
    if not text:
        raise UsageError(f"{flag} names nothing; name one of the entries that are measured")
    return text


def _other_tests(tests: tuple[str, ...], profile: Profile) -> str:
    if set(tests) < set(profile.tests):
        return "only some tests"
    return "" if set(tests) == set(profile.tests) else "other tests"


def _other_repeats(repeats: int, profile: Profile) -> str:
    what = ("round", "test") if profile.together else ("sample", "level")
    return f"{counted(repeats, what[0])} of a {what[1]} in a block"


def _other_duration(duration_s: float, profile: Profile) -> str:
    return f"slices of {duration_s:g} s and more" if profile.together else f"{duration_s:g}-s samples"


def _up_to(most: int, what: str = "", least: int = 1) -> Bounds:
    return Bounds(least, most, f"{least} to {most}{what}")


FRAMEWORK = Setting(
    "--framework",
    "an entry, by its name",
    place="frameworks",
    metavar="NAME",
    parse=_entry,
    default="the usual ones; list shows them",
    is_repeatable=True,
    completes=ENTRIES,
    usual=_always(()),
    gather=lambda names: tuple(sorted(set(names))),
)
PROFILE = Setting(
    "--profile",
    f"named settings: {PROTOCOLS}",
    place="profile",
    default=DEFAULT,
    choices=tuple(PROFILES),
    renamed=RENAMED,
    usual=_always(None),
)
TEST = Setting(
    "--test",
    "a test type",
    place="tests",
    default=OF_PROFILE,
    choices=tuple(WORKLOADS),
    is_repeatable=True,
    usual=attrgetter("tests"),
    gather=lambda tests: tuple(dict.fromkeys(tests)),
    changed=_other_tests,
)
LEVELS = Setting(
    "--levels",
    "the levels of a test: numbers of connections, or of queries a request where that varies",
    place="levels",
    metavar="TEST=N,N",
    parse=_levels,
    default=OF_PROFILE,
    is_repeatable=True,
    usual=attrgetter("levels"),
    gather=_of_each_test,
    write=lambda level: f"{level[0]}={','.join(map(str, level[1]))}",
    bounds={
        test: _up_to(MAX_QUERIES, " queries") if workload.varies == QUERIES else _up_to(MAX_CONNECTIONS, " connections")
        for test, workload in WORKLOADS.items()
    },
    changed=lambda *_: "other levels",
)
BLOCKS = Setting(
    "--blocks",
    "lifetimes of the containers, in each of which every entry is measured; with --precision or --budget, those of the "
    "pilot; with --fail-if-slower, the most",
    place="blocks",
    metavar="N",
    parse=_whole,
    default=OF_PROFILE,
    usual=attrgetter("blocks"),
    bounds={"": _up_to(MAX_BLOCKS)},
    changed=lambda blocks, _: counted(blocks, "block"),
)
REPEATS = Setting(
    "--repeats",
    "rounds of each test in a block, each with a slice of every entry at every level; 0 for as many as the block has "
    f"time for. With {ONE_AT_A_TIME}, samples of each level in a block",
    place="repeats",
    metavar="N",
    parse=_whole,
    default=OF_PROFILE,
    usual=attrgetter("repeats"),
    bounds={"": _up_to(MAX_REPEATS, least=0)},
    changed=_other_repeats,
    compared_as="repeats of a level in a block",
)
DURATION = Setting(
    "--duration",
    f"the least length of a slice; with {ONE_AT_A_TIME}, the length of a sample",
    place="duration_s",
    metavar="S",
    parse=_duration,
    unit="seconds",
    default=OF_PROFILE,
    usual=attrgetter("duration_s"),
    write=lambda duration_s: f"{duration_s:g}",
    bounds={"": Bounds(LEAST_DURATION_S, MAX_DURATION_S, f"{LEAST_DURATION_S} to {MAX_DURATION_S} seconds")},
    changed=_other_duration,
    compared_as="duration in s",
)
PROXY = Setting(
    "--proxy",
    "what stands in front of the entry: none, nginx, or none,nginx to measure both",
    place="proxy",
    metavar="PROXY",
    default=NO_PROXY,
    choices=PROXY_CHOICES,
    usual=_always(NO_PROXY),
    compared_as="proxy",
)
DB_CONNECTIONS = Setting(
    "--db-connections",
    "database connections of an entry, over all its workers; several numbers measure it with each",
    place="db_connections",
    metavar="N[,N]",
    parse=_numbers,
    default="LAB_DB_CONNECTIONS in .env",
    usual=_always(()),
    write=lambda totals: ",".join(map(str, totals)),
    bounds={"": _up_to(MAX_DB_CONNECTIONS, ", which Postgres has for an entry")},
)
PRECISION = Setting(
    "--precision",
    "measure until ratios over all levels are within ± P %; decided once, after a pilot",
    place="precision",
    metavar="P%",
    parse=quantities.share,
    default="as many blocks as the profile has",
    usual=_always(None),
    write=lambda share: f"{100 * share:g}%",
    bounds={"": Bounds(math.ulp(0.0), MOST_SHARE, f"above 0 and up to {MOST_SHARE}")},
)
BUDGET = Setting(
    "--budget",
    "plan for no longer than this, with its unit: 90s, 20m, 1h30m",
    place="budget_s",
    metavar="TIME",
    parse=quantities.seconds,
    default="no limit",
    usual=_always(None),
    write=lambda seconds: f"{seconds}s",
    bounds={"": Bounds(1, math.inf, "1 or more")},
)
PLACEMENT = Setting(
    "--placement",
    "the CPUs of client, entry and database: shared, split, or auto, which splits from 4 CPUs on",
    place="placement",
    default=placement.AUTO,
    choices=tuple(placement.MODES),
    usual=_always(placement.AUTO),
)
BASELINE = Setting(
    "--baseline",
    "an entry that each other one is compared with, instead of every two with each other; it takes part in any case",
    place="control",
    metavar="NAME",
    parse=_control,
    default="none: all pairs",
    completes=ENTRIES,
    usual=_always(""),
)
AGAINST = Setting(
    "--against",
    "measure each entry beside its own version at this commit, in one run",
    place="against",
    metavar="REF",
    parse=_commit,
    default="no other version",
    usual=_always(""),
)
VARY = Setting(
    "--vary",
    "measure each entry at several levels, and compare them with the first: of a package (versions, checkouts, none), "
    "of python, workers, pool, connections, proxy, commit, a variable (env.NAME), or of what the entry declares "
    "(server, loop, http, json …). Several factors are crossed",
    place="vary",
    metavar="NAME=LEVEL,LEVEL",
    parse=_varied,
    default="nothing is varied",
    is_repeatable=True,
    usual=_always({}),
    gather=_of_each_factor,
    write=lambda factor: f"{factor[0]}={','.join(factor[1])}",
)
FAIL_IF_SLOWER = Setting(
    "--fail-if-slower",
    "a gate for CI: exit 0 if a loss of P % is excluded, 1 if something is slower and may have lost as much, "
    "3 if neither is shown; a run ends as soon as it knows. Runs at different times end with 3 unless baseline and "
    "candidate have three days each",
    place="margin",
    kept_as="margin",
    metavar="P%",
    parse=quantities.share,
    default="no gate",
    usual=_always(None),
    write=lambda share: f"{100 * share:.10g}%",
    bounds={"": Bounds(math.ulp(0.0), MOST_SHARE, f"above 0 and up to {MOST_SHARE}")},
)
SEED = Setting(
    "--seed",
    "the seed that shuffles the plan",
    place="seed",
    metavar="N",
    parse=_whole,
    default="a new one",
    usual=_always(None),
    bounds={"": _up_to(MAX_SEED, least=0)},
    of_new_runs=True,
)
# In the order of their help, and of the command that makes a run again.
SETTINGS: tuple[Setting, ...] = (
    FRAMEWORK,
    PROFILE,
    TEST,
    LEVELS,
    BLOCKS,
    REPEATS,
    DURATION,
    PROXY,
    DB_CONNECTIONS,
    PRECISION,
    BUDGET,
    PLACEMENT,
    BASELINE,
    AGAINST,
    VARY,
    FAIL_IF_SLOWER,
    SEED,
)
# What --vary says in other words where there is a flag for it.
OF_FLAGS = {"proxy": PROXY, "connections": DB_CONNECTIONS}


def choose(profile: str = DEFAULT, **given: Any) -> Settings:
    """Return the profile's settings with what is given in place of its own, each by its place; the seed has to be.

    What is None or empty changes nothing. Raises UsageError, once, with every problem.
    """
    given = _by_flags(given)
    if unknown := given.keys() - {setting.place for setting in SETTINGS}:
        raise TypeError(f"no setting has the place {', '.join(sorted(unknown))}")
    usual = PROFILES[profile]
    values = {setting.place: setting.value(given.get(setting.place), usual) for setting in SETTINGS}
    tests, levels = values.pop("tests"), values.pop("levels")
    values |= {
        "profile": profile,
        "levels": {test: levels.get(test, usual.levels[test]) for test in tests},
        "primer_s": usual.primer_s,
        "warmup_s": usual.warmup_s,
        "together": usual.together,
        "block_s": usual.block_s,
    }
    settings = Settings(**values)
    problems = [
        f"{LEVELS.name} {test}=…: {test} is not among the tests; add {TEST.name} {test}"
        for test in _of_each_test(given.get(LEVELS.place) or ())
        if test not in tests
    ]
    problems += [
        f"{setting.name} {f'{key}=' if key else ''}{letters.quoted(number)}: use {words}"
        for setting in SETTINGS
        for key, number, words in setting.beyond(settings)
    ]
    problems += _lengths(settings)
    if settings.margin is not None and settings.precision is not None:
        problems.append(
            f"{FAIL_IF_SLOWER.name} ends the run as soon as it knows, so {PRECISION.name} has nothing to decide; leave "
            f"that out, and set the most time with {BUDGET.name}"
        )
    if settings.control and settings.against:
        problems.append(
            f"{BASELINE.name} compares entries, and {AGAINST.name} two versions of each; leave one of them out"
        )
    if problems:
        raise UsageError("; ".join(problems))
    return settings


def _by_flags(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, with what --vary says of a factor that has a flag of its own under that flag.

    Raises UsageError.
    """
    vary, chosen = _of_each_factor(given.get(VARY.place) or ()), dict(given)
    for name in vary.keys() & OF_FLAGS.keys():
        setting, text = OF_FLAGS[name], ",".join(vary.pop(name))
        if is_given(given.get(setting.place)):
            raise UsageError(f"{VARY.name} {name} says what {setting.name} says; leave one out")
        if setting.choices and text not in setting.choices:
            raise UsageError(f"{VARY.name} {name}={text}: use {' or '.join(c for c in setting.choices if ',' in c)}")
        try:
            chosen[setting.place] = setting.parse(VARY.name, text)
        except ValueError as error:
            raise UsageError(f"{VARY.name} {name}={error}") from None
    if "pool" in vary and is_given(chosen.get(DB_CONNECTIONS.place)):
        raise UsageError(
            f"{VARY.name} pool says how many connections a worker has, and {DB_CONNECTIONS.name} too; use one"
        )
    if "placement" in vary:
        raise UsageError(
            f"{VARY.name} placement: entries that are up together share client and database, which have one placement; "
            f"measure a run with each {PLACEMENT.name}, and hold them against each other with compare"
        )
    if vary and is_given(given.get(AGAINST.place)):
        raise UsageError(
            f"{AGAINST.name} is one factor, and {VARY.name} another; use {VARY.name} commit=REF,HEAD beside it"
        )
    return {**chosen, VARY.place: vary} if VARY.place in given else chosen


def _lengths(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the lengths and numbers of samples in the design of the profile."""
    name, profile = DURATION.name, f"{PROFILE.name} {settings.profile}"
    if settings.together and settings.duration_s > MAX_SLICE_S:
        yield f"{name} {settings.duration_s:g}: {profile} takes slices; use {LEAST_DURATION_S} to {MAX_SLICE_S} seconds"
    if not settings.together and settings.duration_s != int(settings.duration_s):
        yield f"{name} {settings.duration_s:g}: {profile} takes samples of whole seconds"
    if not settings.together and not settings.repeats:
        yield f"{REPEATS.name} 0: use 1 to {MAX_REPEATS}"


def impossible(settings: Settings) -> list[str]:
    """Return why no lab makes a run with the settings, by the keys that a manifest has them under."""
    single = [(setting, getattr(settings, setting.place)) for setting in SETTINGS if not setting.is_repeatable]
    times = {"primer_s": settings.primer_s, "warmup_s[1]": settings.warmup_s[0], "warmup_s[2]": settings.warmup_s[1]}
    return [
        *(
            _must(setting.place, value, f"one of {', '.join(setting.choices)}")
            for setting, value in single
            if setting.choices and value not in setting.choices
        ),
        *_impossible_levels(settings),
        *(
            _must(f"{VARY.place}.{name}", levels, "two levels and more, each once")
            for name, levels in settings.vary.items()
            if len(set(levels)) < max(2, len(levels))
        ),
        *_impossible_design(settings),
        *_impossible_looks(settings),
        *(
            _must(key, value, f"0 to {MAX_DURATION_S}")
            for key, value in times.items()
            if not 0 <= value <= MAX_DURATION_S
        ),
        *(
            _must(f"{setting.place}.{key}" if key else setting.place, number, words)
            for setting in SETTINGS
            if not setting.of_new_runs
            for key, number, words in setting.beyond(settings)
        ),
    ]


def _impossible_levels(settings: Settings) -> Iterator[str]:
    if not settings.levels:
        yield "settings.levels has no test"
    for test, values in settings.levels.items():
        if test not in WORKLOADS:
            yield f"settings.levels has {letters.quoted(test)}, which is no test; there is {', '.join(WORKLOADS)}"
        if not values or len(set(values)) < len(values):
            yield _must(f"levels.{test}", values, "levels, each once")


def _impossible_design(settings: Settings) -> Iterator[str]:
    profile = PROFILES.get(settings.profile)
    if profile and settings.together and not profile.together:
        yield _must("together", True, f"false with the profile {profile.name}")


def _impossible_looks(settings: Settings) -> Iterator[str]:
    looks = settings.looks
    if looks and settings.margin is None:
        yield "settings.looks has looks, and settings.margin says of no gate"
    if looks and (looks[0] < 1 or looks[-1] != settings.blocks or list(looks) != sorted(set(looks))):
        yield _must("looks", looks, "numbers of blocks, each larger than the one before, the last settings.blocks")


def _must(key: str, value: object, what: str) -> str:
    return f"settings.{key} is {letters.quoted(value)}, and must be {what}"


def typed(settings: Settings) -> Iterator[str]:
    """Yield the words of a command line that asks for the settings: the flags that differ from what holds without."""
    for setting in SETTINGS:
        value = setting.unusual(settings)
        if value is None:
            continue
        items = value.items() if isinstance(value, Mapping) else value if setting.is_repeatable else (value,)
        for item in items:
            yield from (setting.name, setting.write(item))


def command(manifest: Manifest) -> str:
    """Return the command that makes a run with the same settings again: the seed, and what differs from the profile.

    Variants of entries come from other flags than --framework.
    """
    # What is asked for are the blocks of each group.
    blocks = -(-manifest.settings.blocks // max(1, len(manifest.groups)))
    original = replace(manifest.settings, frameworks=manifest.origins, blocks=blocks)
    return shlex.join(["python", "lab.py", *typed(original)])


def compared(settings: Settings) -> Iterator[tuple[str, object]]:
    """Yield the settings that must be equal for two runs to be compared, by their names in that comparison.

    A slice is the same however many rounds a block has: more of them only tell it more exactly.
    """
    for setting in SETTINGS:
        if setting.compared_as and not (setting is REPEATS and settings.together):
            yield setting.compared_as, setting.write(getattr(settings, setting.place))
    yield "entries up together", "yes" if settings.together else "no"


def note(settings: Settings) -> str:
    """Return the profile's note, with what was changed in it."""
    profile = profiles.of(settings)
    changes = [
        setting.changed(value, profile)
        for setting in SETTINGS
        if setting.changed and (value := setting.unusual(settings)) is not None
    ]
    words = ", ".join(filter(None, changes))
    return f"{profile.note} Changed: {words}." if words else profile.note
