"""The entries of compose.yaml as it is written, so that tests name none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
ENTRIES = tuple(sorted(name for name, service in SERVICES.items() if service.get("profiles") == ["entry"]))
LABELS = {
    name: {key.removeprefix("benchlab."): value for key, value in SERVICES[name]["labels"].items()} for name in ENTRIES
}
# Those that are measured where none is named.
USUAL = tuple(name for name in ENTRIES if LABELS[name].get("default") != "no")
