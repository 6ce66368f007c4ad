"""What a session has learnt so far: later visits do not do, or say, again what is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from benchlab.quality import judge
from benchlab.records.plan import Trial
from benchlab.records.run import ContractFinding, Sample


class SessionState:
    """What is known after the visits made so far; a resumed run begins with its earlier samples and findings."""

    def __init__(self, samples: Iterable[Sample] = (), findings: Iterable[ContractFinding] = ()):
        self._samples = list(samples)
        self._taken = Counter(sample.trial.key for sample in self._samples)
        self._findings = {finding.key for finding in findings}
        self._conforming: set[tuple[str, str]] = set()
        self._on_planned_cpus: set[str] = set()
        self._slow_to_stop: set[str] = set()
        self.database_ran = False

    def add_sample(self, sample: Sample) -> None:
        self._samples.append(sample)
        self._taken[sample.trial.key] += 1

    def next_attempt(self, trial: Trial) -> int:
        """Return the number of the trial's next sample, from 1."""
        return 1 + self._taken[trial.key]

    def usual_speed_us(self, block: int) -> float | None:
        """Return how long the speed probe took in the block so far, None where it is too early to say."""
        return judge.usual_speed_us(self._samples, block)

    def is_new(self, finding: ContractFinding) -> bool:
        """Return whether the run has no finding yet of that entry, test type and rule."""
        return finding.key not in self._findings

    def add_finding(self, finding: ContractFinding) -> None:
        self._findings.add(finding.key)

    def conforms(self, entry: str, test: str) -> bool:
        """Return whether the entry has passed all of the contract in that test type."""
        return (entry, test) in self._conforming

    def add_conforming(self, entry: str, test: str) -> None:
        self._conforming.add((entry, test))

    def is_on_planned_cpus(self, entry: str) -> bool:
        """Return whether the entry's containers, which are the same in all visits, were seen on their planned CPUs."""
        return entry in self._on_planned_cpus

    def add_on_planned_cpus(self, entry: str) -> None:
        self._on_planned_cpus.add(entry)

    def is_slow_to_stop(self, service: str) -> bool:
        """Return whether the service was seen not to end when it was asked to."""
        return service in self._slow_to_stop

    def add_slow_to_stop(self, service: str) -> None:
        self._slow_to_stop.add(service)
