from __future__ import annotations

from pathlib import Path

from benchlab.host import inventory

WANTED = """\
# what the entry needs
aiohttp
SQLAlchemy[asyncio]
uvicorn_worker==0.3  # pinned
-r other.in
"""
LOCKED = """\
aiohttp==3.14.5 \\
    --hash=sha256:00
    # via -r requirements.in
greenlet==3.1 ; platform_machine == 'x86_64' \\
    --hash=sha256:00
sqlalchemy==2.1.9 \\
    --hash=sha256:00
uvicorn-worker==0.3 ; python_version >= '3.11' \\
    --hash=sha256:00
"""


def test_what_is_asked_for_by_name_is_told_with_its_locked_version(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text(WANTED)
    (tmp_path / "requirements.txt").write_text(LOCKED)
    assert inventory.versions(tmp_path) == "aiohttp 3.14.5, sqlalchemy 2.1.9, uvicorn-worker 0.3"


def test_a_folder_that_locks_nothing_has_no_versions(tmp_path: Path) -> None:
    assert inventory.versions(tmp_path) == ""
    (tmp_path / "requirements.txt").write_text(LOCKED)
    assert inventory.versions(tmp_path) == ""
