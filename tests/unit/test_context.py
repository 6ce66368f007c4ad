"""Which files an image is built from: a whole context, or of one that images share its folder and what it copies."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

from benchlab.core.errors import ConfigError
from benchlab.engine import context
from benchlab.engine.context import Context

COPIES = """\
FROM base
# COPY other/app.py ./
COPY --chown=1:1 mine/requirements.txt ./
RUN pip install other/app.py
COPY shared/raw.py \\
     ./mine/app.py \\

     /shared/page.html ./
COPY --from=build /other/lib /lib
"""
FILES = {
    ".dockerignore": "**/README.md\n",
    "mine/Dockerfile": COPIES,
    "mine/app.py": "1",
    "mine/requirements.txt": "1",
    "mine/lib/README.md": "1",
    "shared/raw.py": "1",
    "shared/page.html": "1",
    "shared/orm.py": "1",
    "other/Dockerfile": "FROM base\n",
    "other/app.py": "1",
}
TAKEN = {name for name in FILES if name not in ("shared/orm.py", "other/Dockerfile", "other/app.py")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def _taken(built: Context) -> set[str]:
    return {str(path.relative_to(built.folder)) for path in built.files() if path.is_file()}


def _mine(folder: Path, dockerfile: str = COPIES) -> Context:
    (folder / "mine/Dockerfile").write_text(dockerfile)
    return Context.of({"context": str(folder), "dockerfile": "mine/Dockerfile"})


def _digest(built: Context) -> str:
    return built.digest({}, "base")


def test_an_image_of_a_shared_context_is_built_from_its_folder_and_what_its_dockerfile_names(folder: Path) -> None:
    built = _mine(folder)
    assert (built.own, built.home) == ("mine", folder / "mine")
    assert _taken(built) == TAKEN


@pytest.mark.parametrize("build", [{}, {"dockerfile": "Dockerfile"}, {"dockerfile": "../mine/Dockerfile"}])
def test_a_context_whose_dockerfile_lies_in_no_folder_of_it_is_taken_whole(folder: Path, build: dict[str, str]) -> None:
    built = Context.of({"context": str(folder), **build})
    assert (built.home, _taken(built)) == (folder, set(FILES))


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_digest_follows_what_the_image_is_built_from_and_nothing_else(folder: Path, name: str) -> None:
    before = _digest(_mine(folder))
    path = folder / name
    path.write_text(f"{path.read_text()}\n# changed\n")
    after = _digest(Context.of({"context": str(folder), "dockerfile": "mine/Dockerfile"}))
    assert (after != before) == (name in TAKEN)


def test_bytecode_is_no_part_of_an_image_wherever_the_lab_lies(tmp_path: Path) -> None:
    folder = tmp_path / "__pycache__/lab"
    (folder / "lib/__pycache__").mkdir(parents=True)
    for name in ("Dockerfile", "lib/__pycache__/app.pyc"):
        (folder / name).write_text("x")
    assert _taken(Context.of({"context": str(folder)})) == {"Dockerfile"}


def test_a_dockerfile_may_be_named_by_its_whole_path(folder: Path) -> None:
    named, whole = ("mine/Dockerfile", f"{folder}/mine/Dockerfile")
    named_so = [Context.of({"context": str(folder), "dockerfile": path}) for path in (named, whole)]
    assert [built.own for built in named_so] == ["mine", "mine"]
    assert len({built.digest({"dockerfile": str(built.dockerfile)}, "") for built in named_so}) == 1


@pytest.mark.parametrize(
    "line",
    [
        "COPY ${WHERE}/app.py ./",
        "COPY shared/*.py ./",
        'COPY ["shared/raw.py", "./"]',
        "COPY . ./",
        "COPY not-there shared/raw.py ./",
        "COPY <<END ./",
        "RUN --mount=type=bind,source=shared,target=/s cp /s/raw.py ./",
    ],
)
def test_where_a_dockerfile_does_not_name_its_files_the_whole_context_counts(folder: Path, line: str) -> None:
    assert _taken(_mine(folder, f"FROM base\n{line}\n")) == set(FILES)
    assert _taken(_mine(folder, "# escape=`\nFROM base\nCOPY shared/raw.py ./\n")) == set(FILES)


def test_a_folder_beside_the_dockerfile_s_is_the_image_s_own_too_where_no_other_image_has_it(tmp_path: Path) -> None:
    for name in ("docker/Dockerfile", "app/app.py", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("FROM base\nCOPY app /app\n")
    built = Context.of({"context": str(tmp_path), "dockerfile": "docker/Dockerfile"})
    assert _taken(built) == {"docker/Dockerfile", "app/app.py"}


@pytest.mark.parametrize("source", ["other/app.py", "./other/app.py", "/other"])
def test_a_copied_dockerfile_that_still_takes_the_other_s_files_is_refused(folder: Path, source: str) -> None:
    built = _mine(folder, f"FROM base\nCOPY shared/raw.py {source} ./\n")
    problem = (
        f"{folder}/mine/Dockerfile copies {source.lstrip('/')}, which belongs to another entry; change other/ to "
        "mine/, or keep what both need in a folder that has no Dockerfile"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(problem)}$"):
        _digest(built)


def test_a_dockerfile_that_is_gone_is_the_builder_s_to_tell(folder: Path) -> None:
    built = _mine(folder)
    (folder / "mine/Dockerfile").unlink()
    assert _taken(built) == {".dockerignore", "mine/app.py", "mine/requirements.txt", "mine/lib/README.md"}


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("COPY one/app.py ./one/lib one ./", "COPY two/app.py ./two/lib two ./"),
        ("copy --chown=1:1 one/app.py \\\n  one/b one/", "copy --chown=1:1 two/app.py \\\n  two/b one/"),
        ('ADD ["one/app.py", "./"]', 'ADD ["two/app.py", "./"]'),
        ("COPY shared/one/a one.py ones/a ./", "COPY shared/one/a one.py ones/a ./"),
        ("COPY --from=one one/app.py ./", "COPY --from=one one/app.py ./"),
        ("RUN rm one/app.py", "RUN rm one/app.py"),
        ("# COPY one/app.py ./", "# COPY one/app.py ./"),
    ],
)
def test_a_folder_is_renamed_where_a_dockerfile_copies_from_it(line: str, after: str) -> None:
    assert (
        context.renamed(f"FROM one\n{line}\nCMD one/app.py\n", "one", "two") == f"FROM one\n{after}\nCMD one/app.py\n"
    )


def test_a_dockerfile_s_place_is_a_path_in_its_context() -> None:
    assert Context.of({"context": "/lab"}) == Context(Path("/lab"), PurePosixPath("Dockerfile"))
