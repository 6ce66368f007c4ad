from __future__ import annotations

import pytest

from benchlab.core.errors import EngineError
from benchlab.engine.command import Executed, command_output


class Leaving:
    """Every command leaves the same."""

    def __init__(self, left: Executed):
        self.left = left

    def execute(self, service: str, command: list[str]) -> Executed:
        return self.left


def test_what_a_command_printed_comes_back() -> None:
    assert command_output(Leaving(Executed(0, "printed\n", "a warning\n")), "db", ["true"]) == "printed\n"


@pytest.mark.parametrize(
    ("left", "command", "message"),
    [
        (Executed(2, "printed\n", "Traceback\nValueError: no\n"), ["psql"], "psql in db failed: exit code 2: ValueErr"),
        (Executed(1, "one\ntwo\n", ""), ["/bin/sh", "-c", "x"], "sh in db failed: exit code 1: two"),
        (Executed(3, "", "no\n"), ["python3", "/wrk/fetch.py", "{}"], "fetch.py in db failed: exit code 3: no"),
        (Executed(137, "", " \n"), ["wait"], "wait in db failed: exit code 137: the container may have ended"),
    ],
)
def test_a_command_that_fails_is_named_with_its_exit_code_and_its_last_line(
    left: Executed, command: list[str], message: str
) -> None:
    with pytest.raises(EngineError, match=f"^{message}"):
        command_output(Leaving(left), "db", command)
