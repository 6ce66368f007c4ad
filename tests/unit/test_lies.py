"""docs/verification.md is in step with the rules in code and with what the liar of the Docker tests can do."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from benchlab.contract.answers import RULES
from benchlab.contract.statements import PROBES
from benchlab.experiment.workloads import WORKLOADS

from .. import lies

LIAR = Path(__file__).parents[1] / "docker/liar/liar.py"


@pytest.fixture(scope="module")
def liar() -> ModuleType:
    spec = importlib.util.spec_from_file_location("liar", LIAR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_rules_has_every_rule_once() -> None:
    assert [rule for rule, _, _ in lies.rows("Rules")] == list(RULES)


def test_every_rule_of_answers_is_broken_by_a_lie() -> None:
    assert {rule for lie in lies.table() for rule in lie.rules} - {"none"} == set(RULES) - {"serves", "labels"}


def test_the_table_has_every_lie_that_the_liar_can_tell_and_no_other(liar: ModuleType) -> None:
    told = {(lie.test, lie.name) for lie in lies.table()}
    assert len(told) == len(lies.table())
    assert {(test, name) for test, name in told if name not in liar.ENVELOPE} == set(liar.BODIES)
    assert {name for _, name in told} >= set(liar.ENVELOPE)
    assert {test for test, _ in told} == set(WORKLOADS) == set(liar.HONEST)


def test_the_table_of_requests_is_that_of_the_probes() -> None:
    requests = {test: text for test, text, _, _ in lies.rows("Queries really run")}
    assert requests == {test: str(probe).replace(" requests", "") for test, probe in PROBES.items()}
