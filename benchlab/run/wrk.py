"""load.py at both ends: the job that it is given, and what it printed of the load and of what happened around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchlab.contract.answers import Answer, answer
from benchlab.core.errors import WrkError
from benchlab.load.model import LoadModel
from benchlab.records import counters
from benchlab.records.counters import Counters, Kills
from benchlab.records.load import Load, Ports
from benchlab.records.seen import seen as read

# report.lua and load.py each print one line of JSON behind a mark.
MARK, SEEN_MARK = "BENCHLAB ", "BENCHLAB-SEEN "


@dataclass(frozen=True)
class LoadResult:
    """What one load left: its counts, the counters around it, and the answers that were looked at.

    `kills_before` is how many processes of each role had been killed for their memory before those in the counters.
    `clock_set_us` is how far the clock that wrk times itself by was set under the load: the load's own time is
    corrected for that, its latencies are not. `aside_us` is the CPU time that load.py used outside the
    readings. That and `ports` are None where it does not report them.
    """

    load: Load
    counters: Counters
    answers: tuple[Answer, ...]
    steady: bool
    kills_before: Kills
    clock_set_us: int = 0
    aside_us: int | None = None
    ports: Ports | None = None


def observed(
    command: Sequence[str],
    containers: Mapping[str, str],
    warm_up_s: tuple[int, int] | None = None,
    check: Mapping[str, object] | None = None,
    cpus: Sequence[int] | None = None,
) -> list[str]:
    """Return the command that runs a load between two readings of the counters.

    `containers` maps each role to its container's id; see load.py for the rest.
    """
    job = {"command": command, "containers": containers, "warm_up_s": warm_up_s, "check": check, "cpus": cpus}
    return ["python3", "/wrk/load.py", json.dumps(job)]


def parse(model: LoadModel, output: str, kills_before: Kills | None = None) -> LoadResult:
    """Return what load.py printed of a load of this model.

    Out-of-memory kills count from `kills_before` on, as the result of an earlier load has it, else from where this load
    began. Raises WrkError where there is no result, or one that cannot be, and SetupError where the image is of another
    version of the lab.
    """
    report, seen_text = _only(output, MARK), _only(output, SEEN_MARK)
    try:
        seen = read(seen_text)
        set_us = seen.clock_set_us or 0
        return LoadResult(
            load=model.read(json.loads(report), seen.wall_us, set_us),
            counters=counters.between(seen, kills_before),
            answers=tuple(map(answer, seen.answers)),
            steady=bool(seen.steady),
            kills_before=counters.killed(seen) if kills_before is None else kills_before,
            clock_set_us=set_us,
            aside_us=seen.aside_us,
            ports=seen.ports,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise WrkError(f"wrk: its result cannot be read ({error}): {report[:200]}") from error


def _only(output: str, mark: str) -> str:
    """Return what follows the mark on the one whole line that begins with it."""
    whole = output[: output.rfind("\n") + 1]
    lines = [line for line in whole.splitlines() if line.startswith(mark)]
    if len(lines) != 1:
        last = output.strip().splitlines()[-1:] or ["nothing"]
        raise WrkError(f"wrk: expected one line {mark.strip()}, found {len(lines)}; it ended with: {last[0][:200]}")
    return lines[0].removeprefix(mark)
