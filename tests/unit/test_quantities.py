from __future__ import annotations

import pytest

from benchlab.core import quantities
from benchlab.core.errors import ConfigError


@pytest.mark.parametrize(("text", "value"), [("3%", 0.03), ("0.5 %", 0.005), ("50%", 0.5)])
def test_a_share_is_typed_as_a_percentage(text: str, value: float) -> None:
    assert quantities.share("--precision", text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["0%", "51%", "-3%", "three", "", "nan", "%", "3", "0.03"])
def test_no_other_text_is_a_share(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--precision .*as in 3%"):
        quantities.share("--precision", text)


@pytest.mark.parametrize(("text", "value"), [("20m", 1200), ("90s", 90), ("1h30m", 5400), ("2h", 7200), ("1m5s", 65)])
def test_a_time_is_typed_with_its_unit(text: str, value: int) -> None:
    assert quantities.seconds("--budget", text) == value


@pytest.mark.parametrize("text", ["20", "m", "0s", "5m1h", "-5m", "1.5h", ""])
def test_no_other_text_is_a_time(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--budget .*as in 20m"):
        quantities.seconds("--budget", text)


@pytest.mark.parametrize(("seconds", "said"), [(9.4, "9 s"), (59.6, "1 min 00 s"), (485, "8 min 05 s")])
def test_times_are_said_as_a_person_says_them(seconds: float, said: str) -> None:
    assert quantities.minutes(seconds) == said


@pytest.mark.parametrize(
    ("count", "nouns", "said"),
    [
        (1, ("sample",), "1 sample"),
        (0, ("sample",), "0 samples"),
        (1024, ("connection",), "1,024 connections"),
        (1, ("query", "queries"), "1 query"),
        (2, ("is", "are"), "2 are"),
    ],
)
def test_a_count_is_said_with_the_noun_or_the_verb_that_goes_with_it(
    count: int, nouns: tuple[str, ...], said: str
) -> None:
    assert quantities.counted(count, *nouns) == said
