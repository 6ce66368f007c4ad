"""A new entry drafted from one that there is: folder, stanza, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchlab.cli import cli
from benchlab.core.errors import ConfigError
from benchlab.engine.context import Context
from benchlab.techempower import drafting

from ..entries import ENTRIES, ROOT, SERVICES

# In the order of compose.yaml.
FIRST, *_, LAST = [name for name in SERVICES if name in ENTRIES]
# Those that are built from a folder and files which entries share.
SHARING = [entry for entry in ENTRIES if SERVICES[entry]["build"]["context"] == "frameworks"]
# Written another way than the lab's own: a key in each line, comments between, no anchors.
PLAIN = """\
x-proxy: {http_proxy: ""}
x-entry: {user: nobody}
x-labels: {benchlab.lab: "yes"}
services:
  # The first.
  one:
    profiles: [entry]
    build:
      context: frameworks/one
    image: benchlab/one  # built here
    labels:
      benchlab.framework: one
      benchlab.note: "one of two"
  # What is loaded with.
  wrk: {image: benchlab/wrk}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    shutil.copytree(ROOT / "frameworks", tmp_path / "frameworks")
    return tmp_path


def _draft(root: Path, name: str, origin: str) -> dict[str, Any]:
    """Draft an entry, and return the stanzas."""
    drafting.write(root, drafting.plan(root, name, origin))
    found: dict[str, Any] = yaml.safe_load((root / "compose.yaml").read_text())["services"]
    return found


def _files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("origin", SHARING)
def test_a_draft_is_its_origin_under_another_name(lab: Path, origin: str) -> None:
    before = yaml.safe_load((lab / "compose.yaml").read_text())["services"]
    services = _draft(lab, "novel", origin)
    assert {name: stanza for name, stanza in services.items() if name != "novel"} == before
    stanza = services["novel"]
    named = {"benchlab.framework": "novel", "benchlab.default": "no"}
    assert stanza["labels"] == before[origin]["labels"] | named
    assert stanza["image"] == "benchlab/novel"
    assert stanza["build"] == before[origin]["build"] | {"dockerfile": "novel/Dockerfile"}
    same = ("command", "environment", "profiles", "cpuset", "user", "networks")
    assert {key: stanza.get(key) for key in same} == {key: before[origin].get(key) for key in same}

    home = Path(before[origin]["build"]["dockerfile"]).parent
    copied, source = _files(lab / "frameworks/novel"), _files(lab / "frameworks" / home)
    assert copied.pop(Path("README.md")).startswith(b"# novel\n")
    source.pop(Path("README.md"))
    # Of its Dockerfile nothing but the folder that it copies from.
    dockerfile = copied[Path("Dockerfile")]
    assert b" novel/app.py" in dockerfile
    assert dockerfile.replace(b" novel/", f" {home}/".encode()) == source.pop(Path("Dockerfile"))
    assert {name: text for name, text in copied.items() if name != Path("Dockerfile")} == source


@pytest.mark.parametrize("origin", SHARING)
def test_a_draft_s_image_is_built_from_its_own_folder_and_what_is_shared(lab: Path, origin: str) -> None:
    build = _draft(lab, "novel", origin)["novel"]["build"]
    taken = Context.of({**build, "context": lab / build["context"]}).files()
    assert {path.relative_to(lab / "frameworks").parts[0] for path in taken} == {".dockerignore", "novel", "shared"}


def test_a_folder_that_is_copied_by_hand_is_refused_until_its_dockerfile_names_it(lab: Path) -> None:
    shutil.copytree(lab / "frameworks/crax", lab / "frameworks/mine")
    copy = Context.of({"context": lab / "frameworks", "dockerfile": "mine/Dockerfile"})
    with pytest.raises(ConfigError, match=r"mine/Dockerfile copies crax/requirements.txt, .* change crax/ to mine/"):
        copy.files()
    dockerfile = lab / "frameworks/mine/Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("crax/", "mine/"))
    assert lab / "frameworks/crax/app.py" not in copy.files()


def test_an_entry_with_a_context_of_its_own_gives_a_draft_with_one_too(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(PLAIN)
    (tmp_path / "frameworks/one").mkdir(parents=True)
    (tmp_path / "frameworks/one/Dockerfile").write_text("FROM base\nCOPY one/app.py ./\n")
    assert _draft(tmp_path, "two", "one")["two"]["build"] == {"context": "frameworks/two"}
    assert (tmp_path / "frameworks/two/Dockerfile").read_text() == "FROM base\nCOPY one/app.py ./\n"


def test_nothing_of_compose_yaml_is_written_anew_but_the_stanza(lab: Path) -> None:
    before = (lab / "compose.yaml").read_text()
    services = _draft(lab, "novel", FIRST)
    after = (lab / "compose.yaml").read_text()
    begin = after.index("\n\n  novel:\n")
    end = after.index("\n\n", begin + 2)
    assert after[:begin] + after[end:] == before
    assert list(services)[list(services).index("novel") - 1] == LAST


def test_a_stanza_that_is_written_another_way_is_copied_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(PLAIN)
    (tmp_path / "frameworks/one").mkdir(parents=True)
    _draft(tmp_path, "two", "one")
    stanza = """\
  two:
    profiles: [entry]
    build:
      context: frameworks/two
    image: benchlab/two  # built here
    labels:
      benchlab.framework: two
      benchlab.note: "one of two"
      benchlab.default: "no"
"""
    rest = "  # What is loaded with."
    assert (tmp_path / "compose.yaml").read_text() == PLAIN.replace(rest, f"\n{stanza}{rest}")


@pytest.mark.parametrize(
    ("name", "origin", "said"),
    [
        (LAST, FIRST, f"{LAST} is in compose.yaml already; take another name"),
        ("wrk", FIRST, "wrk is in compose.yaml already"),
        ("Novel", FIRST, "'Novel' cannot be an entry's name"),
        ("../novel", FIRST, "'../novel' cannot be an entry's name"),
        ("novel", f"{LAST}z", f"--from {LAST}z: did you mean {LAST}? there is {FIRST}, "),
        ("novel", "db", f"--from db: there is {FIRST}, "),
        ("left", FIRST, "frameworks/left is there already; take another name, or remove it"),
    ],
)
def test_what_cannot_be_drafted_is_told_and_nothing_is_written(lab: Path, name: str, origin: str, said: str) -> None:
    (lab / "frameworks/left").mkdir()
    before = _files(lab)
    with pytest.raises(ConfigError, match=f"^{said.replace('?', '[?]')}"):
        _draft(lab, name, origin)
    assert _files(lab) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("      benchlab.framework: one\n", "", "line 12 has no benchlab.framework of its own"),
        ("      benchlab.framework: one\n", "      - benchlab.framework=one\n", "cannot be copied|is not valid YAML"),
        ("\n      context: frameworks/one", " frameworks/one", "line 8 has no context of its own"),
        ("    image: benchlab/one  # built here\n", "", "line 7 has no image of its own"),
    ],
)
def test_a_stanza_that_lacks_what_must_be_changed_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "compose.yaml").write_text(PLAIN.replace(old, new))
    with pytest.raises(ConfigError, match=f"^.*compose.yaml.*{said}"):
        drafting.plan(tmp_path, "two", "one")


def test_labels_that_are_a_list_are_refused(tmp_path: Path) -> None:
    labels = PLAIN[PLAIN.index("      benchlab.framework") : PLAIN.index("  # What is loaded")]
    (tmp_path / "compose.yaml").write_text(PLAIN.replace(labels, "      - benchlab.framework=one\n"))
    with pytest.raises(ConfigError, match=r"^compose.yaml: line 12 has no benchlab.framework of its own, as a key"):
        drafting.plan(tmp_path, "two", "one")


def test_a_service_that_says_nothing_is_no_entry(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(f"{PLAIN}  empty:\n")
    (tmp_path / "frameworks/one").mkdir(parents=True)
    assert "two" in _draft(tmp_path, "two", "one")


def test_where_the_folder_cannot_be_copied_compose_yaml_stays(lab: Path) -> None:
    draft = drafting.plan(lab, "novel", FIRST)
    shutil.rmtree(draft.source)
    before = _files(lab)
    with pytest.raises(ConfigError, match=r"^novel cannot be written"):
        drafting.write(lab, draft)
    assert _files(lab) == before


def test_the_command_tells_what_it_made_and_what_comes_next(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = drafting.plan(lab, "novel", LAST).source.relative_to(lab)
    assert cli.main(lab, ["new", "novel", "--from", LAST]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"drafted novel: frameworks/novel is a copy of {source}, its stanza is in compose.yaml\n"
    assert "python lab.py verify --framework novel" in printed.err
