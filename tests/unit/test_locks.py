from __future__ import annotations

from pathlib import Path

import pytest

from benchlab.machine import locks

from .conftest import LABELS

WANTED = """\
# what the entries of the folder need
aiohttp
gunicorn
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
gunicorn==27.0.1 \\
    --hash=sha256:00
sqlalchemy==2.1.9 \\
    --hash=sha256:00
uvicorn-worker==0.3 ; python_version >= '3.11' \\
    --hash=sha256:00
"""
AIOHTTP = LABELS | {"framework": "aiohttp", "orm": "full"}


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (AIOHTTP, "aiohttp 3.14.5, gunicorn 27.0.1, sqlalchemy 2.1.9"),
        (AIOHTTP | {"orm": "raw"}, "aiohttp 3.14.5, gunicorn 27.0.1"),
        (AIOHTTP | {"server": "Uvicorn.Worker"}, "aiohttp 3.14.5, sqlalchemy 2.1.9, uvicorn-worker 0.3"),
        (AIOHTTP | {"json": "greenlet"}, "aiohttp 3.14.5, gunicorn 27.0.1, sqlalchemy 2.1.9"),
        (AIOHTTP | {"origin": "adopted"}, "aiohttp 3.14.5, gunicorn 27.0.1, sqlalchemy 2.1.9, uvicorn-worker 0.3"),
    ],
)
def test_of_a_folder_s_locked_versions_those_are_told_that_the_entry_s_labels_say_it_uses(
    tmp_path: Path, labels: dict[str, str], told: str
) -> None:
    (tmp_path / "requirements.in").write_text(WANTED)
    (tmp_path / "requirements.txt").write_text(LOCKED)
    assert locks.versions(tmp_path, labels) == told


def test_a_folder_that_locks_nothing_has_no_versions(tmp_path: Path) -> None:
    assert locks.versions(tmp_path, LABELS) == ""
    (tmp_path / "requirements.txt").write_text(LOCKED)
    assert locks.versions(tmp_path, LABELS) == ""
