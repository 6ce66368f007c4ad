"""What happens to a measurement whose reader has gone, or whose log's disk is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TALK = """
import sys
from benchlab.core import output
output.install()
for _ in range(20_000):
    print("out")
    print("err", file=sys.stderr)
error = output.failure()
open(sys.argv[1], "w").write(type(error).__name__ if error else "fine")
"""


@pytest.mark.parametrize(
    ("redirection", "told"),
    [("2>&1 | head -1", "fine"), ("> /dev/full", "OSError"), ("2> /dev/full > /dev/null", "fine"), (">&-", "fine")],
)
def test_a_reader_that_has_gone_or_a_full_disk_does_not_end_what_is_measured(
    tmp_path: Path, redirection: str, told: str
) -> None:
    end = tmp_path / "end"
    script = f'"$0" -c "$1" "$2" {redirection}'
    result = subprocess.run(
        ["sh", "-c", script, sys.executable, TALK, str(end)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert end.read_text() == told
    assert b"Traceback" not in result.stderr
    assert b"Exception ignored" not in result.stderr
