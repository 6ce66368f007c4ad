"""What wrk counts of one load. Frozen, checked when made, free of I/O."""

from __future__ import annotations

from dataclasses import dataclass

from benchlab.core.quantities import counted
from benchlab.records import checks

# More requests a second than any server answers to one load generator: a broken count.
MOST_RATE = 1e9


@dataclass(frozen=True)
class Latency:
    """wrk's own latencies, in microseconds (docs/method.md, section 11: never ranked in a closed loop)."""

    mean_us: float
    stdev_us: float
    max_us: float
    p50_us: float
    p75_us: float
    p90_us: float
    p99_us: float
    p99_9_us: float

    def __post_init__(self) -> None:
        checks.amounts("latency", **vars(self))
        if self.mean_us > self.max_us:
            raise ValueError(f"latency: mean {self.mean_us} us, max {self.max_us} us: the mean lies from 0 to the max")


@dataclass(frozen=True)
class Errors:
    """Socket errors by kind, and answers with a status above 399, as wrk counts them."""

    connect: int = 0
    read: int = 0
    write: int = 0
    status: int = 0
    timeout: int = 0

    def __post_init__(self) -> None:
        checks.counts("errors", 0, **vars(self))

    @property
    def broken(self) -> int:
        """Return all but the time-outs: what was answered wrongly, or not at all."""
        return self.connect + self.read + self.write + self.status

    def __str__(self) -> str:
        counts = (
            (self.status, "answer above 399", "answers above 399"),
            (self.connect, "failed connect", ""),
            (self.read, "read error", ""),
            (self.write, "write error", ""),
            (self.timeout, "time-out", ""),
        )
        return ", ".join(counted(count, one, several) for count, one, several in counts if count) or "none"


@dataclass(frozen=True)
class Ports:
    """How many local ports the load generator has, and how many waited when a load was over (TIME_WAIT)."""

    range: int
    waiting: int

    def __post_init__(self) -> None:
        checks.counts("ports", 0, **vars(self))


@dataclass(frozen=True)
class Load:
    """What one run of wrk counted; rates are derived, never stored.

    `duration_us` is wrk's own clock, which its rates are made from; `wall_us` is the life of its process. Of a slice,
    `duration_us` and `requests` are those of its window, `launch_requests` those of all its process's life, which
    bytes, latency and errors are of, and `read_requests` those between the readings of the counters.
    """

    duration_us: int
    wall_us: int
    requests: int
    bytes: int
    latency: Latency
    errors: Errors
    launch_requests: int | None = None
    read_requests: int | None = None

    def __post_init__(self) -> None:
        checks.counts("load", 1, duration_us=self.duration_us, wall_us=self.wall_us)
        checks.counts("load", 0, requests=self.requests, bytes=self.bytes)
        of_slice = {"launch_requests": self.launch_requests, "read_requests": self.read_requests}
        checks.counts("load", 0, **{name: count for name, count in of_slice.items() if count is not None})
        for count, time_us in (
            (self.requests, self.duration_us),
            *((each, self.wall_us) for each in of_slice.values()),
        ):
            if count is not None and count > MOST_RATE * time_us / 1e6:
                raise ValueError(f"load: {count} requests in {time_us} us cannot be")

    @property
    def is_slice(self) -> bool:
        return self.launch_requests is not None

    @property
    def requests_beside_counters(self) -> int:
        """Return the requests that the counters of the sample are of."""
        return self.requests if self.read_requests is None else self.read_requests

    @property
    def seconds(self) -> float:
        return self.duration_us / 1e6

    @property
    def loaded_s(self) -> float:
        """Return how long the entry was loaded for the sample: of a slice, with what is not counted of it."""
        return self.wall_us / 1e6 if self.is_slice else self.seconds

    @property
    def requests_per_second(self) -> float:
        """Return answered requests per second, 4xx and 5xx included."""
        return self.requests / self.seconds
