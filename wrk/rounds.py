"""Runs slices: short loads, one after another, each between two readings of the counters.

The job is the first line that comes in:

    {"loads": {"crax json 32": {"command": ["wrk", …], "entry": "crax", "check": {…}, "threads": 2, "depth": 1,
                                "connections": 32, "ramp_s": 0.1, "window_s": 0.3}, …},
     "containers": {"crax": {"app": "<id>", "db": "<id>", …}, …}, "cpus": [0, 1],
     "slices": [{"load": "crax json 32", "round": 1, "checked": true}, …]}

Each slice is a launch of wrk. Its connections are opened and kept busy for `ramp_s` or longer, so that the server is as
busy as it stays; what is answered in `window_s` or longer is counted by slice.lua, and wrk ends. For each, one line is
printed when it is over: `BENCHLAB-SLICE` and a JSON object, see Slice in schema.py. Of a slice that is `checked`,
answers are looked at before, under and after it.

While a window lasts this program sleeps: on a full host it may get no CPU for longer than that. What must be read in
time, wrk's thread reads, which is on a CPU then; the rest is read before wrk starts and when it has ended.

An entry from which nothing comes any more is left out from then on: not even an answer to a single request, or nothing
in several slices in a row.

The input stays open while the lab is there. Where that ends, this and wrk end at once: no load goes on uncounted.
"""

import json
import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import readings
from answering import Checker
from load import CLIENT, LEAST_SET_US, await_idle, await_ports, clock_lead_us, raise_open_files
from schema import SCHEMA, Reading, Slice, Window

MARK, REPORT_MARK = "BENCHLAB-SLICE", "BENCHLAB "
# Memory that slice.lua writes to, see there: a page of counts for wrk's threads, 64 bytes apart, with the words in a
# thread's place; then what was read at the begin and at the end of a window, behind three words.
COUNTS, PAGE, PLACE = Path("/tmp/benchlab-counts"), 65_536, 64
BEGUN, FROM_US, FROM, UNTIL_US, UNTIL = range(5)
AREA, HEAD, WORD = 262_144, 3, 8
BEFORE, AFTER, SIZE = PAGE, PAGE + AREA, PAGE + 2 * AREA
# The files that it reads, a path on each line.
LIST = Path("/tmp/benchlab-files")
# All connections are open by then, or never will be; and what a server takes so long to answer has no end.
OPEN_S, LATE_S = 5.0, 10.0
# A thread of wrk that has no more requests looks ten times a second whether it is to end; after so long wrk is ended by
# force.
END_S = 5.0
# It is asked once more where it has not ended by then: it may not have been ready yet to be ended.
ASKED_S = 1.0
# A server may stand still for a slice, which lasts until LATE_S. More of them in a row are no pause.
MOST_SILENT = 3
# A server that waits for work uses next to no CPU in so short a time.
IDLE_SLICE_S = 0.02
# Two rounds of the speed probe show whether the host has its usual speed.
PROBE_ROUNDS = 2


def main():
    job = json.loads(sys.stdin.buffer.readline())
    raise_open_files()
    Rounds(job).run()


@dataclass(frozen=True)
class Launch:
    """A launch of wrk: how long it lived, how many requests were begun, and readings before and after it.

    `idle_entries_cpu_us` is only read of one that does not end by itself.
    """

    wall_us: int
    begun: int
    before: Reading
    after: Reading
    idle_entries_cpu_us: int | None = None


@dataclass(frozen=True)
class ReadByWrk:
    """What wrk read of files, by path: when, how long that took, and how many requests were begun by then."""

    at_us: int
    took_us: int
    begun: int
    texts: dict[Path, str]


class Rounds:
    """The slices of a job, and what is known of its entries meanwhile."""

    def __init__(self, job):
        self._job = job
        ids = {container_id for containers in job["containers"].values() for container_id in containers.values()}
        folders = {container_id: readings.folders(container_id) for container_id in ids}
        self._places = {
            entry: {role: folders[container_id] for role, container_id in containers.items()}
            for entry, containers in job["containers"].items()
        }
        self._gone, self._silent = set(), dict.fromkeys(job["containers"], 0)
        self._cpu_files = {
            entry: {role: readings.cpu_file(folders) for role, folders in of.items()}
            for entry, of in self._places.items()
        }
        of_containers = {file for of in self._cpu_files.values() for file in of.values() if file}
        self._timely = [*readings.TIMELY, *sorted(of_containers)]
        LIST.write_text("".join(f"{file}\n" for file in self._timely))
        # A wrk that is still being ended keeps the file that it has.
        COUNTS.unlink(missing_ok=True)
        COUNTS.write_bytes(bytes(SIZE))
        with COUNTS.open("r+b") as file:
            self._counts = mmap.mmap(file.fileno(), SIZE)
        self._wrk, self._starting = None, threading.Lock()

    def run(self):
        threading.Thread(target=self._end_with_lab, daemon=True).start()
        for planned in self._job["slices"]:
            load = self._job["loads"][planned["load"]]
            if load["entry"] in self._gone:
                continue
            taken = self.take(load, planned)
            print(f"{MARK} {json.dumps(asdict(taken))}", flush=True)
            if taken.is_gone:
                self._gone.add(load["entry"])

    def _end_with_lab(self):
        """End this program and wrk as soon as the input is at its end."""
        while os.read(sys.stdin.fileno(), 4096):
            pass
        with self._starting:
            if self._wrk:
                self._wrk.kill()
            os._exit(1)

    def take(self, load, planned):
        """Take one slice and return it."""
        began_us = now_us()
        places = self._places[load["entry"]]
        await_ports(readings.ports)
        idle_before = await_idle(at_work(self._places, load["entry"]), slice_s=IDLE_SLICE_S)
        speeds_us = readings.speeds_us(PROBE_ROUNDS)
        with Checker(load["check"] if planned["checked"] else None) as checker:
            report, window, wall_us = self._loaded(load, places)
            ports = readings.ports()
        return Slice(
            schema=SCHEMA,
            load=planned["load"],
            round=planned["round"],
            report=report,
            window=window,
            wall_us=wall_us,
            took_us=now_us() - began_us,
            speeds_us=[speeds_us],
            idle_before=idle_before,
            ports=ports,
            answers=checker.answers,
            is_gone=self.is_gone(load, window),
        )

    def is_gone(self, load, window):
        """Return whether no more slices are taken of the entry, of whose last one this is the window."""
        entry = load["entry"]
        if self._has_ended(entry):
            return True
        if window and window.requests:
            self._silent[entry] = 0
            return False
        self._silent[entry] += 1
        return self._silent[entry] >= MOST_SILENT or not is_there(load["check"])

    def _has_ended(self, entry):
        """Return whether a container that the entry needs tells of no CPU time any more: its cgroup is gone."""
        return None in [readings.used_us(file) for file in self._cpu_files[entry].values() if file]

    def _loaded(self, load, places):
        """Run wrk and return its report, what was counted in the window, and how long wrk lived."""
        self._counts[:] = bytes(SIZE)
        idle_before = self._idle_now(load["entry"])
        lead_us, before, started_us = clock_lead_us(), self._read(places), now_us()
        with self._start(load["command"]) as wrk:
            late = None
            if not ends_within(wrk, OPEN_S + load["ramp_s"] + load["window_s"] + LATE_S):
                idle_us = grown_us(idle_before, self._idle_now(load["entry"]))
                late = Launch(now_us() - started_us, self._begun(load), before, self._read(places), idle_us)
                wrk.send_signal(signal.SIGINT)
            output = ended(wrk)
        wall_us = now_us() - started_us
        launch = late or Launch(wall_us, self._begun(load), before, self._read(places))
        lines = [line for line in output.decode(errors="replace").splitlines() if line.startswith(REPORT_MARK)]
        report = json.loads(lines[0].removeprefix(REPORT_MARK)) if len(lines) == 1 else None
        set_us = clock_lead_us() - lead_us
        window = self._window(load, launch, late is not None, set_us if abs(set_us) >= LEAST_SET_US else 0)
        return report, window, wall_us

    def _start(self, command):
        with self._starting:
            self._wrk = subprocess.Popen(command, stdout=subprocess.PIPE)
        return self._wrk

    def _window(self, load, launch, is_late, clock_set_us):
        """Return what happened in the window, null where wrk ended by itself before that was over.

        Where a thread's window did not begin or end in time, because nothing is answered, the window is the launch.
        """
        counted, first, last = self._counted(load), self._read_by_wrk(BEFORE), self._read_by_wrk(AFTER)
        if None in (counted, first, last):
            answered = max(0, launch.begun - load["connections"]) * load["depth"]
            idle_us = launch.idle_entries_cpu_us
            whole = Window(
                launch.wall_us, answered, False, answered, launch.before, launch.after, idle_us, clock_set_us
            )
            return whole if is_late else None
        requests, duration_us = counted
        return Window(
            duration_us=duration_us,
            requests=requests * load["depth"],
            is_exact=True,
            read_requests=(last.begun - first.begun) * load["depth"],
            before=self._in_time(load, launch.before, first),
            after=self._in_time(load, launch.after, last),
            idle_entries_cpu_us=self._idle_us(load["entry"], first, last),
            clock_set_us=clock_set_us,
        )

    def _counted(self, load):
        """Return the requests, or batches, in the threads' windows, and their length as one; null where one has none.

        Rates of threads are added up: their windows are as long, but for the time between two requests.
        """
        threads = range(load["threads"])
        if not all(self._word(thread, UNTIL_US) for thread in threads):
            return None
        counts = [self._word(thread, UNTIL) - self._word(thread, FROM) for thread in threads]
        times_us = [self._word(thread, UNTIL_US) - self._word(thread, FROM_US) for thread in threads]
        rate = sum(count / time_us for count, time_us in zip(counts, times_us, strict=True))
        return sum(counts), round(sum(counts) / rate)

    def _read(self, places):
        return readings.read(places, self._job["cpus"])

    def _read_by_wrk(self, area):
        """Return what wrk's first thread read at an end of its window, null where it did not come to that."""
        at_us, begun, done_us = struct.unpack_from(f"<{HEAD}Q", self._counts, area)
        if not at_us:
            return None
        texts, place = {}, area + HEAD * WORD
        for file in self._timely:
            (size,) = struct.unpack_from("<Q", self._counts, place)
            place += WORD
            texts[file] = self._counts[place : place + size].decode(errors="replace")
            place += -(-size // WORD) * WORD
        return ReadByWrk(at_us, done_us - at_us, begun, texts)

    def _in_time(self, load, reading, read):
        files = self._cpu_files[load["entry"]]
        return readings.in_time(reading, read.texts, files, self._job["cpus"], read.at_us, read.took_us)

    def _idle_us(self, loaded, first, last):
        """Return the CPU time that the containers of all other entries used meanwhile, null where that is not known."""
        files = self._idle_files(loaded)
        if None in files:
            return None
        return grown_us(*([readings.cpu_us_in(read.texts.get(file, "")) for file in files] for read in (first, last)))

    def _idle_now(self, loaded):
        """Return what CPU time each of these containers used so far, null where that is not known of one."""
        files = self._idle_files(loaded)
        return None if None in files else [readings.used_us(file) for file in files]

    def _idle_files(self, loaded):
        """Return the files that tell of the CPU time of all other entries' containers; null where one has none."""
        own = self._job["containers"][loaded].values()
        return [
            file
            for entry, of in self._cpu_files.items()
            for role, file in of.items()
            if entry != loaded and self._job["containers"][entry][role] not in own
        ]

    def _begun(self, load):
        return sum(self._word(thread, BEGUN) for thread in range(load["threads"]))

    def _word(self, thread, word):
        return struct.unpack_from("<Q", self._counts, PLACE * thread + WORD * word)[0]


def grown_us(before, after):
    """Return by how much these CPU times grew in all, null where they are not known, or one is at one end alone.

    Of a container that has ended none is known at either end: it used none.
    """
    if before is None or after is None:
        return None
    pairs = [pair for pair in zip(before, after, strict=True) if pair != (None, None)]
    return None if any(None in pair for pair in pairs) else sum(late - early for early, late in pairs)


def at_work(places, loaded):
    """Return the folders of all servers that may still work for the slice before, which was mostly another entry's.

    `places` has them by entry and role. What cannot be read of an entry that is not `loaded` now has ended.
    """
    servers = {entry: [folders for role, folders in of.items() if role != CLIENT] for entry, of in places.items()}
    own = servers.pop(loaded)
    # The database is everyone's.
    others = [folders for of in servers.values() for folders in of if folders not in own]
    return own + [folders for folders in others if readings.cpu_us(folders) is not None]


def ends_within(wrk, most_s):
    """Return whether wrk, which prints when it ends, does so by itself within this time."""
    ready, _, _ = select.select([wrk.stdout], [], [], most_s)
    return bool(ready)


def ended(wrk):
    """Return what wrk printed, once it has ended."""
    for wait_s, signal_number in ((ASKED_S, signal.SIGINT), (END_S, signal.SIGKILL)):
        try:
            return wrk.communicate(timeout=wait_s)[0]
        except subprocess.TimeoutExpired:
            wrk.send_signal(signal_number)
    return wrk.communicate()[0]


def is_there(check):
    """Return whether a single request is answered."""
    with Checker(check) as checker:
        pass
    return any("error" not in answer for answer in checker.answers)


def now_us():
    return time.monotonic_ns() // 1000


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)
