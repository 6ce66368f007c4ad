"""Where each Python is taken from: a registry's image, or a Debian release; and what is said where it is not to be had.

Images are made on an engine that knows them by their names alone; each has a Python, by what its builder was told.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchlab.core.errors import EngineError, SetupError
from benchlab.engine import building, images, pythons
from benchlab.engine.engine import Engine
from benchlab.engine.images import Image
from benchlab.engine.pythons import Builder, PythonBase
from benchlab.engine.topology import Topology
from benchlab.experiment import interpreters

FORKY, TRIXIE = "benchlab/debian:forky", "debian:trixie-slim"
UNREACHED = "pulling {} failed: no such host"


def _python(version: str, **seen: object) -> dict[str, object]:
    """Return what a Python says of itself."""
    usual = {"implementation": "CPython", "own_version": version, "build": "GCC 16.2.0"}
    return {**usual, "version": version, "is_free_threaded": False, "has_jit": False, **seen}


PYPY = _python("3.11.17", implementation="PyPy", own_version="8.0.1", build="PyPy 8.0.1 with GCC 16.2.0")


class Images(Engine):
    """Has images by name, each with its id and the Python in it; `registry` has more.

    `asked` is what was pulled, `removed` are the ids of what builds left without a name.
    """

    def __init__(self, here: Collection[str] = (), registry: dict[str, dict[str, object]] | None = None):
        self.here = {name: f"id of {name}" for name in here}
        self.pythons: dict[str, dict[str, object]] = {}
        self.registry = registry or {}
        self.asked: list[str] = []
        self.removed: list[str] = []

    def info(self) -> dict[str, Any]:
        return {"ID": "this engine"}

    def image_id(self, name: str) -> str | None:
        return self.here.get(name)

    def pull(self, repository: str, tag: str) -> None:
        name = f"{repository}:{tag}"
        self.asked.append(name)
        if name not in self.registry:
            raise EngineError(UNREACHED.format(name))
        self.here[name], self.pythons[name] = f"id of {name}", self.registry[name]

    def run_once(
        self, image: str, command: Sequence[str], volumes: Sequence[str] = (), cpuset: str | None = None
    ) -> str:
        return json.dumps(self.pythons[image])

    def remove_unnamed_image(self, image_id: str) -> None:
        self.removed.append(image_id)

    def remove_image(self, name: str) -> bool:
        return self.here.pop(name, None) is not None


@dataclass(frozen=True)
class Building(Topology):
    """A lab whose builds find their Python in the image below, or in the archive of a Debian release by its package.

    `built` has the arguments of each build.
    """

    on: Images = field(default_factory=Images)
    archives: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    built: list[dict[str, str]] = field(default_factory=list)

    def build(self, services: Collection[str], log: Path) -> None:
        for service in services:
            arguments = self.services[service]["build"]["args"]
            below, package = arguments["DEBIAN_IMAGE"], arguments["PYTHON_PACKAGES"].partition(" ")[0]
            self.built.append(arguments)
            there = self.archives.get(below, {}).get(package) if package else self.on.pythons[below]
            if there is None:
                raise SetupError(
                    f"building {service} failed; the log ends:\n…\n#7 3.1 E: Unable to locate package {package}\nFailed"
                )
            self.on.here[self.image(service)] = f"build {len(self.built)}"
            self.on.pythons[self.image(service)] = there


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images/base/rootfs" / building.CERTIFICATES).mkdir(parents=True)
    (tmp_path / "images/base/Dockerfile").write_text("FROM x")
    return tmp_path


def _lab(root: Path, on: Images, **archives: dict[str, dict[str, object]]) -> Building:
    build = {"context": str(root / "images/base"), "args": {"http_proxy": "p", "DEBIAN_IMAGE": TRIXIE}}
    services = {"base": {"image": "benchlab/base", "build": build}}
    by_image = {{"forky": FORKY, "trixie": TRIXIE}[release]: pythons for release, pythons in archives.items()}
    return Building(root, ("compose",), {}, "benchlab", services, on=on, archives=by_image)


def _base(lab: Building, level: str) -> PythonBase:
    return Builder(lab.on, lab, lab.root / ".lab", lambda line: None).base(interpreters.of_level(level))


def test_a_python_of_the_registry_is_taken_where_there_is_one(root: Path) -> None:
    lab = _lab(root, Images([FORKY], {"python:3.14-slim": _python("3.14.9")}), forky={"python3.14": _python("3.14.8")})
    assert _base(lab, "3.14") == PythonBase("benchlab/base:python-3.14", "python:3.14-slim 3.14.9 (GCC 16.2.0)")
    assert lab.built == [
        {
            "http_proxy": "p",
            "DEBIAN_IMAGE": "python:3.14-slim",
            "PYTHON": "python3",
            "PYTHON_PACKAGES": "",
            "PYTHON_JIT": "",
        }
    ]


@pytest.mark.parametrize(
    ("level", "program", "seen", "jit", "origin"),
    [
        ("3.14", "python3.14", _python("3.14.8"), "", "3.14.8 (GCC 16.2.0)"),
        ("3.14-jit", "python3.14", _python("3.14.8", has_jit=True), "1", "3.14.8 with its JIT on (GCC 16.2.0)"),
        ("pypy", "pypy3", PYPY, "", "8.0.1 (PyPy 8.0.1 with GCC 16.2.0)"),
    ],
)
def test_without_a_registry_the_python_is_that_of_debian_s_testing_release(
    root: Path, level: str, program: str, seen: dict[str, object], jit: str, origin: str
) -> None:
    lab = _lab(root, Images([FORKY]), forky={program: seen})
    assert _base(lab, level) == PythonBase(f"benchlab/base:python-{level}", f"Debian forky's {program} {origin}")
    [arguments] = lab.built
    assert (arguments["PYTHON"], arguments["PYTHON_PACKAGES"]) == (program, f"{program} {program}-venv")
    assert (arguments["DEBIAN_IMAGE"], arguments["PYTHON_JIT"]) == (FORKY, jit)


def test_a_python_that_the_testing_release_has_dropped_is_taken_from_the_stable_one(root: Path) -> None:
    lab = _lab(root, Images([FORKY, TRIXIE]), forky={}, trixie={"python3.13": _python("3.13.5")})
    assert _base(lab, "3.13").origin == "Debian trixie's python3.13 3.13.5 (GCC 16.2.0)"


def test_an_image_that_is_up_to_date_is_neither_built_nor_looked_for_again(root: Path) -> None:
    on = Images([FORKY])
    lab = _lab(root, on, forky={"python3.14": _python("3.14.8")})
    first = _base(lab, "3.14")
    on.asked.clear()
    assert (_base(lab, "3.14"), len(lab.built), on.asked) == (first, 1, [])


def test_a_change_of_the_base_s_files_or_of_what_it_starts_from_makes_the_image_anew(root: Path) -> None:
    on = Images([FORKY])
    lab = _lab(root, on, forky={"python3.14": _python("3.14.8")})
    _base(lab, "3.14")
    (root / "images/base/Dockerfile").write_text("FROM y")
    _base(lab, "3.14")
    on.here[FORKY] = "a newer Debian"
    _base(lab, "3.14")
    assert (len(lab.built), on.removed) == (3, ["build 1", "build 2"])


def test_a_registry_s_python_without_the_jit_is_passed_over_for_debian_s_before_anything_is_built(root: Path) -> None:
    on = Images([FORKY], {"python:3.14-slim": _python("3.14.9")})
    lab = _lab(root, on, forky={"python3.14": _python("3.14.8", has_jit=True)})
    assert _base(lab, "3.14-jit").origin == "Debian forky's python3.14 3.14.8 with its JIT on (GCC 16.2.0)"
    assert [arguments["DEBIAN_IMAGE"] for arguments in lab.built] == [FORKY]


def test_an_image_of_a_free_threaded_python_that_the_user_made_is_taken(root: Path) -> None:
    on = Images(["python:3.14t-slim"])
    on.pythons["python:3.14t-slim"] = _python("3.14.8", is_free_threaded=True)
    assert _base(_lab(root, on), "3.14t").origin == "python:3.14t-slim 3.14.8 (GCC 16.2.0)"
    assert on.asked == []


def test_an_image_that_has_another_python_than_its_name_says_is_refused(root: Path) -> None:
    on = Images(["python:3.14t-slim"])
    on.pythons["python:3.14t-slim"] = _python("3.14.8")
    with pytest.raises(SetupError, match=r"^no Python 3\.14t can be had: python:3\.14t-slim has the GIL; Debian has "):
        _base(_lab(root, on), "3.14t")


def test_a_python_that_nothing_has_is_refused_with_what_was_tried_and_what_to_do(root: Path) -> None:
    on = Images([FORKY, TRIXIE])
    with pytest.raises(SetupError) as raised:
        _base(_lab(root, on), "3.9")
    assert str(raised.value) == (
        "no Python 3.9 can be had: pulling python:3.9-slim failed: no such host; Debian forky has no python3.9; Debian "
        "trixie has no python3.9; reach a registry that has python:3.9-slim, or ask for another level"
    )


def test_a_free_threaded_python_is_not_looked_for_in_debian(root: Path) -> None:
    lab = _lab(root, Images([FORKY]), forky={"python3.14": _python("3.14.8")})
    with pytest.raises(SetupError) as raised:
        _base(lab, "3.14t")
    assert str(raised.value) == (
        "no Python 3.14t can be had: pulling python:3.14t-slim failed: no such host; Debian has no free-threaded "
        "Python; make an image of one and call it python:3.14t-slim (docs/pythons.md)"
    )
    assert lab.built == []


def test_an_image_of_a_debian_python_that_was_built_without_the_jit_does_not_stay(root: Path) -> None:
    on = Images([FORKY, TRIXIE])
    lab = _lab(root, on, forky={"python3.14": _python("3.14.8")})
    with pytest.raises(SetupError, match=r"Debian forky's python3\.14 was built without the JIT"):
        _base(lab, "3.14-jit")
    assert sorted(on.here) == [FORKY, TRIXIE]


def test_the_lab_knows_the_image_for_its_own_by_the_labels_of_its_build() -> None:
    name = pythons.name(interpreters.of_level("3.14t"))
    assert Image("id", (name,), images.labels("benchlab", name)).is_built_as(name, "benchlab")
