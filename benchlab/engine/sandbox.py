"""What every container of the lab gets: labels by which the lab finds its own, and no rights.

compose.yaml says the same of the containers that Compose makes; a test compares the two.
"""

from __future__ import annotations

from typing import Any

# Compose's own labels, by which its containers are found.
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
# Compose's project name alone is not enough: another project may be called the same.
LAB_LABEL, LAB_VALUE = "benchlab.lab", "yes"

# Under the names that compose.yaml and docker's SDK both use.
NO_RIGHTS: dict[str, Any] = {
    "user": "10001:10001",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "read_only": True,
    # Without it, a first process that expects no signal does not end at one.
    "init": True,
}
# No log fills the disk. What such a container prints is read from its log: more than any of them prints.
LOG: dict[str, Any] = {"type": "json-file", "config": {"max-size": "8m", "max-file": "2"}}


def labels(project: str) -> dict[str, str]:
    """Return the labels of all that the project's lab makes."""
    return {PROJECT_LABEL: project, LAB_LABEL: LAB_VALUE}


def options(project: str) -> dict[str, Any]:
    """Return the SDK's options of a container that Compose does not know of."""
    return {"labels": labels(project), "network_mode": "none", "log_config": LOG, **NO_RIGHTS}
