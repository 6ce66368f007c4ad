"""Records to test with: small, complete, and changed one field at a time; and a run of them without an engine."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest

from benchlab.core import interrupts, log_patterns
from benchlab.engine.endpoints import Roles
from benchlab.experiment import schedule
from benchlab.experiment.settings import choose
from benchlab.factors.factor import Tools
from benchlab.load import closed
from benchlab.records.counters import APP, CLIENT, DB, Counters, HostUsage, Usage
from benchlab.records.facts import Facts
from benchlab.records.load import Errors, Latency, Load
from benchlab.records.plan import Entry, Level, Manifest, Settings, Trial, Variant, Visit
from benchlab.records.run import GOOD, ContractFinding, Failure, Pace, Sample, Verdict
from benchlab.run.bench import Events, Journal
from benchlab.run.group import Group
from benchlab.run.rounds import RoundRunner
from benchlab.run.visits import VisitRunner

from .fake_host import FakeHost

LABELS = {
    "framework": "x",
    "orm": "raw",
    "driver": "asyncpg",
    "server": "gunicorn",
    "loop": "uvloop",
    "json": "json",
    "workers": "2",
    "pool": "16",
    "tests": "json plaintext query",
}
PATHS = {"json": "/json", "plaintext": "/plaintext", "query": "/queries?queries="}
# What older versions of entries are of.
COMMIT = "abc1234"
PATTERNS = log_patterns.read(Path(__file__).parents[2] / log_patterns.FOLDER)
STARTED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LEVELS = {
    "json": closed.levels_of("json", (16, 32), 2),
    "plaintext": closed.levels_of("plaintext", (256,), 2),
    "query": closed.levels_of("query", (1, 20), 2),
}


def make_load(requests: int = 1000, duration_us: int = 1_000_000, errors: Errors | None = None) -> Load:
    latency = Latency(2000.0, 100.0, 9000.0, 1900.0, 2100.0, 2500.0, 4000.0, 8000.0)
    return Load(duration_us, duration_us + 20_000, requests, 150_000, latency, errors or Errors())


def make_counters(app_cpu_us: int = 500_000, speed_us: float = 5000.0) -> Counters:
    """Return the counters of a calm second on two CPUs."""
    roles = {
        CLIENT: Usage(250_000, 0, 0, 10_000_000),
        APP: Usage(app_cpu_us, 0, 0, 90_000_000),
        DB: Usage(200_000, 0, 0, 300_000_000),
    }
    host = HostUsage(900_000, 80_000, 1_060_000, 0, 0, 0, 0, None)
    return Counters(1_050_000, host, roles, ((0, 0), (1_000_000, 150_000)), (speed_us, speed_us), idle_before=True)


def make_sample(trial: Trial | None = None, load: Load | None = None, severity: str = GOOD, attempt: int = 1) -> Sample:
    broken = {} if severity == GOOD else {"duration error": 2.0}
    verdict = Verdict(severity, broken)
    return Sample(trial or make_trial(), attempt, STARTED, load or make_load(), make_counters(), verdict)


def make_finding(entry: str = "crax", test: str = "json", warning: bool = True, block: int = 1) -> ContractFinding:
    """Return what verification says of one key too many, or of another message."""
    rule, message = ("extra keys", "has more keys") if warning else ("body", "answered 'Bye'")
    return ContractFinding(block, entry, test, STARTED, rule, message, warning)


def make_trial(block: int = 1, entry: str = "crax", test: str = "json", connections: int = 16) -> Trial:
    return Trial(block, entry, test, Level(connections, 2))


class Kept(list[Sample | Failure]):
    """A journal in memory, with the findings apart."""

    def __init__(self) -> None:
        self.logs: dict[str, str] = {}
        self.findings: list[ContractFinding] = []
        self.paces: list[Pace] = []

    def append(self, record: Sample | Failure | ContractFinding | Pace) -> None:
        if isinstance(record, ContractFinding):
            self.findings.append(record)
        elif isinstance(record, Pace):
            self.paces.append(record)
        else:
            super().append(record)

    def keep_log(self, name: str, text: str) -> str:
        self.logs[name] = text
        return f"logs/{name}"

    @property
    def samples(self) -> list[Sample]:
        return [record for record in self if isinstance(record, Sample)]

    @property
    def failures(self) -> list[Failure]:
        return [record for record in self if isinstance(record, Failure)]


def planned(entries: list[Entry], blocks: int = 2) -> tuple[Visit, ...]:
    """Return the visits of a run at LEVELS."""
    return schedule.plan(entries, LEVELS, blocks, seed=7)


def run_planned(host: FakeHost, entries: list[Entry], settings: Settings, kept: Kept) -> list[int]:
    """Make the planned visits and return the blocks that were done."""
    return list(make_runner(host, kept, entries, settings).run(planned(entries)))


def make_runner(
    host: FakeHost,
    kept: Journal,
    entries: list[Entry],
    settings: Settings,
    events: Events | None = None,
    levels: Mapping[str, tuple[Level, ...]] = LEVELS,
    **options: Any,
) -> VisitRunner:
    """Return the runner of a lab whose roles are all on the one host, which has two CPUs."""
    by_name = {entry.name: entry for entry in entries}
    return VisitRunner(Roles.on_one(host), kept, by_name, levels, settings, events or Events(), 2, **options)


def make_round_runner(
    host: FakeHost, kept: Kept, entries: list[Entry], settings: Settings, events: Events | None = None
) -> RoundRunner:
    by_name = {entry.name: entry for entry in entries}
    return RoundRunner(Roles.on_one(host), kept, by_name, LEVELS, settings, events or Events(), 2)


def make_group(host: FakeHost, entry: Entry) -> Group:
    return Group([entry], Roles.on_one(host), [entry], Kept().keep_log, patterns=PATTERNS)


@pytest.fixture
def entries() -> list[Entry]:
    return [Entry("aiohttp", LABELS, PATHS), Entry("crax", LABELS, PATHS)]


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Give the tests that follow the signal handlers back, which the command line replaces."""
    before = {number: signal.getsignal(number) for number in interrupts.ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def settings() -> Settings:
    return long_samples()


@pytest.fixture
def manifest() -> Manifest:
    return make_manifest()


def long_samples(**given: Any) -> Settings:
    """Return the settings of a run that has one entry up at a time: the study's, with few blocks and short samples."""
    few: dict[str, Any] = {"frameworks": ["aiohttp", "crax"], "blocks": 2, "duration_s": 2, "seed": 7}
    return replace(choose("study", **(few | given)), primer_s=0, warmup_s=(1, 1))


def make_settings() -> Settings:
    """Return the settings of a run of rounds: two blocks, of a round each."""
    return choose("quick", frameworks=["aiohttp", "crax"], blocks=2, repeats=1, seed=7)


def make_manifest() -> Manifest:
    return Manifest(
        run_id="20261123-120000-quick",
        created_at=STARTED,
        settings=make_settings(),
        entries={"aiohttp": LABELS, "crax": LABELS},
        images={"aiohttp": "sha256:a", "crax": "sha256:c"},
        services={"aiohttp": {}, "crax": {"mem_limit": "1g", "environment": {"A": "1"}}},
        sources={"base": "b", "crax": "c"},
        cpus=2,
        facts=Facts.of({"engine_version": "20.10"}),
    )


def versions(*entries: str) -> dict[str, Variant]:
    """Return what a run measures of these entries and their versions at a commit, which are called as in `older`."""
    pairs = {entry: Variant(entry) for entry in entries}
    return pairs | {older(entry): Variant(entry, {"commit": COMMIT}) for entry in entries}


def tools_at(at_commit: Callable[[str, str], Mapping[str, Any]]) -> Tools:
    """Return what makes variants at commits, and none of other levels."""

    def none(*_: object) -> NoReturn:
        raise AssertionError

    return Tools(at_commit, none, none)


def older(entry: str) -> str:
    return f"{entry}-at-{COMMIT}"


@pytest.fixture
def sample() -> Sample:
    return make_sample()
