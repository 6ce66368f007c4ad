"""Why an entry is not reached, of tables as the kernel prints them; and what a log says of its container's end."""

from __future__ import annotations

import pytest

from benchlab.run import diagnosis

from .conftest import PATTERNS

RESPAWNING = """\
INFO:     Started parent process [7]
Process SpawnProcess-1:
Traceback (most recent call last):
  File "/app/app.py", line 3, in <module>
    import nope
ModuleNotFoundError: No module named 'nope'
INFO:     Waiting for child process [9]
INFO:     Child process [9] died
ERROR:    Child process [9] failed to start, stopping the parent process.
INFO:     Started parent process [7]
"""
# Of gunicorn: the entry's file is in the middle of the traceback.
BOOTING = """\
[2026-11-28 12:00:00 +0000] [7] [INFO] Starting gunicorn 23.0.0
[2026-11-28 12:00:00 +0000] [8] [INFO] Booting worker with pid: 8
[2026-11-28 12:00:01 +0000] [8] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/opt/venv/lib/python3.13/site-packages/gunicorn/util.py", line 370, in import_app
    mod = importlib.import_module(module)
  File "/app/app.py", line 3, in <module>
    import nope
  File "<frozen importlib._bootstrap>", line 1324, in _find_and_load_unlocked
ModuleNotFoundError: No module named 'nope'
No module named 'nope'
[2026-11-28 12:00:01 +0000] [8] [INFO] Worker exiting (pid: 8)
[2026-11-28 12:00:01 +0000] [7] [ERROR] Worker (pid:8) exited with code 3
[2026-11-28 12:00:01 +0000] [7] [INFO] Worker (pid:9) was sent SIGTERM!
[2026-11-28 12:00:01 +0000] [7] [ERROR] Shutting down: Master
[2026-11-28 12:00:01 +0000] [7] [ERROR] Reason: Worker failed to boot.
Traceback (most recent call last):
  File "/opt/venv/lib/python3.13/site-packages/gunicorn/arbiter.py", line 683, in reap_workers
    raise HaltServer(reason, self.WORKER_BOOT_ERROR)
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/opt/venv/bin/gunicorn", line 8, in <module>
    sys.exit(run())
             ~~~^^
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
"""
# Of granian, which starts a worker anew until it sees that this goes on; and of workers that serve.py starts.
LOOPING = """\
[INFO] Starting granian (main PID: 7)
[INFO] Listening at: http://0.0.0.0:8080
[INFO] Spawning worker-1 with PID: 8
[ERROR] Traceback (most recent call last):
  File "/opt/venv/lib/python3.13/site-packages/starlette/routing.py", line 661, in lifespan
    async with self.lifespan_context(app) as maybe_state:
  File "/app/app.py", line 3, in <module>
    import nope
ModuleNotFoundError: No module named 'nope'

[ERROR] ASGI lifespan startup failed
[ERROR] Unexpected exit from worker-1
[INFO] Respawning worker-1
[INFO] Spawning worker-1 with PID: 9
[INFO] Stopping old worker-1
[INFO] Stopped old worker-1
[ERROR] Worker crash loop detected, exiting
[INFO] Shutting down granian
[INFO] Stopped worker-1
[INFO] Granian shutdown completed, see ya!
"""
FAILING = """\
Process Process-1:
Traceback (most recent call last):
  File "/app/app.py", line 3, in <module>
    import nope
ModuleNotFoundError: No module named 'nope'
ERROR: Worker 8 has ended (exit code 1)
"""
STARTING = """\
[2026-11-28 12:00:00 +0000] [7] [INFO] Starting gunicorn 23.0.0
[2026-11-28 12:00:00 +0000] [7] [INFO] Listening at: http://0.0.0.0:8080 (7)
[2026-11-28 12:00:00 +0000] [7] [INFO] Using worker: worker.Worker
[2026-11-28 12:00:00 +0000] [8] [INFO] Booting worker with pid: 8
INFO:     Uvicorn running on http://0.0.0.0:8080 (Press CTRL+C to quit)
INFO:     Started parent process [7]
INFO:     Started server process [9]
INFO:     Waiting for application startup.
\x1b[36mSTARTING CRAX FRAMEWORK\x1b[0m
INFO:     Application startup complete.
[INFO] Starting granian (main PID: 7)
[INFO] Spawning worker-1 with PID: 9
[INFO] Started worker-1
INFO: Running on http://0.0.0.0:8080 (CTRL + C to quit)
started: framework=crax driver=asyncpg loop=uvloop json=json pool=8
"""


def _why(log: str) -> str:
    return diagnosis.why_ended(log, PATTERNS)


def test_of_a_log_the_last_lines_that_say_anything_are_told_as_they_can_be_printed() -> None:
    log = f"begin\n{'x' * 200}\n\n\x1b[31mgaierror\r\n  bye\n \n"
    assert _why(log) == f"it logged last: {'x' * 160} / gaierror / bye"


@pytest.mark.parametrize(
    "log", [RESPAWNING, RESPAWNING[: RESPAWNING.index("INFO:     Waiting")], BOOTING, LOOPING, FAILING]
)
def test_of_a_server_whose_workers_die_the_exception_is_told_and_its_place_in_the_entry(log: str) -> None:
    assert _why(log) == "it raised ModuleNotFoundError: No module named 'nope' (app.py:3)"


def test_what_is_said_after_an_exception_is_told_too() -> None:
    assert _why(f"{RESPAWNING}port 5432 is closed\n") == (
        "it raised ModuleNotFoundError: No module named 'nope' (app.py:3), and logged last: port 5432 is closed"
    )


ENDED = """\
INFO:     Shutting down
INFO:     Waiting for application shutdown.
INFO:     Application shutdown complete.
INFO:     Finished server process [9]
INFO:     Terminated child process [9]
INFO:     Stopping parent process [7]
"""
# Of asyncpg below SQLAlchemy: the statement has lines of its own.
FAILED = """\
Traceback (most recent call last):
  File "/app/app.py", line 9, in query
    await session.execute(statement)
sqlalchemy.exc.ProgrammingError: relation "worlds" does not exist
[SQL: SELECT worlds.id
FROM worlds
WHERE worlds.id = $1::INTEGER]
[parameters: (7,)]
(Background on this error at: https://sqlalche.me/e/20/f405)
"""


def test_that_a_server_ends_and_the_statement_that_failed_are_no_last_words_after_an_exception() -> None:
    told = 'it raised sqlalchemy.exc.ProgrammingError: relation "worlds" does not exist (app.py:9)'
    assert _why(f"{FAILED}{ENDED}") == told
    assert _why(f"{FAILED}closing\n{ENDED}") == f"{told}, and logged last: closing"
    bare = FAILED.replace(FAILED[FAILED.index("[SQL") : FAILED.index("(Background")], "")
    assert _why(f"{bare}{ENDED}") == told


def test_an_exception_after_which_much_is_said_was_before_and_is_not_told_as_the_cause() -> None:
    lines = "".join(f"request {number}\n" for number in range(500))
    assert _why(f"{FAILED.partition('[SQL')[0]}{lines}") == (
        'it had raised sqlalchemy.exc.ProgrammingError: relation "worlds" does not exist (app.py:9) before, '
        "and logged last: request 497 / request 498 / request 499"
    )


def test_the_frames_below_an_exception_of_another_language_are_no_last_words() -> None:
    frames = "".join(f"\tat Server.start{number}\n" for number in range(9))
    assert _why(f"java.lang.IllegalStateException: no port\n{frames}bye\n") == (
        "it raised java.lang.IllegalStateException: no port, and logged last: bye"
    )


def test_where_no_file_of_the_entry_led_to_an_exception_no_place_is_told() -> None:
    traceback = (
        f'{diagnosis.TRACEBACK}\n  File "/usr/lib/python3.13/json/decoder.py", line 345, in decode\nValueError: x\n'
    )
    assert _why(traceback) == "it raised ValueError: x"


def test_that_a_server_and_its_workers_start_is_no_last_word() -> None:
    assert _why(STARTING) == ""
    killed = "[2026-11-28 12:00:09 +0000] [7] [ERROR] Worker (pid:8) was sent SIGKILL! Perhaps out of memory?"
    assert _why(f"{STARTING}{killed}\n{STARTING}") == f"it logged last: {killed}"


@pytest.mark.parametrize("log", ["", "\n \n", "----\n"])
def test_of_a_log_that_says_nothing_nothing_is_told(log: str) -> None:
    assert _why(log) == ""


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
    assert diagnosis.exceptions(f"begin\n{traceback}\nend\n{traceback}") == [f"{line} (app.py:3)"] * 2


@pytest.mark.parametrize(
    "line",
    [
        "java.lang.IllegalStateException: no port",
        "Error: Cannot find module 'fast'",
        "sqlalchemy.exc.OperationalError: closed",
    ],
)
def test_without_a_traceback_an_exception_is_told_by_its_name(line: str) -> None:
    assert diagnosis.exceptions(f"begin\n{line}\n  at start\n") == [line]


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
    assert diagnosis.exceptions(line) == []


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000     0        0 1234 1 0000000000000000 100 0 0 10 0"
# Docker's name server; and a connection, which does not listen.
ALWAYS = f"""\
   0: 0B00007F:9C3F 00000000:0000 0A {REST}
   1: 020012AC:8124 030012AC:1538 01 {REST}
"""
ANY6, LOOPBACK6 = "0" * 32, "0" * 24 + "01000000"
MAPPED6 = "0" * 16 + "FFFF0000" + "0100007F"


def _table(*addresses: str) -> str:
    rows = (f"   {number}: {address} 00000000:0000 0A {REST}\n" for number, address in enumerate(addresses, 2))
    return HEAD + ALWAYS + "".join(rows) + HEAD


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        ((), "nothing listens in its container"),
        (("00000000:1F90",), "it listens there, and takes longer than 2 s for an answer"),
        ((f"{ANY6}:1F90",), "it listens there, and takes longer than 2 s for an answer"),
        (("0100007F:1F90", "020012AC:1F90"), "it listens there, and takes longer than 2 s for an answer"),
        (
            ("0100007F:1F90", "0100007F:1F90"),
            "it listens on 127.0.0.1:8080 only, which its container alone can reach; let it listen on 0.0.0.0",
        ),
        (
            (f"{LOOPBACK6}:1F90",),
            "it listens on [::1]:8080 only, which its container alone can reach; let it listen on 0.0.0.0",
        ),
        (
            (f"{MAPPED6}:1F90",),
            "it listens on 127.0.0.1:8080 only, which its container alone can reach; let it listen on 0.0.0.0",
        ),
        (
            ("00000000:2328", f"{ANY6}:0050"),
            "it listens on 0.0.0.0:9000 and [::]:80, not on port 8080; mend the one or the other",
        ),
    ],
)
def test_why_a_server_is_not_reached_follows_from_where_it_listens(addresses: tuple[str, ...], why: str) -> None:
    assert diagnosis.why_silent(_table(*addresses), 8080, 2) == why
