"""What doctor looks at outside the engine's containers."""

from __future__ import annotations

import platform
from pathlib import Path

from benchlab.host import doctor
from benchlab.host.doctor import WARNING, Finding


def test_the_disk_that_the_engine_keeps_its_data_on_is_looked_at() -> None:
    # A file system that never has any room.
    full = {"Name": platform.node(), "DockerRootDir": "/proc"}
    told = Finding("engine's disk", WARNING, "0.0 GiB free for images and containers", "make room")
    assert doctor.engine_disk(full) == [told]


def test_of_a_disk_that_is_not_this_host_s_or_cannot_be_seen_nothing_is_told(tmp_path: Path) -> None:
    assert doctor.engine_disk({"Name": "elsewhere.example", "DockerRootDir": str(tmp_path)}) == []
    assert doctor.engine_disk({"Name": platform.node(), "DockerRootDir": str(tmp_path / "none")}) == []
    assert doctor.engine_disk({"Name": platform.node()}) == []
