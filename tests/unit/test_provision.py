from __future__ import annotations

from pathlib import Path

from benchlab import provision


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
