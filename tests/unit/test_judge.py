"""Each rule of the judge, broken alone; and that the throughput itself breaks none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from benchlab.contract.answers import Problem
from benchlab.quality import judge, rules
from benchlab.quality.rules import Evidence
from benchlab.records import schema
from benchlab.records.counters import APP, CLIENT, DB, Counters, HostUsage, together
from benchlab.records.load import Errors, Load, Ports
from benchlab.records.plan import Level, Manifest
from benchlab.records.run import GOOD, INVALID, NOT_TRIED, SUSPECT, Failure, Run, Verdict

from .conftest import STARTED, make_counters, make_load, make_sample, make_trial

# 16 connections at 2 ms each are 8,000 requests in a second.
CALM = Evidence(Level(16, 2), 1, make_load(8000), make_counters(), True, (), 5000.0, 2)


def _load(**changes: object) -> Callable[[Evidence], Evidence]:
    return lambda calm: replace(calm, load=replace(calm.load, **changes))  # type: ignore[arg-type]


def _host(**changes: int | None) -> Callable[[Evidence], Evidence]:
    return lambda calm: replace(calm, counters=replace(calm.counters, host=replace(calm.counters.host, **changes)))


def _role(role: str, **changes: int | None) -> Callable[[Evidence], Evidence]:
    def change(calm: Evidence) -> Evidence:
        roles = calm.counters.roles
        return replace(calm, counters=replace(calm.counters, roles={**roles, role: replace(roles[role], **changes)}))

    return change


def _calm(**changes: object) -> Callable[[Evidence], Evidence]:
    return lambda calm: replace(calm, **changes)  # type: ignore[arg-type]


def _counted(**changes: object) -> Callable[[Evidence], Evidence]:
    return lambda calm: replace(calm, counters=replace(calm.counters, **changes))  # type: ignore[arg-type]


def _received(*rates: int) -> Callable[[Evidence], Evidence]:
    """Return the change to these rates in the seconds of the sample."""
    seconds = tuple((second * 1_000_000, sum(rates[:second])) for second in range(len(rates) + 1))
    return lambda calm: replace(calm, counters=replace(calm.counters, received=seconds))


def test_a_process_that_ends_slowly_on_a_full_host_has_no_duration_error() -> None:
    assert judge.judge(_load(wall_us=1_360_000)(CALM)).severity == GOOD


def _late_slice(calm: Evidence) -> Evidence:
    """Return the evidence of a slice whose server stood still for 1.3 of its 1.6 s."""
    return replace(calm, duration_s=0.3, load=replace(make_load(2400, 1_600_000), launch_requests=12_800))


def test_wrk_that_a_quota_held_back_is_throttled_and_has_no_duration_error() -> None:
    late = _load(wall_us=1_600_000)(CALM)
    assert list(judge.judge(_role(CLIENT, throttled_periods=5)(late)).broken) == ["throttled"]


def test_a_calm_sample_is_good_and_what_the_host_does_not_tell_is_named() -> None:
    assert judge.judge(CALM) == Verdict(GOOD, {}, ("thermal throttling", "stall"))


def test_a_sample_is_judged_by_the_rules_that_are_given_and_no_others() -> None:
    silent = replace(CALM, load=make_load(0))
    by_rule = {name: judge.judge(silent, [rules.BY_NAME[name]]) for name in ("no answers", "errors")}
    assert by_rule == {"no answers": Verdict(INVALID, {"no answers": 1.0}), "errors": Verdict(GOOD, {})}


@pytest.mark.parametrize(
    ("errors", "ports", "is_told"),
    [
        (Errors(connect=3), Ports(28_232, 28_100), True),
        (Errors(connect=3), Ports(28_232, 20_000), False),
        (Errors(connect=3), None, False),
        (Errors(read=3), Ports(28_232, 28_100), False),
    ],
)
def test_connections_that_got_no_local_port_are_told_as_that(
    errors: Errors, ports: Ports | None, is_told: bool
) -> None:
    sample = make_sample(load=make_load(8000, errors=errors))
    verdict = judge.judge(replace(CALM, load=sample.load, ports=ports))
    told = judge.reason(replace(sample, verdict=verdict))
    assert verdict.severity == INVALID
    assert ("wrk had no local port left: of its 28,232, 28,100 waited after a connection" in told) == is_told
    assert told.endswith("; use a shorter --duration") == is_told
    assert "--duration" not in verdict.detail


@pytest.mark.parametrize(
    ("name", "severity", "change"),
    [
        ("errors", INVALID, _load(errors=Errors(status=1))),
        ("errors", INVALID, _load(errors=Errors(read=1))),
        ("no answers", INVALID, _load(requests=0)),
        ("duration error", INVALID, _load(wall_us=1_600_000)),
        ("duration error", INVALID, _load(duration_us=1_600_000, requests=12_800)),
        ("duration error", INVALID, _calm(duration_s=2, load=replace(make_load(16_000), wall_us=2_000_000))),
        ("wrong answers", INVALID, _calm(wrong_answers=[Problem("json", "body", "no")])),
        ("hung connections", INVALID, _load(requests=7000)),
        ("throttled", INVALID, _role(APP, throttled_periods=1)),
        ("out of memory", INVALID, _role(APP, oom_kills=1)),
        ("swap", INVALID, _host(swapped_pages=1)),
        ("busy before", SUSPECT, _counted(idle_before=False)),
        ("steal", SUSPECT, _host(stolen_us=30_000)),
        ("background CPU", SUSPECT, _host(busy_us=1_000_000)),
        ("memory pressure", SUSPECT, _host(memory_stalled_us=20_000)),
        ("io pressure", SUSPECT, _host(io_stalled_us=20_000)),
        ("thermal throttling", SUSPECT, _host(thermal_throttles=1)),
        ("host speed", SUSPECT, _calm(counters=make_counters(speed_us=5600.0))),
        ("host speed", SUSPECT, _calm(counters=make_counters(speed_us=4400.0))),
        ("idle entries", SUSPECT, _counted(idle_entries_cpu_us=100_000)),
        ("silent slice", GOOD, lambda calm: replace(calm, load=replace(calm.load, requests=0, launch_requests=0))),
        ("late slice", GOOD, _late_slice),
        ("stall", GOOD, _received(100, 100, 50, 100)),
        ("stall", GOOD, _received(100, 140, 100, 100)),
        ("clock set", GOOD, _calm(clock_set_us=3_600_000_000)),
        ("clock set", GOOD, _calm(clock_set_us=-20_000)),
        ("heavy logging", GOOD, _calm(log_lines_per_s=8000.0)),
        ("client-bound", GOOD, _role(CLIENT, cpu_us=1_950_000)),
        ("unsteady", GOOD, _calm(steady=False)),
    ],
)
def test_each_rule_is_broken_by_what_it_names_and_by_nothing_else(
    name: str, severity: str, change: Callable[[Evidence], Evidence]
) -> None:
    verdict = judge.judge(change(CALM))
    assert (list(verdict.broken), verdict.severity) == ([name], severity)


def test_every_rule_has_a_case_above() -> None:
    (mark,) = test_each_rule_is_broken_by_what_it_names_and_by_nothing_else.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in mark.args[1]} == set(rules.BY_NAME)


def test_what_the_slices_before_waited_for_is_not_the_pressure_of_this_one() -> None:
    waited = _host(memory_stalled_us=500_000, io_stalled_us=500_000, stolen_us=200_000)(CALM).counters
    # What the host's clock ticks too rarely for is looked for in all of them.
    assert list(judge.judge(replace(CALM, around=waited)).broken) == ["steal"]


@pytest.mark.parametrize("factor", [1, 3, 10])
def test_the_throughput_itself_is_never_judged(factor: int) -> None:
    slower = make_load(8000 // factor)
    latency = replace(slower.latency, mean_us=2000.0 * factor, max_us=90_000.0)
    assert judge.judge(replace(CALM, load=replace(slower, latency=latency))).severity == GOOD


def test_a_server_that_tidies_up_after_the_load_is_no_slow_host() -> None:
    probes = replace(CALM.counters, speeds_us=(5000.0, 9000.0))
    assert judge.judge(_calm(counters=probes)(CALM)).severity == GOOD


def test_one_slow_probe_is_no_slow_host_where_those_of_the_slices_before_were_not() -> None:
    slow, usual = make_counters(speed_us=5600.0), make_counters(speed_us=5050.0)
    a_slice = replace(CALM, counters=slow, load=replace(CALM.load, launch_requests=CALM.load.requests))
    for before, broken in (([usual, usual], []), ([slow, usual], ["host speed"])):
        around = together([*before, slow])
        assert list(judge.judge(replace(a_slice, around=around)).broken) == broken


def test_the_short_rest_after_the_last_whole_second_is_no_stall() -> None:
    seconds = ((0, 0), (1_000_000, 100), (2_000_000, 200), (3_000_000, 300), (3_100_000, 301))
    assert judge.judge(replace(CALM, counters=replace(CALM.counters, received=seconds))).severity == GOOD


def _fifo(answers: float, connections: int = 16, seconds: float = 1.0) -> Load:
    """Return the load of a server that answers one request after the other, in the order of their arrival.

    Each connection sends at once, and again when it is answered: the first answers come after a part of a round, all
    others after a whole one.
    """
    requests = round(answers * connections)
    round_us = seconds * 1e6 / answers
    waits_us = [round_us * min(1.0, (number + 1) / connections) for number in range(requests)]
    found = make_load(requests, round(seconds * 1e6))
    return replace(found, latency=replace(found.latency, mean_us=sum(waits_us) / requests, max_us=max(waits_us)))


@pytest.mark.parametrize("answers", [0.8, 1.5, 2.0, 5.0, 9.9])
def test_a_slow_server_that_answers_in_the_order_of_arrival_is_not_called_hung(answers: float) -> None:
    verdict = judge.judge(replace(CALM, load=_fifo(answers)))
    assert (verdict.severity, "hung connections" in verdict.unknown) == (GOOD, True)


@pytest.mark.parametrize("answers", [10.0, 12.5, 100.0])
def test_where_littles_law_is_asked_such_a_server_keeps_it(answers: float) -> None:
    verdict = judge.judge(replace(CALM, load=_fifo(answers)))
    assert (verdict.severity, "hung connections" in verdict.unknown) == (GOOD, False)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_calm(level=Level(1024, 2, pipeline=16)), id="pipelined"),
        pytest.param(_load(requests=0), id="nothing came back"),
        pytest.param(_calm(clock_set_us=2_000_000), id="the clock was set"),
    ],
)
def test_where_littles_law_cannot_be_asked_its_rule_has_no_value(change: Callable[[Evidence], Evidence]) -> None:
    verdict = judge.judge(change(CALM))
    assert ("hung connections" in verdict.broken, "hung connections" in verdict.unknown) == (False, True)


def _of_3_s(requests: int, *rates: int) -> Evidence:
    """Return the evidence of 3 s with so many answers after 2 ms each, and of these rates in its seconds."""
    return _received(*rates)(replace(CALM, duration_s=3, load=make_load(requests, 3_000_000)))


def test_a_server_that_stands_still_at_the_end_of_a_sample_has_no_connection_that_hangs() -> None:
    """It would be taken anew until it does not, and be the faster for it."""
    assert judge.judge(_of_3_s(20_000, 100, 100, 50)).broken.keys() == {"stall"}


def test_connections_that_hang_all_the_time_are_seen_whatever_the_seconds_are_like() -> None:
    assert list(judge.judge(_of_3_s(20_000, 100, 100, 100)).broken) == ["hung connections"]


def test_what_the_engine_does_for_the_entry_s_log_is_no_stranger_s_work() -> None:
    busy = _host(busy_us=1_000_000)(CALM)
    assert judge.judge(busy).broken.keys() == {"background CPU"}
    verdict = judge.judge(replace(busy, log_lines_per_s=8000.0))
    assert (verdict.severity, list(verdict.broken)) == (GOOD, ["heavy logging"])
    assert "background CPU" in verdict.unknown
    assert judge.judge(replace(busy, log_lines_per_s=20.0)).broken.keys() == {"background CPU"}


def test_a_full_wrk_is_client_bound_however_long_it_took_to_begin_and_to_end() -> None:
    used = _role(CLIENT, cpu_us=1_960_000)(CALM)
    slow = replace(used, counters=replace(used.counters, between_us=1_360_000))
    assert judge.judge(slow).broken == {"client-bound": pytest.approx(0.98)}


def test_what_wrk_used_before_and_after_its_own_time_is_no_more_than_all() -> None:
    assert judge.judge(_role(CLIENT, cpu_us=2_300_000)(CALM)).broken == {"client-bound": 1.0}


def test_time_outs_alone_break_no_rule() -> None:
    assert judge.judge(_load(errors=Errors(timeout=9))(CALM)).severity == GOOD


def test_a_host_that_tells_nothing_leaves_nothing_ok() -> None:
    blind = replace(CALM, counters=Counters(1_050_000, HostUsage(), {}, (), (5000.0, 5000.0)), usual_speed_us=None)
    verdict = judge.judge(blind)
    assert (verdict.severity, verdict.broken) == (GOOD, {})
    assert set(verdict.unknown) == {
        "throttled",
        "out of memory",
        "swap",
        "busy before",
        "steal",
        "background CPU",
        "memory pressure",
        "io pressure",
        "thermal throttling",
        "host speed",
        "stall",
        "client-bound",
    }


@pytest.mark.parametrize(("rule", "counter"), [("throttled", "throttled_periods"), ("out of memory", "oom_kills")])
def test_a_counter_that_one_container_lacks_is_unknown_unless_another_breaks_the_rule(rule: str, counter: str) -> None:
    lacking = _role(APP, **{counter: None})(CALM)
    assert judge.judge(lacking).unknown == (rule, "thermal throttling", "stall")
    broken = judge.judge(_role(DB, **{counter: 2})(lacking))
    assert (broken.severity, broken.broken) == (INVALID, {rule: 2.0})
    assert rule not in broken.unknown


def test_the_worst_broken_rule_is_the_verdict() -> None:
    both = _host(stolen_us=30_000, swapped_pages=1)(CALM)
    assert judge.judge(both).severity == INVALID


def test_the_usual_speed_is_the_median_and_unknown_at_first() -> None:
    samples = [make_sample() for _ in range(4)]
    assert judge.usual_speed_us(samples[:3], 1) is None
    assert judge.usual_speed_us(samples, 1) == 5000.0


def test_the_host_s_speed_is_held_against_that_of_the_samples_in_its_block_not_of_the_whole_run() -> None:
    """A host that is a tenth slower tonight slows all entries of tonight's blocks alike."""
    quick, slow = make_counters(speed_us=5000.0), make_counters(speed_us=5600.0)
    first = [replace(make_sample(make_trial(1)), counters=quick) for _ in range(40)]
    second = [replace(make_sample(make_trial(2)), counters=slow) for _ in range(4)]
    assert judge.usual_speed_us([*first, *second[:3]], 2) == 5600.0
    assert judge.usual_speed_us([*first, *second], 2) == 5600.0
    assert judge.usual_speed_us(first, 2) == 5000.0


def test_a_trial_counts_by_its_first_good_sample_else_its_last_suspect_one(manifest: Manifest) -> None:
    def chosen(*severities: str) -> list[int]:
        taken = [make_sample(severity=severity, attempt=n) for n, severity in enumerate(severities, start=1)]
        return [sample.attempt for sample in Run(manifest, tuple(reversed(taken)), ()).samples]

    assert chosen(INVALID, GOOD, GOOD) == [2]
    assert chosen(SUSPECT, GOOD) == [2]
    assert chosen(SUSPECT, SUSPECT) == [2]
    assert chosen(INVALID, SUSPECT, INVALID) == [2]
    assert chosen(INVALID, INVALID, INVALID) == []


def test_a_trial_without_a_sample_that_counts_is_missing_with_its_reason(manifest: Manifest) -> None:
    run = Run(manifest, (make_sample(severity=INVALID), make_sample(make_trial(block=2))), ())
    (missing,) = judge.missing(run)
    assert missing.trial == make_trial()
    assert missing.reason == "wrk ran longer or shorter than asked: the host stalled (2.00 s off)"


def test_a_trial_whose_repeat_was_lost_is_missing_for_what_its_own_sample_broke(manifest: Manifest) -> None:
    sample, other = make_sample(severity=INVALID), make_trial(block=2)
    lost = [Failure(trial, STARTED + timedelta(hours=1), f"{NOT_TRIED}: it died") for trial in (other, sample.trial)]
    missing = judge.missing(Run(manifest, (sample,), tuple(lost)))
    assert [(failure.trial, failure.reason) for failure in missing] == [
        (sample.trial, judge.reason(sample)),
        (other, f"{NOT_TRIED}: it died"),
    ]


def test_a_rule_of_another_version_is_told_by_its_name() -> None:
    assert judge.sentence("moonlight", 0.5) == "moonlight (0.5)"


def test_every_name_that_a_rule_had_leads_to_a_rule_of_now() -> None:
    assert rules.BY_NAME.keys() >= set(schema.RENAMED_RULES.values())
    assert rules.BY_NAME.keys().isdisjoint(schema.RENAMED_RULES)


def test_load_of_many_answers_is_no_fault() -> None:
    busy: Load = make_load(9000)  # wrk's rewriting of latencies makes more connections busy than there are
    assert judge.judge(replace(CALM, load=busy)).severity == GOOD


def test_a_clock_that_was_set_back_changes_nothing_of_which_sample_counts(manifest: Manifest) -> None:
    first, again = (make_sample(severity=severity, attempt=n) for n, severity in ((1, SUSPECT), (2, GOOD)))
    earlier = replace(again, started_at=STARTED - timedelta(hours=1))
    run = Run(manifest, (earlier, first), ())
    assert run.samples == (earlier,)
    assert run.ended_at > STARTED
