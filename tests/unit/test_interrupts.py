from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchlab.core.errors import SetupError
from benchlab.engine import process

ROOT = Path(__file__).parents[2]

# pandas starts threads of its own, to which the kernel may deliver a signal.
SHIELDED = """
import os, signal, pandas
from benchlab.core import interrupts
interrupts.install()
try:
    with interrupts.shielded():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        print("cleared up")
except interrupts.Interrupted as interrupt:
    print(interrupt, interrupt.exit_code)
"""

CHILD = """
import sys
from pathlib import Path
from benchlab.core import interrupts
from benchlab.engine import process
interrupts.install()
try:
    process.logged(["sh", "-c", sys.argv[2]], Path(sys.argv[1]), Path("."), {"PATH": "/usr/bin:/bin"})
except interrupts.Interrupted:
    print("interrupted")
"""


def test_a_signal_waits_for_the_end_of_what_is_shielded_and_then_acts() -> None:
    result = subprocess.run([sys.executable, "-c", SHIELDED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "cleared up\nSIGINT 130\n"


@pytest.mark.timeout(60)
def test_an_interrupted_program_is_ended_with_all_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", CHILD, str(log), "sleep 60 & echo $!; wait"]
    lab = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    while not (log.exists() and log.read_text().strip()):
        assert lab.poll() is None
    grandchild = int(log.read_text())
    lab.send_signal(signal.SIGINT)
    assert lab.communicate()[0] == "interrupted\n"
    # It was signalled, and may take a moment to die.
    while _runs(grandchild):
        time.sleep(0.01)


@pytest.mark.timeout(60)
def test_a_program_that_is_just_being_started_when_the_signal_comes_is_ended_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", CHILD, str(log), "echo $$; kill -INT $PPID; exec sleep 60"]
    lab = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert lab.stdout == "interrupted\n"
    while _runs(int(log.read_text())):
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """Return whether the process is alive: one that is dead and not yet reaped has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_that_fails_is_quoted() -> None:
    with pytest.raises(SetupError, match="`sh -c echo no room >&2; exit 3` failed: no room"):
        process.whole(["sh", "-c", "echo no room >&2; exit 3"])


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot run with its log in"):
        process.logged(["true"], tmp_path / "file" / "log", tmp_path, {})
