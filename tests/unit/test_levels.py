"""What an entry's image is built from at a level: copies of its files with another lock, base or checkout.

Packages come from a folder of wheels made here, so that uv needs no network.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from benchlab.core.errors import ConfigError, UsageError
from benchlab.engine import levels
from benchlab.engine.context import Context
from benchlab.factors.factor import Service

from .made_commits import commit, git

DOCKERFILE = """\
FROM benchlab/base

COPY mine/requirements.txt ./
RUN pip install --require-hashes --only-binary=:all: -r requirements.txt
COPY shared/raw.py mine/app.py ./
"""


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an index of four packages: web 1.0 needs core 1, web 2.0 needs core 2, and strict goes with core 1 only."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _wheel(wheels, "web", "1.0", "core<2")
    _wheel(wheels, "web", "2.0", "core>=2")
    _wheel(wheels, "core", "1.0")
    _wheel(wheels, "core", "2.0")
    _wheel(wheels, "strict", "1.0", "core<2")
    _wheel(wheels, "spare", "1.0")
    config = tmp_path / "uv.toml"
    config.write_text(f'no-index = true\nfind-links = ["{wheels}"]\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))


def _wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    info = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Return an entry with a lock of web 1.0, what that needs, and spare."""
    frameworks = tmp_path / "frameworks"
    for name, text in {
        "mine/Dockerfile": DOCKERFILE,
        "mine/app.py": "",
        "mine/requirements.in": "web\nspare\n",
        "mine/requirements.txt": "web==1.0\ncore==1.0\nspare==1.0\n",
        "shared/raw.py": "",
        "other/app.py": "",
    }.items():
        (frameworks / name).parent.mkdir(parents=True, exist_ok=True)
        (frameworks / name).write_text(text)
    return {
        "image": "benchlab/mine",
        "build": {"context": str(frameworks), "dockerfile": "mine/Dockerfile", "args": {"A": "1"}},
        "labels": {"benchlab.server": "x"},
    }


def _with(service: Service, package: str, level: str) -> Service:
    root = Path(service["build"]["context"]).parent
    return levels.with_package(service, package, level, root, root / "state")


def _files(service: Service) -> dict[str, str]:
    context = Context.of(service["build"])
    files = (path for path in context.files() if path.is_file())
    return {path.relative_to(context.folder).as_posix(): path.read_text() for path in files}


def _locked(service: Service) -> list[str]:
    return sorted(line.split()[0] for line in levels.lock_of(service).splitlines() if "==" in line)


def test_the_lock_has_the_version_with_hashes_and_the_rest_stays_but_for_what_must_move(service: Service) -> None:
    made = _with(service, "web", "2.0")
    assert _locked(made) == ["core==2.0", "spare==1.0", "web==2.0"]
    assert levels.lock_of(made).count("--hash=sha256:") == 3
    labelled = levels.with_moved(made, service, {"web": "2.0"})
    assert labelled["labels"] == {"benchlab.server": "x", "benchlab.moved": "core 1.0 → 2.0"}
    assert levels.with_moved(service, service, {"web": "1.0"}) == service


def test_all_else_is_as_the_entry_has_it_and_the_entry_is_not_changed(service: Service) -> None:
    before = _files(service)
    made = _with(service, "web", "2.0")
    assert _files(service) == before
    same = ("mine/Dockerfile", "mine/app.py", "shared/raw.py")
    assert {name: _files(made)[name] for name in same} == {name: before[name] for name in same}
    assert "other/app.py" not in _files(made)
    assert made["build"]["args"] == {"A": "1"}


def test_a_level_is_made_once_and_another_has_another_image(service: Service) -> None:
    one, again, other = (_with(service, "web", level) for level in ("2.0", "2.0", "1.0"))
    assert one == again
    assert one["image"] != other["image"]
    assert {made["image"].partition(":")[0] for made in (one, other)} == {"benchlab/mine"}


def test_a_package_can_be_left_out_where_the_entry_asks_for_it(service: Service) -> None:
    assert _locked(_with(service, "spare", "none")) == ["core==1.0", "web==1.0"]


def test_levels_of_two_packages_hold_both(service: Service, tmp_path: Path) -> None:
    one = levels.with_package(service, "web", "2.0", tmp_path, tmp_path / "state")
    both = levels.with_package(one, "spare", "none", tmp_path, tmp_path / "state")
    assert _locked(both) == ["core==2.0", "web==2.0"]


@pytest.mark.parametrize(
    ("asked", "package", "level", "problem"),
    [
        ("web\n", "web", "9.9", "--vary web=9.9: mine: .*no version of web==9.9"),
        ("web\nstrict\n", "web", "2.0", "--vary web=2.0: mine: .*strict"),
        ("web\n", "core", "none", "--vary core=none: mine does not ask for it itself"),
        ("web\n", "uvicorn", "1.0", "--vary uvicorn=1.0: mine has no package uvicorn; "),
        ("web\n", "web", "./nothing", "--vary web=./nothing: there is no folder "),
        ("web\n", "web", "./empty", "--vary web=./empty: it has no pyproject.toml and no setup.py"),
        ("web\n", "web", "git+file:///nowhere@main", "--vary web=git.*: git clone failed"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    service: Service, tmp_path: Path, asked: str, package: str, level: str, problem: str
) -> None:
    (tmp_path / "frameworks/mine/requirements.in").write_text(asked)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=f"^{problem}") as raised:
        _with(service, package, level)
    assert "\n" not in str(raised.value)


def test_an_entry_without_a_lock_has_no_levels_of_packages(service: Service, tmp_path: Path) -> None:
    (tmp_path / "frameworks/mine/requirements.in").unlink()
    with pytest.raises(ConfigError, match=r"mine has no lock"):
        _with(service, "web", "2.0")


def _project(folder: Path, needs: str = "core<2") -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "web"\nversion = "3.0"\ndependencies = ["{needs}"]\n[build-system]\nrequires = []\n'
    )
    (folder / "web.py").write_text("")
    return folder


def test_a_checkout_is_built_where_compilers_are_and_installed_in_the_package_s_place(
    service: Service, tmp_path: Path
) -> None:
    _project(tmp_path / "checkout", needs="core>=2")
    made = _with(service, "web", "./checkout")
    files = _files(made)
    assert _locked(made) == ["core==2.0", "spare==1.0"]
    assert files["mine/checkouts/web/web.py"] == ""
    assert files["mine/checkouts/web.version"] == "1.0"
    stages = [line for line in files["mine/Dockerfile"].splitlines() if line.startswith(("FROM", "COPY"))]
    assert stages == [
        "FROM benchlab/base-dev AS checkouts",
        "COPY mine/checkouts /checkouts",
        "FROM benchlab/base",
        "COPY --from=checkouts /wheels /wheels",
        "COPY mine/requirements.txt ./",
        "COPY shared/raw.py mine/app.py ./",
    ]
    assert made["labels"]["benchlab.builds-on"] == "benchlab/base-dev"


def test_a_repository_s_files_are_those_that_git_has_and_at_a_commit_those_of_that(
    service: Service, tmp_path: Path
) -> None:
    project = _project(tmp_path / "checkout")
    git(project, "init", "--quiet")
    (project / ".gitignore").write_text("ignored\n")
    first = commit(project, "web.py", "old")
    commit(project, "web.py", "new")
    (project / "ignored").write_text("")
    (project / "untracked.py").write_text("")
    now, then = _with(service, "web", "./checkout"), _with(service, "web", f"git+file://{project}@{first}")
    own = "mine/checkouts/web/"
    names = {name.removeprefix(own) for name in _files(now) if name.startswith(own)}
    assert {"web.py", "untracked.py"} <= names
    assert not names & {"ignored", ".git"}
    assert (_files(now)[f"{own}web.py"], _files(then)[f"{own}web.py"]) == ("new", "old")


def test_a_package_that_another_needs_cannot_be_left_out(service: Service, tmp_path: Path) -> None:
    (tmp_path / "frameworks/mine/requirements.in").write_text("web\ncore\n")
    with pytest.raises(UsageError, match=r"^--vary core=none: mine cannot do without"):
        _with(service, "core", "none")


def test_a_checkout_is_named_by_its_commit_and_its_files_and_keeps_the_extras(service: Service, tmp_path: Path) -> None:
    (tmp_path / "frameworks/mine/requirements.in").write_text("web[fast]\nspare\n")
    project = _project(tmp_path / "checkout")
    git(project, "init", "--quiet")
    number = commit(project, "web.py", "1")
    made = _with(service, "web", "./checkout")
    assert re.fullmatch(rf"web of commit {number[:12]}, files [0-9a-f]{{12}}", made["labels"]["benchlab.checkout"])
    own = Path(made["build"]["context"], "mine")
    assert (own / "requirements.in").read_text() == "spare\nweb[fast] @ ./checkouts/web\n"


@pytest.mark.parametrize(
    ("level", "parts"),
    [
        ("git+file:///folder@main", ("file:///folder", "main")),
        ("git+https://host/a/b", ("https://host/a/b", "HEAD")),
        ("git+ssh://git@host/a/b", ("ssh://git@host/a/b", "HEAD")),
        ("git+ssh://git@host/a/b@feature/x", ("ssh://git@host/a/b", "feature/x")),
    ],
)
def test_a_repository_is_told_from_its_ref(level: str, parts: tuple[str, str]) -> None:
    assert levels._parts(level) == parts


def test_another_python_is_another_base(service: Service, tmp_path: Path) -> None:
    made = levels.on_python(service, "3.14", tmp_path / "state")
    assert _files(made)["mine/Dockerfile"].startswith("FROM benchlab/base:python-3.14\n")
    assert levels.lock_of(made) == levels.lock_of(service)


def test_a_kept_lock_holds_whatever_uv_would_choose(service: Service, tmp_path: Path) -> None:
    made = levels.with_package(service, "web", "1.0", tmp_path, tmp_path / "state", kept="web==1.0\ncore==1.5\n")
    assert _locked(made) == ["core==1.5", "web==1.0"]


def test_a_level_of_which_the_lock_is_kept_is_the_same_again(service: Service, tmp_path: Path) -> None:
    _project(tmp_path / "checkout")
    for package, level in (("web", "2.0"), ("web", "./checkout"), ("spare", "none")):
        made = _with(service, package, level)
        lock = levels.lock_of(made)
        assert levels.with_package(service, package, level, tmp_path, tmp_path / "state", kept=lock) == made
