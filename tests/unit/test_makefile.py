from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("lab", "code"), [("true", 0), ("false", 2)])
def test_clean_removes_what_is_local_whether_or_not_the_lab_could_clean_the_engine(
    tmp_path: Path, lab: str, code: int
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    certificates = tmp_path / "images/base/rootfs/usr/local/share/ca-certificates"
    made = [certificates / "a.crt", tmp_path / ".venv/lab", tmp_path / ".lab/built.json", tmp_path / ".ruff_cache/x"]
    kept = [certificates / ".gitignore", tmp_path / "results/run/samples.jsonl"]
    for path in (*made, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    result = subprocess.run(["make", "--old-file=.venv/lab", f"PY={lab}", "clean"], cwd=tmp_path, capture_output=True)
    assert result.returncode == code
    assert not any(path.exists() for path in made)
    assert all(path.exists() for path in kept)
