"""What a session has learnt so far: later visits do not do, or say, again what is known."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from statistics import median

from benchlab.quality import judge
from benchlab.records.counters import Counters, together
from benchlab.records.plan import Trial
from benchlab.records.run import ContractFinding, Sample

# The kernel counts the host's CPU time in hundredths of a second: in so many seconds, 1 % of it is three of two CPUs.
LATELY_S = 3.0
# So many slices around one show the host's speed, and fewer do not.
NEAR_PROBES, LEAST_PROBES = 40, 8


class SessionState:
    """What is known after the visits made so far; a resumed run begins with its earlier samples and findings."""

    def __init__(self, samples: Iterable[Sample] = (), findings: Iterable[ContractFinding] = ()):
        self._samples = list(samples)
        self._taken = Counter(sample.trial.key for sample in self._samples)
        self._findings = {finding.key for finding in findings}
        self._conforming: set[tuple[str, str]] = set()
        self._on_planned_cpus: set[str] = set()
        self._slow_to_stop: set[str] = set()
        self._unsure: set[str] = set()
        self._lately: deque[Counters] = deque()
        self._speeds_us: deque[float] = deque(maxlen=NEAR_PROBES)
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

    def around(self, counters: Counters) -> Counters:
        """Return what happened in this slice and in those before it, as many as make up LATELY_S.

        One that has no CPU time, as on a full host some have none, is left out if others have: it would hide theirs.
        """
        self._lately.append(counters)
        while sum(each.between_us for each in self._lately) - self._lately[0].between_us >= LATELY_S * 1e6:
            self._lately.popleft()
        telling = [each for each in self._lately if each.outside_cpu_us is not None]
        return together(tuple(telling or self._lately))

    def recent_speed_us(self, speeds_us: Sequence[float]) -> float | None:
        """Return how long the speed probe took around the slices before this one; None where too few are known."""
        usual = median(self._speeds_us) if len(self._speeds_us) >= LEAST_PROBES else None
        self._speeds_us += speeds_us
        return usual

    def forget_lately(self) -> None:
        """Begin anew with what comes before a slice: other containers are up."""
        self._lately.clear()
        self._speeds_us.clear()

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

    def is_unsure(self, entry: str) -> bool:
        """Return whether not all workers of the entry were seen to serve."""
        return entry in self._unsure

    def add_unsure(self, entry: str) -> None:
        self._unsure.add(entry)

    def is_slow_to_stop(self, service: str) -> bool:
        """Return whether the service was seen not to end when it was asked to."""
        return service in self._slow_to_stop

    def add_slow_to_stop(self, service: str) -> None:
        self._slow_to_stop.add(service)
