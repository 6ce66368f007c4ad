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
# Newer engines give a soft limit of 1,024 open files: too few for 1,024 connections.
ALL_FILES = ("sh", "-c", 'ulimit -n "$(ulimit -Hn)" && exec "$@"', "sh")


def command(level: Level, host: str, path: str, accept: str, duration_s: int) -> list[str]:
    """Return the wrk command of one load, with the study's headers."""
    script = ["-s", "/wrk/pipeline.lua"] if level.pipeline > 1 else ["-s", "/wrk/report.lua"]
    depth = ["--", str(level.pipeline)] if level.pipeline > 1 else []
    return [
        *ALL_FILES,
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
    """Return the load in wrk's output. Raises WrkError where there is none, or one that cannot be."""
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if len(lines) != 1:
        last = output.strip().splitlines()[-1:] or ["nothing"]
        raise WrkError(f"wrk: expected one result line, found {len(lines)}; it ended with: {last[0]}")
    try:
        return _load(json.loads(lines[0].removeprefix(MARK)))
    except (ValueError, KeyError, TypeError) as error:
        raise WrkError(f"wrk: its result line cannot be read ({error}): {lines[0][:200]}") from error


def _load(report: dict[str, Any]) -> Load:
    return Load(
        duration_us=int(report["duration_us"]),
        requests=int(report["requests"]),
        bytes=int(report["bytes"]),
        latency=Latency(**{name: float(value) for name, value in report["latency"].items()}),
        errors=Errors(**{kind: int(count) for kind, count in report["errors"].items()}),
    )
