"""Which images go and which stay, on an engine that knows images and containers by their names alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchlab.engine import building, images
from benchlab.engine.building import Removed
from benchlab.engine.engine import Engine
from benchlab.engine.images import Image

NOW = datetime(2026, 11, 29, tzinfo=UTC)
COMMITS = [f"{number:012x}" for number in range(14)]


class Keeping(Engine):
    """Keeps images in the order in which they were named, and whatever uses some, by their names."""

    def __init__(self, kept: Iterable[Image], used: dict[str, str] | None = None):
        self.project = "benchlab"
        self.kept, self.used = list(kept), used or {}

    def info(self) -> dict[str, Any]:
        return {"ID": "this engine"}

    def every_image(self) -> list[Image]:
        return list(self.kept)

    def named_at(self, image_id: str) -> datetime:
        return NOW + timedelta(days=[image.id for image in self.kept].index(image_id))

    def remove_unused_image(self, name: str) -> str:
        if name in self.used:
            return f"container {self.used[name]} uses it"
        self.kept = [image for image in self.kept if image.names != (name,)]
        return ""

    def remove_unnamed_image(self, image_id: str) -> None:
        self.kept = [image for image in self.kept if image.id != image_id]

    @property
    def names(self) -> list[str]:
        return [name for image in self.kept for name in image.names]


def _built(name: str, project: str = "benchlab", *others: str) -> Image:
    """Return an image that the project's lab built under that name; others may have been given to it since."""
    return Image(f"id of {name}", (name, *others), images.labels(project, name))


def _note(state: Path, *ids: str) -> None:
    known = {"this engine": {f"service {image_id}": ["inputs", image_id] for image_id in ids}}
    (state / "built.json").write_text(json.dumps(known))


def test_clean_removes_what_the_lab_built_whatever_it_is_called_and_nothing_that_is_only_called_so(
    tmp_path: Path,
) -> None:
    mine = Image("mine", ("benchlab/mine:latest",), {})
    on_top = Image("on top", ("me/app:latest",), images.labels("benchlab", "benchlab/base"))
    of_another_lab = _built("benchlab/crax:latest", "elsewhere")
    on = Keeping(
        [
            _built("benchlab/injected:latest"),
            _built("benchlab/starlette:0123456789ab"),
            _built("me/entry:latest"),
            mine,
            on_top,
            of_another_lab,
        ]
    )
    removed = building.remove(on, tmp_path)
    names = ("benchlab/injected:latest", "benchlab/starlette:0123456789ab", "me/entry:latest")
    assert removed == Removed(names, (), ("benchlab/mine:latest", "benchlab/crax:latest"))
    assert on.kept == [mine, on_top, of_another_lab]
    (line,) = building.kept_images(removed)
    assert line.startswith("left alone: benchlab/mine:latest, benchlab/crax:latest; no label says that this lab built")
    assert line.endswith("; `docker rmi benchlab/mine:latest benchlab/crax:latest` removes them")


def test_a_tag_that_a_user_gave_an_image_of_the_lab_stays(tmp_path: Path) -> None:
    _note(tmp_path, "id of benchlab/crax:latest", "of old")
    of_old = Image("of old", ("benchlab/nginx:latest", "benchlab/nginx:mine"), {})
    on = Keeping([_built("benchlab/crax:latest", "benchlab", "benchlab/crax:mine"), of_old, _built("me/app:1")])
    removed = building.remove(on, tmp_path)
    assert removed.names == ("benchlab/crax:latest", "benchlab/nginx:latest", "me/app:1")
    assert removed.unknown == ("benchlab/crax:mine", "benchlab/nginx:mine")


def test_an_image_that_a_stranger_s_container_uses_is_told_with_the_container_and_the_rest_goes(tmp_path: Path) -> None:
    on = Keeping(
        [_built("benchlab/wrk:latest"), _built("benchlab/debian:trixie")], {"benchlab/debian:trixie": "tfb-database"}
    )
    removed = building.remove(on, tmp_path)
    assert removed.names == ("benchlab/wrk:latest",)
    assert building.kept_images(removed) == ["benchlab/debian:trixie stays: container tfb-database uses it"]
    assert on.names == ["benchlab/debian:trixie"]


def test_images_of_a_lab_that_gave_them_no_labels_are_known_by_what_it_noted_of_them(tmp_path: Path) -> None:
    _note(tmp_path, "of old", "without a name")
    old = Image("of old", ("benchlab/crax:latest", "me/crax:latest"), {})
    on = Keeping([old, Image("without a name", (), {}), Image("of a stranger", (), {})])
    assert building.remove(on, tmp_path).names == ("benchlab/crax:latest",)
    assert [image.id for image in on.kept] == ["of old", "of a stranger"]


@pytest.mark.parametrize(
    ("in_use", "kept"),
    [
        ([], COMMITS[2:]),
        # A run against an old commit found its image ready: that was named long ago.
        ([f"benchlab/starlette:{COMMITS[0]}", "benchlab/wrk"], [COMMITS[0], *COMMITS[3:]]),
    ],
)
def test_the_images_of_the_last_commits_are_kept_and_those_of_the_run(
    tmp_path: Path, in_use: list[str], kept: list[str]
) -> None:
    entries = ("benchlab/starlette", "benchlab/crax")
    others = [_built("benchlab/starlette:latest"), Image("mine", (f"me/app:{COMMITS[0]}",), {})]
    on = Keeping([*(_built(f"{entry}:{commit}") for commit in COMMITS for entry in entries), *others])
    for commit in COMMITS:
        (tmp_path / "at" / f"{commit}{'0' * 28}").mkdir(parents=True)
    building.prune(on, tmp_path, in_use)
    names = [f"{entry}:{commit}" for commit in kept for entry in entries]
    assert on.names == [*names, "benchlab/starlette:latest", f"me/app:{COMMITS[0]}"]
    assert sorted(path.name[:12] for path in (tmp_path / "at").iterdir()) == kept


@pytest.mark.parametrize(
    ("name", "repository", "commit"),
    [
        ("benchlab/crax", "benchlab/crax", None),
        ("benchlab/crax:latest", "benchlab/crax", None),
        ("benchlab/crax:0123456789ab", "benchlab/crax", "0123456789ab"),
        ("host:5000/crax", "host:5000/crax", None),
        ("host:5000/crax:1", "host:5000/crax", None),
    ],
)
def test_a_name_is_told_from_its_tag(name: str, repository: str, commit: str | None) -> None:
    assert (images.repository(name), images.commit(name)) == (repository, commit)


def test_the_image_of_a_commit_is_called_by_it_also_where_the_entry_s_has_a_tag() -> None:
    assert images.at_commit("me/app:1", "0123456789abcdef") == "me/app:0123456789ab"
