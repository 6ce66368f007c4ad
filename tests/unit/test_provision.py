from __future__ import annotations

from pathlib import Path

import pytest

from benchlab import provision
from benchlab.errors import NoEngineError


def test_the_images_get_the_certificates_of_this_machine_and_no_others(tmp_path: Path) -> None:
    source, target = tmp_path / "host", tmp_path / "image"
    (source / "company").mkdir(parents=True)
    target.mkdir()
    (source / "company" / "a.crt").write_text("new")
    (source / "other").mkdir()
    (source / "other" / "a.crt").write_text("another")
    (source / "dangling.crt").symlink_to(source / "nowhere")
    (source / "readme.txt").write_text("no certificate")
    (target / "company-a.crt").write_text("old")
    (target / "gone.crt").write_text("revoked")
    (target / ".gitignore").write_text("*")
    provision.copy_certificates(source, target)
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "company-a.crt": "new",
        "other-a.crt": "another",
        ".gitignore": "*",
    }


def test_a_machine_without_extra_certificates_is_fine(tmp_path: Path) -> None:
    provision.copy_certificates(tmp_path / "nowhere", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_was_named_is_not_replaced_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    said: list[str] = []
    with pytest.raises(NoEngineError, match="start Docker, or set DOCKER_HOST"):
        provision.engine("benchlab", said.append)
    assert said == []
