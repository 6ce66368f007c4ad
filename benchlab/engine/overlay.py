"""Services beside those of compose.yaml: as a file that Compose merges into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Services = dict[str, dict[str, Any]]


def write(services: Services, path: Path) -> Path:
    """Write the services as a file that Compose merges into compose.yaml, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"services": escaped(services)}, sort_keys=True), encoding="utf-8")
    return path


def escaped(content: Any) -> Any:
    """Return what Compose reads as the content: it would take a dollar for the begin of a variable."""
    if isinstance(content, dict):
        return {key: escaped(value) for key, value in content.items()}
    if isinstance(content, list):
        return [escaped(value) for value in content]
    return content.replace("$", "$$") if isinstance(content, str) else content
