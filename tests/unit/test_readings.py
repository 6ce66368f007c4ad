"""The scripts of the wrk container: counters of both cgroup versions, and what counts as a steady rate."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import load
import pytest
import readings
import rounds
from schema import ContainerReading, HostReading, Ports, Reading

ID = "4f0c9e21ab"
USED = {"cpu_us": 123, "throttled_periods": 2, "oom_kills": 1, "memory_bytes": 4096}
NOTHING = dict.fromkeys(USED)


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize("place", ["docker/{id}", "system.slice/docker-{id}.scope", "user.slice/a.service/{id}"])
def test_counters_of_cgroup_version_1_are_read_wherever_the_engine_keeps_them(tmp_path: Path, place: str) -> None:
    place = place.format(id=ID)
    _write(tmp_path / "cpuacct" / place, {"cpuacct.usage": "123456\n"})
    _write(tmp_path / "cpu" / place, {"cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 5\n"})
    memory = {
        "memory.stat": "cache 9000\nrss 1000\ntotal_cache 9000\ntotal_rss 4096\ntotal_rss_huge 0\n",
        "memory.oom_control": "under_oom 0\noom_kill 1\n",
    }
    _write(tmp_path / "memory" / place, memory)
    assert vars(readings.container(readings.folders(ID, tmp_path))) == USED


def test_counters_of_cgroup_version_2_are_read(tmp_path: Path) -> None:
    files = {
        "cpu.stat": "usage_usec 123\nuser_usec 100\nnr_throttled 2\n",
        "memory.stat": "anon 4096\nfile 9000\nanon_thp 0\n",
        "memory.events": "oom 1\noom_kill 1\n",
    }
    _write(tmp_path / f"system.slice/docker-{ID}.scope", files)
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    assert vars(readings.container(readings.folders(ID, tmp_path))) == USED


@pytest.mark.parametrize("top", ["cpu/cpu.stat", "cpu.stat"])
def test_a_quota_around_the_whole_engine_holds_each_of_its_containers_back(tmp_path: Path, top: str) -> None:
    folder = tmp_path / Path(top).parent / "docker" / ID
    _write(folder, {"cpu.stat": "nr_periods 9\nnr_throttled 2\n"})
    (tmp_path / top).write_text("nr_periods 90\nnr_throttled 40\n")
    if top == "cpu.stat":
        (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    assert readings.container(readings.folders(ID, tmp_path)).throttled_periods == 42


def test_what_the_kernel_does_not_tell_is_null_and_not_zero(tmp_path: Path) -> None:
    assert vars(readings.container(readings.folders(ID, tmp_path))) == NOTHING
    _write(tmp_path / f"docker/{ID}", {"memory.stat": "file 9000\n", "cpu.stat": "garbage"})
    (tmp_path / "cgroup.controllers").write_text("")
    assert vars(readings.container(readings.folders(ID, tmp_path))) == NOTHING


STAT = """cpu 60 0 0 1540 0 0 0 0 0 0
cpu0 0 0 0 700 0 0 0 0 0 0
cpu1 20 1 2 30 4 5 6 7 0 0
cpu2 0 0 0 700 0 0 0 0 0 0
cpu10 40 0 0 110 0 0 0 0 0 0
intr 100 0 0
"""


@pytest.mark.parametrize(
    ("cpus", "ticks"),
    [
        ([1], (23, 11, 34, 7)),
        ([1, 10], (63, 11, 144, 7)),
        (None, (60, 0, 1540, 0)),
        # The host does not tell of one that was taken out.
        ([1, 3], (None, None, None, None)),
    ],
)
def test_the_host_s_cpu_time_is_that_of_the_cpus_that_containers_may_use(
    cpus: list[int] | None, ticks: tuple[int | None, ...]
) -> None:
    told = readings.processors(cpus, STAT)
    names = ("busy_us", "interrupts_us", "idle_us", "stolen_us")
    expected = [None if tick is None else tick * readings.TICK_US for tick in ticks]
    assert told == dict(zip(names, expected, strict=True))


@pytest.mark.parametrize(("took_us", "is_known"), [(200, True), (30_000, False)])
def test_what_was_read_in_time_is_null_where_it_was_not_read_at_one_time(took_us: int, is_known: bool) -> None:
    usage, stalled = Path("/host/cgroup/app/cpu.stat"), "some total=5\nfull avg10=0.00 total=7\n"
    texts = {
        readings.STAT: STAT,
        readings.PRESSURE / "memory": stalled,
        readings.PRESSURE / "io": "",
        usage: "usage_usec 123\nuser_usec 100\n",
    }
    reading = Reading(
        1, HostReading(*[9] * 8), {"app": ContainerReading(9, 9, 9, 9), "db": ContainerReading(9, 9, 9, 9)}
    )
    made = readings.in_time(reading, texts, {"app": usage, "db": None}, [1], 40, took_us)
    assert made.at_us == 40
    assert made.host.busy_us == (23 * readings.TICK_US if is_known else None)
    assert made.host.memory_stalled_us == (7 if is_known else None)
    assert made.host.io_stalled_us is None
    assert made.roles["app"] == ContainerReading(123 if is_known else None, 9, 9, 9)
    assert made.roles["db"].cpu_us is None
    assert made.host.swapped_pages == 9


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"cpuset.cpus.effective": "2-3\n"}, "2-3"),
        ({"cpuset.effective_cpus": "4\n", "cpuset.cpus": "4\n"}, "4"),
        # A rootless engine without the controller: the container has the CPUs of what is above it.
        ({"../cpuset.cpus.effective": "0-15\n"}, "0-15"),
        ({}, None),
    ],
)
def test_the_cpus_that_a_container_may_use_are_those_of_its_cgroup_or_of_the_next_above_it(
    tmp_path: Path, files: dict[str, str], told: str | None
) -> None:
    _write(tmp_path / f"docker/{ID}", {name: text for name, text in files.items() if not name.startswith("..")})
    for name, text in files.items():
        (tmp_path / f"docker/{ID}" / name).write_text(text)
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    assert readings.allowed_cpus(readings.folders(ID, tmp_path)["cpuset"]) == told


def test_a_reading_of_this_machine_has_every_figure_or_null() -> None:
    reading = readings.read({})
    assert reading.at_us > 0
    assert reading.host.idle_us > 0
    assert all(value is None or value >= 0 for value in vars(reading.host).values())
    assert len(readings.speeds_us()) == readings.PROBE_ROUNDS


@pytest.mark.parametrize(
    ("rates", "steady"),
    [
        ([100, 100, 100], True),
        ([50, 100, 101, 100], True),  # only the last three count
        ([100, 107, 103], True),
        ([100, 104, 108], False),  # within 10 %, but rising
        ([108, 104, 100], False),
        ([100, 112, 100], False),
        ([100, 100], False),  # too early to say
        ([0, 0, 0], False),
    ],
)
def test_a_rate_is_steady_when_three_slices_are_even_and_show_no_trend(rates: list[float], steady: bool) -> None:
    received, total = [[0, 0]], 0.0
    for second, rate in enumerate(rates, start=1):
        total += rate * 1000
        received.append([second * 1_000_000, int(total)])
    assert load.is_steady(received) is steady


@pytest.mark.parametrize(("seconds", "steady", "over"), [(2, True, False), (3, True, True), (4, False, False)])
def test_a_warm_up_ends_between_its_times_when_the_rate_is_steady(seconds: int, steady: bool, over: bool) -> None:
    received = [[s * 1_000_000, s * (1000 if steady else 100 * s)] for s in range(seconds + 1)]
    assert load.is_over(received, 3, 20) is over


def test_a_warm_up_ends_at_its_longest_time_in_any_case() -> None:
    assert load.is_over([[s * 1_000_000, s * s] for s in range(21)], 3, 20)


def test_without_a_network_card_nothing_is_called_steady() -> None:
    assert not load.is_steady([[s * 1_000_000, None] for s in range(9)])


def test_the_memory_of_a_load_is_the_most_of_all_looks_at_it(tmp_path: Path) -> None:
    folder = tmp_path / f"memory/docker/{ID}"
    _write(folder, {})
    places = {"app": readings.folders(ID, tmp_path), "db": readings.folders("absent", tmp_path)}
    most_bytes: dict[str, int | None] = dict.fromkeys(places)
    for text in ("total_rss 5000\n", "total_rss 9000\n", "total_rss 7000\n", ""):
        (folder / "memory.stat").write_text(text)
        load.weigh(places, most_bytes)
    assert most_bytes == {"app": 9000, "db": None}


class _Servers:
    """Servers, and a clock on which only sleeping takes time: in each slice each uses what it is told, in us of CPU.

    None is a server whose container does not tell.
    """

    def __init__(self, top: Path, used: Sequence[Sequence[int] | None]):
        self._used, self.slices = used, 0
        self.folders = [dict.fromkeys(readings.CONTROLLERS, top / str(number)) for number in range(len(used))]
        for found in self.folders:
            found["cpu"].mkdir()
        self._count()

    def monotonic(self) -> float:
        return self.slices * float(load.IDLE_SLICE_S)

    def sleep(self, seconds: float) -> None:
        self.slices += 1
        self._count()

    def _count(self) -> None:
        for found, used in zip(self.folders, self._used, strict=True):
            if used is not None:
                (found["cpu"] / "cpu.stat").write_text(f"usage_usec {sum(used[: self.slices])}\n")


@pytest.mark.parametrize(
    ("used", "idle", "slices"),
    [
        ([[50_000, 1000, 500], [90_000, 90_000, 1000]], True, 3),
        ([[50_000, 1000], None], None, 2),
        ([None], None, 1),
        ([[50_000] * 99, [0] * 99], False, 60),
        ([[50_000] * 99, None], False, 60),
    ],
)
def test_a_load_waits_3_s_at_the_most_for_servers_that_are_not_done_with_the_one_before(
    tmp_path: Path, used: list[list[int] | None], idle: bool | None, slices: int
) -> None:
    servers = _Servers(tmp_path, used)
    assert (load.await_idle(servers.folders, servers), servers.slices) == (idle, slices)


def test_an_entry_is_given_up_after_three_slices_in_a_row_without_an_answer_though_it_answers_single_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "is_there", lambda check: True)
    some = rounds.Rounds({"containers": {"crax": {}, "aiohttp": {}}})
    windows = [SimpleNamespace(requests=requests) for requests in (0, 0, 5, 0, 0, 0)]
    load = {"entry": "crax", "check": None}
    assert [some.is_gone(load, window) for window in windows] == [False, False, False, False, False, True]
    assert not some.is_gone(load | {"entry": "aiohttp"}, windows[0])


def test_a_slice_waits_for_the_servers_of_all_entries_but_of_others_that_have_ended(tmp_path: Path) -> None:
    database, crax, aiohttp = _Servers(tmp_path, [[0], [0], [0]]).folders
    ended = dict.fromkeys(crax, tmp_path / "gone")
    places = {
        "crax": {"client": ended, "app": crax, "db": database},
        "aiohttp": {"client": ended, "app": aiohttp, "db": database},
        "starlette": {"client": ended, "app": ended, "db": database},
    }
    assert rounds.at_work(places, "crax") == [crax, database, aiohttp]
    assert rounds.at_work(places, "starlette") == [ended, database, crax, aiohttp]


class _Clocks:
    """A clock that nobody can set, one that was set forth by so much, and a process that got no CPU now and then."""

    def __init__(self, set_ns: int, waits_ns: Sequence[int]):
        self._ns, self._set_ns, self._waits_ns = 0, set_ns, iter(waits_ns)

    def monotonic_ns(self) -> int:
        self._ns += next(self._waits_ns, 0)
        return self._ns

    def time_ns(self) -> int:
        self._ns += next(self._waits_ns, 0)
        return self._ns + self._set_ns


@pytest.mark.parametrize("set_ns", [0, 3_600_000_000_000, -90_000_000])
def test_how_far_a_clock_was_set_is_seen_by_a_process_that_gets_no_cpu_now_and_then(set_ns: int) -> None:
    waits_ns = [0, 40_000_000, 0, 0, 1000, 0, 0, 25_000_000, 0]
    assert load.clock_lead_us(_Clocks(set_ns, waits_ns)) == pytest.approx(set_ns / 1000, abs=1)


def test_a_load_tells_that_no_clock_was_set(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = {}
    assert load.load(["true"], None, {}, found) == 0
    assert found["clock_set_us"] == 0


def test_a_cgroup_tree_that_may_not_be_looked_at_is_one_without_figures(tmp_path: Path) -> None:
    """SELinux refuses the look itself; a name that no file system takes is refused alike."""
    forbidden = tmp_path / ("x" * 300)
    assert vars(readings.container(readings.folders(ID, forbidden))) == NOTHING
    assert not readings.is_there(forbidden / "cgroup.controllers")


class _Ports:
    """Local ports of which fewer wait each second, and a clock on which only sleeping takes time."""

    def __init__(self, *waiting: int):
        self._waiting, self.now_s = waiting, 0.0

    def __call__(self) -> Any:
        number = min(int(self.now_s), len(self._waiting) - 1)
        return Ports(1000, self._waiting[number])

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.mark.parametrize(("waiting", "waited_s"), [([500], 0), ([900, 700, 499], 2), ([900], 60)])
def test_a_load_waits_a_minute_at_the_most_until_half_of_the_local_ports_are_free(
    waiting: list[int], waited_s: int
) -> None:
    ports = _Ports(*waiting)
    load.await_ports(ports, ports)
    assert ports.now_s == waited_s


def test_where_the_kernel_does_not_tell_of_local_ports_no_load_waits(tmp_path: Path) -> None:
    ports = _Ports(900)
    load.await_ports(lambda: readings.ports(tmp_path), ports)
    assert ports.now_s == 0


def test_local_ports_are_counted_as_the_kernel_tells_of_them(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "sys/net/ipv4").mkdir(parents=True)
    (tmp_path / "sys/net/ipv4/ip_local_port_range").write_text("32768\t60999\n")
    (tmp_path / "net/sockstat").write_text("sockets: used 1\nTCP: inuse 1 orphan 0 tw 8373 alloc 4 mem 0\n")
    assert readings.ports(tmp_path) == Ports(28_232, 8373)


def test_what_came_over_all_networks_of_the_container_is_counted(tmp_path: Path) -> None:
    table = tmp_path / "dev"
    columns = " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    table.write_text(f"Inter-|\n face |bytes\n    lo: 900{columns}  eth0: 1200{columns}  eth1: 34{columns}")
    assert readings.received_bytes(table) == 1234


@pytest.mark.parametrize("ignored", [True, False])
def test_a_load_that_does_not_end_is_asked_to_and_then_made_to(monkeypatch: pytest.MonkeyPatch, ignored: bool) -> None:
    monkeypatch.setattr(rounds, "ASKED_S", 0.3)
    monkeypatch.setattr(rounds, "END_S", 0.3)
    handler = "signal.SIG_IGN" if ignored else "lambda *_: sys.exit(print('report'))"
    program = (
        f"import signal, sys, time; signal.signal(signal.SIGINT, {handler}); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as wrk:
        assert wrk.stdout is not None
        assert wrk.stdout.read(3) == b"up\n"
        assert rounds.ended(wrk) == (b"" if ignored else b"report\n")
