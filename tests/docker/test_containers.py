"""What runs in the containers, looked at from inside: labels, rights, the database, wrk's requests."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import docker
import pytest
from docker.models.containers import Container

from benchlab.contract import claims
from benchlab.contract.answers import Answer
from benchlab.contract.statements import Counted
from benchlab.engine.command import command_output
from benchlab.engine.endpoints import DATABASE_HOST, ENTRY_HOST, app_address
from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE, PROJECT_LABEL, SERVICE_LABEL
from benchlab.engine.stage import Lab
from benchlab.experiment import workloads
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed
from benchlab.records.plan import Entry, Level, Target
from benchlab.run import conformance, fetch, wrk
from benchlab.run.database import Database
from benchlab.run.group import Group
from benchlab.run.lifecycle import RunningEntry

from ..entries import USUAL
from ..tested import TESTED
from .conftest import await_that
from .traces import PROJECT

SERVICES = ("db", "wrk", "nginx", *TESTED.names)
OURS = {PROJECT_LABEL: PROJECT, LAB_LABEL: LAB_VALUE}
QUERY = ("/queries?queries=2",)
TOLD = (*claims.COMPARED, "orm")

# How many connections of the entry the database has work for.
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'benchmarkdbuser' AND state <> 'idle'"

# Prints what wrk sends before it got any answer. wrk first connects once only to see that it can.
LISTEN = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 8080))
wrk = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
received = b""
while not received:
    connection, _ = listener.accept()
    connection.settimeout(1)
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except TimeoutError:
        pass
wrk.kill()
wrk.wait()
print(received.decode())
"""

# Opens 1,024 connections one by one, and prints how many there are when one is not taken within 5 s.
BURST = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
connections = []
try:
    while len(connections) < 1024:
        connections.append(socket.create_connection((sys.argv[1], 8080), timeout=5))
except TimeoutError:
    pass
print(len(connections))
"""


def _execute(lab: Lab, service: str, *command: str) -> str:
    return command_output(lab.engine, service, list(command))


def _ask(lab: Lab, statement: str) -> str:
    """Return what the database answers to the statement."""
    psql = ("psql", "--dbname=hello_world", "--tuples-only", "--no-align")
    return _execute(lab, "db", *psql, f"--command={statement}").strip()


@contextmanager
def _serving(lab: Lab, entry: str) -> Iterator[None]:
    """Run the entry beside the database, and no other, all its workers ready to answer."""
    for other in TESTED.names:
        if lab.engine.casualty(other) is None:
            lab.engine.stop(other)
    for service in ("wrk", "db"):
        lab.engine.start(service)
    _execute(lab, "db", "wait-database")
    lab.engine.start(entry)
    try:
        await_that(lambda: _started(lab, entry) == lab.cpus, f"all workers of {entry} run")
        await_that(lambda: fetch.knock(lab.roles.client, _target(entry), "/json"), f"{entry} answers")
        yield
    finally:
        lab.engine.stop(entry)


def _staged(lab: Lab) -> list[Entry]:
    """Return the entries that have containers."""
    return [lab.topology.entries[name] for name in TESTED.names]


@pytest.fixture(scope="module")
def running(staged: Lab, request: pytest.FixtureRequest) -> Iterator[RunningEntry]:
    """Run an entry for all the tests that look at it, one after the other: it is started once."""
    entry = staged.topology.entries[request.param]
    group = Group([entry], staged.roles, _staged(staged), lambda name, text: name, patterns=staged.patterns)
    with group.only_up("tested") as up:
        yield up


@pytest.fixture
def serving(running: RunningEntry) -> str:
    """Return the name of the entry that runs."""
    return running.entry.name


def _usual_first(names: Iterable[str]) -> pytest.MarkDecorator:
    """Return the mark of a test that looks at these entries: where time is short, at the usual ones alone."""
    marks = [pytest.mark.entries], [pytest.mark.entries, pytest.mark.long]
    of_entries = [pytest.param(name, marks=marks[name not in USUAL]) for name in names]
    return pytest.mark.parametrize("running", of_entries, indirect=True)


# In one lifetime of its container each entry is looked at by the tests at the end of this file; at some of them, which
# take longer, a few entries.
each_entry, some_entries = _usual_first(TESTED.names), _usual_first(TESTED.closely)


def _started(lab: Lab, entry: str) -> int:
    """Return how many workers the entry's container has started since it was started."""
    return lab.engine.log(entry).count("started: ")


def _container(client: docker.DockerClient, service: str) -> Container:
    labels = [f"{PROJECT_LABEL}={PROJECT}", f"{SERVICE_LABEL}={service}"]
    (container,) = client.containers.list(all=True, filters={"label": labels})
    return container


def _database(lab: Lab) -> Database:
    """Return the database, running and restored."""
    lab.engine.start("db")
    _execute(lab, "db", "wait-database")
    _execute(lab, "db", "reset-database")
    return Database(lab.roles.database)


def _target(entry: str) -> Target:
    return app_address(Entry(entry, {}, {}))


def _answer(lab: Lab, entry: str, path: str) -> Answer:
    return fetch.answers(lab.roles.client, _target(entry), [[fetch.Request(path, "*/*")]])[0][0]


def _query(lab: Lab, entry: str) -> Answer:
    return _answer(lab, entry, *QUERY)


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_rights_and_publishes_nothing(
    staged: Lab, client: docker.DockerClient, service: str
) -> None:
    container = _container(client, service)
    host = container.attrs["HostConfig"]
    assert container.attrs["Config"]["User"] not in ("", "root", "0", "0:0")
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["ReadonlyRootfs"] is True
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Privileged"] is False
    assert not host["PortBindings"]
    # The load generator reads the containers' counters.
    assert (host["Binds"] or []) == (["/sys/fs/cgroup:/host/cgroup:ro"] if service == "wrk" else [])


@pytest.mark.parametrize("service", ["db", "wrk"])
def test_what_stands_beside_an_entry_ends_by_itself_when_it_is_asked_to(
    staged: Lab, client: docker.DockerClient, service: str
) -> None:
    staged.engine.start(service)
    if service == "db":
        _execute(staged, service, "wait-database")
    else:
        await_that(lambda: _idles(_container(client, service)), "the load generator idles")
    staged.engine.stop(service)
    assert _container(client, service).attrs["State"]["ExitCode"] == 0


def test_the_load_generator_ends_at_sigterm_without_an_init_process_too(
    staged: Lab, client: docker.DockerClient
) -> None:
    container = client.containers.create(staged.topology.image("wrk"), init=False, network_mode="none", labels=OURS)
    try:
        container.start()
        await_that(lambda: _idles(container), "the load generator idles")
        container.stop(timeout=30)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    finally:
        container.remove(force=True)


def _idles(container: Container) -> bool:
    """Return whether the load generator's first process is ready to end: then the one that it waits for runs."""
    return any(process[-1] == "sleep infinity" for process in container.top()["Processes"])


@pytest.mark.parametrize("entry", USUAL)
def test_world_is_restored_before_the_next_visit_after_updates(staged: Lab, entry: str) -> None:
    group = Group([staged.topology.entries[entry]], staged.roles, _staged(staged), lambda name, text: name)
    with group.only_up("first") as first:
        answer = _answer(staged, entry, "/updates?queries=500")
        updated = {row["id"]: row["randomNumber"] for row in json.loads(answer.body)}
        assert first.database.world() == {**first.world, **updated} != first.world
    with group.only_up("second") as second:
        assert second.world == second.database.world() == first.world


def test_the_database_holds_the_contract_and_reset_restores_it(staged: Lab) -> None:
    staged.engine.start("db")
    _execute(staged, "db", "wait-database")
    _execute(staged, "db", "reset-database")
    was = _execute(staged, "db", "print-world")
    rows = [tuple(map(int, line.split(","))) for line in was.split()]
    assert [row_id for row_id, _ in rows] == list(range(1, 10_001))
    assert all(1 <= number <= 10_000 for _, number in rows)

    ask = partial(_ask, staged)
    ask("UPDATE world SET randomnumber = 10001; DELETE FROM fortune; CREATE TABLE junk (id integer)")
    assert _execute(staged, "db", "print-world") != was
    _execute(staged, "db", "reset-database")
    assert _execute(staged, "db", "print-world") == was
    assert ask("SELECT count(*) FROM fortune") == "12"
    assert ask('SELECT count(*) FROM world JOIN "World" USING (id, randomnumber)') == "10000"
    assert ask('SELECT count(*) FROM fortune JOIN "Fortune" USING (id, message)') == "12"
    assert ask("SELECT to_regclass('junk') IS NULL") == "t"
    assert int(ask("SHOW max_connections")) >= 2000


@pytest.mark.parametrize(
    ("statements", "table", "counted"),
    [
        ("SELECT id FROM world WHERE id < 4", "world", Counted(1, 3)),
        ('SELECT w."id" FROM "World" AS w WHERE id = 1', "world", Counted(1, 1)),
        ("SELECT id FROM public.world WHERE id = 1 FOR UPDATE OF world", "world", Counted(1, 1)),
        ("PREPARE p AS SELECT id FROM world WHERE id = $1; EXECUTE p (1); EXECUTE p (2)", "world", Counted(2, 2)),
        ("BEGIN; SELECT id FROM world WHERE id = 1; ROLLBACK", "world", Counted(1, 1)),
        ("UPDATE world SET randomnumber = 1 WHERE id < 3", "world", Counted(0, 0, 1, 2)),
        ('update only "public"."World" set randomnumber = 1 where id = 1', "world", Counted(0, 0, 1, 1)),
        (
            "WITH new (id, number) AS (VALUES (1, 2), (2, 3)) "
            "UPDATE world SET randomnumber = number FROM new WHERE world.id = new.id",
            "world",
            Counted(0, 0, 1, 2),
        ),
        (
            "INSERT INTO world VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET randomnumber = excluded.randomnumber",
            "world",
            Counted(0, 0, 1, 1),
        ),
        ("SELECT 1 AS worldly", "world", Counted()),
        ("SELECT message FROM Fortune", "fortune", Counted(1, 12)),
    ],
)
def test_the_entry_s_statements_are_counted_as_what_they_are(
    staged: Lab, statements: str, table: str, counted: Counted
) -> None:
    server = _database(staged)
    psql = ("psql", "--username=benchmarkdbuser", "--dbname=hello_world", "--quiet", f"--command={statements}")
    with server.counting() as take:
        _execute(staged, "db", *psql)
        found, again = take(), take()
    assert again == {"world": Counted(), "fortune": Counted()}
    assert found == {"world": Counted(), "fortune": Counted()} | {table: counted}


def test_what_the_lab_itself_asks_and_what_comes_before_or_after_is_not_counted(staged: Lab) -> None:
    server = _database(staged)
    psql = ("psql", "--username=benchmarkdbuser", "--dbname=hello_world", "--command=SELECT id FROM world")
    _execute(staged, "db", *psql)
    with server.counting() as take:
        server.world()
        found = take()
    _execute(staged, "db", *psql)
    assert found == {"world": Counted(), "fortune": Counted()}
    assert _ask(staged, "SELECT count(*) FROM pg_stat_statements WHERE query ~ 'SELECT id FROM world'") == "0"


def test_the_counting_that_a_lost_lab_left_on_is_switched_off_by_the_next_reset(staged: Lab) -> None:
    _database(staged)
    _execute(staged, "db", "count-statements", "on")
    assert _ask(staged, "SHOW pg_stat_statements.track") == "top"
    _execute(staged, "db", "reset-database")
    assert _ask(staged, "SHOW pg_stat_statements.track") == "none"


@pytest.mark.parametrize(("pipeline", "batch"), [(1, 1), (16, 16)])
def test_requests_go_out_with_the_headers_of_the_study(staged: Lab, pipeline: int, batch: int) -> None:
    staged.engine.start("wrk")
    level = Level(1, 1, pipeline=pipeline)
    command = closed.command(level, Target("127.0.0.1"), "/plaintext", "text/plain", 5)
    received = _execute(staged, "wrk", "python3", "-c", LISTEN, *command)
    request = "GET /plaintext HTTP/1.1\r\n"
    assert received.startswith(request)
    # The server never answers, so all that arrives is the first batch.
    assert received.count(request) == batch
    for header in ("Host: 127.0.0.1", "Accept: text/plain", "Connection: keep-alive"):
        assert received.count(f"{header}\r\n") == batch


def test_wrk_counts_what_is_no_answer(staged: Lab) -> None:
    with _serving(staged, "crax"):
        command = closed.command(Level(2, 2), _target("crax"), "/nowhere", "*/*", 1)
        load = wrk.parse(closed, _execute(staged, "wrk", *wrk.observed(command, {}))).load
    assert load.requests > 0
    assert load.errors.status == load.requests


def test_entries_that_are_up_at_once_have_the_contract_s_names_and_one_of_their_own(
    staged: Lab, client: docker.DockerClient
) -> None:
    entries = [staged.topology.entries[name] for name in ("aiohttp", "crax")]
    with Group(entries, staged.roles, _staged(staged), lambda name, text: name).up("first") as up:
        assert (sorted(up.running), up.lost) == (["aiohttp", "crax"], {})
        names = fetch.addresses(staged.roles.client, ["app-aiohttp", "app-crax"])
        for name, running in up.running.items():
            (own,) = running.endpoints.app.addresses()
            assert names[f"app-{name}"] == [own]
            inside = [
                _execute(staged, name, "getent", "hosts", host).split()[0] for host in (ENTRY_HOST, DATABASE_HOST)
            ]
            assert inside[0] == own
            assert inside[1] in staged.engine.addresses("db")
            assert _answer(staged, name, "/queries?queries=2").status == 200
        assert up.check("meanwhile") == {}
        _container(client, "aiohttp").kill()
        assert list(up.check("while json 16 of crax was measured")) == ["aiohttp"]
        assert list(up.running) == ["crax"]


@each_entry
def test_an_entry_keeps_the_contract(running: RunningEntry) -> None:
    found = conformance.verify_running(running, WORKLOADS)
    assert [str(problem) for verification in found for problem in verification.problems] == []
    assert [verification.test for verification in found] == workloads.in_order(running.entry.tests)


@each_entry
def test_labels_say_what_runs(staged: Lab, serving: str) -> None:
    labels = staged.topology.entries[serving].labels
    workers = int(labels["workers"])
    log = staged.engine.log(serving)
    connected = _ask(staged, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'benchmarkdbuser'")
    assert workers == staged.cpus
    assert list(claims.check(labels, log, staged.patterns)) == []
    # What the log does not speak of is not held against it: it speaks of all that there is.
    (problem,) = claims.check(labels | dict.fromkeys(TOLD, "other"), log, staged.patterns)
    assert [name for name in TOLD if f"{name}=other" not in problem.message and labels[name] != "none"] == []
    assert log.count(claims.STARTED) == workers
    assert int(connected) == workers * int(labels["pool"])
    assert staged.patterns.server(log) == labels["server"]


@each_entry
def test_a_burst_of_1024_connections_is_queued_and_not_turned_away(
    staged: Lab, client: docker.DockerClient, serving: str
) -> None:
    server = _container(client, serving)
    # Frozen, so that it accepts nothing: what connects waits in the backlog.
    server.pause()
    try:
        connected = _execute(staged, "wrk", "python3", "-c", BURST, _target(serving).host)
    finally:
        server.unpause()
    assert connected.strip() == "1024"


@pytest.mark.long
@some_entries
def test_updates_over_512_connections_meet_no_deadlock_and_lose_no_request(staged: Lab, serving: str) -> None:
    command = closed.command(Level(512, 2), _target(serving), "/updates?queries=20", "application/json", 5)
    load = wrk.parse(closed, _execute(staged, "wrk", *wrk.observed(command, {}))).load
    deadlocks = _ask(staged, "SELECT deadlocks FROM pg_stat_database WHERE datname = 'hello_world'")
    # What wrk leaves open at its end is still answered; the tests that follow are of an entry that rests.
    await_that(lambda: all(_ask(staged, BUSY) == "0" for _ in range(5)), f"{serving} is done with the load")
    assert load.requests > 0
    assert load.errors.broken == 0
    assert deadlocks == "0"


@pytest.mark.long
@some_entries
def test_what_an_entry_has_updated_is_restored(staged: Lab, serving: str) -> None:
    pristine = _execute(staged, "db", "pristine-world")
    # That ended the connections of the entry.
    assert _heals(staged, serving)
    before = _rows(_execute(staged, "db", "print-world"))
    updated = {
        row["id"]: row["randomNumber"] for row in json.loads(_answer(staged, serving, "/updates?queries=500").body)
    }
    after = _execute(staged, "db", "print-world")
    assert _rows(after) == {**before, **updated} != before
    assert _execute(staged, "db", "pristine-world") == pristine != after
    assert _heals(staged, serving)


def _rows(world: str) -> dict[int, int]:
    return {int(row_id): int(number) for row_id, number in (line.split(",") for line in world.split())}


@some_entries
def test_a_database_outage_answers_5xx_and_heals(staged: Lab, serving: str) -> None:
    assert _query(staged, serving).status == 200
    staged.engine.stop("db")
    assert _query(staged, serving).status in (500, 503)
    assert _answer(staged, serving, "/json").status == 200
    staged.engine.start("db")
    _execute(staged, "db", "wait-database")
    assert _heals(staged, serving)


@pytest.mark.long
@some_entries
def test_a_database_that_hangs_is_answered_5xx_and_heals(
    staged: Lab, client: docker.DockerClient, serving: str
) -> None:
    database = _container(client, "db")
    database.pause()
    try:
        answer = _query(staged, serving)
    finally:
        database.unpause()
    assert answer.status in (500, 503)
    assert _heals(staged, serving)


def _heals(lab: Lab, entry: str) -> bool:
    """Return whether all workers answer again: each may still tell of the outage a few times."""
    return any(all(_query(lab, entry).status == 200 for _ in range(10)) for _ in range(40))


# The last that an entry's container is used for.
@each_entry
def test_an_entry_ends_by_itself_on_sigterm(staged: Lab, client: docker.DockerClient, serving: str) -> None:
    staged.engine.stop(serving)
    # Or as SIGTERM ends a program that does not handle it, such as Tornado's parent; 137 would be a kill.
    assert _container(client, serving).attrs["State"]["ExitCode"] in (0, 128 + signal.SIGTERM)
