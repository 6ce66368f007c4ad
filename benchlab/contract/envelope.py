"""The rules of what comes around a body, the same for every test type: status, connection, headers, Date."""

from __future__ import annotations

from collections.abc import Iterator

from benchlab.contract.answers import Answer, Problem, quoted
from benchlab.experiment.workloads import HTML, WORKLOADS

HTTP_1_1 = 11
# Within so many seconds Date must change: its unit is the second, and a server may make it anew only now and then.
DATE_S = 3


def check(test: str, answer: Answer, adopted: bool = False) -> Iterator[Problem]:
    """Yield what is wrong with an answer but for its body; of one that did not come, or that is an error, only that.

    That an answer ends its connection is worth a warning only where the entry is `adopted`: its format allows it.
    """
    if answer.error:
        yield Problem(test, "answers", f"{answer.path} got no answer: {answer.error}")
    elif answer.status != 200:
        yield Problem(test, "status", f"{answer.path} answered {answer.status}, not 200: {quoted(answer.body)}")
    else:
        yield from _connection(test, answer, adopted)
        yield from _headers(test, answer)


def check_date(test: str, first: Answer, last: Answer, apart_s: float) -> Iterator[Problem]:
    """Yield a problem where the last answer, `apart_s` seconds after the first, still has the first one's Date."""
    date = first.headers.get("date")
    if date and last.headers.get("date") == date:
        yield Problem(
            test, "date", f"{first.path} came with Date {date!r}, and again {apart_s:.1f} s later; tell the time anew"
        )


def _connection(test: str, answer: Answer, adopted: bool) -> Iterator[Problem]:
    if answer.version != HTTP_1_1:
        version = f"HTTP/{answer.version // 10}.{answer.version % 10}"
        yield Problem(test, "version", f"{answer.path} was answered in {version}, not in HTTP/1.1", warning=adopted)
    if answer.reopened:
        yield Problem(
            test, "keep-alive", f"{answer.path} found its connection closed after the answer before; keep it open"
        )
    # The end of a connection is the only way to mark the length of a body that does not come with one.
    elif answer.closing and _has_length(answer):
        what = "each request makes a connection, and that is measured too" if adopted else "keep it open"
        yield Problem(
            test, "keep-alive", f"{answer.path} was answered with the end of its connection; {what}", warning=adopted
        )


def _headers(test: str, answer: Answer) -> Iterator[Problem]:
    for name in ("server", "date", "content-type"):
        if not answer.headers.get(name):
            yield Problem(test, "headers", f"{answer.path} came without the header {name}")
    if not _has_length(answer):
        yield Problem(test, "length", f"{answer.path} came without content-length or transfer-encoding")
    elif {"content-length", "transfer-encoding"} <= set(answer.headers):
        yield Problem(test, "length", f"{answer.path} came with content-length and transfer-encoding, not with one")
    expected = _content_types(test)
    got = answer.headers.get("content-type") or expected[0]
    if got.lower().replace(" ", "") not in (name.replace(" ", "") for name in expected):
        yield Problem(test, "content-type", f"{answer.path} came as {got!r}, not {expected[0]!r}")


def _has_length(answer: Answer) -> bool:
    return not {"content-length", "transfer-encoding"}.isdisjoint(answer.headers)


def _content_types(test: str) -> tuple[str, ...]:
    """Return what the answer may come as. Of HTML the contract wants the charset named."""
    accept = WORKLOADS[test].accept
    named = f"{accept}; charset=utf-8"
    return (named,) if accept == HTML else (accept, named)
