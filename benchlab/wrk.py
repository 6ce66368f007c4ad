"""wrk at both ends: the command line of one load, and the Load in what it printed."""

from __future__ import annotations

import json
from typing import Any

from benchlab.errors import WrkError
from benchlab.model import Errors, Latency, Level, Load

# report.lua prints its one line of JSON behind this mark.
MARK = "BENCHLAB "
TIMEOUT_S = 8
PORT = 8080
WALL_MARK = "BENCHLAB-WALL "


def command(level: Level, host: str, path: str, accept: str, duration_s: int) -> list[str]:
    """Return the wrk command of one load, with the study's headers."""
    script = ["-s", "/wrk/pipeline.lua"] if level.pipeline > 1 else ["-s", "/wrk/report.lua"]
    depth = ["--", str(level.pipeline)] if level.pipeline > 1 else []
    return [
        *("python3", "/wrk/load.py"),
        "wrk",
        *("-H", f"Host: {host}"),
        *("-H", f"Accept: {accept}"),
        *("-H", "Connection: keep-alive"),
        "--latency",
        *("-d", str(duration_s)),
        *("-c", str(level.connections)),
        *("--timeout", str(TIMEOUT_S)),
        *("-t", str(level.threads)),
        *script,
        f"http://{host}:{PORT}{path}",
        *depth,
    ]


def parse(output: str) -> Load:
    """Return the load in what load.py printed. Raises WrkError where there is none, or one that cannot be."""
    report, wall_us = _only(output, MARK), _only(output, WALL_MARK)
    try:
        return _load(json.loads(report), int(wall_us))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrkError(f"wrk: its result line cannot be read ({error}): {report[:200]}") from error


def _only(output: str, mark: str) -> str:
    """Return what follows the mark on the one whole line that begins with it."""
    whole = output[: output.rfind("\n") + 1]
    lines = [line for line in whole.splitlines() if line.startswith(mark)]
    if len(lines) != 1:
        last = output.strip().splitlines()[-1:] or ["nothing"]
        raise WrkError(f"wrk: expected one line {mark.strip()}, found {len(lines)}; it ended with: {last[0][:200]}")
    return lines[0].removeprefix(mark)


def _load(report: dict[str, Any], wall_us: int) -> Load:
    return Load(
        duration_us=int(report["duration_us"]),
        wall_us=wall_us,
        requests=int(report["requests"]),
        bytes=int(report["bytes"]),
        latency=Latency(**{name: float(value) for name, value in report["latency"].items()}),
        errors=Errors(**{kind: int(count) for kind, count in report["errors"].items()}),
    )
