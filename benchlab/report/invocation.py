"""The command that makes a run with the same settings again."""

from __future__ import annotations

import shlex
from dataclasses import replace

from benchlab.experiment.settings import typed
from benchlab.records.plan import Manifest


def command(manifest: Manifest) -> str:
    """Return the command line: the seed, and what differs from the profile or from what holds without a flag.

    Variants of entries come from other flags than --framework.
    """
    original = replace(manifest.settings, frameworks=manifest.origins)
    return shlex.join(["python", "lab.py", *typed(original)])
