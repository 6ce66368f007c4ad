from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import pytest

from benchlab.cli import arguments, cli
from benchlab.core.errors import ConfigError
from benchlab.experiment import profiles
from benchlab.experiment.settings import SETTINGS, choose, impossible, note, typed
from benchlab.experiment.workloads import WORKLOADS
from benchlab.load import closed
from benchlab.records.plan import Level, Settings


def _settings(**changes: Any) -> Settings:
    return choose(**({"seed": 7} | changes))


def _asked(*words: str) -> Settings:
    return arguments.settings(cli.parser().parse_args(words))


def test_the_study_profile_is_the_protocol_of_the_study() -> None:
    assert _settings(profile="study") == Settings(
        profile="study",
        frameworks=(),
        levels={"json": (16, 32, 128), "plaintext": (256, 1024), "query": (1, 10, 20)},
        blocks=5,
        duration_s=15,
        primer_s=5,
        warmup_s=(15, 15),
        proxy="none",
        seed=7,
    )


@pytest.mark.parametrize("profile", ["default", "quick", "study"])
def test_the_study_s_tests_and_levels_are_what_is_measured_where_nothing_else_is_asked_for(profile: str) -> None:
    assert _settings(profile=profile).levels == {"json": (16, 32, 128), "plaintext": (256, 1024), "query": (1, 10, 20)}


def test_the_tfb_profile_has_the_test_types_levels_primer_and_warm_up_of_the_techempower_benchmarks() -> None:
    connections, queries = (16, 32, 64, 128, 256, 512), (1, 5, 10, 15, 20)
    assert _settings(profile="tfb") == Settings(
        profile="tfb",
        frameworks=(),
        levels={
            "json": connections,
            "plaintext": (256, 1024, 4096, 16384),
            "db": connections,
            "query": queries,
            "cached-query": (1, 10, 20, 50, 100),
            "fortune": connections,
            "update": queries,
        },
        blocks=3,
        duration_s=15,
        primer_s=5,
        warmup_s=(15, 15),
        proxy="none",
        seed=7,
    )


@pytest.mark.parametrize(
    ("test", "levels"),
    [("db", (16, 32, 128)), ("fortune", (16, 32, 128)), ("update", (1, 10, 20)), ("cached-query", (1, 20, 100))],
)
def test_a_test_that_the_profile_leaves_out_has_levels_all_the_same(test: str, levels: tuple[int, ...]) -> None:
    assert _settings(tests=[test]).levels == {test: levels}


@pytest.mark.parametrize(("profile", "connections"), [("default", 128), ("study", 128), ("tfb", 512)])
def test_where_n_varies_the_profile_says_at_how_many_connections(profile: str, connections: int) -> None:
    found = closed.levels(_settings(profile=profile, tests=["json", "update"], levels={"update": (5,)}), 2)
    assert found["update"] == (Level(connections, 2, queries=5),)
    assert {level.queries for level in found["json"]} == {0}


def _warmup_level(settings: Settings, test: str, levels: Sequence[Level]) -> Level:
    (step,) = (step for step in closed.before(settings, test, levels) if step.name == "warm-up")
    return step.level


@pytest.mark.parametrize(("profile", "connections"), [("default", 1024), ("study", 1024), ("tfb", 512)])
def test_only_the_tfb_profile_warms_up_with_fewer_connections_than_it_measures(profile: str, connections: int) -> None:
    settings = _settings(profile=profile, tests=["plaintext"])
    of = closed.levels(settings, 2)["plaintext"]
    assert max(level.connections for level in of) >= 1024
    assert _warmup_level(settings, "plaintext", of) == Level(connections, 2)


def test_a_warm_up_with_fewer_connections_has_threads_that_divide_them() -> None:
    settings = _settings(profile="tfb", tests=["plaintext"], levels={"plaintext": (3000,)})
    (level,) = closed.levels(settings, 24)["plaintext"]
    assert level.threads == 24
    assert _warmup_level(settings, "plaintext", [level]) == Level(512, 16)


def test_a_warm_up_within_the_profile_s_connections_is_that_of_the_largest_level() -> None:
    settings = _settings(profile="tfb", tests=["json", "query"], levels={"json": (16, 9)})
    levels = closed.levels(settings, 3)
    assert _warmup_level(settings, "json", levels["json"]) == Level(16, 2)
    assert _warmup_level(settings, "query", levels["query"]) == Level(512, 2, queries=2)


def test_verification_covers_every_test_type_unless_some_are_named() -> None:
    parser = cli.parser("verify")
    assert arguments.verify_settings(parser.parse_args([])).tests == tuple(WORKLOADS)
    assert arguments.verify_settings(parser.parse_args(["--test", "update"])).tests == ("update",)


def test_flags_change_only_what_they_name() -> None:
    usual, changed = _settings(), _settings(tests=["json"], levels={"json": (8,)}, blocks=3)
    assert changed == dataclasses.replace(usual, levels={"json": (8,)}, blocks=3)


def test_several_proxies_and_numbers_of_connections_are_kept_in_order() -> None:
    given = cli.parser("bench").parse_args(["--proxy", "none,nginx", "--db-connections", "64,8"])
    found = arguments.settings(given)
    assert (found.proxy, found.proxies, found.db_connections) == ("none,nginx", ("none", "nginx"), (8, 64))


def test_factors_are_told_of_the_tests_that_ask_the_database_unless_some_are_named() -> None:
    parser = cli.parser("factors")
    assert arguments.factors_settings(parser.parse_args([])).tests == ("query", "db", "fortune", "update")
    assert arguments.factors_settings(parser.parse_args(["--test", "json"])).tests == ("json",)


def test_every_field_of_the_settings_has_a_flag_or_comes_from_the_profile_or_from_the_blocks() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert fields - {setting.place for setting in SETTINGS} == {"primer_s", "warmup_s", "looks", "together", "block_s"}
    assert {setting.place for setting in SETTINGS} - fields == {"tests"}


def test_every_flag_of_the_main_command_is_declared_once_and_says_what_holds_without_it() -> None:
    flags_of_bench = [flag for flag in cli.COMMANDS["bench"].flags if flag.name != "--version"]
    assert [flag.name for flag in flags_of_bench if not flag.default] == []
    assert len({flag.key for flag in flags_of_bench}) == len(flags_of_bench)


def test_a_setting_that_there_is_not_is_a_fault_of_the_lab() -> None:
    with pytest.raises(TypeError, match="no setting has the place block"):
        choose(block=3, seed=7)


def test_the_study_s_profile_is_known_by_its_old_name_too_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert _asked("--profile", "seed", "--seed", "7") == _settings(profile="study")
    assert capsys.readouterr() == ("", "--profile seed: it is called study now\n")


def test_levels_are_read_as_test_and_numbers() -> None:
    assert _asked("--levels", "json=32,16", "--levels", "query=1").levels == {
        "json": (32, 16),
        "plaintext": (256, 1024),
        "query": (1,),
    }


def test_levels_of_one_test_given_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match="--levels json is given twice"):
        _asked("--levels", "json=16", "--levels", "json=32")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("json", "json=16,32"),
        ("jsn=16", "json, plaintext, db, query, cached-query, fortune, update"),
        ("json=", "--levels json=: levels are whole numbers, such as json=16,32"),
        ("json=a,16", "--levels json=a,16: levels are"),
        ("json=1.5", "--levels json=1.5: levels are"),
        ("json=16,16", "twice"),
    ],
)
def test_levels_that_cannot_be_read_are_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        _asked("--levels", text)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"levels": {"json": (0,)}}, "json=0"),
        ({"levels": {"json": (-16,)}}, "json=-16"),
        ({"levels": {"json": (20_001,)}}, "json=20001"),
        ({"levels": {"query": (501,)}}, "query=501"),
        ({"levels": {"update": (501,)}, "tests": ["update"]}, "update=501"),
        ({"levels": {"cached-query": (0,)}, "tests": ["cached-query"]}, "cached-query=0"),
        ({"levels": {"fortune": (16,)}}, "--test fortune"),
        ({"levels": {"json": (16,)}, "tests": ["query"]}, "--test json"),
        ({"blocks": 0}, "--blocks 0"),
        ({"profile": "study", "repeats": 0}, "--repeats 0: use 1 to 100"),
        ({"repeats": 101}, "--repeats 101"),
        ({"duration_s": 0}, "--duration 0"),
        ({"duration_s": 61}, "--duration 61: --profile default takes slices"),
        ({"profile": "study", "duration_s": 601}, "--duration 601"),
        ({"profile": "study", "duration_s": 0.5}, "--duration 0.5: --profile study takes samples of whole seconds"),
    ],
)
def test_impossible_settings_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        _settings(**changes)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"json=0.*--blocks 0.*--duration 0"):
        _settings(blocks=0, duration_s=0, levels={"json": (0,)})


def test_a_level_that_leaves_one_thread_on_many_cpus_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"level 17: .*use a multiple of 2"):
        closed.levels_of("json", (17,), 2)


def test_a_changed_quick_run_still_says_that_it_is_a_first_look() -> None:
    assert "first look" in note(_settings(profile="quick", blocks=7)).lower()
    assert "first look" not in note(_settings(profile="default", blocks=7)).lower()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"blocks": 5}, "5 blocks"),
        ({"repeats": 3}, "3 rounds of a test in a block"),
        ({"duration_s": 2}, "slices of 2 s and more"),
    ],
)
def test_what_is_changed_of_rounds_is_told_in_their_words(changes: dict[str, Any], told: str) -> None:
    assert note(_settings()) == profiles.PROFILES["default"].note
    assert note(_settings(**changes)).endswith(f"Changed: {told}.")


@pytest.mark.parametrize("profile", ["default", "quick"])
def test_what_default_and_quick_were_in_older_labs_is_told_of_their_runs(profile: str) -> None:
    former = profiles.FORMER[profile]
    kept = dataclasses.replace(
        _settings(profile=profile),
        blocks=former.blocks,
        repeats=former.repeats,
        duration_s=former.duration_s,
        warmup_s=former.warmup_s,
        together=False,
        block_s=0,
    )
    assert note(kept) == former.note
    assert list(typed(kept)) == ["--profile", profile, "--seed", "7"]
    assert note(dataclasses.replace(kept, duration_s=9)).endswith("Changed: 9-s samples.")


def test_a_manifest_of_entries_up_together_has_a_profile_that_has_them_so() -> None:
    odd = dataclasses.replace(_settings(profile="study"), together=True)
    assert impossible(odd) == ["settings.together is true, and must be false with the profile study"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"blocks": 3}, "3 blocks"),
        ({"blocks": 1, "repeats": 2}, "1 block, 2 samples of a level in a block"),
        ({"duration_s": 4}, "4-s samples"),
        ({"levels": {"json": (8,)}}, "other levels"),
        ({"tests": ["json"]}, "only some tests"),
        ({"tests": ["fortune"]}, "other tests"),
        ({"tests": ["json", "plaintext", "query", "db"]}, "other tests"),
    ],
)
def test_a_changed_profile_is_not_called_by_its_name_alone(changes: dict[str, Any], told: str) -> None:
    assert note(_settings(profile="study")) == profiles.PROFILES["study"].note
    assert note(_settings(profile="study", **changes)).endswith(f"Changed: {told}.")
