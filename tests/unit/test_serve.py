"""frameworks/shared/serve.py: what it refuses, and how it keeps processes at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ..entries import ROOT

SHARED = ROOT / "frameworks/shared"
# Works as a worker of so many processes: tells its number, and waits for a signal; with FAIL it fails instead.
KEPT = """
import os, signal, sys
from serve import keep_running

def work():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.write(1, b"%d\\n" % os.getpid())
    sys.exit(3) if os.environ.get("FAIL") else signal.pause()

keep_running(work)
"""


def _python(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=SHARED,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "WEB_CONCURRENCY": "2", **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def kept() -> Iterator[subprocess.Popen[str]]:
    """Yield a process that keeps two at work."""
    with _python("-c", KEPT) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"SERVER": "swift"}, "SERVER=swift; use uvicorn or granian or hypercorn or gunicorn"),
        ({"LOOP": "rings"}, "LOOP=rings; use uvloop or asyncio"),
        ({"SERVER": "granian", "HTTP": "h11"}, "HTTP=h11, which granian does not have; use uvicorn or gunicorn"),
        (
            {"SERVER": "hypercorn", "FORWARDED": "off"},
            "FORWARDED=off, which hypercorn does not have; use uvicorn or gunicorn",
        ),
    ],
)
def test_a_choice_that_a_server_does_not_have_is_refused_before_it_starts(
    variables: dict[str, str], problem: str
) -> None:
    _, errors = (process := _python("serve.py", **variables)).communicate()
    assert (process.returncode, errors) == (1, f"error: {problem}\n")


def test_a_worker_that_is_killed_is_replaced_and_all_end_with_sigterm(kept: subprocess.Popen[str]) -> None:
    assert kept.stdout is not None
    killed, other = (int(kept.stdout.readline()) for _ in range(2))
    os.kill(killed, signal.SIGKILL)
    replacement = int(kept.stdout.readline())
    assert replacement not in (killed, other)
    kept.terminate()
    # It ends once nobody holds its output any more: neither it nor the two.
    assert kept.communicate() == ("", f"ERROR: Worker {killed} has ended (exit code -9)\n")
    assert kept.returncode == 0


def test_a_worker_that_fails_ends_all_with_its_exit_code() -> None:
    process = _python("-c", KEPT, FAIL="yes")
    process.communicate()
    assert process.returncode == 3
