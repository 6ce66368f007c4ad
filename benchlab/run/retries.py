"""Which trials of a block are made once more, for samples that do not count or are suspect (docs/method.md, 1.2)."""

from __future__ import annotations

from collections.abc import Iterable

from benchlab.records.plan import Visit
from benchlab.records.run import INVALID, SUSPECT, Failure, Sample

# An invalid sample is repeated at most twice, a suspect one once.
MOST_ATTEMPTS, MOST_SUSPECT_ATTEMPTS = 3, 2


def again(visits: Iterable[Visit], records: Iterable[Sample | Failure], attempt: int) -> list[Visit]:
    """Return the visits to make once more, with those trials only that are worth it after this attempt."""
    worth = {record.trial.key for record in records if _is_worth_another(record, attempt)}
    cut = (Visit(visit.block, visit.entry, tuple(t for t in visit.trials if t.key in worth)) for visit in visits)
    return [visit for visit in cut if visit.trials]


def _is_worth_another(record: Sample | Failure, attempt: int) -> bool:
    if isinstance(record, Failure):
        return record.passing
    if record.verdict.severity == SUSPECT:
        return attempt < MOST_SUSPECT_ATTEMPTS
    return record.verdict.severity == INVALID
