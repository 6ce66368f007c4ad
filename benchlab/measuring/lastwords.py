"""What the log of a container says of why it is lost: its end, and the exception before that; from text, to words."""

from __future__ import annotations

import re
from collections.abc import Iterator

# As much of a log as an error in one line can hold: of a traceback what was raised, and where.
LAST_LINES, LINE_LENGTH = 3, 160
# A traceback of Python: what follows is indented, up to the exception.
TRACEBACK = "Traceback (most recent call last):"
# An exception without it, of other languages or in a log that more than one process writes to: its name, mostly why.
RAISED = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception)(?:: .*)?")


def raised(log: str) -> list[str]:
    """Return the exceptions that the log tells of, in its order."""
    found, inside = [], False
    for line in log.splitlines():
        text = _printable(line)
        indented = line[:1].isspace()
        if text.endswith(TRACEBACK) and not indented:
            inside = True
        elif text and (not indented if inside else RAISED.fullmatch(text)):
            found.append(text)
            inside = False
    return found


def told(log: str) -> str:
    """Return in one line how the log ends, and before that its last exception; nothing of a log that says nothing.

    Between the exception of a worker and its own end, or the next worker, a server says more than the last lines hold.
    """
    last = list(_lines(log))[-LAST_LINES:]
    if not last:
        return ""
    end = f"said last: {' / '.join(last)}"
    exception = next(reversed(raised(log)), last[-1])
    return f"it {end}" if exception in last else f"it raised {exception}, and {end}"


def _lines(log: str) -> Iterator[str]:
    """Yield the lines that say anything, as they can be printed, the beginning of long ones."""
    return filter(None, map(_printable, log.splitlines()))


def _printable(line: str) -> str:
    return "".join(filter(str.isprintable, line)).strip()[:LINE_LENGTH]
