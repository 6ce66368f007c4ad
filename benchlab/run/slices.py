"""rounds.py in the wrk container, at both ends: the job that it is given, and the slices that it prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchlab.contract.answers import Answer, answer
from benchlab.core.errors import WrkError
from benchlab.experiment import workloads
from benchlab.experiment.pace import SliceLength
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load.model import LoadModel
from benchlab.records import counters
from benchlab.records.counters import Counters, Kills
from benchlab.records.load import Load, Ports
from benchlab.records.plan import Trial
from benchlab.records.seen import Slice, slice_seen
from benchlab.run import fetch
from benchlab.run.lifecycle import RunningEntry

COMMAND = ["python3", "/wrk/rounds.py"]
MARK = "BENCHLAB-SLICE "
# Where slice.lua counts, in the load generator's container, and what it reads meanwhile.
COUNTS, FILES = "/tmp/benchlab-counts", "/tmp/benchlab-files"


@dataclass(frozen=True)
class SliceResult:
    """What one slice left; `load` is None where it cannot count, and `why` says so in words.

    `took_s` is the time of the slice with all around it. `is_gone` is whether the entry answers no more, and has no
    more slices.
    """

    trial: Trial
    load: Load | None
    counters: Counters | None
    answers: tuple[Answer, ...]
    took_s: float
    is_gone: bool
    why: str = ""
    ports: Ports | None = None
    clock_set_us: int = 0


def taken(
    model: LoadModel,
    running: Mapping[str, RunningEntry],
    trials: Sequence[Trial],
    length: SliceLength,
    cpus: Sequence[int] | None,
    kills: dict[str, Kills],
) -> Iterator[SliceResult]:
    """Take the slices in this order, and yield each when it is over; those of an entry that is gone are left out.

    `cpus` are the host's CPUs that containers may use, None for all. Of each entry's first slice at a level the answers
    are looked at. `kills` has by entry how many processes of each role had been killed for their memory when its last
    slice was over, and is brought up to date. Raises EngineError, and WrkError where a line cannot be read.
    """
    job = _job(model, running, trials, length, cpus)
    client = next(iter(running.values())).endpoints.client
    by_place = {(_key(trial), trial.repeat): trial for trial in trials}
    with client.converse(COMMAND, json.dumps(job)) as lines:
        for line in lines:
            if line.startswith(MARK):
                seen = _seen(line.removeprefix(MARK))
                trial = by_place[seen.load, seen.round]
                yield _result(model, trial, seen, kills.get(trial.entry))
                if seen.window is not None:
                    kills[trial.entry] = counters.kills(seen.window.after)


def _seen(text: str) -> Slice:
    try:
        return slice_seen(text)
    except ValueError as error:
        raise WrkError(f"wrk: a slice cannot be read ({error})") from error


def _job(
    model: LoadModel,
    running: Mapping[str, RunningEntry],
    trials: Sequence[Trial],
    length: SliceLength,
    cpus: Sequence[int] | None,
) -> dict[str, object]:
    loads = {_key(trial): _load(model, running[trial.entry], trial, length) for trial in _firsts(trials)}
    firsts = {(_key(trial), trial.repeat) for trial in _firsts(trials)}
    return {
        "loads": loads,
        "containers": {name: each.endpoints.containers_near_load() for name, each in running.items()},
        "cpus": cpus,
        "slices": [
            {"load": _key(trial), "round": trial.repeat, "checked": (_key(trial), trial.repeat) in firsts}
            for trial in trials
        ],
    }


def _load(model: LoadModel, running: RunningEntry, trial: Trial, length: SliceLength) -> dict[str, object]:
    level, accept = trial.level, WORKLOADS[trial.test].accept
    path = workloads.url_path(trial.test, running.entry.tests[trial.test], level)
    front = running.endpoints.front.address
    return {
        "command": model.command_of_slice(level, front, path, accept, COUNTS, FILES, length),
        "threads": level.threads,
        "connections": level.connections,
        "depth": level.pipeline,
        "ramp_s": length.ramp_ms / 1000,
        "window_s": length.window_ms / 1000,
        "entry": trial.entry,
        "check": fetch.job(front, accept, path),
    }


def _firsts(trials: Iterable[Trial]) -> list[Trial]:
    """Return the first slice of each entry at each level."""
    firsts: dict[str, Trial] = {}
    for trial in trials:
        firsts.setdefault(_key(trial), trial)
    return list(firsts.values())


def _key(trial: Trial) -> str:
    return f"{trial.entry} {trial.test} {trial.level.key}"


def _result(model: LoadModel, trial: Trial, seen: Slice, kills_before: Kills | None) -> SliceResult:
    window, report = seen.window, seen.report
    load, counted, why = None, None, "wrk ended before the slice was over"
    if window is not None and report is not None:
        # In so short a time the kernel's counters may run backwards: that costs the slice, and not the block.
        try:
            counted = counters.of_slice(seen, window, kills_before)
            load, why = model.read_slice(report, window, seen.wall_us), ""
        except ValueError as error:
            why = f"what was seen of the slice cannot be ({error})"
    return SliceResult(
        trial=trial,
        load=load,
        counters=counted,
        answers=tuple(map(answer, seen.answers)),
        took_s=seen.took_us / 1e6,
        is_gone=seen.is_gone,
        why=why,
        ports=seen.ports,
        clock_set_us=(window.clock_set_us or 0) if window else 0,
    )
