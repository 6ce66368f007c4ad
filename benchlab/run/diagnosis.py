"""Why an entry is not reached, from the sockets in its container; and what its log says of its end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import dropwhile
from pathlib import PurePosixPath

from benchlab.contract import claims
from benchlab.core.log_patterns import LogPatterns

Address = IPv4Address | IPv6Address

# As Linux writes that state of a socket (include/net/tcp_states.h).
LISTEN = "0A"
# Docker's own name server, which is in every container.
DOCKER_DNS = IPv4Address("127.0.0.11")
# As much of a log as an error in one line can hold.
LAST_LINES, LINE_LENGTH = 3, 160
# A traceback of Python: what follows is indented, up to the exception.
TRACEBACK = "Traceback (most recent call last):"
FRAME = re.compile(r'\s+File "(?P<path>[^"]+)", line (?P<line>\d+)')
# Parts of the paths of files that are no entry's own: what is installed, Python's library, and what is in no file.
FOREIGN = ("/site-packages/", "/dist-packages/", "/lib/python", "/bin/", "<")
# An exception without it, of other languages or in a log that more than one process writes to: its name, mostly why.
RAISED = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception)(?:: .*)?")
# What makes a terminal show letters in a colour.
COLOUR = re.compile(r"\x1b\[[\d;]*m")
# What SQLAlchemy has below the message of an exception: the statement, of as many lines as it has, and a link.
STATEMENT = re.compile(r"^(?:\[SQL: (?:.*\n){1,40}?)?\(Background on this error .*\n?|^\[SQL: .*\n?", re.MULTILINE)


@dataclass(frozen=True)
class _Raised:
    """An exception: the number of its line, the line, and the place in a file of the entry that led to it."""

    number: int
    text: str
    place: str

    def __str__(self) -> str:
        return f"{self.text} ({self.place})" if self.place else self.text


def sockets(table: str) -> tuple[tuple[Address, int], ...]:
    """Return address and port of each socket that listens, of /proc/net/tcp and tcp6; not Docker's own."""
    return tuple(dict.fromkeys((address, port) for address, port in _listening(table) if address != DOCKER_DNS))


def listeners(table: str, port: int) -> int:
    """Return how many sockets listen on the port: one for all workers, or one for each (SO_REUSEPORT)."""
    return sum(at == port and address != DOCKER_DNS for address, at in _listening(table))


def why_silent(table: str, port: int, patience_s: int) -> str:
    """Return why a server that runs gave no answer on `port`, to whoever waited for one for so long each time."""
    open_sockets = sockets(table)
    if not open_sockets:
        return "nothing listens in its container"
    here = [address for address, at in open_sockets if at == port]
    if any(not address.is_loopback for address in here):
        return f"it listens there, and takes longer than {patience_s} s for an answer"
    places = " and ".join(
        f"[{address}]:{at}" if address.version == 6 else f"{address}:{at}" for address, at in open_sockets
    )
    if here:
        return f"it listens on {places} only, which its container alone can reach; let it listen on 0.0.0.0"
    return f"it listens on {places}, not on port {port}; mend the one or the other"


def exceptions(log: str) -> list[str]:
    """Return the exceptions in the log, in its order, with the entry's own file and line that led there."""
    return list(map(str, _exceptions(log.splitlines())))


def why_ended(log: str, patterns: LogPatterns) -> str:
    """Return in one line the log's last exception, and how it ends; nothing of a log that says nothing.

    That a server starts, or starts workers, is nothing; nor, after an exception, that these end. Where more lines come
    after the exception than are shown, it was raised before, and need not be why.
    """
    lines = _halted(patterns).sub("", STATEMENT.sub("", log)).splitlines()
    exception = next(reversed(list(_exceptions(lines))), None)
    if exception is None:
        words, last = [], list(_telling(lines, patterns))
    else:
        after = dropwhile(_is_indented, lines[exception.number + 1 :])
        # Below a traceback gunicorn says the exception's words once more.
        last = [
            line
            for line in _telling(after, patterns)
            if not patterns.ending.search(line) and line not in exception.text
        ]
        words = [f"had raised {exception} before" if len(last) > LAST_LINES else f"raised {exception}"]
    words += [f"logged last: {' / '.join(last[-LAST_LINES:])}"] if last else []
    return f"it {', and '.join(words)}" if words else ""


def _listening(table: str) -> Iterator[tuple[Address, int]]:
    for line in table.splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == LISTEN:
            address, _, port = words[1].partition(":")
            yield _address(address), int(port, 16)


def _address(text: str) -> Address:
    """Return the address in the kernel's hexadecimal form: words of four bytes, each the wrong way round."""
    words = (bytes.fromhex(text[begin : begin + 8])[::-1] for begin in range(0, len(text), 8))
    address = ip_address(b"".join(words))
    return (address.version == 6 and address.ipv4_mapped) or address


def _halted(patterns: LogPatterns) -> re.Pattern[str]:
    """Return what matches a server's own exception when workers do not start, with its traceback.

    It is raised once, and once more while that is handled.
    """
    return re.compile(
        rf"^{re.escape(TRACEBACK)}\n(?:[ \t].*\n)+(?:{patterns.raises.pattern}): .*\n?"
        r"(?:\nDuring handling of the above exception, another exception occurred:\n\n?)?",
        re.MULTILINE,
    )


def _exceptions(lines: Iterable[str]) -> Iterator[_Raised]:
    inside, place = False, ""
    for number, line in enumerate(lines):
        text = _printable(line)
        indented = _is_indented(line)
        if text.endswith(TRACEBACK) and not indented:
            inside, place = True, ""
        elif frame := FRAME.match(line) if inside else None:
            place = _own(frame["path"], frame["line"]) or place
        elif text and (not indented if inside else RAISED.fullmatch(text)):
            yield _Raised(number, text, place)
            inside, place = False, ""


def _is_indented(line: str) -> bool:
    return line[:1].isspace()


def _own(path: str, line: str) -> str:
    """Return a place in a file that is the entry's own, nothing of one that is not."""
    return "" if any(part in path for part in FOREIGN) else f"{PurePosixPath(path).name}:{line}"


def _telling(lines: Iterable[str], patterns: LogPatterns) -> Iterator[str]:
    """Yield the lines that say more than that something starts, as they can be printed, the beginning of long ones."""
    for text in map(_printable, lines):
        if any(map(str.isalnum, text)) and claims.STARTED not in text and not patterns.starting.search(text):
            yield text


def _printable(line: str) -> str:
    return "".join(filter(str.isprintable, COLOUR.sub("", line))).strip()[:LINE_LENGTH]
