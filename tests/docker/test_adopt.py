"""Entries of the TechEmpower format on the real engine: adopted, built, verified, measured, removed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import docker
import pytest

from benchlab.quality import judge
from benchlab.storage import store

from .conftest import SHORT, Project, await_lines
from .traces import images, objects

TFB = Path(__file__).parents[1] / "tfb"
BASES = ("--bases", "tests/tfb/bases.txt")
TESTS = {
    "asgi": ("json", "plaintext", "db", "query", "fortune", "update"),
    "asgi-psycopg": ("db", "query"),
    "bottle": ("json", "db", "query", "cached-query", "fortune", "update"),
    "rill": ("json", "plaintext"),
}

# A server of one answer. What comes before it, and how it is started, is each test's own.
SERVER = """
import http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(float(sys.argv[3]))
        body = json.dumps({"message": "Hello, World!"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""
# What folders of the format count on, of python:3.x and its slim variant.
BUILDS = """
FROM python:3.13 AS packages
RUN git --version && curl --version && pg_config --version
RUN pip install --no-binary psycopg2 psycopg2 uv
RUN /usr/local/bin/uv pip install --system bottle && python3 -m venv /opt/venv && /opt/venv/bin/pip --version
FROM python:3.13-slim
WORKDIR built
COPY --from=packages /usr/local/lib/python3.13/site-packages /usr/local/lib/python3.13/site-packages
COPY *.py ./
RUN test "$(pwd)" = /built && python looks.py
CMD python3 server.py 0.0.0.0 8080 0
"""
LOOKS = """
import bottle, ctypes, shutil, sys, sysconfig
assert (sys.prefix, sys.base_prefix) == ("/usr/local", "/usr/local")
assert bottle.__file__.startswith("/usr/local/lib/python3.13/"), bottle.__file__
assert sysconfig.get_path("purelib") == "/usr/local/lib/python3.13/site-packages"
for name in ("python", "python3", "python3.13", "pip", "pip3"):
    assert shutil.which(name) == f"/usr/local/bin/{name}", shutil.which(name)
ctypes.CDLL("libpython3.13.so.1.0")
"""
LOST = 'import socket\nprint("looking for it")\nsocket.create_connection(("mysql-of-elsewhere", 3306))\n'


def _adopt_all(project: Project) -> str:
    """Adopt the entries of tests/tfb and return what was printed."""
    printed = ""
    for name in ("asgi", "bottle", "rill"):
        code, told = project.run("adopt", f"tests/tfb/{name}", *BASES)
        assert code == 0, told
        printed += told
    return printed


def _odd(folder: Path, **commands: str) -> Path:
    """Make an entry's folder, with a test for each command that starts it."""
    folder.mkdir()
    tests = {name: {"json_url": "/json", "docker_cmd": command} for name, command in commands.items()}
    (folder / "benchmark_config.json").write_text(json.dumps({"framework": "odd", "tests": [tests]}))
    (folder / "server.py").write_text(SERVER)
    (folder / "lost.py").write_text(LOST)
    for name in commands:
        base = "scratch" if name == "mute" else "benchlab/base-python"
        broken = "RUN printf '\\033[31mthis cannot be\\033[0m' && false\n" if name == "broken" else ""
        (folder / f"odd-{name}.dockerfile").write_text(f"FROM {base}\nCOPY *.py ./\n{broken}")
    (folder / "secret").symlink_to("/etc/shadow")
    return folder


@pytest.mark.long
def test_adopted_entries_are_listed_verified_measured_beside_a_native_one_and_removed(
    project: Project, client: docker.DockerClient
) -> None:
    compose = (project.root / "compose.yaml").read_text()
    told = _adopt_all(project)
    assert "adopted asgi-psycopg: db, query; port 9080; benchlab/base-python for python:3.12\n" in told
    assert "left out asgi-mysql: its database is MySQL, and the lab has Postgres or none\n" in told
    code, listed = project.run("list")
    assert code == 0
    assert re.search(
        r"\| bottle +\| bottle +\| raw +\| \? +\| gunicorn +\| \? +\| \? +\| none +\| all +\| own +\| own ", listed
    )
    assert "Another base image: asgi has benchlab/base-python for python:3.12; " in listed
    assert "; rill has benchlab/base-python for python:3.12-slim" in listed

    chosen = [word for name in TESTS for word in ("--framework", name)]
    code, verified = project.run("verify", *chosen)
    verdicts = [line for line in verified.splitlines() if re.match(r"(pass|warn|fail) ", line)]
    assert verdicts == [f"pass  {name} {test}" for name, tests in TESTS.items() for test in tests], verified
    assert code == 0

    few = ("--test", "json", "--test", "query", "--levels", "json=16", "--levels", "query=20", "--blocks", "1")
    lab = project.start(*SHORT, *few, *chosen, "--framework", "crax")
    await_lines(project, 1, lab)
    rights = {name: _host_config(client, name) for name in TESTS}
    printed, _ = lab.communicate()
    run = project.latest()
    assert lab.returncode == 0, printed
    assert judge.missing(run) == ()
    assert {(sample.trial.entry, sample.trial.test) for sample in run.samples} == {
        (name, test) for name, tests in {**TESTS, "crax": ("json", "query")}.items() for test in tests
    } & {(name, test) for name in (*TESTS, "crax") for test in ("json", "query")}
    assert all(sample.load.requests > 0 and sample.load.errors.broken == 0 for sample in run.samples)
    mark = "(another base image: asgi, asgi-psycopg, bottle, rill)"
    assert all(mark in line for line in printed.splitlines() if re.match(r"## (json|query|Overview)", line))
    for host in rights.values():
        assert (host["CapDrop"], host["Privileged"], host["PortBindings"] or {}) == (["ALL"], False, {})
        assert set(host["CapAdd"]) == {"CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"}
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Init"] is True
        assert not host["Binds"]
        assert host["PidsLimit"] == 16384

    assert (project.root / "compose.yaml").read_text() == compose
    removals = [word for name in TESTS for word in ("--remove", name)]
    code, removed = project.run("adopt", *removals)
    assert (code, removed.splitlines()) == (
        0,
        [f"removed {name} and its image benchlab/adopted:{name}" for name in TESTS],
    )
    assert {f"benchlab/adopted:{name}" for name in TESTS}.isdisjoint(images(client))
    assert not (project.root / "compose.adopted.yaml").exists()
    assert not (project.root / "adopted").exists()
    assert objects(client) == []
    assert project.run("list")[1].count("asgi") == 0


def _host_config(client: docker.DockerClient, service: str) -> dict[str, Any]:
    (container,) = client.containers.list(all=True, filters={"label": f"com.docker.compose.service={service}"})
    found: dict[str, Any] = container.attrs["HostConfig"]
    return found


@pytest.mark.long
def test_nginx_passes_on_to_an_entry_of_another_port_and_clean_removes_the_images_of_adopted_ones(
    project: Project, client: docker.DockerClient
) -> None:
    code, printed = project.run("adopt", "tests/tfb/asgi", "--test", "default", *BASES)
    assert code == 0, printed
    for name in ("asgi", "crax"):
        code, printed = project.run("verify", "--proxy", "nginx", "--framework", name, "--test", "json")
        assert (code, f"pass  {name} json" in printed.splitlines()) == (0, True), printed
    code, printed = project.run("clean")
    assert code == 0
    assert "benchlab/adopted:asgi" in printed
    assert "benchlab/adopted:asgi" not in images(client)


@pytest.mark.long
def test_what_is_wrong_with_an_entry_is_told_in_a_line_and_the_others_go_on(project: Project, tmp_path: Path) -> None:
    folder = _odd(
        tmp_path / "odd",
        broken="python3 server.py 0.0.0.0 8080 0",
        local="python3 server.py 127.0.0.1 8080 0",
        lost="python3 lost.py",
        mute="",
        port="python3 server.py 0.0.0.0 9000 0",
        slow="python3 server.py 0.0.0.0 8080 5",
        well="python3 server.py 0.0.0.0 8080 0",
    )
    code, printed = project.run("adopt", str(folder))
    assert code == 0, printed
    names = [f"odd-{name}" for name in ("broken", "local", "lost", "mute", "port", "slow", "well")]
    code, printed = project.run("verify", "--test", "json", *(word for name in names for word in ("--framework", name)))
    assert code == 1
    assert re.search(r"^pass  odd-well json$", printed, re.MULTILINE)
    told = dict(re.findall(r"^fail  (odd-\w+): (.+)$", printed, re.MULTILINE))
    silent = r"odd-\w+ did not answer /json on port 8080 within 30 s of its start: "
    log = r"(it (?:said last|(?:had )?raised).+; )?its log: \S+ \[serves\]"
    for name, expected in {
        "odd-broken": r"building odd-broken failed; the build log \S+build-odd-broken.log ends: .+ \[serves\]",
        "odd-local": rf"{silent}it listens on 127.0.0.1:8080 only, which its container alone can reach; .+; {log}",
        "odd-lost": rf"in start-up, odd-lost is not running .+; it raised .*gaierror: \[Errno.* \(lost.py:\d+\); {log}",
        "odd-mute": r"making the containers failed: .*[Nn]o command specified.* \[serves\]",
        "odd-port": rf"{silent}it listens on 0.0.0.0:9000, not on port 8080; .+; {log}",
        "odd-slow": rf"{silent}it listens there, and takes longer than 2 s for an answer; {log}",
    }.items():
        assert re.fullmatch(expected, told.pop(name)), printed
    assert told == {}
    build_log = re.search(r"the build log (\S+odd-broken.log) ends", printed)
    assert build_log is not None
    assert "this cannot be" in Path(build_log[1]).read_text()
    assert "this cannot be" in printed
    assert "\x1b" not in printed


@pytest.mark.long
def test_a_server_that_ends_each_connection_is_warned_of_and_loaded(project: Project) -> None:
    code, printed = project.run("adopt", "tests/tfb/wsgi", *BASES)
    assert code == 0, printed
    code, printed = project.run("verify", "--framework", "wsgi")
    assert code == 0, printed
    told = dict(re.findall(r"^warn  wsgi (\w+): (.+)$", printed, re.MULTILINE))
    ends = "was answered with the end of its connection; each request makes a connection, and that is measured too"
    assert told.keys() == {"json", "plaintext", "db"}
    assert all(f"/{test} {ends} [keep-alive]" in line for test, line in told.items())
    assert re.search(
        r"/db gave \{'id': \d+, 'randomnumber': \d+\}, not integers id and randomNumber \[keys\]", told["db"]
    )

    levels = ("--test", "json", "--test", "db", "--levels", "json=16,64", "--levels", "db=16")
    code, printed = project.run(*SHORT, "--blocks", "1", *levels, "--framework", "wsgi", "--framework", "crax")
    run = project.latest()
    assert code == 0, printed
    assert judge.missing(run) == ()
    samples = [sample for sample in run.samples if sample.trial.entry == "wsgi"]
    assert len(samples) == 3
    assert all(sample.load.requests > 100 and sample.load.errors.broken == 0 for sample in samples)
    assert (
        "wsgi ends its connection after each answer: each request makes a new one, and that is measured too" in printed
    )


@pytest.mark.long
def test_what_builds_where_python_has_its_usual_layout_and_compilers_builds_here(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / "benchmark_config.json").write_text(
        json.dumps({"framework": "built", "tests": [{"default": {"json_url": "/json"}}]})
    )
    (folder / "server.py").write_text(SERVER)
    (folder / "looks.py").write_text(LOOKS)
    (folder / "built.dockerfile").write_text(BUILDS)
    bases = ("--base", "python:3.13=benchlab/base-dev", "--base", "python:3.13-slim=benchlab/base-python")
    code, printed = project.run("adopt", str(folder), *bases)
    assert code == 0, printed
    code, printed = project.run("verify", "--framework", "built", "--test", "json")
    assert (code, "pass  built json" in printed.splitlines()) == (0, True), printed


@pytest.mark.long
def test_an_entry_that_cannot_be_built_is_left_out_of_a_run_that_says_so(project: Project, tmp_path: Path) -> None:
    command = "python3 server.py 0.0.0.0 8080 0"
    assert project.run("adopt", str(_odd(tmp_path / "odd", broken=command)))[0] == 0
    few = (*SHORT, "--blocks", "1", "--test", "json", "--levels", "json=16")
    code, printed = project.run(*few, "--framework", "odd-broken", "--framework", "crax")
    assert code == 1
    assert [sample.trial.entry for sample in project.latest().samples] == ["crax"]
    assert "* odd-broken, all of it: building odd-broken failed" in printed
    assert "not built, and not measured: odd-broken" in printed
    assert (project.root / "results/latest" / store.REPORT).read_text() in printed


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("frameworks/crax",), "error: frameworks/crax has no benchmark_config.json; name a folder that has one\n"),
        (
            ("tests/tfb/asgi", "--test", "mysql"),
            "error: --test mysql: its database is MySQL, and the lab has Postgres or none\n",
        ),
        (
            ("tests/tfb/asgi", "--as", "my app"),
            "error: --as my app: that cannot be an entry's name; use letters, digits, '.', '_' and '-'\n",
        ),
        (("--remove", "rill"), "error: --remove rill: no such entry was adopted; there is none\n"),
    ],
)
def test_what_cannot_be_adopted_is_one_line(project: Project, arguments: tuple[str, ...], line: str) -> None:
    assert project.run("adopt", *arguments) == (2, line)
    assert not (project.root / "compose.adopted.yaml").exists()
