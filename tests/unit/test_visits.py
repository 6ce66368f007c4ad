"""Visits: what is started, verified, loaded and recorded, in which order, and what a loss costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchlab.core.errors import EngineError, SetupError
from benchlab.experiment import schedule
from benchlab.load import closed
from benchlab.records.plan import Entry, Settings
from benchlab.run import conformance
from benchlab.run.bench import Events
from benchlab.run.readiness import MOST_RAISED

from .conftest import LEVELS, Kept, make_group, make_runner, planned, run_planned
from .fake_host import FakeHost, printed


def _behind_nginx(entry: Entry) -> Entry:
    return replace(entry, labels=entry.labels | {"proxy": "nginx"})


def test_every_planned_trial_is_measured_in_the_planned_order(entries: list[Entry], settings: Settings) -> None:
    kept = Kept()
    assert run_planned(FakeHost(), entries, settings, kept) == [1, 2]
    assert [sample.trial for sample in kept.samples] == [t for visit in planned(entries) for t in visit.trials]


def test_only_one_entry_runs_at_a_time_and_each_visit_starts_it_anew(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    run_planned(host, entries, settings, Kept())
    steps = [step for step in host.done if step.endswith(("aiohttp", "crax"))]
    expected = [step for visit in planned(entries) for step in (f"start {visit.entry}", f"stop {visit.entry}")]
    assert steps == expected


def test_a_wrong_answer_is_recorded_and_never_loaded(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.lies = {"crax"}
    run_planned(host, entries, settings, kept)
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
            host.dead[entry] = f"{entry} ended (out of memory)"

    host.on_load = die_once
    run_planned(host, entries, settings, kept)
    assert [failure.trial for failure in kept.failures] == list(planned(entries)[0].trials)
    assert len(kept.samples) == 15


def test_a_database_that_dies_under_load_is_named_and_started_again(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()

    def kill_database(entry: str, number: int) -> None:
        if number == 2:
            host.dead["db"] = "db ended (exit code 137)"

    host.on_load = kill_database
    run_planned(host, entries, settings, kept)
    assert "db ended (exit code 137)" in kept.failures[0].reason
    assert len(kept.samples) == 15


def test_an_entry_that_dies_in_start_up_is_recorded_and_the_others_go_on(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.stillborn = {"aiohttp"}
    run_planned(host, entries, settings, kept)
    assert {failure.reason for failure in kept.failures if failure.was_tried} == {
        f"in start-up, aiohttp ended (exit code 3); it logged last: aiohttp is tired; its log: logs/{visit}-aiohttp"
        for visit in ("block1", "block2")
    }
    assert {failure.trial.entry for failure in kept.failures} == {"aiohttp"}
    assert {sample.trial.entry for sample in kept.samples} == {"crax"}


def test_an_entry_that_never_answers_is_stopped_and_recorded(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.mute = {"aiohttp"}
    list(make_runner(host, kept, entries, settings, ready_s=0).run(planned(entries)))
    assert kept.failures[0].reason == (
        "aiohttp did not answer /json on port 8080 within 0 s of its start: nothing listens in its container; "
        "it logged last: aiohttp is tired; its log: logs/block1-aiohttp"
    )
    assert kept.logs == {f"block{n}-aiohttp": "aiohttp is tired" for n in (1, 2)}
    assert host.running == {"db", "wrk"}


def test_where_the_engine_cannot_look_why_is_left_open(entries: list[Entry], settings: Settings) -> None:
    class Blind(FakeHost):
        def sockets(self, service: str, beside: str) -> str:
            raise EngineError("no such container")

    host, kept = Blind(), Kept()
    host.mute = {"aiohttp"}
    list(make_runner(host, kept, entries, settings, ready_s=0).run(planned(entries)))
    assert kept.failures[0].reason == (
        "aiohttp did not answer /json on port 8080 within 0 s of its start; it logged last: aiohttp is tired; "
        "its log: logs/block1-aiohttp"
    )
    assert {sample.trial.entry for sample in kept.samples} == {"crax"}


class Respawning(FakeHost):
    """Starts a worker anew before each look at the log; each raises what the one before it raised."""

    def log(self, service: str) -> str:
        self.done.append(f"log {service}")
        since = self.done[::-1].index(f"start {service}")
        return "".join(
            f"ModuleNotFoundError: No module named 'nope'\nWaiting for [{number}]\n[{number}] died\nStarted\n"
            for number in range(1, self.done[-since:].count(f"log {service}") + 1)
        )


def test_an_entry_whose_workers_die_one_after_the_other_is_given_up_with_their_exception(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = Respawning(), Kept()
    host.mute = {"aiohttp"}
    run_planned(host, entries, settings, kept)
    # Each of the two workers twice; the fifth has died when all of the log is kept.
    assert {failure.cause.partition(" / ")[0] for failure in kept.failures if failure.was_tried} == {
        "in start-up, aiohttp raised the same again and again, and nothing listens in its container; "
        "it raised ModuleNotFoundError: No module named 'nope', and logged last: Waiting for [5]"
    }
    assert {sample.trial.entry for sample in kept.samples} == {"crax"}


def test_an_entry_that_raised_once_is_waited_for_however_often_its_log_is_looked_at(
    entries: list[Entry], settings: Settings
) -> None:
    class Late(FakeHost):
        looks = 0

        def log(self, service: str) -> str:
            # Once it answers, its log is looked at for its workers.
            self.looks += bool(self.mute)
            if self.looks > 2 * MOST_RAISED:
                self.mute = set()
            return "KeyError: 'PORT'\n" * (2 * MOST_RAISED - 1)

    host, kept = Late(), Kept()
    host.mute = {"aiohttp"}
    run_planned(host, entries, settings, kept)
    assert (kept.failures, host.looks) == ([], 2 * MOST_RAISED + 1)


def test_an_entry_that_listens_has_all_of_its_time_whatever_it_raises(entries: list[Entry], settings: Settings) -> None:
    class Elsewhere(Respawning):
        def sockets(self, service: str, beside: str) -> str:
            self.mute = set()
            return "  0: 00000000:2328 00000000:0000 0A\n"

    host, kept = Elsewhere(), Kept()
    host.mute = {"aiohttp"}
    run_planned(host, entries, settings, kept)
    assert kept.failures == []


def test_the_log_of_an_entry_that_is_lost_is_kept_whole(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.stillborn = {"aiohttp"}
    run_planned(host, entries, settings, kept)
    assert kept.logs["block1-aiohttp"] == host.log("aiohttp")


@pytest.mark.parametrize("proxy", ["none", "nginx"])
def test_every_request_goes_to_the_port_that_the_entry_declares(
    entries: list[Entry], settings: Settings, proxy: str
) -> None:
    host, kept = FakeHost(), Kept()
    elsewhere = [replace(entry, port=9000, labels=entry.labels | {"proxy": proxy}) for entry in entries]
    run_planned(host, elsewhere, settings, kept)
    role = "app" if proxy == "none" else "proxy"
    assert kept.samples
    assert {url.partition("//")[2].partition("/")[0] for _, url in host.loads} == {
        f"{role}-{entry.name}:9000" for entry in elsewhere
    }
    assert host.ports == {9000}
    assert {job["check"]["port"] for job in host.jobs if job["check"]} == {9000}


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
        run_planned(host, entries, settings, kept)
    assert kept == []


def test_two_visits_in_a_row_lost_to_the_engine_end_the_run(entries: list[Entry], settings: Settings) -> None:
    class Full(FakeHost):
        def start(self, service: str) -> None:
            raise EngineError("no space left on device")

    kept = Kept()
    with pytest.raises(EngineError, match="no space left"):
        run_planned(Full(), entries, settings, kept)
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
    runner = make_runner(host, kept, entries, settings, allow=allow)
    with pytest.raises(EngineError, match="the lease is lost"):
        list(runner.run(planned(entries)))
    assert (len(kept.samples), kept.failures) == (10, [])
    assert host.running == {"db", "wrk"}


def test_a_resumed_visit_warms_up_at_the_largest_level_of_the_run(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    visits = planned(entries[:1], blocks=1)
    small = next(trial for trial in visits[0].trials if trial.level.connections == 16)
    measured = {trial.key for trial in visits[0].trials if trial != small}
    runner = make_runner(host, Kept(), entries[:1], settings)
    list(runner.run(schedule.remaining(visits, measured)))
    assert [f"-c {connections} " in command for connections, command in zip((32, 16), host.commands, strict=True)] == [
        True,
        True,
    ]


def test_the_load_is_told_which_container_plays_which_part(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    run_planned(host, [_behind_nginx(entries[0])], settings, Kept())
    assert host.jobs[0]["containers"] == {
        "client": "id-of-wrk",
        "app": "id-of-aiohttp",
        "db": "id-of-db",
        "proxy": "id-of-nginx-for-aiohttp",
    }


def test_a_process_killed_for_its_memory_counts_for_the_samples_of_its_test_type_and_for_no_other(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    # The first load is the warm-up of the visit's first test type.
    host.on_load = lambda entry, number: printed(kills=(0, 1) if number == 1 else (1, 1))
    (visit,) = planned(entries[:1], blocks=1)
    list(make_runner(host, kept, entries[:1], settings).make([visit]))
    first = visit.trials[0].test
    assert {(sample.trial.test == first, sample.counters.roles["app"].oom_kills) for sample in kept.samples} == {
        (True, 1),
        (False, 0),
    }


def test_kills_in_a_warm_up_that_told_nothing_are_unknown(entries: list[Entry], settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.on_load = lambda entry, number: "unable to connect" if number == 1 else None
    (visit,) = planned(entries[:1], blocks=1)
    list(make_runner(host, kept, entries[:1], settings).make([visit]))
    first = visit.trials[0].test
    assert {("out of memory" in sample.verdict.unknown, sample.trial.test == first) for sample in kept.samples} == {
        (True, True),
        (False, False),
    }


def test_where_the_cgroup_tree_cannot_be_read_the_engine_is_asked_around_each_load(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    runner = make_runner(host, kept, entries[:1], settings, ask_engine=True)
    list(runner.run(planned(entries[:1], blocks=1)))
    # FakeHost's containers use a second, and grow by a megabyte, from one question to the next. The first two questions
    # are those around the warm-up.
    counters = kept.samples[0].counters
    # A tenth of the load generator's second was load.py's own, before and after the load.
    used = {"client": 900_000, "app": 1_000_000, "db": 1_000_000}
    assert {role: usage.cpu_us for role, usage in counters.roles.items()} == used
    # What the host did is known of the time between the readings beside wrk, which the engine's surround.
    assert counters.between_us == 2_052_000
    assert kept.samples[0].counters.roles["app"].memory_peak_bytes == 4_000_000
    assert "out of memory" in kept.samples[0].verdict.unknown


def test_where_the_cgroup_tree_can_be_read_the_engine_is_not_asked(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    run_planned(host, entries[:1], settings, Kept())
    assert not any(done.startswith("usage") for done in host.done)


def test_an_engine_that_is_gone_ends_the_run_and_keeps_what_was_measured(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()

    def vanish(entry: str, number: int) -> None:
        host.gone = number == 3

    host.on_load = vanish
    with pytest.raises(EngineError, match="the engine is gone"):
        run_planned(host, entries, settings, kept)
    assert (len(kept.samples), kept.failures) == (1, [])


def test_through_the_proxy_the_load_goes_to_nginx_which_starts_after_the_entry(
    entries: list[Entry], settings: Settings
) -> None:
    host = FakeHost()
    entries = [_behind_nginx(entry) for entry in entries]
    run_planned(host, entries, settings, Kept())
    assert {url.split("/")[2] for _, url in host.loads} == {f"proxy-{entry.name}:8080" for entry in entries}
    visit = planned(entries)[0].entry
    first = host.done.index(f"start {visit}")
    steps = [step for step in host.done[first:] if step.startswith(("start", "stop"))]
    assert steps[:4] == [
        f"start {visit}",
        f"start nginx-for-{visit}",
        f"stop nginx-for-{visit}",
        f"stop {visit}",
    ]


def test_of_two_entries_each_is_served_with_what_stands_in_front_of_it(
    entries: list[Entry], settings: Settings
) -> None:
    host = FakeHost()
    run_planned(host, [entries[0], _behind_nginx(entries[1])], settings, Kept())
    assert {(entry, url.split("/")[2]) for entry, url in host.loads} == {
        (entries[0].name, f"app-{entries[0].name}:8080"),
        (entries[1].name, f"proxy-{entries[1].name}:8080"),
    }
    assert host.done.count(f"start nginx-for-{entries[1].name}") == host.done.count(f"start {entries[1].name}") == 2


def test_the_study_primes_with_eight_threads_and_warms_up_at_the_largest_level(
    entries: list[Entry], settings: Settings
) -> None:
    host = FakeHost()
    study = replace(settings, primer_s=5, warmup_s=(15, 15), duration_s=15)
    run_planned(host, entries[:1], study, Kept())
    primer = next(number for number, command in enumerate(host.commands) if "/queries" in command)
    assert (
        "-d 5 -c 8 --timeout 8 -t 8 -s /wrk/report.lua http://app-aiohttp:8080/queries?queries=2"
        in host.commands[primer]
    )
    assert (
        "-d 15 -c 128 --timeout 8 -t 2 -s /wrk/report.lua http://app-aiohttp:8080/queries?queries=2"
        in host.commands[primer + 1]
    )


def test_a_warm_up_has_no_more_connections_than_the_profile_s(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    levels = {**LEVELS, "plaintext": closed.levels_of("plaintext", (1024,), 2)}
    tfb = replace(settings, profile="tfb")
    runner = make_runner(host, Kept(), entries[:1], tfb, levels=levels)
    list(runner.run(schedule.plan(entries[:1], levels, 1, seed=7)))
    warm_up, load = (command for command in host.commands if "/plaintext" in command)
    assert (" -c 512 " in warm_up, " -c 1024 " in load) == (True, True)


def test_verification_loads_nothing_and_names_what_is_wrong(entries: list[Entry]) -> None:
    host = FakeHost()
    host.lies = {"crax"}
    groups = [make_group(host, entry) for entry in entries]
    verdicts = [verdict for each in groups for verdict in conformance.verify_entry(each, LEVELS)]
    assert [verdict.passed for verdict in verdicts] == [True, True, True, False, True, True]
    assert str(verdicts[0]) == "pass  aiohttp json"
    assert host.loads == []


class Noticing(Events):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, line: str) -> None:
        self.lines.append(line)


def test_an_entry_that_does_not_end_when_it_is_asked_to_is_told_once_in_a_run(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept, events = FakeHost(), Kept(), Noticing()
    host.late["crax"] = "took 2.2 s to end"
    list(make_runner(host, kept, entries, settings, events).run(planned(entries)))
    (line,) = (line for line in events.lines if "workers" not in line)
    assert line.startswith("crax took 2.2 s to end; no sample is harmed; unless ")
    assert not kept.failures


def test_a_database_that_ended_between_two_visits_is_told_and_started_again(
    entries: list[Entry], settings: Settings
) -> None:
    host, kept, events = FakeHost(), Kept(), Noticing()
    first, *others = planned(entries)
    runner = make_runner(host, kept, entries, settings, events)
    list(runner.make([first]))
    host.running.discard("db")
    list(runner.make(others))
    lines = [line for line in events.lines if "workers" not in line]
    assert lines == ["db ended (exit code 0): it is started again"]
    assert not kept.failures


PLACEMENT = {"client": (0, 4), "db": (1, 5), "app": (2, 3, 6, 7)}
KEPT_TO = {"wrk": "0,4", "db": "1,5", "aiohttp": "2-3,6-7", "crax": "2-3,6-7"}


@pytest.mark.parametrize(
    ("cpusets", "told"),
    [
        ({"aiohttp": "0-7", "crax": "0-7"}, r"^(aiohttp|crax) runs on CPUs 0,1,2,3,4,5,6,7 instead of 2,3,6,7: "),
        ({"db": "0-7"}, r"^db runs on CPUs 0,1,2,3,4,5,6,7 instead of 1,5: .* use --placement shared$"),
    ],
)
def test_a_role_that_may_use_other_cpus_than_were_planned_for_it_ends_the_run_before_it_is_loaded(
    entries: list[Entry], settings: Settings, cpusets: dict[str, str], told: str
) -> None:
    host, kept = FakeHost(), Kept()
    host.cpusets = {**KEPT_TO, **cpusets}
    runner = make_runner(host, kept, entries, settings, placement=PLACEMENT)
    with pytest.raises(SetupError, match=told):
        list(runner.run(planned(entries)))
    assert (host.loads, kept, host.entry) == ([], [], "")


@pytest.mark.parametrize("cpusets", [KEPT_TO, {}])
def test_roles_that_keep_to_their_cpus_or_of_which_nobody_can_tell_are_measured(
    entries: list[Entry], settings: Settings, cpusets: dict[str, str | None]
) -> None:
    host, kept = FakeHost(), Kept()
    host.cpusets = cpusets
    list(make_runner(host, kept, entries, settings, placement=PLACEMENT).run(planned(entries)))
    assert not kept.failures


def test_a_load_is_read_on_the_cpus_that_containers_may_use(entries: list[Entry], settings: Settings) -> None:
    host = FakeHost()
    list(make_runner(host, Kept(), entries, settings, allowed_cpus=(3, 11)).run(planned(entries)))
    assert {tuple(job["cpus"]) for job in host.jobs} == {(3, 11)}
