"""What is done in a visit, in which order."""

from __future__ import annotations

from dataclasses import replace

from benchlab import schedule
from benchlab.model import Entry, Settings
from benchlab.runner import Events, Runner

from .fake_host import FakeHost
from .running import LEVELS, Kept, planned, run


def test_every_planned_trial_is_measured_in_the_planned_order(entries: list[Entry], settings: Settings) -> None:
    kept = Kept()
    assert run(FakeHost(), entries, settings, kept) == [1, 2]
    assert [sample.trial for sample in kept.samples] == [t for visit in planned(entries) for t in visit.trials]


def test_only_one_entry_runs_at_a_time_and_each_visit_starts_it_anew(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    run(host, entries, settings, Kept())
    lives = [step for step in host.done if step.endswith(("aiohttp", "crax"))]
    expected = [step for visit in planned(entries) for step in (f"start {visit.entry}", f"stop {visit.entry}")]
    assert lives == expected


def test_a_wrong_answer_is_recorded_and_never_loaded(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.lies = {"crax"}
    run(host, entries, settings, kept)
    assert not any(entry == "crax" and url.endswith("/json") for entry, url in host.loads)
    assert {(failure.trial.entry, failure.trial.test) for failure in kept.failures} == {("crax", "json")}
    assert '\'{"message": "No"}\'' in kept.failures[0].reason
    assert {sample.trial.test for sample in kept.samples if sample.trial.entry == "crax"} == {"plaintext", "query"}
    assert len(kept) == 20


def test_a_resumed_visit_warms_up_at_the_largest_level_of_the_run(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    visits = planned(entries[:1], blocks=1)
    small = next(trial for trial in visits[0].trials if trial.level.connections == 16)
    measured = {trial.key for trial in visits[0].trials if trial != small}
    runner = Runner(host, Kept(), {"aiohttp": entries[0]}, LEVELS, settings, Events(), 2)
    list(runner.run(schedule.remaining(visits, measured)))
    assert [f"-c {connections} " in command for connections, command in zip((32, 16), host.commands, strict=True)] == [
        True,
        True,
    ]


def test_the_load_is_told_which_container_plays_which_part(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    run(host, entries[:1], replace(settings, proxy="nginx"), Kept())
    assert host.jobs[0]["containers"] == {
        "client": "id-of-wrk",
        "app": "id-of-aiohttp",
        "db": "id-of-db",
        "proxy": "id-of-nginx",
    }


def test_through_the_proxy_the_load_goes_to_nginx_which_starts_after_the_entry(
    entries: list[Entry], settings: Settings
) -> None:
    host = FakeHost()
    run(host, entries, replace(settings, proxy="nginx"), Kept())
    assert {url.split("/")[2] for _, url in host.loads} == {"nginx:8080"}
    visit = planned(entries)[0].entry
    first = host.done.index(f"start {visit}")
    assert host.done[first : first + 4] == [f"start {visit}", "start nginx", "stop nginx", f"stop {visit}"]


def test_the_study_primes_with_eight_threads_and_warms_up_at_the_largest_level(
    entries: list[Entry], settings: Settings
) -> None:
    host = FakeHost()
    study = replace(settings, primer_s=5, warmup_s=(15, 15), duration_s=15)
    run(host, entries[:1], study, Kept())
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
