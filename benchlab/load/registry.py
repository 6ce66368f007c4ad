"""Which load models there are, and which one a run has."""

from __future__ import annotations

from collections.abc import Mapping

from benchlab.experiment import profiles
from benchlab.load import closed
from benchlab.load.metrics import Measures
from benchlab.load.model import LoadModel
from benchlab.records.plan import Manifest, Settings

MODELS: Mapping[str, LoadModel] = {profiles.CLOSED: closed}


def of(settings: Settings) -> LoadModel:
    """Return the load model of the run's profile."""
    return MODELS[profiles.of(settings).load]


def measures(manifest: Manifest) -> Measures:
    """Return the metrics that are reported of the run's samples."""
    return of(manifest.settings).MEASURES
