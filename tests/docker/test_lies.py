"""Every lie of docs/verification.md, told by a server to the lab, is caught by the rule that the table names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
import pytest

from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE
from benchlab.experiment.workloads import WORKLOADS
from benchlab.quality import judge
from benchlab.records.run import INVALID

from .. import lies
from ..lies import Lie
from .conftest import RUN_S, SHORT, Measured, Project, await_samples, copy_of_project, nothing_stays

pytestmark = pytest.mark.long

STANZA = """
  {name}:
    <<: *entry
    image: benchlab/liar
    build: {{context: tests/docker/liar, args: *network-proxy}}
    environment: {{LIES: "{lies}", LOUD: "{loud}"}}
    labels: {{<<: *labels, benchlab.framework: liar, benchlab.orm: raw, benchlab.driver: asyncpg,
             benchlab.server: asyncio, benchlab.loop: asyncio, benchlab.json: json, benchlab.tests: {tests}}}
"""


def _add(project: Project, liars: Mapping[str, Mapping[str, Lie]]) -> list[str]:
    """Add an entry for each liar, of the test types that it lies about; one without lies has all of them.

    Returns the flags that choose them.
    """
    return _add_all(
        project,
        {
            name: STANZA.format(
                name=name,
                lies=" ".join(f"{test}={lie.name}" for test, lie in liar.items()),
                loud=0,
                tests=" ".join(test for test in WORKLOADS if test in liar or not liar),
            )
            for name, liar in liars.items()
        },
    )


def _add_all(project: Project, stanzas: Mapping[str, str]) -> list[str]:
    compose = project.root / "compose.yaml"
    compose.write_text(compose.read_text().replace("services:\n", f"services:\n{''.join(stanzas.values())}", 1))
    return [word for name in stanzas for word in ("--framework", name)]


def _verdicts(printed: str) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """Return word and rules of each line that verify printed, by entry and test type."""
    lines = re.findall(r"^(pass|warn|fail)  (\S+) (\S+?)(?:: (.*))?$", printed, re.MULTILINE)
    return {
        (entry, test): (word, tuple(re.findall(r" \[([^]]+)\](?:;|$)", why)) or ("none",))
        for word, entry, test, why in lines
    }


def test_an_honest_server_passes_and_each_lie_is_caught_by_its_rule_before_any_load(project: Project) -> None:
    told = lies.liars(lie for lie in lies.table() if lie.when == lies.BEFORE)
    liars = {f"liar{number}": liar for number, liar in enumerate(told)}
    flags = _add(project, {**liars, "honest": {}})
    code, printed = project.run("verify", *flags)
    assert code == 1
    assert _verdicts(printed) == {
        **{(name, test): (lie.outcome, lie.rules) for name, liar in liars.items() for test, lie in liar.items()},
        **{("honest", test): ("pass", ("none",)) for test in WORKLOADS},
    }


@dataclass(frozen=True)
class Loaded:
    """A run of an entry that lies only under load, and of one that writes lines to its log for each request.

    `logs` is how the log of each container is bounded, by its name.
    """

    measured: Measured
    liar: Mapping[str, Lie]
    logs: Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Loaded:
    project = copy_of_project(tmp_path_factory.mktemp("loaded") / "project")
    (liar,) = lies.liars(lie for lie in lies.table() if lie.when == lies.UNDER_LOAD)
    loud = STANZA.format(name="loud", lies="", loud=10, tests="json")
    flags = _add(project, {"liar": liar}) + _add_all(project, {"loud": loud})
    levels = ("--levels", "json=16", "--levels", "plaintext=256", "--test", "json", "--test", "plaintext")
    with nothing_stays(client):
        lab = project.start(*SHORT, *levels, "--blocks", "1", *flags)
        await_samples(project, 1, lab)
        ours = client.containers.list(all=True, filters={"label": f"{LAB_LABEL}={LAB_VALUE}"}, ignore_removed=True)
        logs = {str(container.name): container.attrs["HostConfig"]["LogConfig"] for container in ours}
        printed, _ = lab.communicate(timeout=RUN_S)
    return Loaded(Measured(project, lab.returncode, printed), liar, logs)


def test_a_lie_that_is_told_only_under_load_costs_the_samples_and_is_named(loaded: Loaded) -> None:
    run = loaded.measured.run
    assert loaded.measured.code == 1, loaded.measured.printed
    assert {sample.verdict.severity for sample in run.taken if sample.trial.entry == "liar"} == {INVALID}
    assert all(failure.is_wrong_answer for failure in run.failures)
    missing = judge.missing(run)
    reasons = {failure.trial.test: failure.reason for failure in missing}
    assert {failure.trial.entry for failure in missing} == {"liar"}
    assert set(reasons) == set(loaded.liar)
    assert all(reasons[test].endswith(f"[{lie.rules[0]}]") for test, lie in loaded.liar.items())


def test_lines_in_the_log_for_each_request_fill_no_disk_and_are_no_stranger_s_work(loaded: Loaded) -> None:
    taken = [sample for sample in loaded.measured.run.taken if sample.trial.entry == "loud"]
    assert {bound["Type"] for bound in loaded.logs.values()} == {"json-file"}
    assert all({"max-size", "max-file"} <= set(bound["Config"]) for bound in loaded.logs.values())
    assert len(loaded.logs) > 3
    assert len(taken) > 0
    assert all("background CPU" not in sample.verdict.broken for sample in taken)
