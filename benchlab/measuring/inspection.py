"""Entries held against the contract without a run: each is started and asked, none is loaded.

Nothing here needs the statistics, which take longer to import than a test type takes to verify.
"""

from __future__ import annotations

from dataclasses import replace

from benchlab.core.model import Settings
from benchlab.machine import contestants, stage
from benchlab.machine.stage import Lab
from benchlab.measuring import vetting
from benchlab.measuring.serving import Server
from benchlab.storage.store import Unkept
from benchlab.verdicts.answers import Verification


def verify(lab: Lab, settings: Settings) -> list[Verification]:
    """Return what verification finds of the entries and of each of their test types; nothing is loaded or kept."""
    everyone = [entry.name for entry in lab.topology.choose(settings.frameworks)]
    lab, found = contestants.contestants(lab, replace(settings, frameworks=tuple(everyone)))
    entries = {entry.name: entry for entry in found}
    contestants.refuse_nothing(found, settings)
    unbuilt: dict[str, str] = {}
    with stage.stage(lab, entries, without=unbuilt.update):
        server = Server(lab.engine, entries, Unkept(lab.state).keep_log, say=lab.say)
        return [
            verdict
            for name, entry in entries.items()
            for verdict in (
                [vetting.unserved(entry, unbuilt[name])]
                if name in unbuilt
                else vetting.vet(server, entry, settings.tests)
            )
        ]
