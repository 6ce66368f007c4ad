"""What servers log of themselves, read from files: those of the lab, and a new server's."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from benchlab.core import log_patterns
from benchlab.core.errors import ConfigError
from benchlab.core.log_patterns import LogPatterns

from .conftest import PATTERNS


def _files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_a_new_server_is_a_new_file(tmp_path: Path) -> None:
    swift = "banner = 'Swift \\d is up'\nstarting = ['warming']\nending = ['bye']\nraises = ['swift.Halt']\n"
    patterns = log_patterns.read(_files(tmp_path, swift=swift, slow="ending = ['so long']\n"))
    assert patterns.server("INFO Swift 3 is up\n") == "swift"
    assert [bool(patterns.starting.search(line)) for line in ("Swift 3 is up", "warming", "bye")] == [True, True, False]
    assert [bool(patterns.ending.search(line)) for line in ("bye", "so long", "warming")] == [True, True, False]
    # It is a name, in which a dot is a dot.
    assert [bool(patterns.raises.search(line)) for line in ("swift.Halt", "swiftlyHalt")] == [True, False]


def test_the_server_is_the_one_whose_banner_comes_first_and_a_worker_s_comes_later() -> None:
    gunicorn, uvicorn = (
        "[7] [INFO] Starting gunicorn 27.0.1\n",
        "INFO:     Uvicorn running on socket ('0.0.0.0', 8080)\n",
    )
    assert PATTERNS.server(gunicorn + uvicorn) == "gunicorn"
    assert PATTERNS.server(uvicorn) == "uvicorn"
    assert PATTERNS.server("Swift 3 is up\n") == ""


@pytest.mark.parametrize(
    ("server", "line"),
    [
        ("granian", "[INFO] Starting granian (main PID: 7)\n"),
        ("hypercorn", "INFO: Running on http://0.0.0.0:8080 (CTRL + C to quit)\n"),
    ],
)
def test_servers_are_known_by_their_banners(server: str, line: str) -> None:
    assert PATTERNS.server(f"started: framework=starlette\n{line}") == server


@pytest.mark.parametrize(
    ("server", "log"),
    [
        (
            "sanic",
            """\
            Main  2026-11-30 22:12:57 +0000 INFO: Sanic v25.12.1
            Main  2026-11-30 22:12:57 +0000 INFO: Goin' Fast @ http://0.0.0.0:8080
            Main  2026-11-30 22:12:57 +0000 INFO: mode: production, w/ 2 workers
            Srv 0 2026-11-30 22:12:59 +0000 INFO: Starting worker [23753]
            Srv 0 2026-11-30 22:13:00 +0000 INFO: Worker ready [23753]
            Main  2026-11-30 22:13:01 +0000 INFO: Received signal SIGTERM. Shutting down.
            Srv 0 2026-11-30 22:13:01 +0000 INFO: Stopping worker [23753]
            Srv 0 2026-11-30 22:13:01 +0000 INFO: Worker complete [23753]
            Main  2026-11-30 22:13:01 +0000 INFO: Server Stopped
            """,
        ),
        (
            "tornado",
            """\
            [I 261130 22:26:29 process:116] Starting 2 processes
            [W 261130 22:27:17 process:149] child 0 (pid 10951) exited with status 1, restarting
            [W 261130 22:27:17 process:142] child 1 (pid 10952) killed by signal 9, restarting
            """,
        ),
        (
            "robyn",
            """\
            INFO:robyn.logger:\x1b[92mAdded route HttpMethod.GET /json\x1b[0m
            INFO:robyn.logger:\x1b[92mRobyn version: 0.88.0\x1b[0m
            INFO:robyn.logger:\x1b[92mStarting server at http://0.0.0.0:8080\x1b[0m
            INFO:robyn.logger:\x1b[1m\x1b[92mTerminating server!!\x1b[0m
            """,
        ),
    ],
)
def test_a_framework_s_own_server_is_told_by_what_it_logs_and_none_of_that_is_taken_for_a_reason(
    server: str, log: str
) -> None:
    lines = dedent(log).splitlines()
    assert PATTERNS.server("\n".join(lines)) == server
    assert [line for line in lines if not (PATTERNS.starting.search(line) or PATTERNS.ending.search(line))] == []


@pytest.mark.parametrize("patterns", [LogPatterns(), log_patterns.read(Path("nowhere"))])
def test_without_a_file_nothing_is_known_of_any_line(patterns: LogPatterns) -> None:
    line = "Starting gunicorn 27.0.1"
    assert (patterns.server(line), patterns.starting.search(line), patterns.ending.search("")) == ("", None, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("banner = Starting", " is no TOML (Invalid value (at line 1, column 10)); mend it"),
        ("baner = 'x'", ": unknown key baner; use banner, starting, ending, raises"),
        ("banner = ['x']", ": banner is no text; mend it"),
        ("banner = ''", ": banner is no text; mend it"),
        ("ending = 'x'", ": ending is no list of texts; mend it"),
        ("raises = [1]", ": raises is no list of texts; mend it"),
        ("starting = ['(']", ": starting: '(' is no regular expression (missing ), unterminated subpattern at"),
        ("ending = ['(?i)x']", ": ending: '(?i)x' is no regular expression (global flags not at the start"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong_in_it(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{tmp_path}/swift.toml{problem}')}"):
        log_patterns.read(_files(tmp_path, swift=text))


def test_every_problem_of_every_file_is_shown_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        log_patterns.read(_files(tmp_path, one="banner = 1\nending = 2\n", two="more = 3\n"))
    assert str(error.value).count("; mend it") == 2
    assert f"{tmp_path}/two.toml: unknown key more" in str(error.value)
