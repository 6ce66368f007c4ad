"""Runs wrk between two readings of the host's counters.

    load.py '{"command": ["wrk", "-d", "5", …], "containers": {"app": "<id>", …}, "warm_up_s": null, "check": null,
             "cpus": [0, 1]}'

What wrk prints passes through; behind it comes one line, `BENCHLAB-SEEN` and a JSON object: see Seen in schema.py.

`cpus` are the host's CPUs that containers may use, null for all: this container's own may be fewer.
With `warm_up_s` of [least, most], wrk is ended as soon as the load is steady, between these.
"""

import itertools
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import readings
from answering import Checker
from schema import SCHEMA, Seen

MARK = "BENCHLAB-SEEN"
CLIENT = "client"
SLICE_S = 1.0
# Three slices in a row as even as this, and neither rising nor falling by half of it, are a steady state. A steady rate
# on a shared 2-core VM varied by 3 to 4 % from second to second: three of its slices lie within 10 % nearly always.
STEADY_SLICES, STEADY_WITHIN = 3, 0.10
# What wrk leaves open at its end is still answered then. Next to no CPU is what the containers use that wait for work.
IDLE_SHARE, IDLE_SLICE_S, MOST_REST_S = 0.1, 0.05, 3.0
# A port that its own end closed first waits for a minute (TIME_WAIT), and wrk gives up a connection that gets none. A
# server that ends each connection may use them all up: with more of them waiting than this, the load waits too.
FEW_PORTS_SHARE, TIME_WAIT_S, PORTS_SLICE_S = 0.5, 60.0, 1.0
# On a full host this process may get no CPU between its two looks at the clock: then it does not know when it read.
SURE_WITHIN_S, LOOKS = 0.05, 3
# Less is the time between the looks at two clocks: nobody sets one by so little in a sample.
LEAST_SET_US = 10_000


def main():
    job = json.loads(sys.argv[1])
    raise_open_files()
    await_ports(readings.ports)
    places = {role: readings.folders(container_id) for role, container_id in job["containers"].items()}
    seen = {"idle_before": await_idle([folders for role, folders in places.items() if role != CLIENT])}
    seen["speeds_us"] = [readings.speeds_us()]
    with Checker(job["check"]) as checker:
        began_ns = time.process_time_ns()
        seen["before"] = readings.read(places, job["cpus"])
        exit_code = load(job["command"], job["warm_up_s"], places, seen)
        seen["after"] = readings.read(places, job["cpus"])
        ended_ns = time.process_time_ns()
        seen["ports"] = readings.ports()
    seen["speeds_us"].append(readings.speeds_us())
    seen["aside_us"] = (began_ns + time.process_time_ns() - ended_ns) // 1000
    seen["answers"] = checker.answers
    print(f"{MARK} {json.dumps(asdict(Seen(SCHEMA, **seen)))}")
    sys.exit(exit_code)


def raise_open_files():
    """Newer engines give a soft limit of 1,024 open files: too few for 1,024 connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def await_ports(ports, clock=time):
    """Return as soon as no more than half the local ports wait after a connection that has ended, in a minute at last.

    `ports` returns what readings.ports() does.
    """
    over = clock.monotonic() + TIME_WAIT_S
    while clock.monotonic() < over:
        seen = ports()
        if seen is None or seen.waiting <= FEW_PORTS_SHARE * seen.range:
            return
        clock.sleep(PORTS_SLICE_S)


def await_idle(servers, clock=time, slice_s=IDLE_SLICE_S):
    """Return true as soon as the servers are done with the load before, false where they are not within MOST_REST_S.

    Without the wait a sample would count what the one before asked for, and begin beside twenty busy processes of the
    database. Each of `servers` are the `folders` of a container; one that does not tell of its CPU is not waited for,
    and makes a true answer null.
    """
    over = clock.monotonic() + MOST_REST_S
    before = [readings.cpu_us(folders) for folders in servers]
    while clock.monotonic() < over:
        clock.sleep(slice_s)
        after = [readings.cpu_us(folders) for folders in servers]
        used = [now - then for then, now in zip(before, after, strict=True) if None not in (then, now)]
        if sum(used) < IDLE_SHARE * slice_s * 1e6:
            return True if len(used) == len(servers) else None
        before = after
    return False


def load(command, warm_up_s, places, seen):
    """Run wrk, note in `seen` what can be seen of it from outside, and return its exit code.

    wrk's own clock starts only when all its threads have been started, so a host that stalls meanwhile is seen by no
    other clock than this one. And wrk's is the host's time of day, which can be set while it runs.
    """
    lead_us = clock_lead_us()
    started_ns = time.monotonic_ns()
    received, memory_bytes = [], dict.fromkeys(places)
    look(started_ns, received)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as wrk:

        def note():
            look(started_ns, received)
            weigh(places, memory_bytes)
            if warm_up_s and is_over(received, *warm_up_s):
                wrk.send_signal(signal.SIGINT)

        pass_on(wrk.stdout, note)
        exit_code = wrk.wait()
    seen |= {"wall_us": (time.monotonic_ns() - started_ns) // 1000, "steady": is_steady(received)}
    set_us = clock_lead_us() - lead_us
    seen["clock_set_us"] = set_us if abs(set_us) >= LEAST_SET_US else 0
    look(started_ns, received)
    seen |= {"received_us_bytes": received, "memory_bytes": memory_bytes}
    return exit_code


def clock_lead_us(clock=time):
    """Return how far the time of day is ahead of the clock that nobody can set, by the quickest of some looks at both.

    Between two looks this process may get no CPU.
    """
    looks = [(clock.monotonic_ns(), clock.time_ns(), clock.monotonic_ns()) for _ in range(LOOKS)]
    before_ns, now_ns, _ = min(looks, key=lambda look: look[2] - look[0])
    return (now_ns - before_ns) // 1000


def look(started_ns, received):
    """Note what has been received by now, where one of a few looks is certain of when that was."""
    for _ in range(LOOKS):
        before_ns = time.monotonic_ns()
        count = readings.received_bytes()
        after_ns = time.monotonic_ns()
        if after_ns - before_ns < SURE_WITHIN_S * 1e9:
            received.append([(after_ns - started_ns) // 1000, count])
            return


def weigh(places, most_bytes):
    """Raise each role's figure in `most_bytes` to the memory that its container holds just now, where that is more."""
    for role, folders in places.items():
        figures = (most_bytes[role], readings.memory_bytes(folders))
        most_bytes[role] = max((figure for figure in figures if figure is not None), default=None)


def pass_on(output, note):
    """Print what wrk prints until it ends, and call `note` once a second."""
    due = time.monotonic() + SLICE_S
    while True:
        ready, _, _ = select.select([output], [], [], max(0.0, due - time.monotonic()))
        if not ready:
            note()
            # Where this process itself got no CPU in time, a slice is longer, never next to nothing.
            due = max(due + SLICE_S, time.monotonic() + SLICE_S / 2)
        elif chunk := os.read(output.fileno(), 65_536):
            sys.stdout.write(chunk.decode(errors="replace"))
        else:
            return


def is_over(received, least_s, most_s):
    elapsed_s = received[-1][0] / 1e6 if received else 0
    return elapsed_s >= most_s or (elapsed_s >= least_s and is_steady(received))


def is_steady(received):
    """Return whether the last slices lie close together and show no trend; `received` is a list of [us, bytes]."""
    recent = received[-STEADY_SLICES - 1 :]
    if len(recent) <= STEADY_SLICES or recent[0][1] is None:
        return False
    rates = [(b - a) / (t - s) for (s, a), (t, b) in itertools.pairwise(recent)]
    mean = sum(rates) / len(rates)
    if mean <= 0 or max(rates) - min(rates) > STEADY_WITHIN * mean:
        return False
    ordered = rates in (sorted(rates), sorted(rates, reverse=True))
    return not ordered or abs(rates[-1] - rates[0]) <= STEADY_WITHIN / 2 * mean


if __name__ == "__main__":
    main()
