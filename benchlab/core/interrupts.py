"""Ctrl-C, SIGTERM and SIGHUP: each ends the lab in order, and none cuts the clearing-up short."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked the lab to end. `exit_code` is the shell's for that signal: 128 + its number."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def install() -> None:
    """Let each ending signal raise Interrupted in the main thread; one that is ignored (nohup) stays so."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


@contextmanager
def shielded() -> Iterator[None]:
    """Hold ending signals back for the length of the with block, which should be short; then let the first act.

    Handlers are swapped, not masked: a mask holds for one thread, and libraries start others.
    """
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in ENDING
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            raise Interrupted(held[0])


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
