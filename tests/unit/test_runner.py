from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from benchlab import judge, schedule, workloads
from benchlab.engine import Executed
from benchlab.errors import EngineError
from benchlab.model import GOOD, INVALID, SUSPECT, Entry, Failure, Sample, Settings, Trial, Visit
from benchlab.runner import Events, Runner
from benchlab.wrk import MARK

from .fake_host import REPORT, FakeHost, printed, seen

LEVELS = {
    "json": workloads.levels("json", (16, 32), 2),
    "plaintext": workloads.levels("plaintext", (256,), 2),
    "query": workloads.levels("query", (1, 20), 2),
}


class Kept(list[Sample | Failure]):
    """A journal in memory. Appending is the list's own."""

    def __init__(self) -> None:
        self.logs: dict[str, str] = {}

    def keep_log(self, name: str, text: str) -> str:
        self.logs[name] = text
        return f"logs/{name}"

    @property
    def samples(self) -> list[Sample]:
        return [record for record in self if isinstance(record, Sample)]

    @property
    def failures(self) -> list[Failure]:
        return [record for record in self if isinstance(record, Failure)]


def _visits(entries: list[Entry], blocks: int = 2) -> tuple[Visit, ...]:
    return schedule.plan(entries, LEVELS, blocks, seed=7)


def _run(host: FakeHost, entries: list[Entry], settings: Settings, kept: Kept) -> list[int]:
    runner = Runner(host, kept, {entry.name: entry for entry in entries}, LEVELS, settings, Events(), 2)
    return list(runner.run(_visits(entries)))


def test_every_planned_trial_is_measured_in_the_planned_order(entries: list[Entry], settings: Settings) -> None:
    kept = Kept()
    assert _run(FakeHost(), entries, settings, kept) == [1, 2]
    assert [sample.trial for sample in kept.samples] == [t for visit in _visits(entries) for t in visit.trials]


def test_only_one_entry_runs_at_a_time_and_each_visit_starts_it_anew(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    _run(host, entries, settings, Kept())
    lives = [step for step in host.done if step.endswith(("aiohttp", "crax"))]
    expected = [step for visit in _visits(entries) for step in (f"start {visit.entry}", f"stop {visit.entry}")]
    assert lives == expected


def test_a_wrong_answer_is_recorded_and_never_loaded(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.lies = {"crax"}
    _run(host, entries, settings, kept)
    assert not any(entry == "crax" and url.endswith("/json") for entry, url in host.loads)
    assert {(failure.trial.entry, failure.trial.test) for failure in kept.failures} == {("crax", "json")}
    assert '\'{"message": "No"}\'' in kept.failures[0].reason
    assert {sample.trial.test for sample in kept.samples if sample.trial.entry == "crax"} == {"plaintext", "query"}
    assert len(kept) == 20


def test_an_entry_that_dies_under_load_fails_the_rest_of_its_visit_only(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()

    def die_once(entry: str, number: int) -> None:
        if number == 2:
            host.dead[entry] = f"{entry} is not running (out of memory)"

    host.on_load = die_once
    _run(host, entries, settings, kept)
    first = _visits(entries)[0]
    assert [failure.trial for failure in kept.failures] == list(first.trials)
    assert (
        kept.failures[0].reason
        == f"under load, {first.entry} is not running (out of memory); its log: logs/block1-{first.entry}"
    )
    assert len(kept.samples) == 15


def test_a_database_that_dies_under_load_is_named_and_started_again(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()

    def kill_database(entry: str, number: int) -> None:
        if number == 2:
            host.dead["db"] = "db is not running (exit code 137)"

    host.on_load = kill_database
    _run(host, entries, settings, kept)
    assert "db is not running (exit code 137)" in kept.failures[0].reason
    assert len(kept.samples) == 15


def test_an_entry_that_dies_in_start_up_is_recorded_and_the_others_go_on(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.stillborn = {"aiohttp"}
    _run(host, entries, settings, kept)
    assert {failure.reason for failure in kept.failures} == {
        "in start-up, aiohttp is not running (exit code 3); its log: logs/block1-aiohttp",
        "in start-up, aiohttp is not running (exit code 3); its log: logs/block2-aiohttp",
    }
    assert {failure.trial.entry for failure in kept.failures} == {"aiohttp"}
    assert {sample.trial.entry for sample in kept.samples} == {"crax"}


def test_an_entry_that_never_answers_is_stopped_and_recorded(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.mute = {"aiohttp"}
    by_name = {entry.name: entry for entry in entries}
    list(Runner(host, kept, by_name, LEVELS, settings, Events(), 2, ready_s=0).run(_visits(entries)))
    assert kept.failures[0].reason == (
        "aiohttp did not answer /json on port 8080 within 0 s of its start; its log: logs/block1-aiohttp"
    )
    assert kept.logs == {f"block{n}-aiohttp": "aiohttp is tired" for n in (1, 2)}
    assert host.running == {"db", "wrk"}


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            printed(errors={"connect": 0, "read": 0, "write": 0, "status": 12, "timeout": 1}),
            "answers above 399, or connections that failed (12); 12 answers above 399, 1 time-outs",
        ),
        (printed(requests=0), "no request was answered"),
        (printed(duration_us=900_000), "wrk did not run as long as it was told: the host stalled (1.40 s off)"),
        (printed(duration_us=2_400_000), "wrk did not run as long as it was told: the host stalled (0.40 s off)"),
        (printed(wall_us=7_310_000), "wrk did not run as long as it was told: the host stalled (5.31 s off)"),
    ],
)
def test_an_invalid_sample_is_kept_with_its_reason_and_taken_anew_at_the_end_of_its_block(
    entries: list[Entry], settings: Settings, output: str, told: str
) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: output if number == 2 else None
    _run(host, entries, settings, kept)
    (invalid,) = (sample for sample in kept.samples if sample.verdict.severity == INVALID)
    assert told in judge.reason(invalid)
    assert kept[10] == _good_samples(kept)[invalid.trial]
    assert kept[10].attempt == 2
    assert _good_samples(kept).keys() == {t for visit in _visits(entries) for t in visit.trials}


def test_a_suspect_sample_is_taken_anew_once_and_counts_where_it_stays_suspect(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    doomed = _visits(entries)[0].trials[0]
    # The first of its visit, after the warm-up; and again, alone, after 20 loads of the two visits of its block.
    host.on_load = lambda entry, number: printed(stolen_us=500_000) if number in (2, 18) else None
    _run(host, entries, settings, kept)
    suspects = [sample for sample in kept.samples if sample.verdict.severity == SUSPECT]
    assert [(sample.trial, sample.attempt) for sample in suspects] == [(doomed, 1), (doomed, 2)]
    assert judge.reason(suspects[0]) == "the hypervisor took CPU time away (10.9%)"
    assert len(kept) == 21


def _good_samples(kept: Kept) -> dict[Trial, Sample]:
    return {sample.trial: sample for sample in kept.samples if sample.verdict.severity == GOOD}


def test_what_wrk_did_not_finish_fails_that_trial_only(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: "unable to connect" if number == 2 else None
    _run(host, entries, settings, kept)
    assert len(kept.failures) == 1
    assert "unable to connect" in kept.failures[0].reason


def test_what_wrk_says_when_it_fails_is_the_reason(entries: list[Entry], settings: Settings) -> None:
    class Refusing(FakeHost):
        def execute(self, service: str, command: list[str]) -> Executed:
            left = super().execute(service, command)
            refused = "/wrk/load.py" in command and len(self.loads) == 2
            return Executed(1, "", "unable to connect to tfb-server:8080\n") if refused else left

    kept = Kept()
    _run(Refusing(), entries, settings, kept)
    assert [failure.reason for failure in kept.failures] == [
        "wrk ended with exit code 1: unable to connect to tfb-server:8080"
    ]
    assert len(kept.samples) == 20


def test_an_interrupt_ends_the_run_even_where_the_entry_cannot_be_stopped(
    entries: list[Entry], settings: Settings
) -> None:
    class Stuck(FakeHost):
        def stop(self, service: str) -> None:
            raise EngineError(f"{service} cannot be stopped")

    def interrupt(entry: str, number: int) -> None:
        raise KeyboardInterrupt

    host, kept = Stuck(), Kept()
    host.on_load = interrupt
    with pytest.raises(KeyboardInterrupt):
        _run(host, entries, settings, kept)
    assert kept == []


def test_two_visits_in_a_row_lost_to_the_engine_end_the_run(entries: list[Entry], settings: Settings) -> None:
    class Full(FakeHost):
        def start(self, service: str) -> None:
            raise EngineError("no space left on device")

    kept = Kept()
    with pytest.raises(EngineError, match="no space left"):
        _run(Full(), entries, settings, kept)
    assert {failure.trial.block for failure in kept.failures} == {1}


def test_a_visit_that_is_not_allowed_any_more_ends_the_run_and_is_not_made(
    entries: list[Entry], settings: Settings
) -> None:
    asked: list[str] = []

    def allow() -> None:
        asked.append("allowed?")
        if len(asked) == 3:
            raise EngineError("the lease is lost")

    host, kept = FakeHost(), Kept()
    by_name = {entry.name: entry for entry in entries}
    runner = Runner(host, kept, by_name, LEVELS, settings, Events(), 2, allow=allow)
    with pytest.raises(EngineError, match="the lease is lost"):
        list(runner.run(_visits(entries)))
    assert (len(kept.samples), kept.failures) == (10, [])
    assert host.running == {"db", "wrk"}


def test_a_resumed_visit_warms_up_at_the_largest_level_of_the_run(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    visits = _visits(entries[:1], blocks=1)
    small = next(trial for trial in visits[0].trials if trial.level.connections == 16)
    measured = {trial.key for trial in visits[0].trials if trial != small}
    runner = Runner(host, Kept(), {"aiohttp": entries[0]}, LEVELS, settings, Events(), 2)
    list(runner.run(schedule.remaining(visits, measured)))
    assert [f"-c {connections} " in command for connections, command in zip((32, 16), host.commands, strict=True)] == [
        True,
        True,
    ]


def test_a_trial_that_is_invalid_three_times_is_missing_and_the_rest_goes_on(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    doomed = _visits(entries)[0].trials[0]
    host.on_load = lambda entry, number: printed(requests=0) if number in (2, 18, 20) else None
    _run(host, entries, settings, kept)
    invalid = [sample for sample in kept.samples if sample.verdict.severity == INVALID]
    assert [(sample.trial, sample.attempt) for sample in invalid] == [(doomed, n) for n in (1, 2, 3)]
    assert len(_good_samples(kept)) == 19


def test_a_retry_is_a_visit_of_its_own_with_start_verification_and_warm_up(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: printed(requests=0) if number == 2 else None
    _run(host, entries, settings, kept)
    first = _visits(entries)[0]
    lives = [step for step in host.done if step == f"start {first.entry}"]
    assert len(lives) == 3
    assert host.jobs[16]["warm_up_s"] == [1, 1]
    assert host.jobs[17]["check"]["path"] == host.jobs[1]["check"]["path"]


def test_a_wrong_answer_under_load_makes_the_sample_invalid_and_is_quoted(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    body = base64.b64encode(b"busy").decode()
    headers = [("Server", "x"), ("Date", "x"), ("Content-Length", "4"), ("Content-Type", "application/json")]
    wrong: dict[str, object] = {"path": "/x", "status": 200, "headers": headers, "body": body}
    told = f"Running\n{MARK}{json.dumps(REPORT)}\n{seen(answers=[wrong])}"
    host.on_load = lambda entry, number: told if number == 2 else None
    _run(host, entries, settings, kept)
    (invalid,) = (sample for sample in kept.samples if sample.verdict.severity == INVALID)
    assert "wrong answers under load (1)" in judge.reason(invalid)
    assert "'busy'" in judge.reason(invalid)


def test_the_load_is_told_which_container_plays_which_part(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    _run(host, entries[:1], replace(settings, proxy="nginx"), Kept())
    assert host.jobs[0]["containers"] == {
        "client": "id-of-wrk",
        "app": "id-of-aiohttp",
        "db": "id-of-db",
        "proxy": "id-of-nginx",
    }


def test_an_engine_that_is_gone_ends_the_run_and_keeps_what_was_measured(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()

    def vanish(entry: str, number: int) -> None:
        host.gone = number == 3

    host.on_load = vanish
    with pytest.raises(EngineError, match="the engine is gone"):
        _run(host, entries, settings, kept)
    assert (len(kept.samples), kept.failures) == (1, [])


def test_through_the_proxy_the_load_goes_to_nginx_which_starts_after_the_entry(
    entries: list[Entry], settings: Settings
) -> None:
    host = FakeHost()
    _run(host, entries, replace(settings, proxy="nginx"), Kept())
    assert {url.split("/")[2] for _, url in host.loads} == {"nginx:8080"}
    visit = _visits(entries)[0].entry
    first = host.done.index(f"start {visit}")
    assert host.done[first : first + 4] == [f"start {visit}", "start nginx", "stop nginx", f"stop {visit}"]


def test_the_study_primes_with_eight_threads_and_warms_up_at_the_largest_level(
    entries: list[Entry], settings: Settings
) -> None:
    host = FakeHost()
    study = replace(settings, primer_s=5, warmup_s=(15, 15), duration_s=15)
    _run(host, entries[:1], study, Kept())
    primer = next(number for number, command in enumerate(host.commands) if "/queries" in command)
    assert (
        "-d 5 -c 8 --timeout 8 -t 8 -s /wrk/report.lua http://tfb-server:8080/queries?queries=2"
        in host.commands[primer]
    )
    assert (
        "-d 15 -c 128 --timeout 8 -t 2 -s /wrk/report.lua http://tfb-server:8080/queries?queries=2"
        in host.commands[primer + 1]
    )


def test_verification_loads_nothing_and_names_what_is_wrong(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    host.lies = {"crax"}
    runner = Runner(host, Kept(), {entry.name: entry for entry in entries}, LEVELS, settings, Events(), 2)
    verdicts = [verdict for entry in entries for verdict in runner.verify(entry.name)]
    assert [verdict.passed for verdict in verdicts] == [True, True, True, False, True, True]
    assert str(verdicts[0]) == "pass  aiohttp json"
    assert host.loads == []
