"""The command that a report names makes the run again: it is read back by the lab's own flags."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from benchlab.cli import flags, measure
from benchlab.experiment import profiles
from benchlab.records.plan import Settings
from benchlab.report import invocation

from .conftest import COMMIT, make_manifest, versions

PLAIN = profiles.settings("default", ["aiohttp", "crax"], [], {}, None, None, "none", 7)


@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        profiles.settings("seed", ["crax"], ["json"], {"json": (16,)}, 3, 2, "nginx", 11),
        profiles.settings(
            "tfb", ["crax"], [], {}, None, None, "none", 0, precision=0.025, budget_s=90, placement="split", repeats=4
        ),
        replace(PLAIN, against="abc123"),
        replace(PLAIN, proxy="none,nginx", db_connections=(16, 32)),
    ],
)
def test_the_command_gives_the_same_settings(settings: Settings) -> None:
    words = shlex.split(invocation.command(replace(make_manifest(), settings=settings)))
    assert words[:2] == ["python", "lab.py"]
    assert flags.settings(measure.bench_parser().parse_args(words[2:])) == settings


def test_versions_of_an_entry_come_from_against_and_are_not_named() -> None:
    variants = versions("crax")
    settings = replace(PLAIN, frameworks=tuple(variants), against=COMMIT)
    assert invocation.command(replace(make_manifest(), settings=settings, variants=variants)) == (
        "python lab.py --framework crax --profile default --against abc1234 --seed 7"
    )
