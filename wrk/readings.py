"""Reads the counters of the host and of the lab's containers, and how fast the host is just now; see schema.py.

The host's cgroup tree is mounted at /host/cgroup; version 1 and version 2 are read.

CPU time of the host is that of the CPUs that the lab's containers may use: a cpuset around the engine may leave it two
of sixteen, and fourteen that idle beside them are no room for anything that is measured.
"""

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

from schema import ContainerReading, HostReading, Ports, Reading

CGROUP = Path("/host/cgroup")
CPU_1, CPU_2 = "cpuacct.usage", "cpu.stat"
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory")
STAT, PRESSURE = Path("/proc/stat"), Path("/proc/pressure")
# Of the host's, these must be read in time, and a container's `cpu_file`: what they count is held against a time.
TIMELY = (STAT, PRESSURE / "memory", PRESSURE / "io")
# /proc/stat counts in hundredths of a second on every architecture that Linux has (USER_HZ).
TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
PROBE_ROUNDS, PROBE_ITERATIONS = 10, 16_000
# All parts of a reading are of one time, if they took no longer than this.
SURE_WITHIN_S, LOOKS = 0.01, 3
# Files that were read once, by path.
_open_files = {}


def speeds_us(rounds=PROBE_ROUNDS):
    """Return how long each of some rounds of the same arithmetic took: a few ms each, on one CPU, without memory."""
    return [_round_us() for _ in range(rounds)]


def _round_us():
    started = time.perf_counter_ns()
    hashlib.pbkdf2_hmac("sha256", b"benchlab", b"speed", PROBE_ITERATIONS)
    return (time.perf_counter_ns() - started) // 1000


def folders(container_id, top=CGROUP):
    """Return where the container's counters are: the folder of each controller, by name; all the same in version 2."""
    if is_there(top / "cgroup.controllers"):
        return dict.fromkeys(CONTROLLERS, _folder(top, container_id))
    return {name: _folder(top / name, container_id) for name in CONTROLLERS}


def is_there(path):
    """Return whether a path can be seen; pathlib's exists() raises where the host forbids to look, as SELinux does."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _folder(top, container_id):
    # Engines differ in what they call it: docker/<id>, docker-<id>.scope, and where in the tree it lies.
    for folder, children, _ in os.walk(top):
        for child in children:
            if container_id in child:
                return Path(folder, child)
    return None


def read(places, cpus=None):
    """Return one reading; `places` maps each role to its `folders`, `cpus` are those that containers may use, or null.

    Without any, all of the host's CPUs are counted. Of some looks it is the first that took no longer than it must,
    else the quickest.
    """
    looks = []
    for _ in range(LOOKS):
        started_s = time.monotonic()
        reading = Reading(
            at_us=time.monotonic_ns() // 1000,
            host=_host(cpus),
            roles={role: container(folders) for role, folders in places.items()},
        )
        looks.append((reading, time.monotonic() - started_s))
        if looks[-1][1] < SURE_WITHIN_S:
            break
    return min(looks, key=lambda look: look[1])[0]


def in_time(reading, texts, roles, cpus, at_us, took_us):
    """Return the reading with what must be of one time from the texts of the TIMELY files, read at `at_us` elsewhere.

    `texts` has them by path, `roles` the `cpu_file` of each role. All is null where to read them took so long that they
    are of different times: what lies in between would seem to have been used by nobody, or twice.
    """
    known = took_us < SURE_WITHIN_S * 1e6
    host = replace(
        reading.host,
        **processors(cpus, texts[STAT] if known else ""),
        **{f"{name}_stalled_us": stalled_us(texts[PRESSURE / name] if known else "") for name in ("memory", "io")},
    )
    times = {role: cpu_us_in(texts[file]) if known and file in texts else None for role, file in roles.items()}
    containers = {role: replace(container, cpu_us=times[role]) for role, container in reading.roles.items()}
    return replace(reading, at_us=at_us, host=host, roles=containers)


def ports(top=Path("/proc")):
    """Return the local ports of this container, or null where the kernel does not tell."""
    first_last = _text(top / "sys/net/ipv4/ip_local_port_range").split()
    words = next((line.split() for line in _text(top / "net/sockstat").splitlines() if line.startswith("TCP:")), [])
    if len(first_last) != 2 or "tw" not in words:
        return None
    first, last = map(int, first_last)
    return Ports(range=last - first + 1, waiting=int(words[words.index("tw") + 1]))


def received_bytes(table=Path("/proc/net/dev")):
    """Return how much this container has received so far in all its networks, or null."""
    lines = (line.partition(":") for line in _text(table).splitlines())
    counts = [int(numbers.split()[0]) for name, _, numbers in lines if name.strip().startswith("eth")]
    return sum(counts) if counts else None


def _host(cpus):
    return HostReading(
        **processors(cpus, _text(STAT)),
        swapped_pages=_sum(_pairs("/proc/vmstat"), "pswpin", "pswpout"),
        memory_stalled_us=stalled_us(_text(PRESSURE / "memory")),
        io_stalled_us=stalled_us(_text(PRESSURE / "io")),
        thermal_throttles=_thermal_throttles(),
    )


def processors(cpus, stat):
    """Return the CPU time by kind in what /proc/stat holds, summed over these CPUs, or over all where that is null.

    Null where it does not tell of one of them.
    """
    names = {"cpu"} if cpus is None else {f"cpu{cpu}" for cpu in cpus}
    lines = (line.split() for line in stat.splitlines())
    times = [words[1:9] for words in lines if len(words) >= 9 and words[0] in names]
    if len(times) < len(names):
        return dict.fromkeys(("busy_us", "interrupts_us", "idle_us", "stolen_us"))
    sums = (sum(map(int, of_one_kind)) * TICK_US for of_one_kind in zip(*times, strict=True))
    user, nice, system, idle, iowait, irq, softirq, steal = sums
    return {
        "busy_us": user + nice + system,
        "interrupts_us": irq + softirq,
        "idle_us": idle + iowait,
        "stolen_us": steal,
    }


def container(folders):
    """Return what a container used so far, and its memory just now, as its `folders` tell."""
    # Of each two, the first is version 2's.
    out_of_memory = _pairs(folders["memory"], "memory.events") or _pairs(folders["memory"], "memory.oom_control")
    return ContainerReading(
        cpu_us=cpu_us(folders),
        throttled_periods=throttled_periods(folders["cpu"]),
        oom_kills=out_of_memory.get("oom_kill"),
        memory_bytes=memory_bytes(folders),
    )


def throttled_periods(folder):
    """Return in how many periods a quota held a container back, or null: one of its own, or one further up in the tree.

    The whole engine may be in a container, with a quota that all of its containers share.
    """
    if folder is None:
        return None
    counts = [_pairs(above, "cpu.stat").get("nr_throttled") for above in (folder, *folder.parents)]
    return None if counts[0] is None else sum(count for count in counts if count is not None)


def allowed_cpus(folder):
    """Return the CPUs that processes in a cgroup may use, as the kernel writes them (0-1,4), or null.

    Version 2 tells it where the controller is switched on: below that, all have the CPUs of the cgroup above.
    """
    for above in () if folder is None else (folder, *folder.parents):
        # Of each two, the first is version 2's.
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus"):
            if cpus := _text(above / name).strip():
                return cpus
    return None


def cpu_us(folders):
    """Return the CPU time that a container used so far, or null."""
    file = cpu_file(folders)
    return used_us(file) if file else None


def cpu_file(folders):
    """Return the file that tells how much CPU time a container used, or null."""
    # The first is version 2's; version 1 has a file of this name too, without that figure.
    files = [folder and folder / name for folder, name in ((folders["cpu"], CPU_2), (folders["cpuacct"], CPU_1))]
    return next((file for file in files if file and cpu_us_in(_text(file)) is not None), None)


def used_us(file):
    """Return the CPU time that a `cpu_file` tells of just now, or null."""
    return cpu_us_in(_text(file))


def cpu_us_in(text):
    """Return the CPU time that the text of a `cpu_file` tells of, or null."""
    first, _, rest = text.partition(" ")
    if first == "usage_usec":
        return int(rest.split()[0])
    return int(text) // 1000 if text.strip().isdecimal() else None


def memory_bytes(folders):
    """Return the anonymous memory that all processes of a container hold just now, or null.

    Both versions count it alike. Their one figure for everything they do not: it has page cache, which the kernel takes
    back when it needs room, and not the same of the kernel's own memory.
    """
    statistics = _pairs(folders["memory"], "memory.stat")
    return statistics.get("anon", statistics.get("total_rss"))


def stalled_us(text):
    """Return how long all tasks waited at once for what a file in /proc/pressure is of, or null."""
    for line in text.splitlines():
        if line.startswith("full"):
            return int(line.rpartition("total=")[2])
    return None


def _thermal_throttles():
    files = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [int(text) for text in map(_text, files) if text]
    return sum(counts) if counts else None


def _sum(values, *names):
    return sum(values[name] for name in names) if all(name in values for name in names) else None


def _pairs(folder, name=""):
    """Return a file of lines such as `pswpin 0` as a dict; empty where it cannot be read."""
    lines = _text(Path(folder, name)).splitlines() if folder else ()
    words = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdecimal()}


def _text(path):
    """Return what a file of the kernel's holds, nothing where it cannot be read.

    Files stay open: to look a path up, the kernel may have to ask the container's own file system, and where that is a
    program (fuse-overlayfs) its answer can take seconds on a host that is full.
    """
    try:
        if path not in _open_files:
            _open_files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return _whole(_open_files[path]).decode()
    except OSError:
        return ""


def _whole(file):
    """Return all that a file holds by now, from its start."""
    content = b""
    while chunk := os.pread(file, 65_536, len(content)):
        content += chunk
    return content
