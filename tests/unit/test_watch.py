"""What is done where rounds begin and end: the CPU of the lab is read, slowed entries are asked, a trouble begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import StringIO

from rich.console import Console

from benchlab.experiment.forecast import BlockForecast
from benchlab.experiment.settings import choose
from benchlab.records.plan import Block, Entry, Rounds
from benchlab.records.run import Run
from benchlab.selftest.extent import PROFILE
from benchlab.selftest.watch import TroubleWatch, Watch, Watched

from .conftest import Kept, make_manifest, make_round_runner
from .fake_host import FakeHost

NAMES = ("aiohttp", "crax")


def _measure(watch: Watch, entries: list[Entry], host: FakeHost) -> None:
    """Make two blocks of json and query, shown as a part of a calibration is."""
    settings = choose(PROFILE, frameworks=NAMES, tests=("json", "query"), repeats=2, seed=7)
    blocks = [Block(number, NAMES, (Rounds("json", 2), Rounds("query", 2))) for number in (1, 2)]
    run = Run(replace(make_manifest(), settings=settings), (), ())
    shown = partial(Watched, watch)(Console(file=StringIO()), BlockForecast(blocks, settings), run, "")
    list(make_round_runner(host, Kept(), entries, settings, shown).run(blocks))


def test_rounds_begin_after_the_warm_up_and_end_while_all_entries_are_up(entries: list[Entry]) -> None:
    host = FakeHost()
    seen: list[tuple[str, int]] = []

    class Noting(Watch):
        def begin(self) -> None:
            seen.append(("begin", sum(number == 0 for _, number in host.slices)))

        def end(self, block: int) -> None:
            stopped = [step for step in host.done if step.startswith("stop")]
            seen.append((f"end {block}", len(stopped)))

    _measure(Noting(), entries, host)
    begun = [count for what, count in seen if what == "begin"]
    assert [what for what, _ in seen] == ["begin", "end 1"] * 2 + ["begin", "end 2"] * 2
    # In the first block both ends of both tests are warmed up before any round: two levels, two tests, two entries.
    assert begun[0] == 8
    assert [stopped for what, stopped in seen if what == "end 1"] == [0, 0]


def test_a_trouble_begins_once_with_the_first_rounds_and_ends_with_the_with_block(entries: list[Entry]) -> None:
    host = FakeHost()
    seen: list[str] = []

    @contextmanager
    def trouble() -> Iterator[None]:
        seen.append(f"after {len(host.slices)} slices")
        yield
        seen.append("over")

    with TroubleWatch(trouble()) as watch:
        _measure(watch, entries, host)
        assert seen == ["after 8 slices"]
    assert seen == ["after 8 slices", "over"]
