"""Every lie of docs/verification.md, told by a server to the lab, is caught by the rule that the table names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import docker
import pytest

from benchlab.engine.sandbox import LAB_LABEL, LAB_VALUE
from benchlab.experiment.workloads import WORKLOADS
from benchlab.quality import judge
from benchlab.records.run import INVALID

from .. import lies
from ..lies import Lie
from .conftest import RUN_S, SHORT, Project, await_lines

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


def _add(project: Project, liars: Mapping[str, Mapping[str, Lie]], loud: int = 0) -> list[str]:
    """Add an entry for each liar, of the test types that it lies about; one without lies has all of them.

    Each writes so many lines to its log for a request. Returns the flags that choose them.
    """
    stanzas = [
        STANZA.format(
            name=name,
            lies=" ".join(f"{test}={lie.name}" for test, lie in liar.items()),
            loud=loud,
            tests=" ".join(test for test in WORKLOADS if test in liar or not liar),
        )
        for name, liar in liars.items()
    ]
    compose = project.root / "compose.yaml"
    compose.write_text(compose.read_text().replace("services:\n", f"services:\n{''.join(stanzas)}", 1))
    return [word for name in liars for word in ("--framework", name)]


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


def test_a_lie_that_is_told_only_under_load_costs_the_samples_and_is_named(project: Project) -> None:
    (liar,) = lies.liars(lie for lie in lies.table() if lie.when == lies.UNDER_LOAD)
    flags = _add(project, {"liar": liar})
    levels = ("--levels", "json=16", "--levels", "plaintext=256", "--test", "json", "--test", "plaintext")
    code, printed = project.run(*SHORT, *levels, "--blocks", "1", *flags)
    run = project.latest()
    assert code == 1, printed
    assert {sample.verdict.severity for sample in run.taken} == {INVALID}
    assert run.failures == ()
    reasons = {failure.trial.test: failure.reason for failure in judge.missing(run)}
    assert set(reasons) == set(liar)
    assert all(reasons[test].endswith(f"[{lie.rules[0]}]") for test, lie in liar.items())


def test_lines_in_the_log_for_each_request_fill_no_disk_and_are_no_stranger_s_work(
    project: Project, client: docker.DockerClient
) -> None:
    flags = _add(project, {"loud": {}}, loud=10)
    lab = project.start(*SHORT, "--levels", "json=16", "--test", "json", "--blocks", "2", *flags)
    await_lines(project, 1, lab)
    ours = client.containers.list(all=True, filters={"label": f"{LAB_LABEL}={LAB_VALUE}"}, ignore_removed=True)
    bounds = {str(container.name): container.attrs["HostConfig"]["LogConfig"] for container in ours}
    printed, _ = lab.communicate(timeout=RUN_S)
    run = project.latest()
    assert lab.returncode == 0, printed
    assert {bound["Type"] for bound in bounds.values()} == {"json-file"}
    assert all({"max-size", "max-file"} <= set(bound["Config"]) for bound in bounds.values())
    assert len(bounds) > 3
    assert len(run.samples) == 2
    assert all("foreign" not in sample.verdict.broken for sample in run.taken)
