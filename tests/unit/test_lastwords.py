"""What a log says of why its container is lost."""

from __future__ import annotations

import pytest

from benchlab.measuring import lastwords

RESPAWNING = """\
INFO:     Started parent process [7]
Process SpawnProcess-1:
Traceback (most recent call last):
  File "/app/app.py", line 3, in <module>
    import nope
ModuleNotFoundError: No module named 'nope'
INFO:     Waiting for child process [9]
INFO:     Child process [9] died
INFO:     Started parent process [7]
"""


def test_of_a_log_the_last_lines_that_say_anything_are_told_as_they_can_be_printed() -> None:
    log = f"begin\n{'x' * 200}\n\n\x1b[31mgaierror\r\n  bye\n \n"
    assert lastwords.told(log) == f"it said last: {'x' * 160} / [31mgaierror / bye"


def test_an_exception_before_the_last_lines_is_told_too() -> None:
    assert lastwords.told(RESPAWNING) == (
        "it raised ModuleNotFoundError: No module named 'nope', and said last: INFO:     Waiting for child process [9] "
        "/ INFO:     Child process [9] died / INFO:     Started parent process [7]"
    )


def test_an_exception_among_the_last_lines_is_told_once() -> None:
    log = RESPAWNING[: RESPAWNING.index("INFO:     Waiting")]
    assert lastwords.told(log) == (
        'it said last: File "/app/app.py", line 3, in <module> / import nope / '
        "ModuleNotFoundError: No module named 'nope'"
    )


@pytest.mark.parametrize("log", ["", "\n \n"])
def test_of_a_log_that_says_nothing_nothing_is_told(log: str) -> None:
    assert lastwords.told(log) == ""


@pytest.mark.parametrize(
    "line",
    [
        "KeyError",
        "jinja2.exceptions.TemplateNotFound: fortunes.html",
        "SystemExit: 3",
        "ModuleNotFoundError: No module named 'nope'",
        "socket.gaierror: [Errno -2] Name or service not known",
        "sqlalchemy.exc.OperationalError: (asyncpg.exceptions.ConnectionDoesNotExistError) closed",
    ],
)
@pytest.mark.parametrize("before", ["", "ERROR:    "])
def test_an_exception_is_the_line_that_a_traceback_ends_with(before: str, line: str) -> None:
    traceback = f'{before}Traceback (most recent call last):\n  File "app.py", line 3\n\n    raise it\n{line}\n'
    assert lastwords.raised(f"begin\n{traceback}\nend\n{traceback}") == [line, line]


@pytest.mark.parametrize(
    "line",
    [
        "java.lang.IllegalStateException: no port",
        "Error: Cannot find module 'fast'",
        "sqlalchemy.exc.OperationalError: closed",
    ],
)
def test_without_a_traceback_an_exception_is_told_by_its_name(line: str) -> None:
    assert lastwords.raised(f"begin\n{line}\n  at start\n") == [line]


@pytest.mark.parametrize(
    "line",
    [
        "ERROR:    Application startup failed. Exiting.",
        "[ERROR] Reason: Worker failed to boot.",
        '    raise RuntimeError("no configuration")',
        "During handling of the above exception, another exception occurred:",
        "Error loading the settings",
        "error: cannot open settings.toml",
        "  + Exception Group Traceback (most recent call last):\n  |   File\nINFO:     Shutting down",
    ],
)
def test_what_only_speaks_of_errors_is_none(line: str) -> None:
    assert lastwords.raised(line) == []
