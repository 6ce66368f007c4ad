"""What the plots show is what was measured, on axes that do not exaggerate, in colours that all can tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchlab.records.counters import APP, CLIENT, DB, HostUsage, Usage
from benchlab.records.run import INVALID, SUSPECT, Run, Sample, Verdict
from benchlab.report import charts, page, plots, points, tables
from benchlab.report.charts import Trace
from benchlab.report.points import REPLACED, Point
from benchlab.statistics import bottleneck

from .conftest import STARTED, make_load, make_sample, make_trial
from .made_runs import make_run, result_of, with_samples
from .values import Array

STYLE = (Path(page.__file__).parent / "templates" / page.STYLE).read_text()
# Machado, Oliveira and Fernandes (2009), severity 1: what linear RGB is to eyes without one kind of cones.
EYES = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def _points(run: Run) -> tuple[Point, ...]:
    return points.of_test(run, result_of(run), points.clock(run))


def _all(traces: Iterable[Trace], meta: str, key: str) -> list[float]:
    return [value for trace in traces if trace["meta"] == meta for value in trace[key]]


def test_every_sample_is_a_point_and_every_cell_a_mean() -> None:
    run = make_run({"a": [1000, 1100, 1200], "b": [2000, 2100, 2200]})
    result, found = result_of(run), _points(run)
    rows = charts.rows(points.groups(found, tables.order(result)))
    drawn = plots.rates(result, found, rows, charts.looks("ab"), run.blocks)
    assert sorted(_all(drawn.traces, "samples", "x")) == [1000, 1100, 1200, 2000, 2100, 2200]
    assert _all(drawn.traces, "means", "x") == [charts.rounded(cell.rate.mean) for cell in result.cells]
    assert "a at 16: 1,097" in drawn.alternative


def test_rows_stand_below_their_level_the_fastest_first() -> None:
    run = make_run({"a": [1000, 1100], "b": [2000, 2100]})
    rows = charts.rows(points.groups(_points(run), tables.order(result_of(run))))
    assert rows.headings == {0: "<b>16 connections</b>"}
    assert rows.labels == ("", "b", "a")
    assert rows.at == {("16 connections", "b"): 1, ("16 connections", "a"): 2}


def test_an_axis_of_figures_starts_at_zero() -> None:
    dots = charts.dots("a", charts.looks("a")["a"], [charts.Dot(0, 1000.0, 990.0, 1010.0, "")])
    start, end = charts.axis("requests/s", [dots])["range"]
    assert start == 0
    assert 1010 < end < 1100


def test_an_interval_that_says_nothing_does_not_press_all_else_to_the_edge() -> None:
    dots = charts.dots("a", charts.looks("a")["a"], [charts.Dot(0, 1000.0, 1.0, 1e9, "")])
    assert charts.axis("requests/s", [dots])["range"][1] < 2000
    assert 10 ** charts.ratio_axis("times", [dots])["range"][1] < 2000


def test_an_axis_of_ratios_is_never_so_short_that_a_per_cent_looks_like_a_gulf() -> None:
    dots = charts.dots("a", charts.looks("a")["a"], [charts.Dot(0, 1.01, 1.005, 1.015, "")])
    axis = charts.ratio_axis("times", [dots])
    low, high = (10**end for end in axis["range"])
    assert axis["type"] == "log"
    assert low < 0.8
    assert high > 1.25


@pytest.mark.parametrize("ratio", [0.002, 0.3, 0.9, 1.0, 1.4, 7.0, 300.0])
def test_an_axis_of_ratios_has_some_ticks_whatever_its_length(ratio: float) -> None:
    dots = charts.dots("a", charts.looks("a")["a"], [charts.Dot(0, ratio, None, None, "")])
    ticks = charts.ratio_axis("times", [dots])["tickvals"]
    assert 3 <= len(ticks) <= 12
    assert 1.0 in ticks


def test_a_suspect_sample_is_hollow_and_one_that_does_not_count_a_cross() -> None:
    run = make_run({"a": [1000, 1010]})
    first, again = (make_sample(make_trial(3, "a"), severity=SUSPECT, attempt=attempt) for attempt in (1, 2))
    invalid = make_sample(make_trial(4, "a"), severity=INVALID)
    found = _points(with_samples(run, first, again, invalid))
    assert [point.kind for point in found] == ["good", "good", REPLACED, "suspect", "invalid"]
    drawn = [points.mark(kind, entry, charts.looks("a")["a"])["marker"] for kind, entry, _ in points.by_kind(found)]
    assert [(mark["symbol"], mark["color"]) for mark in drawn] == [
        ("circle", "--entry-1"),
        ("circle-open", "--entry-1"),
        ("x-thin-open", "--muted"),
        ("x-thin-open", "--bad"),
    ]


def test_a_sample_tells_block_try_time_and_verdict() -> None:
    sample = replace(
        make_sample(make_trial(3, "a"), attempt=2), verdict=Verdict(INVALID, {"wrong answers": 1.0}, (), "got <b>")
    )
    told = "invalid: wrong answers under load (1); got &lt;b&gt;"
    assert points.Point(sample, INVALID, 0.0, 100.0).facts == ["16 connections", "3, try 2", "12:00:00", told]


def test_drift_of_the_whole_host_shows_as_the_means_of_blocks() -> None:
    run = make_run({"a": [1000, 900, 800], "b": [2000, 1800, 1600]})
    drawn = points.course("json", _points(run), charts.looks("ab"), points.clock(run))
    (line,) = [trace for trace in drawn.traces if trace["meta"] == "line"]
    assert line["y"] == pytest.approx([111.6, 100.4, 89.3], abs=0.1)
    assert len(_all(drawn.traces, "samples", "y")) == 6
    assert "from 89 to 112 %" in drawn.alternative


def test_what_lies_beyond_the_course_s_axis_is_drawn_at_its_edge_and_told_as_it_was() -> None:
    run = make_run({"a": [1000, 1010, 990]})
    silent = make_sample(make_trial(3, "a"), make_load(100), INVALID, attempt=2)
    whole = with_samples(run, silent)
    drawn = points.course("json", _points(whole), charts.looks("a"), points.clock(whole))
    low, high = drawn.layout["yaxis"]["range"]
    (cross,) = [trace for trace in drawn.traces if trace["name"] == INVALID]
    assert (low, high) == (75, 125)
    assert cross["y"] == [75]
    assert cross["customdata"][0][5] == pytest.approx(10.0)


def test_long_pauses_are_left_out_of_the_course_and_marked() -> None:
    run = make_run({"a": [1000, 1010, 990, 1000]})
    shifted = tuple(
        replace(sample, started_at=sample.started_at + timedelta(hours=20 if sample.trial.block > 2 else 0))
        for sample in run.taken
    )
    time = points.clock(replace(run, taken=shifted))
    assert list(time.minutes.values()) == [0.0, 1.0, 1.0, 2.0]
    assert time.pauses == (1.0,)


def test_a_clock_that_was_set_back_draws_the_samples_all_the_same() -> None:
    run = make_run({"a": [1000, 1010]})
    back = tuple(replace(sample, started_at=STARTED - timedelta(hours=1)) for sample in run.taken)
    assert len(points.clock(replace(run, taken=back)).minutes) == 2


def test_the_host_s_time_adds_up_to_all_of_it() -> None:
    shares = bottleneck.of_host([make_sample(), make_sample()])
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["app"] == pytest.approx(500 / 2040, abs=0.01)


def test_where_the_host_does_not_tell_nothing_is_made_up() -> None:
    sample = make_sample()
    blind = replace(sample, counters=replace(sample.counters, host=replace(sample.counters.host, idle_us=None)))
    assert bottleneck.of_host([blind]) == {}
    assert bottleneck.of_host([blind, sample]) == bottleneck.of_host([sample])


def test_eight_entries_have_colours_and_marks_of_their_own() -> None:
    few = charts.looks(map(str, range(8)))
    assert len({look.color for look in few.values()}) == len({look.mark for look in few.values()}) == 8


def test_up_to_64_entries_look_different_as_marks_and_as_bars_and_more_look_alike() -> None:
    many = list(charts.looks(f"{number:02}" for number in range(64)).values())
    assert len({(look.color, look.mark) for look in many}) == len({(look.color, look.pattern) for look in many}) == 64
    # The mark of a colour's second and third entry is no neighbour, such as a pentagon is of a triangle.
    places = [(look.color, charts.MARKS.index(look.mark)) for look in many[:24]]
    apart = [abs(one - other) for (a, one), (b, other) in combinations(places, 2) if a == b]
    assert min(min(apart), 8 - max(apart)) >= 2
    assert len(set(charts.looks(map(str, range(65))).values())) == 1


@pytest.mark.parametrize("count", [3, 24])
def test_an_entry_looks_the_same_in_all_plots_of_a_run_and_stands_in_the_legend(count: int) -> None:
    names = [f"entry-{number:02}" for number in range(count)]
    run = make_run({name: [1000 + 10 * number, 1010, 990] for number, name in enumerate(names)})
    seen: dict[str, set[tuple[str, str]]] = {name: set() for name in names}
    for chart in plots.of_run(run):
        for trace in chart.traces:
            if trace["name"] in seen:
                marker = trace["marker"]
                seen[trace["name"]].add((marker["color"], marker.get("symbol", "").removesuffix("-open")))
        if chart.name == "json-course":
            legend = [trace["name"] for trace in chart.traces if trace.get("showlegend", True)]
            assert set(names) <= set(legend)
            assert chart.layout["height"] - chart.layout["margin"]["t"] == points.COURSE_PX
    looks = charts.looks(names)
    # A bar has no mark.
    assert all(of == {(looks[name].color, looks[name].mark), (looks[name].color, "")} for name, of in seen.items())


def test_plotly_s_tags_in_names_and_texts_are_shown_as_they_are() -> None:
    assert charts.safe("<b>a</b> & b") == "&lt;b&gt;a&lt;/b&gt; &amp; b"
    assert charts.safe_lines("<i>x</i> " + "y" * 60) == f"&lt;i&gt;x&lt;/i&gt;<br>{'y' * 56}<br>{'y' * 4}"
    assert charts.safe_lines("word " * 100).endswith("…")


def _color(name: str, dark: bool) -> Array:
    """Return a colour of the style sheet in linear RGB."""
    (pair,) = re.findall(rf"--{name}: light-dark\((#\w+), (#\w+)\);", STYLE)
    text = pair[dark].lstrip("#")
    srgb = np.array([int(text[at : at + 2], 16) / 255 for at in (0, 2, 4)])
    linear: Array = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear


def _lab(linear: Array) -> Array:
    """Return the colour in CIE L*a*b*, where a distance of 1 can just be seen."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _contrast(one: Array, other: Array) -> float:
    """Return the contrast of two colours. Source: WCAG 2.2."""
    bright, dim = sorted((float(np.array([0.2126, 0.7152, 0.0722]) @ color) for color in (one, other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("eyes", EYES)
def test_the_entries_colours_can_be_told_apart_by_all_eyes(eyes: str, dark: bool) -> None:
    # Of more than four the mark helps.
    for count, least in ((4, 18), (len(charts.MARKS), 9)):
        seen = [_lab(EYES[eyes] @ _color(f"entry-{number}", dark)) for number in range(1, count + 1)]
        assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) > least


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("eyes", EYES)
def test_faster_slower_and_untold_can_be_told_apart_by_all_eyes(eyes: str, dark: bool) -> None:
    for depth in (2, 3):
        names = (f"faster-{depth}", f"slower-{depth}", "neutral")
        seen = [_lab(EYES[eyes] @ _color(name, dark)) for name in names]
        assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) > 12


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_drawn_and_written_stands_out_from_the_page(dark: bool) -> None:
    card, ink = _color("card", dark), _color("ink", dark)
    for number in range(1, len(charts.MARKS) + 1):
        assert _contrast(_color(f"entry-{number}", dark), card) >= 3
    for name in ("bad", "muted", "accent"):
        assert _contrast(_color(name, dark), card) >= 4.5
    for name in ("faster-1", "faster-2", "faster-3", "slower-1", "slower-2", "slower-3", "neutral", "hatch", "warn"):
        assert _contrast(_color(name, dark), ink) >= 4.5
    for number in range(1, 8):
        assert _contrast(_color(f"part-{number}", dark), _color(f"part-{number}-text", dark)) >= 3


def _odd_host(sample: Sample) -> Sample:
    """Return the sample on a host whose own figures are a little less than what its containers used."""
    roles = {CLIENT: Usage(300_000, 0, 0, 1), APP: Usage(500_000, 0, 0, 1), DB: Usage(60_000, 0, 0, 1)}
    host = HostUsage(780_000, 20_000, 1_190_000, 0, 0, 0, 0, None)
    return replace(sample, counters=replace(sample.counters, between_us=1_005_000, host=host, roles=roles))


def test_the_plot_of_what_used_the_cpus_and_the_table_tell_a_share_alike() -> None:
    run = make_run({"a": [1000, 1010, 990]})
    run = replace(run, taken=tuple(_odd_host(sample) for sample in run.taken))
    (cell,) = result_of(run).cells
    parts = bottleneck.of_host(run.samples)
    assert f"{parts[bottleneck.IDLE]:.0%}" == f"{cell.shares.idle:.0%}"
    # The database can use both CPUs, as the host has them.
    assert f"{parts[DB]:.0%}" == f"{cell.shares.roles[DB]:.0%}"


def test_an_entry_all_of_whose_samples_are_suspect_has_its_place_in_the_legend() -> None:
    run = make_run({"a": [1000, 1010, 990], "b": [500, 510, 490]})
    doubtful = tuple(
        replace(sample, verdict=Verdict(SUSPECT, {"steal": 0.1})) if sample.trial.entry == "b" else sample
        for sample in run.taken
    )
    whole = replace(run, taken=doubtful)
    drawn = points.course("json", _points(whole), charts.looks("ab"), points.clock(whole))
    legend = [trace["name"] for trace in drawn.traces if trace.get("showlegend", True)]
    assert legend == ["a", "b", "mean of a block"]


def test_an_entry_none_of_whose_samples_counts_has_its_place_in_the_legend() -> None:
    run = make_run({"a": [1000, 1010, 990]})
    whole = with_samples(run, make_sample(make_trial(1, "b"), severity=INVALID))
    whole = replace(whole, manifest=make_run({"a": [1000, 1010, 990], "b": [1, 1, 1]}).manifest)
    drawn = points.course("json", _points(whole), charts.looks("ab"), points.clock(whole))
    legend = [trace["name"] for trace in drawn.traces if trace.get("showlegend", True)]
    assert legend == ["a", INVALID, "b", "mean of a block"]


def test_a_legend_has_no_entry_twice() -> None:
    run = make_run({"a": [1000, 1010, 990]})
    doubtful = replace(run.taken[0], verdict=Verdict(SUSPECT, {"steal": 0.1}))
    whole = replace(run, taken=(doubtful, *run.taken[1:]))
    drawn = points.course("json", _points(whole), charts.looks("a"), points.clock(whole))
    assert [trace["name"] for trace in drawn.traces if trace.get("showlegend", True)] == ["a", "mean of a block"]
