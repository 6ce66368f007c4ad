"""The outputs of a run by file name: all files of its folder except manifest, journal and logs."""

from __future__ import annotations

from benchlab.records.run import Run
from benchlab.report import export, markdown, page, plots, report
from benchlab.report.document import Document
from benchlab.storage import store


def outputs(run: Run) -> dict[str, str]:
    return {store.CSV: export.samples_csv(run), store.REPORT: run.once(text), store.PAGE: html(run)}


def document(run: Run) -> Document:
    """Return the run's report, made only once."""
    return run.once(report.report)


def text(run: Run) -> str:
    """Return the run's report as Markdown."""
    return markdown.text(document(run))


def html(run: Run) -> str:
    """Return the run's report as a page."""
    return page.page(document(run), plots.of_run(run))
