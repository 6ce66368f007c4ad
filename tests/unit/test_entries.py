"""What entries that are compared must have in common, and that they are crossed."""

from __future__ import annotations

import re
from itertools import combinations, product

import pytest

from benchlab.engine.context import Context
from benchlab.statistics.factorial import comparable, cross

from ..entries import ENTRIES, LABELS, ROOT, SERVICES, USUAL

FOLDERS = [path.parent for path in sorted(ROOT.glob("frameworks/*/Dockerfile"))]
SHARED = ROOT / "frameworks/shared"
# What is an entry's own even where it happens to be equal to another's.
OWN = ("Dockerfile", "README.md", "requirements.in", "requirements.txt")
# What DATA_LAYER is for each level of the label.
LAYERS = {"full": "orm", "raw": "raw"}
# Entries that take a library in another version than the others, by the folder's name: Robyn 0.88 asks for uvloop 0.22.
APART = {("robyn", "uvloop")}


def _context(entry: str) -> Context:
    build = SERVICES[entry]["build"]
    return Context.of({**build, "context": ROOT / build["context"]})


def _shared(entry: str) -> set[str]:
    """Return the shared files that the entry's image is built from."""
    return {path.relative_to(SHARED).as_posix() for path in _context(entry).files() if path.is_relative_to(SHARED)}


def test_what_entries_share_lives_once() -> None:
    texts = {path: path.read_bytes() for folder in [*FOLDERS, SHARED] for path in folder.iterdir() if path.is_file()}
    mine = [path for path in texts if path.name not in OWN]
    assert [(one, other) for one, other in combinations(mine, 2) if texts[one] == texts[other]] == []


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_s_image_is_built_from_its_own_folder_and_shared_files_and_its_readme_names_these(entry: str) -> None:
    context = _context(entry)
    rest = [path for path in context.files() if not path.is_relative_to(context.home) and path.name != ".dockerignore"]
    assert [path for path in rest if path.parent != SHARED] == []
    readme = (context.home / "README.md").read_text()
    assert {name for name in _shared(entry) if f"(../shared/{name})" not in readme} == set()


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if "DATA_LAYER" in SERVICES[entry].get("environment", {})]
)
def test_the_data_layer_that_a_label_tells_of_is_the_shared_one_that_the_entry_gets(entry: str) -> None:
    layer = SERVICES[entry]["environment"]["DATA_LAYER"]
    assert layer == LAYERS[LABELS[entry]["orm"]]
    assert f"{layer}.py" in _shared(entry)


@pytest.mark.parametrize("server", sorted({labels["server"] for labels in LABELS.values()}))
def test_entries_behind_a_server_have_its_settings_and_the_lab_knows_what_it_logs(server: str) -> None:
    settings = {"gunicorn": "gunicorn.conf.py", "uvicorn": "serve.py"}
    behind = [entry for entry in ENTRIES if LABELS[entry]["server"] == server]
    assert [entry for entry in behind if server in settings and settings[server] not in _shared(entry)] == []
    assert (SHARED / f"log-patterns/{server}.toml").exists()


VARYING = [entry for entry in ENTRIES if "varies" in LABELS[entry]]


@pytest.mark.parametrize("entry", VARYING)
def test_what_an_entry_varies_is_read_by_its_files_and_is_usually_what_its_labels_say(entry: str) -> None:
    text = "\n".join(path.read_text() for path in _context(entry).files() if path.suffix == ".py")
    for choice in LABELS[entry]["varies"].split():
        name, _, levels = choice.partition("=")
        assert [word for word in (name.upper(), *levels.split(",")) if f'"{word}"' not in text] == []
        assert LABELS[entry].get(name, levels.split(",")[0]) == levels.split(",")[0]


@pytest.mark.parametrize(
    "package",
    [
        "asyncpg",
        "granian",
        "greenlet",
        "gunicorn",
        "httptools",
        "hypercorn",
        "jinja2",
        "orjson",
        "sqlalchemy",
        "starlette",
        "uvicorn",
        "uvicorn-worker",
        "uvloop",
    ],
)
def test_frameworks_that_are_compared_have_their_libraries_in_one_version(package: str) -> None:
    folders = [folder for folder in FOLDERS if (folder.name, package) not in APART]
    texts = [(folder / "requirements.txt").read_text() for folder in folders]
    first, *others = (version for text in texts for version in re.findall(rf"^{package}==\S+", text, re.M))
    assert others == [first] * len(others) != []


def test_the_frameworks_that_are_measured_where_none_is_named_are_crossed_whole_with_data_layers() -> None:
    chosen = comparable(LABELS, USUAL, [])
    frameworks = {LABELS[name]["framework"] for name in USUAL}
    assert set(USUAL) <= set(chosen)
    assert sorted((LABELS[name]["framework"], LABELS[name]["orm"]) for name in chosen) == sorted(
        product(frameworks, LAYERS)
    )
    assert cross({name: LABELS[name] for name in chosen}).missing == []


def test_there_are_entries_that_differ_in_their_server_alone() -> None:
    chosen = comparable(LABELS, USUAL, ["server"])
    assert len({LABELS[name]["server"] for name in chosen}) == len(chosen) > 1
    rest = [{key: LABELS[name][key] for key in ("framework", "orm", "driver", "loop", "json")} for name in chosen]
    assert rest == rest[:1] * len(chosen)
