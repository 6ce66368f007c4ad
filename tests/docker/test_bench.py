"""The lab as its user runs it, on the real engine, with real Postgres and wrk."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from benchlab import judge, schedule, store, workloads
from benchlab.engine import LEASE, PROJECT_LABEL
from benchlab.model import Entry, Run, Trial

from .conftest import RUN_S, Project, await_lines, await_that, end, objects

SHORT = ("--profile", "quick", "--duration", "1")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
V2_CLIENT = "benchlab/compose-v2"
JSON = (*SHORT, "--test", "json", "--levels", "json=16,32")


def test_every_entry_passes_verification(project: Project) -> None:
    code, printed = project.run("verify")
    verdicts = [line for line in printed.splitlines() if re.match(r"(pass|warn|fail) ", line)]
    assert verdicts == [
        f"pass  {entry} {test}" for entry in ("aiohttp", "crax") for test in ("json", "plaintext", "query")
    ]
    assert code == 0


def test_a_short_run_measures_every_trial_and_writes_the_tables(project: Project) -> None:
    code, printed = project.run(*SHORT, "--blocks", "1", "--seed", "7")
    run = project.latest()
    assert code == 0
    assert len(run.samples) == 2 * 8
    assert judge.missing(run) == ()
    assert {sample.trial.entry for sample in run.samples} == {"aiohttp", "crax"}
    assert all(sample.load.requests > 0 for sample in run.samples)
    assert all(sample.load.latency.max_us >= sample.load.latency.mean_us for sample in run.samples)
    report = (project.root / "results/latest" / store.REPORT).read_text()
    assert report in printed
    assert report.count("## json, by") == report.count("## plaintext, by") == report.count("## query, by") == 2
    assert "A first look, not to be quoted" in report
    with (project.root / "results/latest" / store.CSV).open() as file:
        assert len(list(csv.DictReader(file))) == len(run.taken)


def test_a_run_through_nginx_says_so_in_its_identity(project: Project) -> None:
    code, printed = project.run(*JSON, "--blocks", "1", "--proxy", "nginx", "--framework", "crax")
    run = project.latest()
    assert code == 0
    assert run.manifest.run_id.endswith("-quick-nginx")
    assert "through nginx" in printed
    assert len(run.samples) == 2


def test_wrong_and_dying_entries_are_reported_and_the_others_measured(project: Project) -> None:
    project.add_entry("liar", "aiohttp", lambda app: app.replace('"message": "Hello, World!"', '"message": "Bye"'))
    project.add_entry("stillborn", "aiohttp", lambda app: app + '\nraise RuntimeError("no configuration")\n')
    code, printed = project.run(*SHORT, "--blocks", "1", "--test", "json", "--test", "plaintext", "--levels", "json=16")
    run = project.latest()
    assert code == 1
    assert {(s.trial.entry, s.trial.test) for s in run.samples} == {
        ("aiohttp", "json"),
        ("aiohttp", "plaintext"),
        ("crax", "json"),
        ("crax", "plaintext"),
        ("liar", "plaintext"),
    }
    reasons = {(failure.trial.entry, failure.trial.test): failure.reason for failure in judge.missing(run)}
    assert set(reasons) == {("liar", "json"), ("stillborn", "json"), ("stillborn", "plaintext")}
    assert '{"message":"Bye"}' in reasons["liar", "json"]
    assert "in start-up, stillborn is not running (exit code" in reasons["stillborn", "json"]
    kept = project.root / "results/latest" / reasons["stillborn", "json"].rpartition("its log: ")[2]
    assert "RuntimeError: no configuration" in kept.read_text()
    assert "## Not measured" in printed


def test_an_entry_killed_under_load_costs_no_more_than_its_visit(project: Project, client: docker.DockerClient) -> None:
    lab = project.start(*JSON, "--blocks", "2", "--framework", "crax", "--duration", "2")
    await_lines(project, 1, lab)
    (entry,) = client.containers.list(filters={"label": "com.docker.compose.service=crax"})
    entry.kill()
    printed, _ = lab.communicate()
    run = project.latest()
    assert lab.returncode == 1
    assert [failure.trial.block for failure in run.failures] == [1]
    assert "crax is not running (exit code 137)" in run.failures[0].reason
    assert len(run.samples) == 3
    assert "## Not measured" in printed


def test_ctrl_c_ends_cleanly_and_resume_goes_on_in_the_planned_order(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--blocks", "1", "--seed", "7")
    await_lines(project, 2, lab)
    ended, printed = end(lab, signal.SIGINT)
    kept = project.journal().read_bytes()
    assert (ended, objects(client)) == (130, [])
    assert "what was measured is kept; go on with: python lab.py --resume results/" in printed
    assert "## json, by" in (project.root / "results/latest" / store.REPORT).read_text()
    resumed, _ = project.run("--resume", "results/latest")
    run = project.latest()
    assert resumed == 0
    assert project.journal().read_bytes().startswith(kept)
    assert [sample.trial for sample in run.samples] == _plan(run, client)


def test_sigterm_ends_as_cleanly(project: Project, client: docker.DockerClient) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    ended, printed = end(lab, signal.SIGTERM)
    assert (ended, objects(client)) == (143, [])
    assert "what was measured is kept" in printed


def _plan(run: Run, client: docker.DockerClient) -> list[Trial]:
    """Return the trials of the run in the order of its plan."""
    cpus = int(client.info()["NCPU"])
    levels = {test: workloads.levels(test, values, cpus) for test, values in run.manifest.settings.levels.items()}
    entries = [Entry(name, {}, {"json": "/json"}) for name in run.manifest.settings.frameworks]
    visits = schedule.plan(entries, levels, run.manifest.settings.blocks, run.manifest.settings.seed)
    return [trial for visit in visits for trial in visit.trials]


@pytest.mark.parametrize("stage", ["build", "create", "start-up", "clean-up"])
def test_ctrl_c_at_any_point_leaves_nothing_behind(project: Project, client: docker.DockerClient, stage: str) -> None:
    app = project.root / "frameworks/crax/app.py"
    app.write_text(app.read_text() + f"\n# so that {stage} builds anew\n")
    shutil.rmtree(project.root / ".lab")
    lab = project.start(*JSON, "--framework", "crax")
    logs = project.root / ".lab"
    reached = {
        "build": lambda: "crax" in _text(logs / "build.log"),
        "create": lambda: (logs / "create.log").exists(),
        "start-up": lambda: any("db" in name for name in objects(client)) and project.journal().exists(),
        "clean-up": lambda: project.journal().exists() and project.journal().stat().st_size > 0,
    }
    await_that(reached[stage], stage, lab)
    lab.send_signal(signal.SIGINT)
    if stage == "clean-up":
        # The second one arrives while the first is being obeyed.
        lab.send_signal(signal.SIGINT)
    ended, printed = end(lab, signal.SIGINT)
    assert (ended, objects(client)) == (130, [])
    assert "Traceback" not in printed


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def test_objects_of_another_project_of_the_same_name_are_left_alone(
    project: Project, client: docker.DockerClient
) -> None:
    labels = {PROJECT_LABEL: "benchlab"}
    stranger = client.containers.create("benchlab/wrk", ["true"], labels=labels)
    volume = client.volumes.create(labels=labels)
    try:
        code, _ = project.run("verify", "--framework", "crax", "--test", "json")
        assert code == 0
        stranger.reload()
        volume.reload()
    finally:
        stranger.remove()
        volume.remove()


def test_the_caller_s_compose_variables_do_not_lead_elsewhere(
    project: Project, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "elsewhere")
    monkeypatch.setenv("COMPOSE_FILE", "nowhere.yaml")
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    assert any("crax" in name for name in objects(client))
    assert end(lab, signal.SIGINT)[0] == 130


def test_a_kill_leaves_what_the_next_start_clears_and_a_cut_line_is_measured_again(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 2, lab)
    end(lab, signal.SIGKILL)
    assert objects(client) != []
    with project.journal().open("ab") as journal:
        journal.write(b'{"kind": "sample", "trial": {"blo')
    await_that(lambda: LEASE not in objects(client), "the lease ended with its holder")
    code, printed = project.run("--resume", "results/latest")
    assert code == 0
    assert "33 bytes dropped" in printed
    assert "cleared what an earlier run had left behind" in printed
    assert len(project.latest().samples) == 4


def test_a_second_lab_on_the_engine_is_refused_and_disturbs_nothing(project: Project) -> None:
    first = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, first)
    for command in (("--framework", "aiohttp"), ("verify",), ("clean",)):
        code, printed = project.run(*command)
        assert (code, printed.count("\n")) == (1, 1)
        assert printed.startswith("error: another lab is at work on this engine (started")
    first.communicate()
    assert first.returncode == 0
    assert len(project.latest().samples) == 4


def test_resume_with_changed_sources_is_refused_and_goes_on_when_they_are_restored(project: Project) -> None:
    lab = project.start(*JSON, "--framework", "crax", "--blocks", "1")
    await_lines(project, 1, lab)
    end(lab, signal.SIGINT)
    kept = project.journal().read_bytes()
    app = project.root / "frameworks/crax/app.py"
    original = app.read_text()
    app.write_text(original + "\n# changed\n")
    code, printed = project.run("--resume", "results/latest")
    assert (code, printed.count("\n")) == (1, 1), printed
    assert "files or build settings of crax have changed since the run began; restore them" in printed
    assert project.journal().read_bytes() == kept
    app.write_text(original)
    code, printed = project.run("--resume", "results/latest")
    assert code == 0, printed
    assert len(project.latest().samples) == 2


def test_a_lab_that_lost_its_lease_ends_and_keeps_what_was_measured(
    project: Project, client: docker.DockerClient
) -> None:
    lab = project.start(*JSON, "--blocks", "2", "--framework", "crax")
    await_lines(project, 1, lab)
    client.containers.get(LEASE).remove(force=True)
    printed, _ = lab.communicate(timeout=RUN_S)
    assert lab.returncode == 1
    assert "error: this lab's lease of the engine is lost" in printed
    assert project.latest().samples


def test_resume_with_other_resources_is_refused_by_name_with_both_values(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = project.start(*JSON, "--framework", "crax")
    await_lines(project, 1, lab)
    end(lab, signal.SIGINT)
    monkeypatch.setenv("LAB_DB_CONNECTIONS", "8")
    code, printed = project.run("--resume", "results/latest")
    assert code == 1
    pool = 8 // project.latest().manifest.cpus
    assert re.search(rf"crax's environment DB_POOL_SIZE was \d+, is {pool}[;,]", printed)
    assert "benchmarkdbpass" not in printed


def test_resume_keeps_its_settings_and_refuses_others(project: Project) -> None:
    lab = project.start(*JSON, "--framework", "crax", "--seed", "7")
    await_lines(project, 1, lab)
    end(lab, signal.SIGINT)
    for flags in (["--duration", "9"], ["--levels", "json=16"], ["--seed", "1"], ["--framework", "aiohttp"]):
        code, printed = project.run("--resume", "results/latest", *flags)
        assert (code, printed.count("\n")) == (1, 1)
        assert printed.startswith(f"error: --resume keeps the run's own settings: {flags[0]} ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--framework", "crx"], "unknown framework crx: did you mean crax?"),
        (["--levels", "json=16", "--levels", "json=32"], "given twice"),
        (["--levels", "json=0"], "json=0: use 1 to"),
        (["--blocks", "0"], "--blocks 0"),
        (["--resume", "tests"], "is not a run"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(project: Project, arguments: list[str], said: str) -> None:
    code, printed = project.run(*arguments)
    assert (code, printed.count("\n")) == (1, 1)
    assert printed.startswith("error: ")
    assert said in printed


@pytest.mark.parametrize("arguments", [["--test", "jsn"], ["--profile", "fast"], ["--proxy", "haproxy"]])
def test_an_unknown_choice_is_refused_with_the_choices(project: Project, arguments: list[str]) -> None:
    code, printed = project.run(*arguments)
    assert code == 2
    assert f"invalid choice: '{arguments[1]}' (choose from" in printed


def test_a_stanza_without_a_required_label_is_named(project: Project) -> None:
    compose = project.root / "compose.yaml"
    compose.write_text(compose.read_text().replace("benchlab.json: ujson", "benchlab.note: none"))
    code, printed = project.run("list")
    assert (code, printed) == (1, "error: compose.yaml: aiohttp: label benchlab.json is missing; add it\n")


def test_a_build_that_fails_shows_the_end_of_its_log(project: Project) -> None:
    project.add_entry("unbuildable", "aiohttp", lambda app: app)
    (project.root / "frameworks/unbuildable/Dockerfile").write_text("FROM benchlab/base\nRUN echo no way && false\n")
    code, printed = project.run(*JSON, "--framework", "unbuildable")
    assert code == 1
    assert "error: building unbuildable failed" in printed
    assert "no way" in printed


def test_a_results_folder_that_cannot_be_written_is_told_before_measuring(project: Project) -> None:
    shutil.rmtree(project.root / "results")
    (project.root / "results").write_text("")
    code, printed = project.run(*JSON, "--framework", "crax")
    assert code == 1
    assert re.search(r"error: .*results.* cannot be written", printed)


def test_list_shows_what_each_entry_is_made_of(project: Project) -> None:
    code, printed = project.run("list")
    assert code == 0
    assert re.search(r"\| aiohttp +\| aiohttp +\| full +\| asyncpg +\| gunicorn \| uvloop \| ujson +\|", printed)


@pytest.fixture
def own_images(client: docker.DockerClient) -> Iterator[None]:
    """Keep the images under a second name while the test builds them anew: nothing after it has to build them again."""
    images = [(name, image) for image in client.images.list("benchlab/*") for name in image.tags]
    for name, image in images:
        image.tag(f"kept-{name}")
    yield
    for name, image in images:
        image.tag(name)
        client.images.remove(f"kept-{name}")


@pytest.mark.usefixtures("own_images")
def test_compose_v2_with_buildkit_builds_and_verifies_the_same_project(
    project: Project, client: docker.DockerClient
) -> None:
    proxies = {name: value for name, value in os.environ.items() if name.lower() in PROXY_VARIABLES}
    client.images.build(path=str(Path(__file__).parent / "compose_v2"), tag=V2_CLIENT, rm=True, buildargs=proxies)
    shutil.rmtree(project.root / ".lab")
    environment = project.root / ".venv"
    install = (
        f"python3 -m venv {environment} && "
        f"{environment}/bin/pip install --quiet --no-compile --require-hashes -r requirements.txt"
    )
    bench = " ".join((*JSON, "--framework", "crax", "--blocks", "1"))
    # A context of another name than "default", as Docker Desktop has it.
    use_context = (
        "docker context create desktop --docker host=unix:///var/run/docker.sock && docker context use desktop"
    )
    printed = client.containers.run(
        V2_CLIENT,
        ["sh", "-c", f"{install} && {use_context} && (python3 lab.py verify && python3 lab.py {bench}) 2>&1"],
        environment=proxies,
        remove=True,
        working_dir=str(project.root),
        volumes=["/var/run/docker.sock:/var/run/docker.sock", f"{project.root}:{project.root}"],
    ).decode()
    assert printed.count("pass  ") == 6
    assert len(project.latest().samples) == 2
    # Only BuildKit numbers its steps so.
    assert re.search(r"^#\d+ ", (project.root / ".lab/build.log").read_text(), re.MULTILINE)
