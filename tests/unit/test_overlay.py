"""Services beside those of compose.yaml are read by Compose as what they are."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchlab.engine import compose


def test_services_are_written_so_that_compose_reads_what_they_are(tmp_path: Path) -> None:
    services = {"crax": {"command": ["sh", "-c", "echo $HOME"], "environment": {"COST": "5$", "N": 2}, "init": True}}
    path = compose.write(services, tmp_path / "state" / "more.yaml")
    assert yaml.safe_load(path.read_text()) == {
        "services": {
            "crax": {"command": ["sh", "-c", "echo $$HOME"], "environment": {"COST": "5$$", "N": 2}, "init": True}
        }
    }
