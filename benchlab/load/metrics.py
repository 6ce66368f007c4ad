"""The metrics of samples, in one registry: what each is called, how it is read, and whether more of it is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from benchlab.records.counters import APP, DB, PROXY
from benchlab.records.run import Sample


class Better(Enum):
    """Which of two values is the better one."""

    HIGHER = "higher"
    LOWER = "lower"

    def gain(self, ratio: float) -> float:
        """Return how many times as good one value is as another, from their ratio: above 1 if it is the better."""
        return ratio if self is Better.HIGHER else 1 / ratio

    def limit(self, margin: float) -> float:
        """Return the ratio of new to old that is a loss by the margin, a share such as 0.03."""
        return 1 - margin if self is Better.HIGHER else 1 + margin


class Parts(NamedTuple):
    """What a value is the quotient of, such as requests and the seconds that they took."""

    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        """Return the quotient, a positive number; None where there is none."""
        return self.numerator / self.denominator if self.numerator > 0 and self.denominator > 0 else None


@dataclass(frozen=True)
class Metric:
    """A quantity that entries are measured by.

    `name` is how tables print it, `long_name` how sentences do, a plural; `key` is its name in files for programs.
    `parts` returns what its value of a sample is the quotient of, or None where either is not known. The value of
    several samples of a block is the quotient of the sums; over blocks and levels it is always the geometric mean,
    because all comparing is done on logarithms (docs/method.md, section 6). `form` writes a value.

    Where `client_limits`, a value that wrk was the limit of says only what the entry does at least. Where
    `host_limits`, a value taken on a full host is not comparable with one taken on an idle host.
    """

    name: str
    long_name: str
    key: str
    unit: str
    better: Better
    parts: Callable[[Sample], Parts | None]
    form: str = "{:,.0f}"
    client_limits: bool = False
    host_limits: bool = False

    def read(self, sample: Sample) -> float | None:
        """Return its value of the sample, a positive number; None where it is not known."""
        parts = self.parts(sample)
        return None if parts is None else parts.value

    def written(self, value: float) -> str:
        return self.form.format(value)


@dataclass(frozen=True)
class Measures:
    """The metrics that are reported of a load model's samples.

    `ranked_by` ranks the entries; `on_full_host` does in its place where all rows compared filled the host, and is not
    compared where none did; without one, a full host changes nothing. Those `beside` are compared and rank nobody;
    those `shown` stand in tables only.
    """

    ranked_by: Metric
    on_full_host: Metric | None = None
    beside: tuple[Metric, ...] = ()
    shown: tuple[Metric, ...] = ()

    @property
    def ranking(self) -> tuple[Metric, ...]:
        """Return the metrics that may rank the entries."""
        return (self.ranked_by,) if self.on_full_host is None else (self.ranked_by, self.on_full_host)

    @property
    def compared(self) -> tuple[Metric, ...]:
        """Return the metrics that entries and versions are compared in."""
        return (*self.ranking, *self.beside)

    @property
    def every(self) -> tuple[Metric, ...]:
        """Return all of them, and the rate, which what limited a cell is judged by."""
        return tuple(dict.fromkeys((RATE, *self.compared, *self.shown)))


def _rate(sample: Sample) -> Parts:
    """Return the rate and 1, so that slices count alike: each is a launch, and one that is slow lasts longer."""
    return Parts(sample.load.requests_per_second, 1.0)


def per_cpu_s(sample: Sample, roles: Iterable[str] = (APP, DB, PROXY)) -> Parts | None:
    """Return the requests and the CPU-seconds that these roles used for them; None where one's are not known."""
    used = [sample.counters.roles[role].cpu_us for role in roles if role in sample.counters.roles]
    known = [cpu_us for cpu_us in used if cpu_us is not None]
    return Parts(sample.load.requests_beside_counters, sum(known) / 1e6) if known and len(known) == len(used) else None


def _per_app_cpu_s(sample: Sample) -> Parts | None:
    return per_cpu_s(sample, (APP,))


RATE = Metric(
    name="requests/s",
    long_name="requests per second",
    key="requests_per_s",
    unit="1/s",
    better=Better.HIGHER,
    parts=_rate,
    client_limits=True,
)
# The CPU time is that of app, database and proxy together.
PER_CPU = Metric(
    name="requests/CPU-s",
    long_name="requests per CPU-second",
    key="requests_per_cpu_s",
    unit="1/CPU-s",
    better=Better.HIGHER,
    parts=per_cpu_s,
    host_limits=True,
)
PER_APP_CPU = Metric(
    name="of the app alone",
    long_name="requests per CPU-second of the app alone",
    key="requests_per_app_cpu_s",
    unit="1/CPU-s",
    better=Better.HIGHER,
    parts=_per_app_cpu_s,
    host_limits=True,
)
