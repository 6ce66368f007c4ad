"""What doctor looks at outside the engine's containers."""

from __future__ import annotations

import platform
from pathlib import Path

from benchlab.machine import examination
from benchlab.machine.doctor import WARNING, Finding


def test_the_disk_that_the_engine_keeps_its_data_on_is_looked_at() -> None:
    # A file system that never has any room.
    full = {"Name": platform.node(), "DockerRootDir": "/proc"}
    told = Finding("engine's disk", WARNING, "0.0 GiB free for images and containers", "make room")
    assert examination.engine_disk(full) == [told]


def test_of_a_disk_that_is_not_this_host_s_or_cannot_be_seen_nothing_is_told(tmp_path: Path) -> None:
    assert examination.engine_disk({"Name": "elsewhere.example", "DockerRootDir": str(tmp_path)}) == []
    assert examination.engine_disk({"Name": platform.node(), "DockerRootDir": str(tmp_path / "none")}) == []
    assert examination.engine_disk({"Name": platform.node()}) == []
