"""How a container began and ended, from states as Docker's engine tells them."""

from __future__ import annotations

from typing import Any

import pytest

from benchlab.engine import container_state

RUNNING: dict[str, Any] = {"Running": True, "Restarting": False, "OOMKilled": False, "ExitCode": 0}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RUNNING, None),
        (RUNNING | {"Restarting": True}, "exit code 0"),
        (RUNNING | {"Running": False, "ExitCode": 3}, "exit code 3"),
        (RUNNING | {"Running": False, "ExitCode": 137}, "killed by SIGKILL, exit code 137"),
        (RUNNING | {"Running": False, "ExitCode": 135}, "killed by SIGBUS, exit code 135"),
        (RUNNING | {"Running": False, "ExitCode": 138}, "exit code 138"),
        (RUNNING | {"Running": False, "ExitCode": 139}, "killed by SIGSEGV, exit code 139"),
        (RUNNING | {"Running": False, "ExitCode": 137, "OOMKilled": True}, "out of memory"),
        (RUNNING | {"Running": False, "ExitCode": 128}, "exit code 128"),
        (RUNNING | {"Running": False, "ExitCode": 255}, "exit code 255"),
    ],
)
def test_how_a_container_ended_names_the_signal_that_ended_it(state: dict[str, Any], words: str | None) -> None:
    assert container_state.ended(state) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02T00:00:00.123456789Z", 86_400.123456),
        ("1970-01-02T01:00:00.5+01:00", 86_400.5),
        ("1970-01-02T00:00:00Z", 86_400.0),
    ],
)
def test_a_life_begins_when_the_engine_says_so(text: str, seconds: float) -> None:
    assert container_state.began_s({"StartedAt": text}) == seconds


def test_a_container_that_has_never_run_began_before_all_others() -> None:
    assert container_state.began_s({"StartedAt": "0001-01-01T00:00:00Z"}) < 0


ENDED = RUNNING | {"Running": False, "ExitCode": 143, "FinishedAt": "1970-01-01T00:01:40.25Z"}
KILLED = "did not end when asked to and was killed after 5 s"


@pytest.mark.parametrize(
    ("state", "asked_s", "words"),
    [
        (ENDED, 100.0, None),
        (ENDED, 99.3, None),
        (ENDED, 98.0, "took 2.2 s to end"),
        (ENDED | {"ExitCode": 0}, 98.0, "took 2.2 s to end"),
        (ENDED | {"ExitCode": 137}, 95.2, KILLED),
        (ENDED | {"ExitCode": 137}, 100.0, KILLED),
        # It had ended before: by itself, or for its memory.
        (ENDED | {"ExitCode": 137}, 101.0, None),
        (ENDED | {"ExitCode": 137, "OOMKilled": True}, 100.0, None),
        (RUNNING | {"FinishedAt": "0001-01-01T00:00:00Z"}, 100.0, None),
    ],
)
def test_a_container_that_ends_late_or_by_force_is_told_by_its_state_and_the_engine_s_clock(
    state: dict[str, Any], asked_s: float, words: str | None
) -> None:
    assert container_state.resisted(state, asked_s, 5) == words


@pytest.mark.parametrize(("seconds", "lines", "per_s"), [(0, 0, 0.0), (2, 5000, 2500.0), (4, 8, 2.0), (0, 40, 40.0)])
def test_how_much_a_container_printed_is_told_by_the_second(seconds: int, lines: int, per_s: float) -> None:
    times = [f"2026-11-29T22:30:{seconds * line / max(1, lines - 1):012.9f}Z GET / 200\n" for line in range(lines)]
    assert container_state.lines_per_s("".join(times).encode()) == pytest.approx(per_s)
