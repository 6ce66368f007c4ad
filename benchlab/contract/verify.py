"""Holds an entry's answers against the contract: answers in, problems out, no I/O.

The rules are those of the TechEmpower benchmarks' verification, and more: values are compared with the table they were
read from, and connections stay open. An `adopted` entry is warned where TechEmpower would warn, or would not look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from benchlab.contract import envelope, payloads
from benchlab.contract.answers import Answer, Problem, World, faults, listed, parsed, quoted
from benchlab.contract.payloads import Wanted
from benchlab.experiment.workloads import WORKLOADS
from benchlab.records.plan import QUERIES

Check = Callable[[Answer], Iterator[Problem]]


def paths(test: str, path: str) -> tuple[str, ...]:
    """Return what must be requested to verify a test type that answers under `path`.

    Whatever it is, it is asked twice: only the next request shows whether the connection was kept.
    """
    return payloads.paths(path) if _has_n(test) else (path, path)


def check(test: str, answers: tuple[Answer, ...], world: World, adopted: bool = False) -> list[Problem]:
    """Return what is wrong with the answers to `paths(test, …)`, given in that order: one problem of each rule.

    The first answer that did not come is the last that was asked for.
    """
    by_rule: dict[str, Problem] = {}
    checks = _checks(test, _comparable(test, world), adopted)
    for answer, (check_body, lenient) in zip(answers, checks, strict=True):
        for problem in _problems(test, answer, check_body, adopted):
            judged = replace(problem, warning=True) if lenient and not answer.error else problem
            if judged.rule not in by_rule or by_rule[judged.rule].warning > judged.warning:
                by_rule[judged.rule] = judged
        if answer.error:
            break
    return list(by_rule.values())


def check_loaded(
    test: str, queries: int, answers: tuple[Answer, ...], world: World, adopted: bool = False
) -> list[Problem]:
    """Return what is wrong with answers to one and the same request, N=`queries`, from before, under and after a load.

    Warnings are left out: they were reported before the load.
    """
    known = _comparable(test, world)
    wanted = Wanted(str(queries), queries)
    check_body = _list(test, wanted, known, adopted) if queries else _single(test, known, adopted)
    problems = (problem for answer in answers for problem in _problems(test, answer, check_body, adopted))
    return faults(problems)


def check_burst(
    test: str, queries: int, answers: tuple[Answer, ...], world: World, adopted: bool = False
) -> list[Problem]:
    """Return what is wrong with some of the answers to the same request, sent many times at once."""
    problems = check_loaded(test, queries, answers, world, adopted)
    if not problems and test == "db":
        problems = list(payloads.check_drawn(test, answers))
    return problems[:1]


def _checks(test: str, world: World | None, adopted: bool) -> list[tuple[Check, bool]]:
    """Return for each of the test type's `paths` the check of its body, and whether all that it breaks only warns."""
    if _has_n(test):
        return [
            (_list(test, wanted, world, adopted), wanted.lenient or (adopted and wanted.extra))
            for wanted in payloads.WANTED
        ]
    return [(_single(test, world, adopted), False)] * 2


def _list(test: str, wanted: Wanted, world: World | None, adopted: bool) -> Check:
    return partial(payloads.check_list, test, wanted, world=world, adopted=adopted)


def _single(test: str, world: World | None, adopted: bool) -> Check:
    if test == "db":
        return partial(payloads.check_one, test, world=world, adopted=adopted)
    return BODIES[test]


def _problems(test: str, answer: Answer, check_body: Check, adopted: bool) -> list[Problem]:
    """Return what is wrong with an answer: with its body only where nothing around it is wrong."""
    around = list(envelope.check(test, answer, adopted))
    return around if faults(around) else [*around, *check_body(answer)]


def _has_n(test: str) -> bool:
    return WORKLOADS[test].varies == QUERIES


def _comparable(test: str, world: World) -> World | None:
    """Return what values can be compared with: no World where the requests themselves change it."""
    return None if WORKLOADS[test].writes else world


def _json(answer: Answer) -> Iterator[Problem]:
    value = parsed(answer.body)
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(message, str) or message.lower() != "hello, world!":
        yield Problem("json", "body", f'answered {quoted(answer.body)}, not {{"message": "Hello, World!"}}')
    elif extra := set(value) - {"message"}:
        yield Problem("json", "extra keys", f"has more keys than message: {listed(extra)}", warning=True)


def _plaintext(answer: Answer) -> Iterator[Problem]:
    text = answer.body.lower()
    if b"hello, world!" not in text:
        yield Problem("plaintext", "body", f"answered {quoted(answer.body)}, not 'Hello, World!'")
    elif text != b"hello, world!":
        yield Problem("plaintext", "extra bytes", f"answered more than the text: {quoted(answer.body)}", warning=True)


# The checks of bodies that have no rows of World.
BODIES: dict[str, Check] = {"json": _json, "plaintext": _plaintext, "fortune": payloads.check}
