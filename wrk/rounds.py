"""Runs slices: short loads, one after another, each between two readings of the counters.

The job is the first line that comes in:

    {"loads": {"crax json 32": {"command": ["wrk", …], "entry": "crax", "check": {…}, "threads": 2, "depth": 1,
                                "connections": 32, "ramp_s": 0.1, "window_s": 0.3}, …},
     "containers": {"crax": {"app": "<id>", "db": "<id>", …}, …}, "cpus": [0, 1],
     "slices": [{"load": "crax json 32", "round": 1, "checked": true}, …]}

Each slice is a launch of wrk. Its connections are opened and kept busy for `ramp_s`, so that the server is as busy as
it stays; what is answered in the `window_s` that follow is counted by slice.lua, and wrk ends. For each, one line is
printed when it is over: `BENCHLAB-SLICE` and a JSON object, see Slice in schema.py. Of a slice that is `checked`,
answers are looked at before, under and after it.

An entry from which nothing comes any more, not even an answer to a single request, is left out from then on.

The input stays open while the lab is there. Where that ends, this and wrk end at once: no load goes on uncounted.
"""

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import readings
from answering import Checker
from load import CLIENT, LEAST_SET_US, await_idle, await_ports, clock_lead_us, raise_open_files
from schema import SCHEMA, Slice, Window

MARK, REPORT_MARK = "BENCHLAB-SLICE", "BENCHLAB "
# A page of counts for wrk's threads, 64 bytes apart, and the words in a thread's place: see slice.lua.
COUNTS, PAGE, PLACE = Path("/tmp/benchlab-counts"), 65_536, 64
BEGUN, FROM_US, FROM, UNTIL_US, UNTIL = range(5)
# All connections are open by then, or never will be; a window that is so late has no end.
OPEN_S, LATE_S, LOOK_S = 5.0, 2.0, 0.003
# wrk's threads look ten times a second whether they are to end; after so long it is ended by force.
END_S = 5.0
# It is asked once more where it has not ended by then: each of two threads may have seen the other's window open, or
# wrk was not ready yet to be ended.
ASKED_S = 1.0
# A server that waits for work uses next to no CPU in so short a time.
IDLE_SLICE_S = 0.02
# Two rounds of the speed probe show whether the host has its usual speed.
PROBE_ROUNDS = 2


def main():
    job = json.loads(sys.stdin.buffer.readline())
    raise_open_files()
    Rounds(job).run()


class Rounds:
    """The slices of a job, and what is known of its entries meanwhile."""

    def __init__(self, job):
        self._job = job
        self._places = {
            entry: {role: readings.folders(container_id) for role, container_id in containers.items()}
            for entry, containers in job["containers"].items()
        }
        self._gone = set()
        COUNTS.write_bytes(bytes(PAGE))
        with COUNTS.open("r+b") as file:
            self._counts = mmap.mmap(file.fileno(), PAGE)
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
        idle_before = await_idle([found for role, found in places.items() if role != CLIENT], slice_s=IDLE_SLICE_S)
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
            is_gone=False if window and window.requests else not is_there(load["check"]),
        )

    def _loaded(self, load, places):
        """Run wrk and return its report, what was counted in the window, and how long wrk lived."""
        self._counts[:] = bytes(PAGE)
        started_us = now_us()
        with self._start(load["command"]) as wrk:
            window = self._window(load, places, wrk)
            # wrk ends by itself, unless a thread of it has nothing to do any more.
            if window is None or not window.is_exact:
                wrk.send_signal(signal.SIGINT)
            output = ended(wrk)
        lines = [line for line in output.decode(errors="replace").splitlines() if line.startswith(REPORT_MARK)]
        report = json.loads(lines[0].removeprefix(REPORT_MARK)) if len(lines) == 1 else None
        return report, window, now_us() - started_us

    def _start(self, command):
        with self._starting:
            self._wrk = subprocess.Popen(command, stdout=subprocess.PIPE)
        return self._wrk

    def _window(self, load, places, wrk):
        """Return what happened in the window, null where wrk ended before it began.

        Where a thread's window did not begin or end in time, because nothing is answered, the window is that of the
        readings.
        """
        lead_us = clock_lead_us()
        self._await(load, FROM_US, OPEN_S + load["ramp_s"], wrk)
        if wrk.poll() is not None:
            return None
        before, idle_before_us = self._read(places), self._idle_us(load["entry"])
        begun, at_us = self._sum(load, BEGUN), now_us()
        self._await(load, UNTIL_US, load["window_s"] + LATE_S, wrk)
        after, idle_after_us = self._read(places), self._idle_us(load["entry"])
        read, read_us = self._sum(load, BEGUN) - begun, now_us() - at_us
        requests, duration_us = self._counted(load) or (read, read_us)
        set_us = clock_lead_us() - lead_us
        return Window(
            duration_us=duration_us,
            requests=requests * load["depth"],
            is_exact=(requests, duration_us) == self._counted(load),
            read_requests=read * load["depth"],
            before=before,
            after=after,
            idle_entries_cpu_us=None if None in (idle_before_us, idle_after_us) else idle_after_us - idle_before_us,
            clock_set_us=set_us if abs(set_us) >= LEAST_SET_US else 0,
        )

    def _await(self, load, word, most_s, wrk):
        """Return when all threads have set the word, when wrk has ended, or after `most_s`."""
        over_us = now_us() + int(most_s * 1e6)
        while now_us() < over_us and wrk.poll() is None:
            if all(self._word(thread, word) for thread in range(load["threads"])):
                return
            time.sleep(LOOK_S)

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
        return readings.read_at_once(places, self._job["cpus"])

    def _idle_us(self, loaded):
        """Return the CPU time that the containers of all other entries used so far, null where that is not known."""
        own = self._job["containers"][loaded].values()
        times = [
            readings.cpu_us(found)
            for entry, places in self._places.items()
            for role, found in places.items()
            if entry != loaded and self._job["containers"][entry][role] not in own
        ]
        return None if None in times else sum(times)

    def _sum(self, load, word):
        return sum(self._word(thread, word) for thread in range(load["threads"]))

    def _word(self, thread, word):
        return struct.unpack_from("<Q", self._counts, PLACE * thread + 8 * word)[0]


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
