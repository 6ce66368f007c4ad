"""Entries of the TechEmpower format on the real engine: adopted, built, verified, measured, removed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from benchlab.engine import stage
from benchlab.experiment.workloads import WORKLOADS
from benchlab.quality import judge
from benchlab.run import conformance
from benchlab.run.group import Group
from benchlab.storage import store

from ..entries import ROOT
from .conftest import ONE, RUN_S, SHORT, Measured, Project, await_samples, copy_of_project, nothing_stays
from .traces import images, objects

pytestmark = pytest.mark.long

BASES = ("--bases", "tests/tfb/bases.txt")
COMPILING = ("--base", "python:3.13=benchlab/base-dev", "--base", "python:3.13-slim=benchlab/base-python")
TESTS = {
    "asgi": ("json", "plaintext", "db", "query", "fortune", "update"),
    "asgi-psycopg": ("db", "query"),
    "flagon": ("json", "db", "query", "cached-query", "fortune", "update"),
    "rill": ("json", "plaintext"),
}
WSGI = ("json", "plaintext", "db")
# Those that are built, verified without a fault, and removed.
SOUND = (*TESTS, "wsgi", "built")

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


def _built(folder: Path) -> Path:
    """Make the folder of an entry that is built with compilers, and looks at where its Python lies."""
    folder.mkdir()
    config = {"framework": "built", "tests": [{"default": {"json_url": "/json"}}]}
    (folder / "benchmark_config.json").write_text(json.dumps(config))
    (folder / "server.py").write_text(SERVER)
    (folder / "looks.py").write_text(LOOKS)
    (folder / "built.dockerfile").write_text(BUILDS)
    return folder


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


@dataclass(frozen=True)
class Adopted:
    """A project with adopted entries; what adopt printed, and what verify did of the entries, after its exit code."""

    project: Project
    printed: str
    code: int
    verified: str


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Iterator[Adopted]:
    """Adopt and build the entries of tests/tfb, and one that needs compilers; this file's tests have the images."""
    made = tmp_path_factory.mktemp("adopted")
    project = copy_of_project(made / "project")
    with nothing_stays(client):
        printed = "".join(_adopted(project, f"tests/tfb/{name}", *BASES) for name in ("asgi", "flagon", "rill", "wsgi"))
        printed += _adopted(project, str(_built(made / "built")), *COMPILING)
        yield Adopted(project, printed, *project.run("verify", *_flags(SOUND)))


@pytest.fixture
def project(adopted: Adopted, tmp_path: Path) -> Project:
    """Return a copy of the project with the adopted entries."""
    return Project(shutil.copytree(adopted.project.root, tmp_path / "project", symlinks=True))


def _adopted(project: Project, folder: str, *bases: str) -> str:
    code, printed = project.run("adopt", folder, *bases)
    assert code == 0, printed
    return printed


def _flags(names: Iterable[str]) -> list[str]:
    return [word for name in names for word in ("--framework", name)]


def _verdicts(printed: str, names: Iterable[str]) -> list[str]:
    """Return the lines that verify printed of these entries."""
    lines = (re.match(r"(?:pass|warn|fail)  ([^\s:]+)", line) for line in printed.splitlines())
    return [line.string for line in lines if line and line[1] in set(names)]


def test_adopted_entries_are_listed_and_pass_verification(adopted: Adopted) -> None:
    assert "adopted asgi-psycopg: db, query; port 9080; benchlab/base-python for python:3.12\n" in adopted.printed
    assert "left out asgi-mysql: its database is MySQL, and the lab has Postgres or none\n" in adopted.printed
    code, listed = adopted.project.run("list")
    assert code == 0
    assert re.search(r"\| flagon +\| bottle +\| +\| raw +\| \? +\| gunicorn +\| \? +\| \? +\| own +\| +\| own ", listed)
    assert "Another base image: asgi has benchlab/base-python for python:3.12; " in listed
    assert "; rill has benchlab/base-python for python:3.12-slim" in listed
    passed = [f"pass  {name} {test}" for name, tests in TESTS.items() for test in tests]
    assert _verdicts(adopted.verified, TESTS) == passed, adopted.verified
    assert adopted.code == 0
    assert (adopted.project.root / "compose.yaml").read_text() == (ROOT / "compose.yaml").read_text()


def test_what_builds_where_python_has_its_usual_layout_and_compilers_builds_here(adopted: Adopted) -> None:
    assert _verdicts(adopted.verified, ["built"]) == ["pass  built json"], adopted.verified


def test_a_server_that_ends_each_connection_is_warned_of(adopted: Adopted) -> None:
    told = dict(re.findall(r"^warn  wsgi (\w+): (.+)$", adopted.verified, re.MULTILINE))
    ends = "was answered with the end of its connection; each request makes a connection, and that is measured too"
    assert told.keys() == set(WSGI)
    assert all(f"/{test} {ends} [keep-alive]" in line for test, line in told.items())
    assert re.search(
        r"/db gave \{'id': \d+, 'randomnumber': \d+\}, not integers id and randomNumber \[keys\]", told["db"]
    )


@dataclass(frozen=True)
class Beside:
    """A run of adopted entries beside a native one; `rights` is what the container of each adopted one may do."""

    measured: Measured
    rights: Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def beside(adopted: Adopted, client: docker.DockerClient) -> Beside:
    project, names = adopted.project, (*TESTS, "wsgi", "crax")
    tests = ("--test", "json", "--test", "db", "--test", "query")
    levels = ("--levels", "json=16,64", "--levels", "db=16", "--levels", "query=20")
    with nothing_stays(client):
        lab = project.start(*SHORT, "--blocks", "1", *tests, *levels, *_flags(names))
        await_samples(project, 1, lab)
        rights = {name: _host_config(client, name) for name in TESTS}
        printed, _ = lab.communicate(timeout=RUN_S)
    return Beside(Measured(project, lab.returncode, printed), rights)


def _host_config(client: docker.DockerClient, service: str) -> Mapping[str, Any]:
    (container,) = client.containers.list(all=True, filters={"label": f"com.docker.compose.service={service}"})
    config: Mapping[str, Any] = container.attrs["HostConfig"]
    return config


def test_adopted_entries_are_measured_beside_a_native_one_without_rights(beside: Beside) -> None:
    printed, run = beside.measured.printed, beside.measured.run
    assert beside.measured.code == 0, printed
    assert judge.missing(run) == ()
    assert {(sample.trial.entry, sample.trial.test) for sample in run.samples} == {
        (name, test)
        for name, tests in {**TESTS, "wsgi": WSGI, "crax": tuple(WORKLOADS)}.items()
        for test in ("json", "db", "query")
        if test in tests
    }
    assert all(sample.load.requests > 0 and sample.load.errors.broken == 0 for sample in run.samples)
    mark = "(another base image: asgi, asgi-psycopg, flagon, rill, wsgi)"
    assert all(mark in line for line in printed.splitlines() if re.match(r"## (json|query|Overview)", line))
    for host in beside.rights.values():
        assert (host["CapDrop"], host["Privileged"], host["PortBindings"] or {}) == (["ALL"], False, {})
        assert set(host["CapAdd"]) == {"CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"}
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Init"] is True
        assert not host["Binds"]
        assert host["PidsLimit"] == 16384


def test_a_server_that_ends_each_connection_is_loaded(beside: Beside) -> None:
    samples = [sample for sample in beside.measured.run.samples if sample.trial.entry == "wsgi"]
    assert {(sample.trial.test, sample.trial.level.key.value) for sample in samples} == {
        ("json", 16),
        ("json", 64),
        ("db", 16),
    }
    assert sum(sample.load.requests for sample in samples) > 100
    assert all(sample.load.errors.broken == 0 for sample in samples)
    assert (
        "wsgi closes its connection after each answer: each request opens a new one, which is measured too"
        in beside.measured.printed
    )


def test_adopted_entries_are_removed_with_their_images(project: Project, client: docker.DockerClient) -> None:
    removals = [word for name in SOUND for word in ("--remove", name)]
    code, removed = project.run("adopt", *removals)
    assert (code, removed.splitlines()) == (
        0,
        [f"removed {name} and its image benchlab/adopted:{name}" for name in SOUND],
    )
    assert {f"benchlab/adopted:{name}" for name in SOUND}.isdisjoint(images(client))
    assert not (project.root / "compose.adopted.yaml").exists()
    assert not (project.root / "adopted").exists()
    assert objects(client) == []
    listed = project.run("list")[1]
    assert not [name for name in SOUND if re.search(rf"^\| {name} ", listed, re.MULTILINE)]


def test_nginx_passes_on_to_an_entry_of_another_port_and_clean_removes_the_images_of_adopted_ones(
    project: Project, client: docker.DockerClient
) -> None:
    names = ("asgi", "crax")
    code, printed = project.run("verify", "--proxy", "nginx", *_flags(names), "--test", "json")
    assert (code, _verdicts(printed, names)) == (0, [f"pass  {name} json" for name in names]), printed
    code, printed = project.run("clean")
    assert code == 0
    assert "benchlab/adopted:asgi" in printed
    assert "benchlab/adopted:asgi" not in images(client)


SERVES = "python3 server.py 0.0.0.0 8080 0"
ITS_LOG = r"(it (?:logged last|(?:had )?raised).+; )?its log: \S+"


def test_what_is_wrong_with_an_entry_is_told_in_a_line_and_the_others_go_on(project: Project, tmp_path: Path) -> None:
    names = ("odd-broken", "odd-lost", "odd-mute", "odd-well")
    _adopted(project, str(_odd(tmp_path / "odd", broken=SERVES, lost="python3 lost.py", mute="", well=SERVES)))
    code, printed = project.run("verify", "--test", "json", *_flags(names))
    assert code == 1
    assert re.search(r"^pass  odd-well json$", printed, re.MULTILINE)
    told = dict(re.findall(r"^fail  (odd-\w+): (.+)$", printed, re.MULTILINE))
    for name, expected in {
        "odd-broken": r"building odd-broken failed; the build log \S+build-odd-broken.log ends: .+ \[serves\]",
        "odd-lost": r"in start-up, odd-lost ended .+; it raised .*gaierror: \[Errno.* \(lost.py:\d+\); "
        rf"{ITS_LOG} \[serves\]",
        "odd-mute": r"making the containers failed: .*[Nn]o command specified.* \[serves\]",
    }.items():
        assert re.fullmatch(expected, told.pop(name)), printed
    assert told == {}
    build_log = re.search(r"the build log (\S+odd-broken.log) ends", printed)
    assert build_log is not None
    assert "this cannot be" in Path(build_log[1]).read_text()
    assert "this cannot be" in printed
    assert "\x1b" not in printed


def test_of_a_server_that_is_not_reached_it_is_told_where_it_listens(project: Project, tmp_path: Path) -> None:
    odd = _odd(
        tmp_path / "odd",
        local="python3 server.py 127.0.0.1 8080 0",
        port="python3 server.py 0.0.0.0 9000 0",
        slow="python3 server.py 0.0.0.0 8080 5",
    )
    _adopted(project, str(odd))
    names = ("odd-local", "odd-port", "odd-slow")
    lab = stage.open_lab(project.root, names, lambda line: None)
    with stage.stage(lab, names):
        # A user's lab waits for 30 s.
        entries = lab.topology.entries
        groups = {
            name: Group([entries[name]], lab.roles, entries.values(), lambda name, text: name, ready_s=5)
            for name in names
        }
        verified = {name: conformance.verify_entry(group, ["json"]) for name, group in groups.items()}
    silent = r"odd-\w+ did not answer /json on port 8080 within 5 s of its start: "
    for name, expected in {
        "odd-local": r"it listens on 127.0.0.1:8080 only, which its container alone can reach; .+; ",
        "odd-port": r"it listens on 0.0.0.0:9000, not on port 8080; .+; ",
        "odd-slow": r"it listens there, and takes longer than 2 s for an answer; ",
    }.items():
        ((problem,),) = (verification.problems for verification in verified[name])
        assert problem.rule == "serves"
        assert re.fullmatch(f"{silent}{expected}{ITS_LOG}", problem.message), problem


def test_an_entry_that_cannot_be_built_is_left_out_of_a_run_that_says_so(project: Project, tmp_path: Path) -> None:
    _adopted(project, str(_odd(tmp_path / "odd", broken=SERVES)))
    code, printed = project.run(*ONE, "--blocks", "1", *_flags(("odd-broken", "crax")))
    assert code == 1
    assert {sample.trial.entry for sample in project.latest().samples} == {"crax"}
    assert "* odd-broken, all of it: building odd-broken failed" in printed
    assert "not built, and not measured: odd-broken" in printed
    assert (project.root / "results/latest" / store.REPORT).read_text() in printed
