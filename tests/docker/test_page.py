"""The HTML report as its reader meets it: a real run's page in a real browser."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Iterator

import pypdf
import pytest
from selenium.webdriver.common.keys import Keys

from benchlab.records.run import Run
from benchlab.report import outputs, tables
from benchlab.statistics import analysis
from benchlab.storage import store
from tests.benchmarks.analysis import made_up
from tests.unit.made_runs import hostile_run

from .browser import DESKTOP, PHONE, Browser, browser
from .conftest import Measured

pytestmark = pytest.mark.long

LARGEST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def run(precise_run: Measured) -> Run:
    assert precise_run.code == 0, precise_run.printed
    return precise_run.run


@pytest.fixture(scope="module")
def page(precise_run: Measured) -> str:
    return (precise_run.folder / store.PAGE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(precise_run: Measured) -> Iterator[Browser]:
    """Return a browser; its image starts from the base that the run's images do."""
    with browser() as opened:
        yield opened


def _shown(reader: Browser) -> dict[str, Counter[str]]:
    """Return how many marks of each kind every plot has."""
    found: dict[str, dict[str, int]] = reader.script(
        """return Object.fromEntries([...document.querySelectorAll(".plot")].map((plot) => [plot.id, {
             points: plot.querySelectorAll(".scatterlayer .points path.point").length,
             bars: plot.querySelectorAll(".barlayer .point path").length,
             lines: plot.querySelectorAll(".scatterlayer path.js-line").length}]))"""
    )
    return {name: Counter(counts) for name, counts in found.items()}


def test_every_plot_has_a_mark_for_all_that_was_measured_and_nothing_is_asked_for(
    reader: Browser, page: str, run: Run
) -> None:
    reader.open(page)
    assert reader.console() == []
    assert {url.partition(":")[0] for url in reader.requests()} == {"file"}
    shown = _shown(reader)
    for result in analysis.analyse(run):
        taken = sum(sample.trial.test == result.test for sample in run.taken)
        cells, parts = len(result.cells), 5
        assert shown[f"{result.test}-rates"] == Counter(points=taken + cells)
        assert shown[f"{result.test}-course"] == Counter(points=taken, lines=1)
        assert shown[f"{result.test}-per-cpu"] == Counter(points=2 * cells)
        assert shown[f"{result.test}-memory"] == Counter(bars=len(run.manifest.entries))
        assert shown[f"{result.test}-cpus"]["bars"] >= parts * cells
    assert shown["overall"] == Counter(points=sum(len(result.standings) for result in analysis.analyse(run)))


def test_pointing_at_a_sample_shows_its_block_time_and_verdict(reader: Browser, page: str, run: Run) -> None:
    reader.open(page)
    reader.point_at(reader.all("#json-course .scatterlayer .points path.point")[0])
    reader.wait(lambda: reader.all("#json-course .hovertext"))
    told = reader.one("#json-course .hoverlayer").text
    samples = [sample for sample in run.taken if sample.trial.test == "json"]
    assert "connections" in told
    assert any(f"block {s.trial.block}" in told and f"{s.started_at:%H:%M:%S} UTC" in told for s in samples)
    assert any(s.verdict.severity in told for s in samples)


def test_the_arrow_keys_go_from_dot_to_dot_and_say_what_is_shown(reader: Browser, page: str, run: Run) -> None:
    reader.open(page)
    plot = reader.one("#json-rates")

    def said() -> str:
        return reader.one("#said").get_attribute("textContent") or ""

    for entry in tables.order(next(result for result in analysis.analyse(run) if result.test == "json")):
        plot.send_keys(Keys.ARROW_RIGHT)
        reader.wait(lambda entry=entry: said().startswith(f"{entry}, "))
        assert "connections" in said()
        assert "requests/s" in said()


def test_a_table_is_sorted_by_a_click_on_its_head(reader: Browser, page: str) -> None:
    reader.open(page)
    table = reader.one("#json table.sortable")
    column = [head.text for head in table.find_elements("css selector", "thead th")].index("peak memory, MB")

    def figures() -> list[int]:
        cells = table.find_elements("css selector", f"tbody tr > :nth-child({column + 1})")
        return [int(cell.text) for cell in cells]

    button = table.find_elements("css selector", "thead button")[column]
    button.click()
    assert figures() == sorted(figures())
    button.click()
    assert figures() == sorted(figures(), reverse=True)
    assert table.find_elements("css selector", "thead th")[column].get_attribute("aria-sort") == "descending"


def test_the_page_and_its_plots_follow_dark_and_light(reader: Browser, page: str) -> None:
    def colors() -> tuple[str, ...]:
        found: list[str] = reader.script(
            """const of = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
               return [of("body", "color"), of("section", "backgroundColor"), of("#json-rates .xtitle", "fill"),
                       of("#json-rates .points path.point", "fill")]"""
        )
        return tuple(found)

    reader.open(page, dark=True)
    dark = colors()
    reader.open(page)
    light = colors()
    assert all(one != other for one, other in zip(light, dark, strict=True))
    reader.one("#theme").click()
    assert colors() == dark
    reader.one("#theme").click()
    assert colors() == light


def test_a_phone_need_not_scroll_sideways(reader: Browser, page: str) -> None:
    reader.open(page, PHONE)
    assert reader.script("return document.documentElement.scrollWidth") == PHONE[0]
    beyond = reader.script(
        """const wide = (element) => element.getBoundingClientRect().right > innerWidth + 1;
           return [...document.querySelectorAll("section, .plot, .plot .main-svg, table.cards, h1, p")]
             .filter(wide).map((element) => element.outerHTML.slice(0, 80))"""
    )
    assert beyond == []


def test_paper_has_the_tables_and_the_plots(reader: Browser, page: str, run: Run) -> None:
    reader.open(page, dark=True)
    printed = pypdf.PdfReader(io.BytesIO(reader.printed()))
    text = " ".join(" ".join(sheet.extract_text() for sheet in printed.pages).split())
    results = analysis.analyse(run)
    assert text.count("Summary over all levels") == len(results)
    for result in results:
        for standing in result.standings:
            assert f"{standing.entry} {standing.rank}" in text
    assert text.count("of the host's CPU time, %") == len(run.manifest.settings.tests)
    # What was asked for in the dark is dark again afterwards.
    assert reader.script("return document.documentElement.dataset.theme") is None


def test_a_comparison_opens_as_well(reader: Browser, precise_run: Measured) -> None:
    latest = precise_run.folder
    again = shutil.copytree(latest, latest.with_name("again"))
    manifest = again / store.MANIFEST
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(latest.name, again.name), encoding="utf-8")
    code, printed = precise_run.project.run("compare", str(latest), str(again), "--html")
    assert code == 0, printed
    reader.open((again / f"compare-{latest.name}.html").read_text(encoding="utf-8"))
    assert reader.console() == []
    assert _shown(reader)["changes"] == Counter(points=len(precise_run.run.manifest.entries) * 2 * 2)


@pytest.mark.parametrize(
    "text", ["</script><img src=x onerror=alert(1)>", "<b>%{x}</b> <a href='javascript:alert(1)'>"]
)
def test_hostile_names_are_shown_and_do_nothing(reader: Browser, text: str) -> None:
    reader.open(outputs.html(hostile_run(text)))
    assert reader.console() == []
    assert not reader.all("img, .plot a")
    labels = [label.get_attribute("textContent") or "" for label in reader.all("#json-rates .yaxislayer-above .ytick")]
    assert text[:20] in " ".join(labels)
    assert text in reader.one("#json table.sortable").text


def test_a_run_of_24_000_samples_is_still_one_small_file_that_opens(reader: Browser) -> None:
    text = outputs.html(made_up())
    assert len(text.encode()) < LARGEST_BYTES
    reader.open(text, DESKTOP)
    assert reader.console() == []
    shown = _shown(reader)
    assert sum(counts["points"] for name, counts in shown.items() if name.endswith("-course")) == 24_000
