"""The outputs of a run, by the names of their files: all that its folder has beside manifest, journal and logs."""

from __future__ import annotations

from benchlab.core.measured import Run
from benchlab.pages import html
from benchlab.storage import samples_csv, store
from benchlab.tables import report


def outputs(run: Run) -> dict[str, str]:
    return {store.CSV: samples_csv.samples_csv(run), store.REPORT: run.once(report.report), store.PAGE: html.page(run)}
