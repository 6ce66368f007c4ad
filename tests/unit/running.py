"""A run on the fake engine, its plan, and a journal in memory."""

from __future__ import annotations

from benchlab import schedule, workloads
from benchlab.model import Entry, Failure, Sample, Settings, Visit
from benchlab.runner import Events, Runner

from .fake_host import FakeHost

LEVELS = {
    "json": workloads.levels("json", (16, 32), 2),
    "plaintext": workloads.levels("plaintext", (256,), 2),
    "query": workloads.levels("query", (1, 20), 2),
}


class Kept(list[Sample | Failure]):
    """A journal in memory. Appending is the list's own."""

    def __init__(self) -> None:
        self.logs: dict[str, str] = {}

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
    return schedule.plan(entries, LEVELS, blocks, seed=7)


def run(host: FakeHost, entries: list[Entry], settings: Settings, kept: Kept) -> list[int]:
    runner = Runner(host, kept, {entry.name: entry for entry in entries}, LEVELS, settings, Events(), 2)
    return list(runner.run(planned(entries)))
