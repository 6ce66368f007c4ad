"""What the command line refuses once it has asked Compose or the engine."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

from benchlab.storage import store
from tests.unit.conftest import make_manifest

from .conftest import JSON, Project


def test_an_unknown_framework_is_one_line_with_the_one_that_was_meant(project: Project) -> None:
    code, printed = project.run("--framework", "crx")
    assert (code, printed.count("\n")) == (2, 1)
    assert printed.startswith("error: ")
    assert "unknown framework crx: did you mean crax?" in printed


def test_a_run_whose_entry_was_removed_is_not_resumed_and_that_is_no_wrong_command_line(project: Project) -> None:
    manifest = make_manifest()
    removed = replace(manifest, settings=replace(manifest.settings, frameworks=("removed",)))
    folder = store.create(project.root / "results", removed).folder
    code, printed = project.run("--resume", str(folder))
    assert (code, printed.count("\n")) == (1, 1)
    assert "cannot be resumed: unknown framework removed: there is" in printed


def test_a_stanza_without_a_required_label_is_named(project: Project) -> None:
    compose = project.root / "compose.yaml"
    compose.write_text(compose.read_text().replace("benchlab.json: ujson", "benchlab.note: none", 1))
    code, printed = project.run("list")
    assert (code, printed) == (1, "error: compose.yaml: aiohttp: label benchlab.json is missing; add it\n")


def test_a_build_that_fails_shows_the_end_of_its_log(project: Project) -> None:
    project.add_entry("unbuildable", "aiohttp", lambda app: app)
    (project.root / "frameworks/unbuildable/Dockerfile").write_text("FROM benchlab/base\nRUN echo no way && false\n")
    code, printed = project.run(*JSON, "--framework", "unbuildable")
    assert code == 1
    assert "error: building unbuildable failed" in printed
    assert "no way" in printed


def test_a_results_folder_that_cannot_be_written_is_told_before_measuring(project: Project) -> None:
    shutil.rmtree(project.root / "results")
    (project.root / "results").write_text("")
    code, printed = project.run(*JSON, "--framework", "crax")
    assert code == 1
    assert re.search(r"error: .*results.* cannot be written \(.+\); mend its owner or rights", printed)
    assert "--resume" not in printed
