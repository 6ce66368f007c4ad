"""Advises on what harms a measurement on this host: facts in, findings out. It changes nothing."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchlab.core.errors import EngineError, LabError, SetupError
from benchlab.core.quantities import counted
from benchlab.engine import capacity, compose, lease, topology
from benchlab.engine.engine import Engine
from benchlab.experiment.placement import SPLIT_CPUS
from benchlab.quality import rules
from benchlab.records.facts import UNAVAILABLE, Host

FINE, WARNING, UNKNOWN, FATAL = "fine", "warning", UNAVAILABLE, "fatal"
# The worst first.
STATES = (FATAL, WARNING, UNKNOWN, FINE)
LEAST_MEMORY_BYTES = 2 * 1024**3
BUSY_SHARE = rules.BY_NAME[rules.BACKGROUND_CPU].limit
STOLEN_SHARE = rules.BY_NAME["steal"].limit
FACTS = "/wrk/facts.py"
# An engine's images, and the results of many runs.
LEAST_DISK_BYTES = 3 * 1024**3


@dataclass(frozen=True)
class Finding:
    """What one look at the host gave. `remedy` is empty where nothing is to be done."""

    subject: str
    state: str
    observed: str
    remedy: str = ""

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Return the state with what was observed, and below it what is to be done."""
        return [(self.state, f"{self.subject}: {self.observed}"), *([("", self.remedy)] if self.remedy else [])]


def examine(host: Host) -> list[Finding]:
    """Return one finding for each thing looked at, the worst first."""
    return worst_first(look(host) for look in LOOKS)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: STATES.index(finding.state))


def summary(findings: Iterable[Finding]) -> str:
    """Return in one line what there is to warn of."""
    subjects = [finding.subject for finding in findings if finding.state in (FATAL, WARNING)]
    if not subjects:
        return "this host: nothing to warn of"
    return f"this host: {counted(len(subjects), 'warning')} ({', '.join(subjects)}); `python lab.py doctor` says more"


def plain(findings: list[Finding]) -> list[dict[str, str]]:
    """Return the findings as JSON knows them."""
    return [asdict(finding) for finding in findings]


def _cpus(host: Host) -> Finding:
    count = host.cpu_count
    if count is None:
        return Finding("CPUs", UNKNOWN, "the host does not report how many there are")
    allowed, quota = host.cpus_allowed, host.cpu_quota
    usable = len(allowed) if allowed else count
    if quota is not None and quota < usable:
        return Finding(
            "CPUs",
            WARNING,
            f"{usable}, of which a quota around the engine lets containers use {quota:g} at a time",
            "lift the quota, or give the engine CPUs of its own (a cpuset); what a quota holds back is void",
        )
    shown = f"{usable}" if usable == count else f"{usable} of the host's {count}"
    if usable >= SPLIT_CPUS:
        return Finding("CPUs", FINE, f"{shown}: client, entry and database can have CPUs of their own")
    return Finding(
        "CPUs",
        WARNING,
        f"{shown}: client, entry and database share them",
        f"use {SPLIT_CPUS} or more; until then compare entries, and by requests per CPU-second rather than by rate",
    )


def _neighbours(host: Host) -> Finding:
    return _share(
        host.busy_share,
        "neighbours",
        BUSY_SHARE,
        "{:.1%} of the CPU was busy while nothing was measured",
        "close browsers, builds, chat and video calls, and stop other containers",
    )


def _steal(host: Host) -> Finding:
    return _share(
        host.stolen_share,
        "steal",
        STOLEN_SHARE,
        "the hypervisor took {:.1%} of the CPU",
        "use a machine with dedicated CPUs, or measure at another hour, with more blocks",
    )


def _share(share: float | None, subject: str, limit: float, sentence: str, remedy: str) -> Finding:
    if share is None:
        return Finding(subject, UNKNOWN, "the host does not report it")
    too_much = share > limit
    return Finding(subject, WARNING if too_much else FINE, sentence.format(share), remedy if too_much else "")


def _hypervisor(host: Host) -> Finding:
    hypervisor = host.hypervisor
    if hypervisor is None:
        return Finding("hypervisor", UNKNOWN, "the host does not report whether it is a virtual machine")
    if hypervisor == "none":
        return Finding("hypervisor", FINE, "none: the CPUs are real")
    return Finding(
        "hypervisor",
        WARNING,
        f"this is a virtual machine ({hypervisor}): its neighbours are invisible, and not all of them show as steal",
        "measure on bare metal where the last per cent matters; here, trust intervals and the speed probe",
    )


def _desktop(host: Host) -> Finding:
    system = host.engine_os
    if system is None:
        return Finding("engine's system", UNKNOWN, "no engine reports what it runs on")
    if "desktop" not in system.lower():
        return Finding("engine's system", FINE, system)
    return Finding(
        "engine's system",
        WARNING,
        f"{system}: containers run in a virtual machine with CPUs and memory of its own",
        "give it all the CPUs that you can spare, and measure on Linux for numbers to publish",
    )


def _governor(host: Host) -> Finding:
    governors = host.cpu_governors
    if not governors:
        return Finding("governor", UNKNOWN, "the host does not report how it chooses the CPU's frequency")
    if set(governors) == {"performance"}:
        return Finding("governor", FINE, "performance")
    return Finding(
        "governor",
        WARNING,
        f"{', '.join(governors)}: the CPU's frequency follows the load, with a delay",
        "cpupower frequency-set --governor performance, until the next start; plug the laptop in",
    )


def _turbo(host: Host) -> Finding:
    if host.cpu_turbo is None:
        return Finding("turbo", UNKNOWN, "the host does not report whether its CPU speeds up when it is cool")
    if host.cpu_turbo == "off":
        return Finding("turbo", FINE, "off")
    return Finding(
        "turbo",
        WARNING,
        "on: the CPU is faster while it is cool, and slower when all of its cores work",
        "blocks even that out; for numbers to publish switch it off in the firmware",
    )


def _heat(host: Host) -> Finding:
    throttles = host.thermal_throttles
    if throttles is None:
        return Finding("heat", UNKNOWN, "the host does not report whether its CPU slowed down for its temperature")
    if not throttles:
        return Finding("heat", FINE, "the CPU has not slowed down for its temperature since the host started")
    return Finding(
        "heat",
        WARNING,
        f"the CPU slowed down for its temperature {throttles} times",
        "improve cooling, or raise the power limit",
    )


def _swap(host: Host) -> Finding:
    size, free = host.swap_bytes, host.swap_free_bytes
    if size is None or free is None:
        return Finding("swap", UNKNOWN, "the host does not report it")
    if host.swapped_pages:
        return Finding("swap", WARNING, "the host is swapping just now", "end what uses the memory")
    used = size - free
    if used:
        return Finding(
            "swap", WARNING, f"{used / 1e6:,.0f} MB in use", "end what uses the memory; samples that swap are void"
        )
    return Finding("swap", FINE, "not in use" if size else "none")


def _memory(host: Host) -> Finding:
    available = host.memory_available_bytes
    if available is None:
        return Finding("memory", UNKNOWN, "the host does not report how much is free")
    if available < LEAST_MEMORY_BYTES:
        remedy = f"free some: {LEAST_MEMORY_BYTES / 1024**3:.0f} GiB is a good measure"
        return Finding("memory", WARNING, f"{available / 1024**3:.1f} GiB available", remedy)
    return Finding("memory", FINE, f"{available / 1024**3:.1f} GiB available")


def _cgroups(host: Host) -> Finding:
    if tree := host.cgroup_tree:
        return Finding("cgroups", FINE, f"{tree}: the containers' counters can be read")
    return Finding(
        "cgroups",
        UNKNOWN,
        "the containers' counters cannot be read: the engine is asked instead, around a load rather than right at it",
        "let the wrk container read /sys/fs/cgroup of the engine's host (see compose.yaml)",
    )


def _pressure(host: Host) -> Finding:
    if host.pressure:
        return Finding("pressure", FINE, "the kernel reports when all wait for memory or a disk")
    remedy = "start the kernel with psi=1 to have it"
    return Finding("pressure", UNKNOWN, "the kernel does not report when all wait for memory or a disk", remedy)


def _clock(host: Host) -> Finding:
    source = host.clocksource
    if source is None:
        return Finding("clock", UNKNOWN, "the host does not report what its clock is made of")
    if source in ("hpet", "acpi_pm", "jiffies"):
        return Finding(
            "clock",
            WARNING,
            f"{source}: reading it is slow, and every server does so for each request",
            "see why the kernel gave up the processor's own (dmesg | grep -i clocksource)",
        )
    return Finding("clock", FINE, source)


LOOKS: tuple[Callable[[Host], Finding], ...] = (
    _cpus,
    _neighbours,
    _steal,
    _hypervisor,
    _desktop,
    _governor,
    _turbo,
    _heat,
    _swap,
    _memory,
    _cgroups,
    _pressure,
    _clock,
)


def examine_host(root: Path) -> tuple[Host, list[Finding]]:
    """Return the host's facts and all findings, the worst first. Nothing is built or changed."""
    engine, of_engine = _reached(root)
    host, source = _facts(root, engine)
    return host, worst_first(
        [*of_engine, _compose(engine), _disk("disk", root, "results"), *_kept(engine), source, *examine(host)]
    )


def _reached(root: Path) -> tuple[Engine | None, list[Finding]]:
    """Return the engine, None where none can be used, and the findings about it."""
    try:
        engine = Engine.if_any(compose.project(root))
    except SetupError as error:
        return None, [Finding("engine", FATAL, str(error), "then run doctor again")]
    return engine, _engine(engine)


def _facts(root: Path, engine: Engine | None) -> tuple[Host, Finding]:
    """Return the facts of the engine's host, or of this machine where there is no image yet to look from."""
    if engine is not None:
        try:
            image = topology.load(root, {}).image("wrk")
            if engine.image_id(image):
                facts = json.loads(engine.run_once(image, ["python3", FACTS], [capacity.CGROUP]))
                seen = {**facts, **capacity.read(engine, image).facts, "engine_os": _system(engine)}
                return Host.of(seen), Finding("facts", FINE, "seen from a container on the engine's host")
        except (LabError, ValueError) as error:
            return Host(), Finding("facts", UNKNOWN, f"the engine's host cannot be looked at ({error})")
    printed = subprocess.run([sys.executable, str(root / "wrk/facts.py")], capture_output=True, encoding="utf-8")
    facts = json.loads(printed.stdout) if printed.returncode == 0 else {}
    # The containers' view of the cgroup tree is not this process's.
    host = Host.of({**facts, "cgroup_tree": None, "engine_os": _system(engine)})
    remedy = "run `make setup` first; a remote engine's host may differ"
    return host, Finding("facts", UNKNOWN, "of this machine, because the images are not built yet", remedy)


def _system(engine: Engine | None) -> str | None:
    try:
        return engine.info().get("OperatingSystem") if engine else None
    except EngineError:
        return None


def _engine(engine: Engine | None) -> list[Finding]:
    if engine is None:
        remedy = "start Docker, or set DOCKER_HOST; as root on a Debian-family machine `make setup` installs it"
        return [Finding("engine", FATAL, "no Docker engine answers", remedy)]
    try:
        if lease.is_held(engine):
            remedy = "wait until it ends; the other findings hold while it is at work"
            return [Finding("containers", WARNING, "another lab is at work on this engine", remedy)]
        others = engine.neighbours()
    except EngineError as error:
        return [Finding("containers", UNKNOWN, str(error))]
    if others:
        return [Finding("containers", WARNING, f"{len(others)} others run: {', '.join(others[:5])}", "stop them")]
    return [Finding("containers", FINE, "no others run")]


def _compose(engine: Engine | None) -> Finding:
    try:
        command = compose.compose_command()
        version = compose.named(command)
    except LabError as error:
        return Finding("Compose", FATAL, str(error), "install Docker Compose")
    oldest_known = _oldest_known(engine)
    if compose.is_understood(compose.generation(command), oldest_known):
        return Finding("Compose", FINE, version)
    return Finding(
        "Compose",
        FATAL,
        f"{version} is too old for this engine, which knows no client before version {oldest_known} of its API",
        f"install Compose {compose.NEW_ENOUGH} or newer, as `docker compose`",
    )


def _oldest_known(engine: Engine | None) -> str:
    """Return the first version of the engine's API that it knows, nothing where it does not report one."""
    try:
        return str(engine.version().get("MinAPIVersion") or "") if engine else ""
    except EngineError:
        return ""


def _disk(subject: str, folder: Path, use: str) -> Finding:
    free = shutil.disk_usage(folder).free
    free_space = f"{free / 1024**3:.1f} GiB free for {use}"
    if free < LEAST_DISK_BYTES:
        return Finding(subject, WARNING, free_space, "make room")
    return Finding(subject, FINE, free_space)


def _kept(engine: Engine | None) -> list[Finding]:
    try:
        return engine_disk(engine.info()) if engine else []
    except EngineError:
        return []


def engine_disk(info: Mapping[str, Any]) -> list[Finding]:
    """Return what is free where the engine keeps its data; nothing where that is not on this host, or not to be seen.

    `info` is what the engine says of itself: another host's folder of that name would have another disk.
    """
    if info.get("Name") != platform.node() or not info.get("DockerRootDir"):
        return []
    try:
        return [_disk("engine's disk", Path(info["DockerRootDir"]), "images and containers")]
    except OSError:
        return []
