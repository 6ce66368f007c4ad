"""The lab's two streams, which never end a measurement: where nobody listens any more, it goes on in silence."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import IO, Any


class Stream:
    """Writes to another stream; what fails is noted in `error`, and from then on nothing is written."""

    def __init__(self, stream: IO[str]):
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        with self._noting():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._noting():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            # What is still buffered goes nowhere, and does not fail again when the interpreter ends.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def install() -> None:
    """Let standard output and error be such streams, which replace letters that the locale lacks.

    One that the caller has closed leads nowhere.
    """
    for name in ("stdout", "stderr"):
        # Python has None for a stream that is closed.
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
        if not isinstance(stream, Stream):
            setattr(sys, name, Stream(stream))


def failure() -> OSError | None:
    """Return why the standard output could not be written; None too where its reader just had enough."""
    if not isinstance(sys.stdout, Stream):
        return None
    sys.stdout.flush()
    return None if isinstance(sys.stdout.error, BrokenPipeError) else sys.stdout.error
