"""Rounds: which slices are taken in which order, what a loss costs, and what is taken anew."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from benchlab.core.errors import EngineError, WrkError
from benchlab.experiment import pace, schedule
from benchlab.experiment.pace import Rate
from benchlab.experiment.settings import choose
from benchlab.load import closed
from benchlab.quality import judge
from benchlab.records.plan import Block, Entry, Rounds, Settings, Trial
from benchlab.records.run import INVALID, Failure, Run, Sample
from benchlab.report import report
from benchlab.run.rounds import MOST_ATTEMPTS
from benchlab.run.slices import MARK

from .conftest import LEVELS, Kept, make_manifest, make_round_runner
from .fake_host import READING, FakeHost, sliced

TESTS = ("json", "query")
NAMES = ("aiohttp", "crax")


@pytest.fixture
def rounds_settings() -> Settings:
    return choose(frameworks=NAMES, tests=TESTS, repeats=3, seed=7)


def _block(number: int = 1, tests: tuple[str, ...] = TESTS) -> Block:
    return Block(number, NAMES, tuple(Rounds(test, 3) for test in tests))


def _taken(host: FakeHost, entries: list[Entry], settings: Settings, kept: Kept, blocks: int = 1) -> list[int]:
    runner = make_round_runner(host, kept, entries, settings)
    return list(runner.run([_block(number) for number in range(1, blocks + 1)]))


def _of(records: list[Sample], entry: str, test: str) -> list[tuple[int, str]]:
    return sorted(
        (each.trial.repeat, str(each.trial.level.key))
        for each in records
        if (each.trial.entry, each.trial.test) == (entry, test)
    )


def test_every_entry_is_loaded_once_at_each_level_of_a_round(entries: list[Entry], rounds_settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    assert _taken(host, entries, rounds_settings, kept, blocks=2) == [1, 2]
    assert not kept.failures
    for block in (1, 2):
        of_block = [sample for sample in kept.samples if sample.trial.block == block]
        for entry in NAMES:
            assert _of(of_block, entry, "json") == [(n, level) for n in (1, 2, 3) for level in ("16", "32")]
            assert _of(of_block, entry, "query") == [(n, level) for n in (1, 2, 3) for level in ("1", "20")]


def test_all_entries_are_up_before_any_is_loaded_and_until_the_block_is_over(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host = FakeHost()
    _taken(host, entries, rounds_settings, Kept())
    steps = [step for step in host.done if step.endswith(NAMES)]
    assert sorted(steps[:2]) == ["start aiohttp", "start crax"]
    assert sorted(steps[2:]) == ["stop aiohttp", "stop crax"]


def test_the_entries_of_a_round_come_in_an_order_of_its_own() -> None:
    trials = list(schedule.slices(Rounds("json", 40), NAMES, LEVELS["json"], 7, 1))
    rounds = [trials[at : at + 4] for at in range(0, len(trials), 4)]
    orders = {tuple((trial.entry, trial.level.key.value) for trial in of_round) for of_round in rounds}
    assert all(len({(trial.entry, trial.level) for trial in of_round}) == 4 for of_round in rounds)
    # Two orders of levels, and of entries at each of them.
    assert len(orders) == 8
    later = list(schedule.slices(Rounds("json", 20, first=21), NAMES, LEVELS["json"], 7, 1))
    assert later == trials[80:]


def test_a_round_with_a_slice_that_does_not_count_is_taken_anew_for_all(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    warm_ups = 4

    def fail_once(entry: str, number: int) -> dict[str, object] | None:
        return {"window": None, "report": None} if number == 2 * warm_ups + 1 else None

    host.on_slice = fail_once
    _taken(host, entries, rounds_settings, kept)
    (failure,) = kept.failures
    assert failure.passing
    test = failure.trial.test
    for entry in NAMES:
        numbers = {number for number, _ in _of(kept.samples, entry, test)}
        assert {2, 3, 4} <= numbers


def test_an_entry_that_is_lost_costs_its_own_rounds_only(entries: list[Entry], rounds_settings: Settings) -> None:
    host, kept = FakeHost(), Kept()

    def die(entry: str, number: int) -> None:
        if number == 12:
            host.dead["aiohttp"] = "aiohttp ended (out of memory)"

    host.on_slice = lambda entry, number: die(entry, number)
    _taken(host, entries, rounds_settings, kept)
    assert {failure.trial.entry for failure in kept.failures} == {"aiohttp"}
    assert "aiohttp ended (out of memory)" in kept.failures[0].reason
    for test in TESTS:
        assert len(_of(kept.samples, "crax", test)) == 6
    # What is told as lost begins with the first round that is not whole, and has all after it.
    for failure in kept.failures:
        taken = [sample for sample in kept.samples if sample.trial.entry == "aiohttp"]
        whole = [each for each in taken if each.trial.test == failure.trial.test]
        assert failure.trial.repeat == 1 + len(whole) // len(LEVELS[failure.trial.test])
    run = Run(_manifest(rounds_settings), tuple(kept.samples), tuple(kept.failures), paces=tuple(kept.paces))
    slices = sum(run.rounds(test) * len(LEVELS[test]) for test in TESTS)
    assert slices - 3 <= judge.number_missing(run) + len(taken) <= slices


@pytest.mark.parametrize("times", [1, 3])
def test_an_answer_that_is_wrong_under_load_ends_the_rounds_and_one_each_time_leaves_its_entry_out(
    entries: list[Entry], rounds_settings: Settings, times: int
) -> None:
    host, kept = FakeHost(), Kept()
    bye = FakeHost().answer("/json") | {"body": base64.b64encode(b'{"message": "Bye"}').decode()}
    lies: list[int] = []

    def lie(entry: str, number: int) -> dict[str, object] | None:
        load, of_round = host.slices[-1]
        if not (load.startswith("crax json") and of_round and len(lies) < times):
            return None
        lies.append(of_round)
        return {"answers": [bye]}

    host.on_slice = lie
    _taken(host, entries, rounds_settings, kept)
    wrong = [sample for sample in kept.samples if sample.verdict.severity == INVALID]
    assert [sample.trial.repeat for sample in wrong] == lies
    counting = [sample for sample in kept.samples if sample not in wrong]
    # The last three rounds are whole.
    assert {level for _, level in _of(counting, "aiohttp", "json")[-6:]} == {"16", "32"}
    assert len(_of(counting, "crax", "query")) == 6
    if times < MOST_ATTEMPTS:
        assert (kept.failures, len(_of(counting, "crax", "json"))) == ([], 6)
    else:
        assert _of(counting, "crax", "json") == []
        assert {(each.trial.entry, each.trial.test) for each in kept.failures} == {("crax", "json")}
        assert all(each.is_wrong_answer for each in kept.failures)
        assert kept.failures[0].reason.endswith("[body]")


def test_an_entry_that_answers_wrongly_is_not_loaded_and_the_others_are(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.lies = {"crax"}
    _taken(host, entries, rounds_settings, kept)
    assert {(failure.trial.entry, failure.trial.test) for failure in kept.failures} == {("crax", "json")}
    assert not any(load.startswith("crax json") for load, _ in host.slices)
    assert len(_of(kept.samples, "aiohttp", "json")) == 6


def test_a_database_that_dies_costs_the_rest_of_the_block_and_is_named(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()

    def kill_database(entry: str, number: int) -> None:
        if number == 12:
            host.dead["db"] = "db ended (exit code 137)"

    host.on_slice = lambda entry, number: kill_database(entry, number)
    assert _taken(host, entries, rounds_settings, kept, blocks=2) == [1, 2]
    assert any("db ended (exit code 137)" in failure.reason for failure in kept.failures)
    assert {sample.trial.block for sample in kept.samples} == {1, 2}
    run = Run(_manifest(rounds_settings), tuple(kept.samples), tuple(kept.failures), paces=tuple(kept.paces))
    assert {failure.trial.block for failure in judge.missing(run)} == {1}


def test_a_database_that_dies_while_an_entry_is_verified_is_recorded_once_for_each_trial(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    class Dying(FakeHost):
        def answer(self, path: str) -> dict[str, object]:
            if path == "/json":
                self.dead["db"] = "db ended (exit code 137)"
            return super().answer(path)

    host, kept = Dying(), Kept()
    host.lies = {"aiohttp"}
    assert _taken(host, entries, rounds_settings, kept) == [1]
    trials = [failure.trial for failure in kept.failures]
    assert sorted(trial.key for trial in trials) == sorted({trial.key for trial in trials})
    assert {(trial.entry, trial.test) for trial in trials} == {(name, test) for name in NAMES for test in TESTS}
    reasons = {failure.reason.partition(";")[0] for failure in kept.failures}
    assert reasons == {
        "while json was verified, db ended (exit code 137)",
        "not tried: db ended (exit code 137)",
    }


def test_an_engine_that_is_gone_ends_the_run(entries: list[Entry], rounds_settings: Settings) -> None:
    host, kept = FakeHost(), Kept()

    def vanish(entry: str, number: int) -> None:
        host.gone = number == 12

    host.on_slice = lambda entry, number: vanish(entry, number)
    with pytest.raises(EngineError, match="does not answer any more"):
        _taken(host, entries, rounds_settings, kept)
    assert kept.samples


def test_a_resumed_block_lacks_only_the_rounds_that_are_not_whole(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    _taken(host, entries, rounds_settings, kept)
    whole = Run(_manifest(rounds_settings), tuple(kept.samples), (), paces=tuple(kept.paces))
    assert [block.number for block in schedule.blocks(whole)] == list(range(2, rounds_settings.blocks + 1))
    torn = [sample for sample in kept.samples if sample.trial.test == "json"]
    missing = replace(whole, taken=tuple(sample for sample in whole.taken if sample != torn[-1]))
    first = schedule.blocks(missing)[0]
    assert (first.number, first.rounds) == (1, (Rounds("json", 1, 4, (torn[-1].trial.entry,)),))


@pytest.mark.parametrize("reason", ["crax did not answer", "wrong answer: json: body"])
def test_an_entry_that_was_lost_is_tried_again_when_the_run_is_resumed_unless_it_answered_wrongly(
    entries: list[Entry], rounds_settings: Settings, reason: str
) -> None:
    host, kept = FakeHost(), Kept()
    _taken(host, entries, rounds_settings, kept)
    without = [each for each in kept.samples if (each.trial.entry, each.trial.test) != ("crax", "json")]
    lost = Failure(Trial(1, "crax", "json", LEVELS["json"][0]), kept[0].started_at, reason)
    run = Run(_manifest(rounds_settings), tuple(without), (lost,), paces=tuple(kept.paces))
    again = Block(1, NAMES, (Rounds("json", 3, 4, ("crax",)),))
    assert (schedule.blocks(run)[0] == again) is not lost.is_wrong_answer


@pytest.mark.parametrize("starts", [True, False])
def test_rounds_that_one_entry_lacks_are_taken_of_all_where_it_is_up_and_of_none_where_it_is_not(
    entries: list[Entry], rounds_settings: Settings, starts: bool
) -> None:
    host, kept, again = FakeHost(), Kept(), Kept()
    _taken(host, entries, rounds_settings, kept)
    host.stillborn = set() if starts else {"crax"}
    runner = make_round_runner(host, again, entries, rounds_settings)
    runner.paces.update({each.test: each for each in kept.paces})
    assert list(runner.run([Block(1, NAMES, (Rounds("json", 3, 4, ("crax",)),))])) == [1]
    assert {sample.trial.entry for sample in again.samples} == (set(NAMES) if starts else set())
    assert {failure.trial.entry for failure in again.failures} == (set() if starts else {"crax"})


def test_a_slice_is_expected_to_take_some_waits_for_an_answer() -> None:
    small, large = closed.levels_of("query", (1, 20), 2)
    rates = {"fast": [Rate(large, 12_800.0)], "slow": [Rate(small, 1280.0), Rate(large, 128.0)]}
    # 128 requests in flight at 128 a second: each waits for 1 s. Ramp and window take one each, and half of one more
    # passes until the server is idle. At the other level each waits for 0.1 s.
    of_slow = [pace.slice_s([level], {"slow": rates["slow"]}, pace.length(0.3)) for level in (small, large)]
    assert of_slow == pytest.approx([0.1 + 0.35 + 0.05 + pace.BESIDE_S, 1 + 1 + 0.5 + pace.BESIDE_S])
    of_fast = pace.slice_s([large], {"fast": rates["fast"]}, pace.length(0.3))
    assert pace.slice_s([large], rates, pace.length(0.3)) == pytest.approx((of_fast + of_slow[1]) / 2)


def test_counters_that_ran_backwards_cost_their_slice_only(entries: list[Entry], rounds_settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    window = json.loads(sliced("", 1, 300_000).removeprefix(MARK))["window"]
    window["before"] = window["before"] | {"host": READING["host"] | {"idle_us": 310_000}}
    host.on_slice = lambda entry, number: {"window": window} if number == 9 else None
    assert _taken(host, entries, rounds_settings, kept) == [1]
    (failure,) = kept.failures
    assert failure.passing
    assert "idle_us ran backwards" in failure.reason
    assert len(kept.samples) == 27


def test_slices_that_cannot_be_read_cost_their_block_and_two_blocks_end_the_run(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    host.on_slice = lambda entry, number: {"wall_us": "long"} if number == 9 else None
    assert _taken(host, entries, rounds_settings, kept, blocks=2) == [1, 2]
    assert "a slice cannot be read" in kept.failures[0].reason
    assert {sample.trial.block for sample in kept.samples} == {2}
    host.on_slice = lambda entry, number: {"wall_us": "long"}
    with pytest.raises(WrkError, match="a slice cannot be read"):
        _taken(host, entries, rounds_settings, Kept(), blocks=2)


def test_an_entry_that_falls_silent_in_its_warm_up_is_lost_and_has_no_say_in_the_pace(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    silent: dict[str, object] = {"window": None, "report": None, "is_gone": True}
    host.on_slice = lambda entry, number: silent if entry == "crax" else None
    _taken(host, entries, rounds_settings, kept)
    assert {failure.trial.entry for failure in kept.failures} == {"crax"}
    assert "answered nothing any more while json was warmed up" in kept.failures[0].reason
    assert {(load.partition(" ")[0], number) for load, number in host.slices if number} == {
        ("aiohttp", number) for number in (1, 2, 3)
    }


def test_an_entry_that_hangs_under_load_in_its_warm_up_takes_no_part_in_the_test_and_has_no_say_in_its_pace(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    window = json.loads(sliced("", 1, 300_000).removeprefix(MARK))["window"] | {"requests": 0, "read_requests": 0}

    def hang(entry: str, number: int) -> dict[str, object] | None:
        return {"window": window} if host.slices[-1] == ("crax json 32", 0) else None

    host.on_slice = hang
    _taken(host, entries, rounds_settings, kept)
    assert {failure.trial.test for failure in kept.failures} == {"json"}
    assert {failure.reason for failure in kept.failures} == {
        "crax answered nothing under load while json was warmed up at 32 connections, though it answers single requests"
    }
    (json_pace,) = (each for each in kept.paces if each.test == "json")
    assert json_pace.slice_s < 1
    assert len(_of(kept.samples, "aiohttp", "json")) == len(_of(kept.samples, "crax", "query")) == 6
    assert not _of(kept.samples, "crax", "json")


def test_that_nothing_was_counted_of_a_warm_up_is_recorded(entries: list[Entry], rounds_settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.on_slice = lambda entry, number: {"window": None, "report": None}
    _taken(host, entries, rounds_settings, kept)
    assert not kept.samples
    assert {(failure.trial.entry, failure.trial.test) for failure in kept.failures} == {
        (entry, test) for entry in NAMES for test in TESTS
    }


def test_a_slice_that_failed_does_not_count_as_the_loss_of_its_entry(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    host, kept = FakeHost(), Kept()
    _taken(host, entries, rounds_settings, kept)
    torn = next(each for each in kept.samples if (each.trial.test, each.trial.repeat) == ("json", 3))
    failed = Failure(torn.trial, torn.started_at, "wrk ended before the slice was over", passing=True)
    left = tuple(sample for sample in kept.samples if sample != torn)
    run = Run(_manifest(rounds_settings), left, (failed,), paces=tuple(kept.paces))
    assert schedule.blocks(run)[0].rounds == (Rounds("json", 1, 4, (torn.trial.entry,)),)


def test_a_slice_that_was_taken_anew_is_not_missing(entries: list[Entry], rounds_settings: Settings) -> None:
    host, kept = FakeHost(), Kept()
    host.on_slice = lambda entry, number: {"window": None, "report": None} if number == 9 else None
    _taken(host, entries, rounds_settings, kept)
    (failure,) = kept.failures
    run = Run(_manifest(rounds_settings), tuple(kept.samples), (failure,), paces=tuple(kept.paces))
    assert (judge.missing(run), judge.spared(run)) == ((), ())


@pytest.mark.parametrize(("failing", "is_missing"), [(1, False), (2, True)])
def test_slices_that_no_round_makes_up_for_are_missing_where_less_than_half_of_their_block_is_left(
    entries: list[Entry], rounds_settings: Settings, failing: int, is_missing: bool
) -> None:
    kept = Kept()
    _taken(FakeHost(), entries, rounds_settings, kept)
    last = [each for each in kept.samples if each.trial.key.startswith("1/crax/json/c32")][-failing:]
    torn = tuple(Failure(each.trial, each.started_at, "wrk ended", passing=True) for each in last)
    counting = tuple(each for each in kept.samples if each not in last)
    manifest = _manifest(replace(rounds_settings, blocks=1))
    run = Run(manifest, counting, torn, paces=tuple(kept.paces))
    assert (judge.missing(run), judge.spared(run)) == ((torn, ()) if is_missing else ((), torn))
    assert run.to_come == 0
    assert any(line.endswith("; the block has enough rounds without") for line in report.reasons(run)) is not is_missing


def test_an_entry_that_was_lost_in_rounds_that_it_has_slices_of_is_missing(
    entries: list[Entry], rounds_settings: Settings
) -> None:
    kept = Kept()
    _taken(FakeHost(), entries, rounds_settings, kept)
    left = tuple(each for each in kept.samples if each.trial.entry == "aiohttp" or each.trial.repeat < 3)
    last = max((each for each in left if each.trial.entry == "crax"), key=lambda each: each.trial.repeat)
    lost = Failure(last.trial, last.started_at, "the database ended")
    run = Run(_manifest(rounds_settings), left, (lost,), paces=tuple(kept.paces))
    assert judge.missing(run) == (lost,)
    assert not judge.made_up_for(run)


def test_what_is_paced_after_a_resume_gets_its_own_share_of_a_block(entries: list[Entry]) -> None:
    settings = choose(frameworks=NAMES, tests=TESTS, seed=7)
    counts = []
    for block in (_block(), Block(1, NAMES, (Rounds("query", 0),))):
        kept = Kept()
        list(make_round_runner(FakeHost(), kept, entries, settings).run([block]))
        counts += [made.rounds for made in kept.paces if made.test == "query"]
    assert counts[0] == pytest.approx(counts[1], rel=0.2)


def test_a_test_whose_pairs_take_four_times_as_long_has_half_as_many() -> None:
    counts = pace.rounds({"json": 0.5, "plaintext": 2.0}, {"json": 3, "plaintext": 2}, 300.0)
    pairs = {"json": counts["json"] * 3, "plaintext": counts["plaintext"] * 2}
    assert pairs["json"] == pytest.approx(2 * pairs["plaintext"], rel=0.05)
    assert pairs["json"] * 2 * 0.5 + pairs["plaintext"] * 2 * 2.0 == pytest.approx(300.0, rel=0.05)


def _manifest(settings: Settings):  # type: ignore[no-untyped-def]
    return replace(
        make_manifest(), settings=replace(settings, levels={"json": (16, 32), "query": (1, 20)}), groups=(NAMES,)
    )
