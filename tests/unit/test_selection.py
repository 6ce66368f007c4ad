"""Entries chosen by tag and by set: which are meant, what is said of a wrong word, and what a run keeps of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchlab.cli import cli
from benchlab.core.errors import UsageError
from benchlab.experiment import selection
from benchlab.records.plan import Manifest
from benchlab.storage import store

from ..entries import LABELS, ROOT, USUAL
from . import made_entries, screens

ENTRIES = {
    "aiohttp": {"framework": "aiohttp", "interface": "own", "orm": "full", "driver": "asyncpg", "tags": "popular"},
    "crax": {"framework": "crax", "interface": "asgi", "orm": "raw", "driver": "asyncpg"},
    "django": {"framework": "django", "interface": "wsgi", "orm": "full", "driver": "psycopg", "loop": "none"},
    "flask": {"framework": "flask", "interface": "wsgi", "orm": "raw", "driver": "psycopg", "tags": "popular small"},
    "rill": {"framework": "rill", "orm": "?", "driver": "?", "server": "own", "origin": "adopted"},
}
ENTRIES = {
    name: labels | ({} if name in ("aiohttp", "crax") else {"default": "no"}) for name, labels in ENTRIES.items()
}
# Those that `--set popular` has, as far as they are there.
POPULAR = {"aiohttp", "fastapi", "starlette", "litestar", "flask", "django", "django-asgi", "sanic"}


@pytest.mark.parametrize(
    ("frameworks", "tags", "named_set", "chosen"),
    [
        ([], [], "", ()),
        (["rill", "crax"], [], "", ("crax", "rill")),
        ([], ["wsgi"], "", ("django", "flask")),
        ([], ["orm"], "", ("aiohttp", "django")),
        ([], ["wsgi", "raw"], "", ("flask",)),
        ([], ["small"], "", ("flask",)),
        ([], [], "study", ("aiohttp", "crax")),
        ([], [], "popular", ("aiohttp", "flask")),
        ([], ["raw"], "study", ("crax",)),
        (["rill"], ["raw"], "popular", ("flask", "rill")),
        (["flask"], [], "study", ("aiohttp", "crax", "flask")),
    ],
)
def test_a_set_is_narrowed_by_tags_and_named_entries_are_added(
    frameworks: list[str], tags: list[str], named_set: str, chosen: tuple[str, ...]
) -> None:
    assert selection.chosen(ENTRIES, frameworks, tags, named_set) == chosen


def test_what_a_label_does_not_say_is_no_tag() -> None:
    assert sorted(selection.by_tag(ENTRIES)) == [
        "aiohttp",
        "asgi",
        "asyncpg",
        "crax",
        "django",
        "flask",
        "orm",
        "own",
        "popular",
        "psycopg",
        "raw",
        "rill",
        "small",
        "wsgi",
    ]


@pytest.mark.parametrize(
    ("tags", "named_set", "said"),
    [
        (["wsgy"], "", "--tag wsgy: no entry has this tag; did you mean wsgi? there is aiohttp, asgi, asyncpg, "),
        (
            ["asgi", "psycopg"],
            "",
            "--tag asgi,psycopg: no entry has all of these; asgi is crax; psycopg is django, flask",
        ),
        (["wsgi"], "study", "--tag wsgi: no entry of --set study has all of these; wsgi is django, flask"),
    ],
)
def test_a_tag_that_nothing_has_is_refused_with_what_there_is(tags: list[str], named_set: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(said)}"):
        selection.chosen(ENTRIES, [], tags, named_set)


def test_a_set_without_entries_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^--set popular: no entry is in this set"):
        selection.chosen({"crax": ENTRIES["crax"]}, named_set="popular")


def test_the_set_popular_has_the_entries_that_it_is_to_have_and_study_the_usual_ones() -> None:
    assert set(selection.of_set(LABELS, "popular")) == POPULAR & set(LABELS)
    assert tuple(selection.of_set(LABELS, "study")) == USUAL


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made_entries.project(tmp_path)


def _planned(root: Path, *arguments: str) -> list[str]:
    ended = made_entries.ended(root, "--dry-run", "--profile", "study", "--test", "json", *arguments)
    assert ended.returncode == 0, ended.stderr
    (line,) = re.findall(r"^entries +(.+)$", ended.stdout, re.MULTILINE)
    return str(line).split(", ")


def test_a_run_of_a_tag_has_the_entries_with_it_and_those_that_are_named(root: Path) -> None:
    assert _planned(root, "--tag", "wsgi,psycopg") == ["made-12"]
    assert _planned(root, "--tag", "wsgi", "--tag", "granian", "--framework", "crax") == ["crax", "made-20"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tag", "asgy", "--dry-run"], "--tag asgy: no entry has this tag; did you mean asgi? there is aiohttp, "),
        (["verify", "--tag", "asgy"], "--tag asgy: no entry has this tag; did you mean asgi? there is aiohttp, "),
        (["list", "--tag", "asgy"], "--tag asgy: no entry has this tag; did you mean asgi? there is aiohttp, "),
        (["--tag", "asgi,", "--dry-run"], '--tag "asgi,": name a tag, as `python lab.py list` shows them'),
        (["--set", "popula"], "--set: unknown 'popula': did you mean popular? there is study, popular"),
        (["--set", "study", "--set", "popular"], "--set: it is given twice; name one value"),
    ],
)
def test_a_wrong_tag_or_set_is_one_line_and_a_wrong_command_line(root: Path, arguments: list[str], said: str) -> None:
    ended = made_entries.ended(root, *arguments)
    told = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told[-1].startswith(f"error: {said}")


def test_a_run_is_not_resumed_with_a_tag_that_means_other_entries(root: Path, manifest: Manifest) -> None:
    kept = replace(manifest, settings=replace(manifest.settings, frameworks=("aiohttp", "crax")))
    folder = store.create(root / "results", kept).folder
    ended = made_entries.ended(root, "--resume", str(folder), "--tag", "wsgi", "--framework", "crax")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "error: --resume keeps the run's own entries: --framework crax --tag wsgi means crax, made-04, made-08, "
        "made-12, made-16, made-20, the run has aiohttp, crax; leave that out"
    )
    # One that means the same goes on, as far as it comes without an engine.
    assert "no Docker engine answers" in made_entries.ended(root, "--resume", str(folder), "--set", "study").stderr


@pytest.mark.parametrize("width", [80, 120])
def test_a_list_of_many_entries_has_a_line_for_each_and_what_chooses_them(root: Path, width: int) -> None:
    listed = screens.printed(["-c", made_entries.ELSEWHERE, str(root), "list"], width, made_entries.environment(root))
    lines = listed.splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[1 : 1 + len(made_entries.EVERY)]] == list(made_entries.EVERY)
    words = " ".join(listed.split())
    assert "The same for all: proxy none, cpus all, workers" in words
    assert "--set study aiohttp, crax: measured where none is named" in words
    assert re.search(r"--tag .* granian \(4\),.* wsgi \(5\)", words)


def test_a_list_of_a_tag_has_its_entries_alone(root: Path) -> None:
    listed = made_entries.ended(root, "list", "--tag", "wsgi").stdout
    assert re.findall(r"^\| ([\w-]+)", listed, re.MULTILINE)[1:] == [
        "made-04",
        "made-08",
        "made-12",
        "made-16",
        "made-20",
    ]


def test_the_factors_of_a_kept_run_are_those_of_the_entries_with_a_tag(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(ROOT, ["factors", str(ROOT / "tests/kept/factors"), "--tag", "raw"]) == 0
    crossed = capsys.readouterr().out.partition("### How the entries are crossed")[2]
    assert re.findall(r"^\| ([\w-]+) +\|", crossed.partition("* ")[0], re.MULTILINE)[1:] == ["aiohttp-raw", "crax"]
