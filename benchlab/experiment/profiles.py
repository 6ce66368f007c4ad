"""Named settings, and how flags refine them into the settings of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from benchlab.core import letters, quantities
from benchlab.core.errors import UsageError
from benchlab.core.quantities import MOST_SHARE, counted
from benchlab.experiment import placement, stack, workloads
from benchlab.experiment.workloads import MAX_QUERIES, QUERY_CONNECTIONS, WORKLOADS
from benchlab.records.plan import NO_PROXY, QUERIES, Level, Manifest, Settings

Levels = Mapping[str, tuple[int, ...]]

STUDY_TESTS = ("json", "plaintext", "query")
LEVELS: Levels = {test: workload.levels for test, workload in WORKLOADS.items()}
TFB_LEVELS: Levels = {test: workload.tfb_levels for test, workload in WORKLOADS.items()}
# TFB varies N, and warms every test type up, at its largest concurrency, as the study does at its own. Only the profile
# that is to be held beside TFB varies N at so many: 128 connections wait for an entry's 16 to the database already, and
# with 512 they would but wait longer.
TFB_MOST_CONNECTIONS = 512
FIRST_LOOK = "a first look, not to be quoted"
PROXIES = (NO_PROXY, "nginx")
# Of these one, or both in one run.
PROXY_CHOICES = (*PROXIES, ",".join(PROXIES))
# The entries keep an idle connection for 620 s: a sample must end before.
MAX_DURATION_S = 600
MAX_CONNECTIONS = 20_000
MAX_BLOCKS = 1_000
MAX_REPEATS = 100
# Python's shuffling takes a seed and its negative for the same, and other programs read no larger number for certain.
MAX_SEED = 2**53 - 1
# Postgres is configured for 2,000 connections; some stay free for the lab itself.
MAX_DB_CONNECTIONS = 1_900


@dataclass(frozen=True)
class Profile:
    """A named protocol. Times are seconds, of the warm-up the least and the most; `note` heads a report.

    `tests` are measured where none is named; `levels` has those of every test type. Where N varies, the load has
    `query_connections`. No warm-up has more than `warmup_connections`.
    """

    name: str
    blocks: int
    repeats: int
    duration_s: int
    primer_s: int
    warmup_s: tuple[int, int]
    note: str
    tests: tuple[str, ...] = STUDY_TESTS
    levels: Levels = field(default_factory=lambda: LEVELS)
    query_connections: int = QUERY_CONNECTIONS
    warmup_connections: int = MAX_CONNECTIONS


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("default", 8, 1, 3, 0, (3, 5), "Eight blocks of 3-s samples at the study's levels."),
        Profile("quick", 2, 1, 2, 0, (1, 1), f"{FIRST_LOOK.capitalize()}: two blocks of 2-s samples."),
        Profile(
            "seed", 5, 1, 15, 5, (15, 15), "The original study's protocol: primer, warm-up, 15-s samples, five blocks."
        ),
        Profile(
            "tfb",
            3,
            1,
            15,
            5,
            (15, 15),
            "The test types, levels, primer and warm-up of the TechEmpower benchmarks, in three blocks.",
            tests=tuple(WORKLOADS),
            levels=TFB_LEVELS,
            query_connections=TFB_MOST_CONNECTIONS,
            warmup_connections=TFB_MOST_CONNECTIONS,
        ),
    )
}


def note(settings: Settings) -> str:
    """Return the profile's note, with what was changed in it."""
    profile = PROFILES[settings.profile]
    usual, chosen = set(profile.tests), set(settings.tests)
    changed = {
        counted(settings.blocks, "block"): settings.blocks != profile.blocks,
        f"{counted(settings.repeats, 'sample')} of a level in a visit": settings.repeats != profile.repeats,
        f"{settings.duration_s}-s samples": settings.duration_s != profile.duration_s,
        "other levels": any(values != profile.levels[test] for test, values in settings.levels.items()),
        "only some tests": chosen < usual,
        "other tests": not chosen <= usual,
    }
    words = [word for word, is_changed in changed.items() if is_changed]
    return f"{profile.note} Changed: {', '.join(words)}." if words else profile.note


def caution(manifest: Manifest) -> str:
    """Return what must stand beside each table of the run, or nothing."""
    return "".join(f" ({words})" for words in cautions(manifest))


def cautions(manifest: Manifest) -> list[str]:
    """Return what a reader of any table of the run must know."""
    return [*of_run(manifest), *stack.cautions(manifest.entries)]


def of_run(manifest: Manifest) -> list[str]:
    """Return what a reader must know of every row of the run's tables."""
    return [FIRST_LOOK] if manifest.settings.profile == "quick" else []


def settings(
    profile: str,
    frameworks: Iterable[str],
    tests: Iterable[str],
    levels: Levels,
    blocks: int | None,
    duration_s: int | None,
    proxy: str,
    seed: int,
    precision: float | None = None,
    budget_s: int | None = None,
    placement: str = "auto",
    against: str = "",
    repeats: int | None = None,
    db_connections: tuple[int, ...] = (),
) -> Settings:
    """Return the profile's settings with what the flags change in them.

    No `tests` means the profile's. Raises UsageError, once, with every problem found.
    """
    chosen = PROFILES[profile]
    wanted = tuple(dict.fromkeys(tests)) or chosen.tests
    merged = {test: levels.get(test, chosen.levels[test]) for test in wanted}
    result = Settings(
        profile=profile,
        frameworks=tuple(sorted(set(frameworks))),
        levels=merged,
        blocks=chosen.blocks if blocks is None else blocks,
        duration_s=chosen.duration_s if duration_s is None else duration_s,
        primer_s=chosen.primer_s,
        warmup_s=chosen.warmup_s,
        proxy=proxy,
        seed=seed,
        precision=precision,
        budget_s=budget_s,
        placement=placement,
        against=against,
        repeats=chosen.repeats if repeats is None else repeats,
        db_connections=db_connections,
    )
    problems = [
        f"--levels {test}=…: {test} is not among the tests; add --test {test}" for test in levels if test not in wanted
    ]
    problems += _problems(result)
    if problems:
        raise UsageError("; ".join(problems))
    return result


def levels(settings: Settings, cpus: int) -> dict[str, tuple[Level, ...]]:
    """Return the levels of each test type on an engine of `cpus`. Raises UsageError."""
    connections = PROFILES[settings.profile].query_connections
    return {test: workloads.levels(test, values, cpus, connections) for test, values in settings.levels.items()}


def warmup_level(settings: Settings, test: str, of: Iterable[Level]) -> Level:
    """Return what the test type with these levels is warmed up at: the largest, as far as the profile goes."""
    largest = workloads.warmup_level(test, of)
    connections = min(largest.connections, PROFILES[settings.profile].warmup_connections)
    return replace(largest, connections=connections, threads=workloads.threads(connections, largest.threads))


def parse_levels(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the values of each test type in texts such as `json=16,32`. Raises UsageError."""
    levels: dict[str, tuple[int, ...]] = {}
    for text in texts:
        test, values = _parse(text)
        if test in levels:
            raise UsageError(f"--levels {test} is given twice; name all its levels in one: {test}=16,32")
        levels[test] = values
    return levels


def impossible(settings: Settings) -> list[str]:
    """Return why no lab makes a run with the settings, by the keys that a manifest has them under."""
    choices = {
        "profile": (settings.profile, PROFILES),
        "proxy": (settings.proxy, PROXY_CHOICES),
        "placement": (settings.placement, placement.MODES),
    }
    times = {"primer_s": settings.primer_s, "warmup_s[1]": settings.warmup_s[0], "warmup_s[2]": settings.warmup_s[1]}
    return [
        *(
            _must(key, value, f"one of {', '.join(known)}")
            for key, (value, known) in choices.items()
            if value not in known
        ),
        *([] if settings.levels else ["settings.levels has no test"]),
        *(
            f"settings.levels has {letters.quoted(test)}, which is no test; there is {', '.join(WORKLOADS)}"
            for test in settings.levels
            if test not in WORKLOADS
        ),
        *(
            _must(f"levels.{test}", values, "levels, each once")
            for test, values in settings.levels.items()
            if not values or len(set(values)) < len(values)
        ),
        *(
            _must(key, value, f"0 to {MAX_DURATION_S}")
            for key, value in times.items()
            if not 0 <= value <= MAX_DURATION_S
        ),
        *([] if settings.precision is None or 0 < settings.precision <= MOST_SHARE else [_no_precision(settings)]),
        *(
            []
            if settings.budget_s is None or settings.budget_s >= 1
            else [_must("budget_s", settings.budget_s, "1 or more")]
        ),
        # Older labs took any seed, and a run that is measured needs no other.
        *(_must(key, value, rule) for _, key, value, rule in _beyond(settings) if key != "seed"),
    ]


def _no_precision(settings: Settings) -> str:
    return _must("precision", settings.precision, f"above 0 and up to {MOST_SHARE}")


def _must(key: str, value: object, what: str) -> str:
    return f"settings.{key} is {letters.quoted(value)}, and must be {what}"


def _parse(text: str) -> tuple[str, tuple[int, ...]]:
    test, equals, values = text.partition("=")
    if not equals or test not in WORKLOADS:
        hint = "" if test in WORKLOADS else letters.meant(test, WORKLOADS)
        raise UsageError(
            f"--levels {text}: {hint}write TEST=N,N with a test of {', '.join(WORKLOADS)}, as in json=16,32"
        )
    try:
        numbers = tuple(quantities.whole(value) for value in values.split(","))
    except ValueError:
        raise UsageError(f"--levels {text}: levels are whole numbers, such as {test}=16,32") from None
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"--levels {text}: a level is named twice; name each once")
    return test, numbers


def _problems(settings: Settings) -> list[str]:
    return [
        f"{flag}{'=' if key.startswith('levels.') else ' '}{letters.quoted(value)}: use {rule}"
        for flag, key, value, rule in _beyond(settings)
    ]


def _beyond(settings: Settings) -> Iterator[tuple[str, str, int, str]]:
    """Yield each number that no run has: its flag, its key in the settings, itself, and what it could be."""
    if not 1 <= settings.blocks <= MAX_BLOCKS:
        yield "--blocks", "blocks", settings.blocks, f"1 to {MAX_BLOCKS}"
    if not 1 <= settings.repeats <= MAX_REPEATS:
        yield "--repeats", "repeats", settings.repeats, f"1 to {MAX_REPEATS}"
    if not 1 <= settings.duration_s <= MAX_DURATION_S:
        yield "--duration", "duration_s", settings.duration_s, f"1 to {MAX_DURATION_S} seconds"
    if not 0 <= settings.seed <= MAX_SEED:
        yield "--seed", "seed", settings.seed, f"0 to {MAX_SEED}"
    for total in settings.db_connections:
        if not 1 <= total <= MAX_DB_CONNECTIONS:
            rule = f"1 to {MAX_DB_CONNECTIONS}, which Postgres has for an entry"
            yield "--db-connections", "db_connections", total, rule
    for test, values in settings.levels.items():
        queries = test in WORKLOADS and WORKLOADS[test].varies == QUERIES
        rule = f"1 to {MAX_QUERIES} queries" if queries else f"1 to {MAX_CONNECTIONS} connections"
        for value in values:
            if not 1 <= value <= (MAX_QUERIES if queries else MAX_CONNECTIONS):
                yield f"--levels {test}", f"levels.{test}", value, rule
