"""Injects faults into entries and host, and takes a sample under each: the instrument must not take it for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace

from benchlab.engine.stage import Lab
from benchlab.load import registry
from benchlab.quality.rules import BACKGROUND_CPU, STALL
from benchlab.records.plan import Settings, Trial, Visit
from benchlab.records.run import Failure, Sample
from benchlab.run.runner import Events, Runner
from benchlab.selftest.kept import FaultResult
from benchlab.storage.store import Unkept

# The faults that an entry can have (calibration/injected.py), with the rules of which one must catch it.
INJECTED: Mapping[str, tuple[str, ...]] = {
    "hang": ("hung connections", "wrong answers"),
    "302": ("wrong answers",),
    "500": ("errors",),
    "lie": ("wrong answers",),
    "stop": (STALL,),
    # Where the host is slow, the kernel still looks for memory when the sample ends.
    "memory": ("out of memory", "memory pressure"),
}
MEMORY_LIMIT = "300m"
# The share of a CPU that a starved load generator gets.
STARVED_CPUS = 0.3
SPIN = ("python3", "-c", "while True: pass")
SAMPLE_S = 8


def entry(fault: str) -> str:
    """Return the name of the entry with the fault."""
    return f"fault-{fault}"


def inject(lab: Lab, settings: Settings, sound: str, journal: Unkept, blind: bool) -> Iterator[FaultResult]:
    """Take a sample of each entry with a fault, and of the `sound` one on a host with a fault.

    The settings have one test with one level; `blind` is whether the host's cgroup tree cannot be read.
    """

    def sample(name: str, trouble: AbstractContextManager[None]) -> Sample | Failure:
        return _sample(lab, replace(settings, frameworks=(name,)), journal, trouble, blind)

    for name, expected in INJECTED.items():
        yield FaultResult(name, sample(entry(name), nullcontext()), expected)
    starved = sample(sound, lab.engine.limited("wrk", STARVED_CPUS))
    yield FaultResult("starved wrk", starved, ("throttled", "client-bound"))
    yield FaultResult("busy neighbours", sample(sound, _neighbours(lab)), (BACKGROUND_CPU, "steal"))


class _Troubled(Events):
    """Begins the trouble when the sample is about to be taken: verification and warm-up go undisturbed."""

    def __init__(self, trouble: AbstractContextManager[None]):
        self._trouble, self._stack = trouble, ExitStack()

    def measuring(self, trial: Trial) -> None:
        self._stack.enter_context(self._trouble)

    def close(self) -> None:
        self._stack.close()


def _sample(
    lab: Lab, settings: Settings, journal: Unkept, trouble: AbstractContextManager[None], blind: bool
) -> Sample | Failure:
    """Return what comes of one sample of the settings' entry while the trouble lasts."""
    (name,), (test,) = settings.frameworks, settings.tests
    levels = registry.of(settings).levels(settings, lab.client_cpus)
    events = _Troubled(trouble)
    runner = Runner(
        roles=lab.roles,
        journal=journal,
        entries={name: lab.topology.entries[name]},
        levels=levels,
        settings=settings,
        events=events,
        cpus=lab.client_cpus,
        ask_engine=blind,
        allowed_cpus=lab.allowed_cpus,
        patterns=lab.patterns,
    )
    try:
        (record,) = runner.make([Visit(1, name, (Trial(1, name, test, levels[test][0]),))])
    finally:
        events.close()
    return record


@contextmanager
def _neighbours(lab: Lab) -> Iterator[None]:
    """Keep every CPU of the host busy with something that is none of the measurement."""
    with ExitStack() as neighbours:
        for _ in range(lab.cpus):
            neighbours.enter_context(lab.engine.beside(lab.topology.image("wrk"), SPIN))
        yield
