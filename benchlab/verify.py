"""Holds an entry's answers against the contract: answers in, problems out, no I/O.

The rules are those of the TechEmpower benchmarks' verification, but for its rule that Date changes; and one more:
values are compared with the table they were read from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchlab import fortunes, rows
from benchlab.answers import Answer, Problem, World, parsed, quoted
from benchlab.workloads import HTML, WORKLOADS


def paths(test: str, path: str) -> tuple[str, ...]:
    """Return what must be requested to verify a test type that answers under `path`."""
    return rows.paths(path) if WORKLOADS[test].varies == "queries" else (path,)


def check(test: str, answers: tuple[Answer, ...], world: World) -> list[Problem]:
    """Return what is wrong with the answers to `paths(test, …)`, given in that order.

    The first answer that did not come is the last that was asked for.
    """
    missing = next((number for number, answer in enumerate(answers) if answer.error), len(answers))
    problems = [problem for answer in answers[: missing + 1] for problem in _envelope(test, answer)]
    if problems:
        return problems
    return list(CHECKS[test](answers, _comparable(test, world)))


def check_loaded(test: str, queries: int, answers: tuple[Answer, ...], world: World) -> list[Problem]:
    """Return what is wrong with answers to one and the same request, N=`queries`, from before, under and after a load.

    Warnings are left out: they were told before the load.
    """
    found = (problem for answer in answers for problem in _check_loaded(test, queries, answer, world))
    return [problem for problem in found if not problem.warning]


def _check_loaded(test: str, queries: int, answer: Answer, world: World) -> list[Problem]:
    if wrong := list(_envelope(test, answer)):
        return wrong
    known = _comparable(test, world)
    if queries:
        return list(rows.check_list(test, f"N={queries}", answer, queries, known))
    return list(CHECKS[test]((answer,), known))


def _comparable(test: str, world: World) -> World | None:
    """Return what values can be compared with: no World where the requests themselves change it."""
    return None if WORKLOADS[test].writes else world


def _envelope(test: str, answer: Answer) -> Iterator[Problem]:
    """Yield what is wrong with status and headers: the same rules for every test type."""
    if answer.error:
        yield Problem(test, "answers", f"{answer.path} got no answer: {answer.error}")
        return
    if answer.status != 200:
        yield Problem(test, "status", f"{answer.path} answered {answer.status}, not 200: {quoted(answer.body)}")
        return
    for name in ("server", "date", "content-type"):
        if not answer.headers.get(name):
            yield Problem(test, "headers", f"{answer.path} came without the header {name}")
    if "content-length" not in answer.headers and "transfer-encoding" not in answer.headers:
        yield Problem(test, "length", f"{answer.path} came without content-length or transfer-encoding")
    expected = _content_types(test)
    got = answer.headers.get("content-type", expected[0])
    if got.lower().replace(" ", "") not in (name.replace(" ", "") for name in expected):
        yield Problem(test, "content-type", f"{answer.path} came as {got!r}, not {expected[0]!r}")


def _content_types(test: str) -> tuple[str, ...]:
    """Return what the answer may come as. Of HTML the contract wants the charset named."""
    accept = WORKLOADS[test].accept
    named = f"{accept}; charset=utf-8"
    return (named,) if accept == HTML else (accept, named)


def _json(answers: tuple[Answer, ...], world: World | None) -> Iterator[Problem]:
    (answer,) = answers
    value = parsed(answer.body)
    if not isinstance(value, dict) or str(value.get("message", "")).lower() != "hello, world!":
        yield Problem("json", "body", f'answered {quoted(answer.body)}, not {{"message": "Hello, World!"}}')
    elif extra := sorted(set(value) - {"message"}):
        yield Problem("json", "extra keys", f"has more keys than message: {', '.join(extra)}", warning=True)


def _plaintext(answers: tuple[Answer, ...], world: World | None) -> Iterator[Problem]:
    (answer,) = answers
    text = answer.body.lower()
    if b"hello, world!" not in text:
        yield Problem("plaintext", "body", f"answered {quoted(answer.body)}, not 'Hello, World!'")
    elif text != b"hello, world!":
        yield Problem("plaintext", "extra bytes", f"answered more than the text: {quoted(answer.body)}", warning=True)


CHECKS: dict[str, Callable[[tuple[Answer, ...], World | None], Iterator[Problem]]] = {
    "json": _json,
    "plaintext": _plaintext,
    "db": partial(rows.check_one, "db"),
    "query": partial(rows.check_lists, "query"),
    "cached-query": partial(rows.check_lists, "cached-query"),
    "fortune": fortunes.check,
    "update": partial(rows.check_lists, "update"),
}
