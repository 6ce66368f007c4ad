"""The command that a report names makes the run again: it is read back by the lab's own flags."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from benchlab.cli import arguments, cli
from benchlab.experiment import settings as run_settings
from benchlab.experiment.settings import choose
from benchlab.records.plan import Settings

from .conftest import COMMIT, make_manifest, versions

PLAIN = choose(frameworks=["aiohttp", "crax"], seed=7)


@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        choose(
            "study",
            frameworks=["crax"],
            tests=["json"],
            levels={"json": (16,)},
            blocks=3,
            duration_s=2,
            proxy="nginx",
            seed=11,
        ),
        choose("tfb", frameworks=["crax"], precision=0.025, budget_s=90, placement="split", repeats=4, seed=0),
        replace(PLAIN, against="abc123"),
        replace(PLAIN, proxy="none,nginx", db_connections=(16, 32)),
        replace(PLAIN, control="crax"),
        replace(PLAIN, vary={"uvicorn": ("0.49.0", "./checkout"), "env.A": ("1", "2")}),
    ],
)
def test_the_command_gives_the_same_settings(settings: Settings) -> None:
    words = shlex.split(run_settings.command(replace(make_manifest(), settings=settings)))
    assert words[:2] == ["python", "lab.py"]
    assert arguments.settings(cli.parser().parse_args(words[2:])) == settings


def test_versions_of_an_entry_come_from_against_and_are_not_named() -> None:
    variants = versions("crax")
    settings = replace(PLAIN, frameworks=tuple(variants), against=COMMIT)
    assert run_settings.command(replace(make_manifest(), settings=settings, variants=variants)) == (
        "python lab.py --framework crax --profile default --against abc1234 --seed 7"
    )
