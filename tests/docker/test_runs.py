"""Runs on the real engine, with real Postgres and wrk: what they measure, and what they leave alone."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import docker
import pytest
from docker.errors import NotFound

from benchlab.engine import images as built
from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE, PROJECT_LABEL
from benchlab.experiment.workloads import WORKLOADS
from benchlab.quality import judge
from benchlab.records.counters import APP, CLIENT, DB
from benchlab.records.plan import Variant
from benchlab.records.run import INVALID
from benchlab.storage import store

from ..entries import ENTRIES, LABELS, SERVICES, USUAL
from ..results_schema import problems
from .conftest import (
    JSON,
    ONE,
    ROUNDS,
    SHORT,
    WAIT_S,
    Measured,
    Project,
    await_samples,
    await_that,
    copy_of_project,
    end_cleanly,
    nothing_stays,
)
from .traces import PROJECT, images, objects

# What setup builds: what the usual entries need, and nothing of what adopted ones start from.
BUILT = {SERVICES[name]["image"] for name in ("base", "db", "nginx", "wrk", *USUAL)}


def _crossed() -> set[str]:
    """Return the entries behind gunicorn with the frameworks of the usual ones, each with both data layers."""
    frameworks = {LABELS[name]["framework"] for name in USUAL}
    return {
        name for name in ENTRIES if LABELS[name]["framework"] in frameworks and LABELS[name]["server"] == "gunicorn"
    }


def test_the_usual_entries_pass_verification(project: Project) -> None:
    code, printed = project.run("verify", "--set", "study")
    verdicts = [line for line in printed.splitlines() if re.match(r"(pass|warn|fail) ", line)]
    assert verdicts == [f"pass  {entry} {test}" for entry in USUAL for test in WORKLOADS]
    assert re.search(rf"^{len(USUAL)} entries to verify, about \d+ s; builds not counted$", printed, re.MULTILINE)
    assert printed.splitlines()[-1] == "all that was asked for can be measured: python lab.py --set study"
    assert code == 0


@pytest.mark.long
def test_a_draft_is_built_from_its_own_folder_and_what_entries_share(project: Project) -> None:
    like = USUAL[-1]
    assert project.run("new", "mine", "--from", like)[0] == 0
    shutil.rmtree(project.root / "frameworks" / like)
    code, printed = project.run("verify", "--framework", "mine", "--test", "json", "--test", "fortune")
    assert code == 0, printed
    assert {"pass  mine json", "pass  mine fortune"} <= set(printed.splitlines())


def test_a_short_run_measures_every_trial_and_writes_the_tables(short_run: Measured) -> None:
    printed, run = short_run.printed, short_run.run
    assert short_run.code == 0
    counts = Counter((sample.trial.entry, sample.trial.test) for sample in run.samples)
    assert counts.keys() == {(entry, test) for entry in USUAL for test in ("json", "plaintext", "query")}
    assert min(counts.values()) >= ROUNDS
    assert (judge.missing(run), run.to_come) == ((), 0)
    assert all(sample.load.requests > 0 for sample in run.samples)
    assert all(sample.load.latency.max_us >= sample.load.latency.mean_us for sample in run.samples)
    # What is told before anything starts, and before anything is measured.
    plan, advice = printed.index("plan  "), printed.index("this host: ")
    assert plan < advice < printed.index("1 block to make") < printed.index("block 1: ")
    report = (short_run.folder / store.REPORT).read_text()
    assert report in printed
    assert report.count("## json, by") == report.count("## plaintext, by") == report.count("## query, by") == 2
    assert "## Bottlenecks" in report
    assert "A first look, not to be quoted" in report
    # The answer stands at the top, and once more at the end.
    assert (printed.count("\n* json. "), printed.count("\njson. ")) == (1, 1)
    with (short_run.folder / store.CSV).open() as file:
        assert len(list(csv.DictReader(file))) == len(run.taken)


def test_every_sample_has_the_counters_of_all_roles_and_a_verdict(short_run: Measured) -> None:
    run = short_run.run
    assert run.manifest.facts.engine_id
    for sample in run.samples:
        roles = sample.counters.roles
        # The database has work in one test type alone.
        busy = roles if sample.trial.test == "query" else (CLIENT, APP)
        assert set(roles) == {CLIENT, APP, DB}
        assert all((roles[role].cpu_us or 0) > 0 for role in busy)
        assert all((usage.memory_peak_bytes or 0) > 1_000_000 for usage in roles.values())
        assert sample.counters.host.idle_us is not None
        assert sample.counters.idle_before is not None
        assert len(sample.counters.speeds_us) == 1
        assert sample.verdict.severity != INVALID
        assert "wrong answers" not in sample.verdict.broken


def test_a_run_is_exported_as_a_results_file_of_techempower(short_run: Measured) -> None:
    assert short_run.project.run("export", "results/latest", "--format", "tfb", "--output", "tfb.json")[0] == 0
    document = json.loads((short_run.project.root / "tfb.json").read_text())
    assert problems(document) == []
    assert document["completionTime"] is not None
    assert all(len(figures) == 1 and all(figures) for figures in document["rawData"]["json"].values())


def test_a_dry_run_tells_the_plan_and_the_commands_and_starts_nothing(
    project: Project, client: docker.DockerClient
) -> None:
    code, printed = project.run("--test", "query", "--blocks", "5", "--dry-run")
    assert code == 0
    assert re.match(rf"plan +5 blocks: {len(USUAL)} entries up at once, .+\nrounds +.+\ntime +about ", printed)
    assert len(re.findall(rf"^block \d: {', '.join(sorted(USUAL))}: query$", printed, re.MULTILINE)) == 5
    assert "-H 'Host: tfb-server'" in printed
    assert re.search(
        r"^wrk .* -c 128 .* -t \d+ .* 'http://app-crax:8080/queries\?queries=20'  # level 20$", printed, re.M
    )
    assert objects(client) == []
    assert not (project.root / "results/latest").exists()


@pytest.mark.long
def test_the_other_test_types_are_measured_where_they_are_asked_for(project: Project) -> None:
    tests = ("db", "query", "cached-query", "fortune", "update")
    chosen = [word for test in tests for word in ("--test", test)]
    levels = [word for test in tests for word in ("--levels", f"{test}=20")]
    code, printed = project.run(*SHORT, "--blocks", "1", *chosen, *levels)
    run = project.latest()
    assert code == 0, printed
    assert judge.missing(run) == ()
    assert {(sample.trial.entry, sample.trial.test) for sample in run.samples} == {
        (entry, test) for entry in USUAL for test in tests
    }
    assert all(sample.load.requests > 0 and sample.load.errors.broken == 0 for sample in run.samples)
    assert all(printed.count(f"## {test}, by") == 2 for test in tests)


@pytest.mark.long
def test_one_run_measures_an_entry_with_and_without_a_proxy_and_goes_on_as_such(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--blocks", "1", "--proxy", "none,nginx", "--framework", "crax")
    await_samples(project, 1, lab)
    end_cleanly(client, lab, signal.SIGINT)
    code, printed = project.run("--resume", "results/latest")
    run = project.latest()
    assert code == 0, printed
    assert run.manifest.run_id.endswith("-quick-none-nginx")
    assert run.manifest.variants == {"crax": Variant("crax"), "crax-via-nginx": Variant("crax", {"proxy": "nginx"})}
    assert (judge.missing(run), run.to_come) == ((), 0)
    roles = {sample.trial.entry: set(sample.counters.roles) for sample in run.samples}
    assert roles == {"crax": {"client", "app", "db"}, "crax-via-nginx": {"client", "app", "db", "proxy"}}
    told, answer = project.run("factors", "results/latest")
    assert (told, "nginx instead of no proxy" in answer) == (0, True)


@pytest.mark.long
def test_factors_measures_the_entries_that_are_crossed_and_tells_of_each(project: Project) -> None:
    code, printed = project.run("factors", *SHORT, "--blocks", "1", "--test", "query", "--levels", "query=20")
    run = project.latest()
    assert code == 0, printed
    assert {sample.trial.entry for sample in run.samples} == _crossed()
    # On one block nothing has an outcome; and on this host some entries may fill it while others do not.
    told = next(line for line in printed.splitlines() if line.startswith("At 20 queries a request"))
    effect = r"(raw SQL instead of the ORM|the ORM instead of raw SQL) cannot be told from no change on \d blocks? \("
    assert re.search(f"{effect}|some entries filled the host and others did not", told)
    assert project.run("factors", "results/latest")[1] in printed


@pytest.mark.long
def test_an_entry_is_measured_with_each_number_of_database_connections(project: Project) -> None:
    few = ("--blocks", "1", "--test", "db", "--levels", "db=16")
    code, printed = project.run(*SHORT, *few, "--db-connections", "4,8", "--framework=crax")
    run = project.latest()
    workers = int(run.manifest.entries["crax"]["workers"])
    assert code == 0, printed
    pools = {name: (labels["connections"], labels["pool"]) for name, labels in run.manifest.entries.items()}
    assert pools == {"crax": ("4", str(max(1, 4 // workers))), "crax-pool-8": ("8", str(max(1, 8 // workers)))}
    assert {sample.trial.entry for sample in run.samples} == set(pools)


DYING = '\nraise RuntimeError("no configuration")\n'


def test_wrong_and_dying_entries_are_reported_and_the_others_measured(project: Project) -> None:
    project.add_entry("liar", "aiohttp", _with_another_message)
    project.add_entry("stillborn", "aiohttp", lambda app: app + DYING)
    few = ("--test", "json", "--test", "plaintext", "--levels", "json=16", "--levels", "plaintext=256")
    names = [word for name in ("crax", "liar", "stillborn") for word in ("--framework", name)]
    code, printed = project.run(*SHORT, "--blocks", "1", *few, *names)
    run = project.latest()
    assert code == 1
    measured = {(sample.trial.entry, sample.trial.test) for sample in run.samples}
    assert measured == {("crax", "json"), ("crax", "plaintext"), ("liar", "plaintext")}
    failures = {(failure.trial.entry, failure.trial.test): failure for failure in judge.missing(run)}
    assert set(failures) == {("liar", "json"), ("stillborn", "json"), ("stillborn", "plaintext")}
    assert '{"message":"Bye"}' in failures["liar", "json"].reason
    cause, not_tried = sorted(
        (failures["stillborn", test] for test in ("json", "plaintext")), key=lambda f: not f.was_tried
    )
    assert cause.was_tried
    assert "in start-up, stillborn ended (exit code" in cause.reason
    assert "RuntimeError: no configuration (app.py:" in cause.reason
    assert not_tried.reason.startswith("not tried: stillborn ended (exit code")
    kept = project.root / "results/latest" / cause.reason.rpartition("its log: ")[2]
    assert "RuntimeError: no configuration" in kept.read_text()
    assert re.search(r"^\| stillborn +\| +– \| +not measured \|", printed, re.MULTILINE)
    assert "## Not measured" in printed


def test_a_build_that_fails_shows_the_end_of_its_log(project: Project) -> None:
    project.add_entry("unbuildable", "aiohttp", lambda app: app)
    (project.root / "frameworks/unbuildable/Dockerfile").write_text("FROM benchlab/base\nRUN echo no way && false\n")
    code, printed = project.run(*ONE, "--framework", "unbuildable")
    assert code == 1
    assert "error: building unbuildable failed" in printed
    assert "no way" in printed


def _with_another_message(app: str) -> str:
    return app.replace('"message": "Hello, World!"', '"message": "Bye"')


def _forget(layer: str) -> str:
    return layer.replace("UPDATE world SET randomnumber = $1 WHERE id = $2", "SELECT $1::integer, $2::integer")


@pytest.mark.long
def test_verify_says_of_each_wrong_entry_what_is_wrong(project: Project) -> None:
    project.add_entry("liar", "aiohttp", _with_another_message)
    project.add_entry("respawning", "starlette", lambda app: app + DYING)
    project.add_entry("forgetful", "crax", _forget, "raw.py")
    names = [word for name in ("liar", "respawning", "forgetful") for word in ("--framework", name)]
    code, verdict = project.run("verify", *names, "--test", "json", "--test", "query", "--test", "update")
    assert code == 1
    assert re.search(r"^fail  liar json: answered .*\[body\]$", verdict, re.MULTILINE)
    assert re.search(r"^warn  liar: its labels say .*\[labels\]$", verdict, re.MULTILINE)
    # One whose workers die has one line.
    (told,) = re.findall(r"^fail  respawning.*", verdict, re.MULTILINE)
    assert re.search(r"^fail  respawning: .*RuntimeError: no configuration \(app.py:\d+\).* \[serves\]$", told)
    # One that does not write its updates passes in its other types.
    assert re.search(r"^warn  forgetful: [^;]+=forgetful; [^;]+=crax \[labels\]$", verdict, re.MULTILINE)
    assert "pass  forgetful query" in verdict.splitlines()
    assert re.search(r"^fail  forgetful update: World holds \d of 500 returned rows", verdict, re.MULTILINE)


def _with_one_key_more(app: str) -> str:
    return app.replace('"message": "Hello, World!"', '"message": "Hello, World!", "more": 1')


@pytest.mark.long
def test_what_verification_warns_of_is_in_the_journal_once_however_often_the_run_goes_on(
    project: Project, client: docker.DockerClient
) -> None:
    project.add_entry("chatty", "aiohttp", _with_one_key_more)
    lab = project.start(*ONE, "--blocks", "2", "--framework", "chatty")
    finding, *_ = await_samples(project, 1, lab)
    assert (finding["kind"], finding["rule"]) == ("verification", "extra keys")
    end_cleanly(client, lab, signal.SIGHUP)
    code, printed = project.run("--resume", "results/latest")
    run = project.latest()
    assert code == 0, printed
    assert (judge.missing(run), run.to_come) == ((), 0)
    assert [(found.test, found.rule, found.warning) for found in run.findings] == [("json", "extra keys", True)]
    assert "* chatty, json: warning: has more keys than message: 'more' [extra keys] (block 1)" in printed
    assert project.run("export", "results/latest", "--format", "tfb", "--output", "tfb.json")[0] == 0
    assert json.loads((project.root / "tfb.json").read_text())["verify"] == {"chatty": {"json": "warn"}}


@pytest.mark.long
def test_a_run_is_analysed_anew_byte_for_byte_the_same_and_without_an_engine(
    precise_run: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [precise_run.folder / name for name in (store.CSV, store.REPORT, store.PAGE)]
    written = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    # What has no order of its own has another one with each seed.
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{precise_run.project.root}/nothing.sock")
    code, printed = precise_run.project.run("report", "results/latest")
    assert code == 0, printed
    assert [path.read_bytes() for path in paths] == written
    assert written[1].decode() in printed


def test_an_entry_killed_under_load_costs_no_more_than_its_own_rounds_of_the_block(
    project: Project, client: docker.DockerClient
) -> None:
    pair = ("--framework", "aiohttp", "--framework", "crax")
    json = ("--profile", "quick", "--test", "json", "--levels", "json=16,32")
    lab = project.start(*json, *pair, "--blocks", "2", "--repeats", "6")
    await_samples(project, 8, lab)
    (entry,) = client.containers.list(filters={"label": "com.docker.compose.service=crax"})
    entry.kill()
    printed, _ = lab.communicate()
    run = project.latest()
    assert lab.returncode == 1
    assert {(failure.trial.entry, failure.trial.block) for failure in run.failures} == {("crax", 1)}
    lost = r"while json was measured, crax ended \(killed by SIGKILL, exit code 137\); "
    assert re.match(lost, run.failures[0].reason)
    assert "started: " not in run.failures[0].reason
    counts = Counter((sample.trial.entry, sample.trial.block) for sample in run.samples)
    assert min(counts["aiohttp", 1], counts["aiohttp", 2], counts["crax", 2]) >= 2 * 6
    assert "## Not measured" in printed


# What a second lab tries while one is at work.
SECOND = (("--framework", "aiohttp"), ("verify",), ("clean",), ("doctor",))


@dataclass(frozen=True)
class Disturbed:
    """A run through nginx, beside objects of another project, during which a second lab tried to work.

    `second` is what came of each of SECOND, `strangers` how many of the other project's objects were left.
    """

    first: Measured
    second: tuple[tuple[int, str], ...]
    strangers: int


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Disturbed:
    project = copy_of_project(tmp_path_factory.mktemp("disturbed") / "project")
    labels = {PROJECT_LABEL: PROJECT}
    with nothing_stays(client):
        container = client.containers.create("benchlab/wrk", ["true"], labels=labels)
        volume = client.volumes.create(labels=labels)
        try:
            # So many rounds that the other labs have come and gone before they are over.
            json = ("--profile", "quick", "--test", "json", "--levels", "json=16,32", "--repeats", "20")
            first = project.start(*json, "--blocks", "1", "--proxy", "nginx", "--framework", "crax")
            await_that(lambda: project.journal().exists(), "the run has begun", first)
            second = tuple(project.run(*command) for command in SECOND)
            printed, _ = first.communicate(timeout=WAIT_S)
            there = [*client.containers.list(all=True), *client.volumes.list()]
            strangers = sum(each.id in (container.id, volume.id) for each in there)
        finally:
            with suppress(NotFound):
                container.remove()
            with suppress(NotFound):
                volume.remove()
    return Disturbed(Measured(project, first.returncode, printed), second, strangers)


def test_a_run_through_nginx_says_so_in_its_identity(disturbed: Disturbed) -> None:
    run = disturbed.first.run
    assert disturbed.first.code == 0
    assert run.manifest.run_id.endswith("-quick-nginx")
    assert "through nginx" in disturbed.first.printed
    assert {sample.trial.level.key.value for sample in run.samples} == {16, 32}


def test_a_second_lab_on_the_engine_is_refused_and_disturbs_nothing(disturbed: Disturbed) -> None:
    *refused, (_, examined) = disturbed.second
    for code, printed in refused:
        assert (code, printed.count("\n")) == (1, 1)
        assert printed.startswith("error: another lab is at work on this engine (started")
    assert "another lab is at work on this engine" in examined
    assert disturbed.first.code == 0
    assert judge.missing(disturbed.first.run) == ()


def test_objects_of_another_project_of_the_same_name_are_left_alone(disturbed: Disturbed) -> None:
    assert disturbed.strangers == 2


def test_clean_removes_what_the_lab_made_but_what_a_stranger_uses_and_keeps_results(
    project: Project, client: docker.DockerClient
) -> None:
    assert project.run("setup")[0] == 0
    client.containers.create("benchlab/wrk", ["true"], labels={PROJECT_LABEL: PROJECT, LAB_LABEL: LAB_VALUE})
    # One of the lab's images that has no other name: of the others, the tests keep one aside.
    dockerfile = io.BytesIO(b"FROM benchlab/wrk\n")
    marks = built.labels(PROJECT, "benchlab/tried")
    client.images.build(fileobj=dockerfile, tag="benchlab/tried", labels=marks, rm=True)
    stranger = client.containers.create("benchlab/tried", ["true"])
    result = project.root / "results/run/report.md"
    result.parent.mkdir()
    result.write_text("fast")
    names = {f"{image}:latest" for image in BUILT}
    try:
        code, printed = project.run("clean")
        lines = printed.splitlines()
        assert code == 1
        assert lines[0].startswith("removed 1 container or network, and the images ")
        assert names <= set(re.split(r",? ", lines[0]))
        assert lines[1] == f"benchlab/tried:latest stays: container {stranger.name} uses it"
        assert names.isdisjoint(images(client))
        assert objects(client) == []
        assert result.read_text() == "fast"
        stranger.reload()
    finally:
        stranger.remove()
    code, printed = project.run("clean")
    assert code == 0
    assert printed.startswith("removed 0 containers and networks, and the images benchlab/tried:latest\n")
