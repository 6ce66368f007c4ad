"""The outputs of a run, by the names of their files: all that its folder has beside manifest, journal and logs."""

from __future__ import annotations

from benchlab.records.run import Run
from benchlab.report import export, html, report
from benchlab.storage import store


def outputs(run: Run) -> dict[str, str]:
    return {store.CSV: export.samples_csv(run), store.REPORT: run.once(report.report), store.PAGE: html.page(run)}
