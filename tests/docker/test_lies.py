"""Every lie of docs/verification.md, told by a server to the lab, is caught by the rule that the table names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from benchlab.core.measured import INVALID
from benchlab.plan.workloads import WORKLOADS
from benchlab.verdicts import judge

from .. import lies
from ..lies import Lie
from .conftest import SHORT, Project

pytestmark = pytest.mark.long

STANZA = """
  {name}:
    <<: *entry
    image: benchlab/liar
    build: {{context: tests/docker/liar, args: *network-proxy}}
    environment: {{LIES: "{lies}"}}
    labels: {{<<: *labels, benchlab.framework: liar, benchlab.orm: raw, benchlab.driver: asyncpg,
             benchlab.server: asyncio, benchlab.loop: asyncio, benchlab.json: json, benchlab.tests: {tests}}}
"""


def _add(project: Project, liars: Mapping[str, Mapping[str, Lie]]) -> list[str]:
    """Add an entry for each liar, of the test types that it lies about; one without lies has all of them.

    Returns the flags that choose them.
    """
    stanzas = [
        STANZA.format(
            name=name,
            lies=" ".join(f"{test}={lie.name}" for test, lie in liar.items()),
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
