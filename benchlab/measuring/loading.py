"""Loads a running entry: primer and warm-up of a test type, and its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchlab.core import counters
from benchlab.core.counters import CLIENT, Kills
from benchlab.core.errors import WrkError
from benchlab.core.model import Entry, Level, Settings, Trial
from benchlab.measuring import serving, wrk
from benchlab.measuring.serving import Server
from benchlab.measuring.wrk import Outcome
from benchlab.plan import profiles, workloads
from benchlab.plan.workloads import WORKLOADS

# load.py calls three seconds in a row steady, or not.
STEADY_S = 3


@dataclass(frozen=True)
class WarmUp:
    """What the primer and the warm-up of a test type left for its samples.

    `steady` is whether the rate became so, None where they were too short to tell. `kills_before` is how many processes
    of each role had been killed for their memory before them: empty where that is not known, None where nothing was
    sent.
    """

    steady: bool | None
    kills_before: Kills | None


@dataclass(frozen=True)
class Loading:
    """An entry that is up, and what it is loaded with; `ask_engine` and `allowed_cpus` are as in Runner."""

    server: Server
    entry: Entry
    settings: Settings
    ask_engine: bool
    allowed_cpus: tuple[int, ...] | None = None

    def warm_up(self, first: Trial, levels: tuple[Level, ...]) -> WarmUp:
        """Send primer and warm-up before the first trial of a test type, as far as the settings have them.

        The samples tell of failures. Raises EntryError where a container ended meanwhile.
        """
        test, primer_s, (least_s, most_s) = first.test, self.settings.primer_s, self.settings.warmup_s
        kills_before: Kills | None = None
        try:
            warming = f"while {test} was warmed up"
            if primer_s:
                kills_before = self._load(first, workloads.primer_level(test), primer_s, warming).kills_before
            if not most_s:
                return WarmUp(None, kills_before)
            largest = profiles.warmup_level(self.settings, test, levels)
            warmed = self._load(first, largest, most_s, warming, warm_up_s=(least_s, most_s), kills_before=kills_before)
            return WarmUp(warmed.steady if most_s > STEADY_S else None, warmed.kills_before)
        except WrkError:
            return WarmUp(None, kills_before or {})

    def sample(self, trial: Trial, check: Mapping[str, object], kills_before: Kills | None) -> Outcome:
        """Return what wrk and the counters say of the trial's load; `check` is what is asked for before and under it.

        Raises WrkError, or EntryError where a container ended meanwhile.
        """
        doing = f"while {trial.test} {workloads.varied(trial.test, trial.level)} was measured"
        return self._load(trial, trial.level, self.settings.duration_s, doing, check=check, kills_before=kills_before)

    def _load(
        self,
        trial: Trial,
        level: Level,
        duration_s: int,
        doing: str,
        warm_up_s: tuple[int, int] | None = None,
        check: Mapping[str, object] | None = None,
        kills_before: Kills | None = None,
    ) -> Outcome:
        entry, server = self.entry, self.server
        path = workloads.url_path(trial.test, entry.tests[trial.test], level)
        command = wrk.command(level, serving.target(entry), path, WORKLOADS[trial.test].accept, duration_s)
        containers = server.containers(entry)
        before = server.usage(entry) if self.ask_engine else {}
        job = wrk.observed(command, containers, warm_up_s, check, self.allowed_cpus)
        result = server.host.execute("wrk", job)
        server.check(entry, f"block{trial.block}", doing)
        if result.exit_code != 0:
            said = (result.stderr or result.stdout).strip().splitlines()[-1:]
            raise WrkError(f"wrk ended with exit code {result.exit_code}: {' '.join(said)}")
        outcome = wrk.parse(result.stdout, kills_before)
        if not self.ask_engine:
            return outcome
        roles = counters.without(counters.usages(before, server.usage(entry), {}), CLIENT, outcome.aside_us)
        return replace(outcome, counters=replace(outcome.counters, roles=roles))
