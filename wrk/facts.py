"""Prints what kind of host this is, as JSON: what a reader of the figures must know, and what may harm them.

    facts.py [seconds [container [cpus]]]     watches the host for so long to see what is busy on it (default: 1)

The id of a container is one whose counters are to be found in the host's cgroup tree. `cpus` (0,1) are those that
containers may use; by default, those that this process may.

Everything comes from /proc and /sys, which a container shares with its host. What the host does not tell is null. Units
stand in the names.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import readings

CPUS = Path("/sys/devices/system/cpu")
# What of the kernel's settings a server or a load generator runs into first; as containers have them.
SYSCTLS = (
    "net/core/somaxconn",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_tw_reuse",
)
# What on the kernel's command line changes what is measured. Of the rest nothing is told: it may name the host's disks
# or its network, and manifests are published.
PARAMETERS = (
    *("isolcpus", "nohz", "nohz_full", "rcu_nocbs", "irqaffinity", "threadirqs", "preempt"),
    *("maxcpus", "nr_cpus", "nosmt", "numa_balancing", "nmi_watchdog", "skew_tick"),
    *("transparent_hugepage", "hugepages"),
    *("mitigations", "pti", "nopti", "spectre_v2", "nospectre_v2", "mds", "l1tf", "retbleed"),
    *("intel_pstate", "amd_pstate", "intel_idle.max_cstate", "processor.max_cstate", "idle", "clocksource", "tsc"),
    *("cgroup_disable", "cgroup_enable", "cgroup_no_v1", "cgroup.memory", "systemd.unified_cgroup_hierarchy"),
    *("swapaccount", "psi"),
)


def main():
    speeds_us = readings.speeds_us()
    cpus = expanded(sys.argv[3]) if len(sys.argv) > 3 else sorted(os.sched_getaffinity(0))
    before = vars(readings.read({}, cpus).host)
    time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
    after = vars(readings.read({}, cpus).host)
    print(json.dumps({**processor(), **memory(), **kernel(), **activity(before, after), "speed_us": min(speeds_us)}))


def processor():
    described = cpuinfo()
    siblings = sibling_groups()
    return {
        "cpu_model": described.get("model name") or described.get("Model") or described.get("CPU part"),
        "cpu_count": os.cpu_count(),
        "cpus_allowed": sorted(os.sched_getaffinity(0)),
        "cpu_siblings": siblings,
        "cpu_cores": len(siblings) or None,
        "numa_nodes": len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) or None,
        "cpu_governors": sorted(set(texts(CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor")))) or None,
        "cpu_turbo": turbo(),
        "cpu_microcode": described.get("microcode"),
        "cpu_mitigations": {path.name: text(path) for path in sorted((CPUS / "vulnerabilities").glob("*"))} or None,
        "hypervisor": hypervisor(described),
    }


def cpuinfo():
    """Return the first processor's lines of /proc/cpuinfo."""
    lines = (line.partition(":") for line in (text("/proc/cpuinfo") or "").split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def sibling_groups():
    """Return the CPUs that share a core, a list for each core, as far as they are online."""
    groups = set(texts(CPUS.glob("cpu[0-9]*/topology/thread_siblings_list")))
    return sorted(expanded(group) for group in groups)


def expanded(cpus):
    """Return the numbers in a list as the kernel writes it: 0,2 or 0-1."""
    numbers = []
    for part in cpus.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def turbo():
    no_turbo, boost = text(CPUS / "intel_pstate/no_turbo"), text(CPUS / "cpufreq/boost")
    if no_turbo is not None:
        return "off" if no_turbo == "1" else "on"
    return None if boost is None else {"0": "off", "1": "on"}.get(boost)


def hypervisor(described):
    if "hypervisor" not in described.get("flags", "").split():
        return "none" if described.get("flags") else None
    names = [text(Path("/sys/class/dmi/id", name)) for name in ("sys_vendor", "product_name")]
    return " ".join(filter(None, names)) or "unnamed"


def memory():
    lines = (line.replace(":", "").split() for line in (text("/proc/meminfo") or "").splitlines())
    sizes = {words[0]: int(words[1]) * 1024 for words in lines if len(words) == 3}
    return {
        "memory_bytes": sizes.get("MemTotal"),
        "memory_available_bytes": sizes.get("MemAvailable"),
        "swap_bytes": sizes.get("SwapTotal"),
        "swap_free_bytes": sizes.get("SwapFree"),
        "transparent_hugepages": chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
    }


def kernel():
    uptime = text("/proc/uptime")
    return {
        "kernel": os.uname().release,
        "kernel_parameters": parameters(text("/proc/cmdline")),
        "clocksource": text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "uptime_s": float(uptime.split()[0]) if uptime else None,
        "cgroup_tree": cgroup_tree(sys.argv[2] if len(sys.argv) > 2 else None),
        "pressure": text("/proc/pressure/cpu") is not None,
        "sysctls": {name.replace("/", "."): text(Path("/proc/sys", name)) for name in SYSCTLS},
        "open_files": dict(zip(("soft", "hard"), resource.getrlimit(resource.RLIMIT_NOFILE), strict=True)),
    }


def parameters(command_line):
    """Return the kernel's parameters that change what is measured, as they were given; null where none are told."""
    if command_line is None:
        return None
    # What follows two dashes is the first process's, not the kernel's, which takes - and _ in a name for the same.
    given = command_line.partition(" -- ")[0].split()
    return " ".join(word for word in given if word.partition("=")[0].replace("-", "_") in PARAMETERS)


def cgroup_tree(container_id):
    """Return what of the host's cgroup tree can be read from here; null where it lacks the container."""
    if container_id and readings.cpu_us(readings.folders(container_id)) is None:
        return None
    if readings.is_there(readings.CGROUP / "cgroup.controllers"):
        return "version 2"
    return "version 1" if readings.is_there(readings.CGROUP / "cpuacct") else None


def activity(before, after):
    """Return the shares of the CPU that were busy and stolen while the host was watched, and what it swapped."""
    grown = {name: None if None in (before[name], after[name]) else after[name] - before[name] for name in after}
    times = [grown[name] for name in ("busy_us", "interrupts_us", "idle_us", "stolen_us")]
    whole = None if None in times else sum(times)
    return {
        "busy_share": round((times[0] + times[1]) / whole, 4) if whole else None,
        "stolen_share": round(times[3] / whole, 4) if whole else None,
        "load_average": (text("/proc/loadavg") or "").split()[:1] or None,
        "swapped_pages": grown["swapped_pages"],
        "thermal_throttles": after["thermal_throttles"],
    }


def chosen(path):
    """Return the word in brackets: always [madvise] never."""
    return (text(path) or "").partition("[")[2].partition("]")[0] or None


def texts(paths):
    return [content for content in map(text, paths) if content]


def text(path):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


if __name__ == "__main__":
    main()
