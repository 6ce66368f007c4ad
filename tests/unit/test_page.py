"""The page is one file that asks for nothing, runs nothing but its own scripts, and is the same for the same run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from importlib import resources
from typing import Any, get_args

import pytest

from benchlab.core import letters
from benchlab.experiment.settings import choose
from benchlab.records.facts import Facts
from benchlab.records.plan import Manifest, Settings
from benchlab.records.run import INVALID, Run
from benchlab.report import outputs, page
from benchlab.report.document import Block, Document, Paragraph
from benchlab.statistics import baseline, candidate, regression
from benchlab.storage import store

from .conftest import LABELS, make_finding, make_manifest, make_sample, older, versions
from .made_runs import Rates, full_host, hostile_run, make_run, with_samples
from .pages import comparison_page

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "%{x}<extra></extra><a href='javascript:alert(1)'>go</a>",
    "a\u2028b‮c\x00",
    "x" * 300,
)


class Page(HTMLParser):
    """What a browser would make of the page: its tags and texts."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _run() -> Run:
    return make_run({"aiohttp": [2000, 2010, 2020], "crax": [1000, 1010, 990]})


def _between(text: str, start: str, end: str = "</script>") -> str:
    return text.partition(start)[2].partition(end)[0]


def _figures(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_unpacked(text, "figures"))
    return found


def _unpacked(text: str, name: str) -> bytes:
    return gzip.decompress(base64.b64decode(_between(text, f'<script type="text/plain" id="{name}">')))


def test_the_same_run_gives_the_same_bytes() -> None:
    assert outputs.html(_run()) == outputs.html(_run())


def test_the_page_asks_for_nothing_but_the_files_beside_it() -> None:
    page = Page(outputs.html(_run()))
    links = {attributes.get("href") for attributes in page.all("a")}
    files = {link for link in links if link and not link.startswith("#")}
    assert files == {store.JOURNAL, store.CSV, store.MANIFEST, store.REPORT}
    assert not [tag for tag, attributes in page.tags if "src" in attributes]
    assert not page.all("link")


def test_only_the_page_s_own_scripts_may_run() -> None:
    text = outputs.html(_run())
    (policy,) = [found["content"] or "" for found in Page(text).all("meta") if "http-equiv" in found]
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    own = text.rpartition("<script>")[2].partition("</script>")[0]
    scripts = [own.encode(), _unpacked(text, "library")]
    assert allowed == {base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts}
    assert "default-src 'none'" in policy
    assert "script-src 'unsafe" not in policy


def test_the_library_in_the_page_is_the_locked_one() -> None:
    locked = (resources.files("plotly") / "package_data/plotly.min.js").read_bytes()
    assert _unpacked(outputs.html(_run()), "library") == locked


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_name_label_or_message_holds_is_text(text: str) -> None:
    plain, hostile = (Page(outputs.html(hostile_run(name))) for name in ("harmless", text))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(attributes) for _, attributes in hostile.tags] == [
        sorted(attributes) for _, attributes in plain.tags
    ]
    told = "".join(hostile.texts)
    assert letters.visible(text) in told


@pytest.mark.parametrize("text", HOSTILE)
def test_plotly_is_given_hostile_text_as_text_and_never_as_a_template(text: str) -> None:
    for figure in _figures(outputs.html(hostile_run(text))).values():
        for trace in figure["data"]:
            assert not re.search(
                r"<(?!/?(b|br|i)\b)", json.dumps([trace.get(key) for key in ("name", "text", "hovertext")])
            )
            assert "alert" not in trace.get("hovertemplate", "")
        headings = [annotation["text"] for annotation in figure["layout"].get("annotations", [])]
        for label in [*figure["layout"]["yaxis"].get("ticktext", []), *headings]:
            assert not re.search(r"<(?!/?(b|br|i)>)", label)


@pytest.mark.parametrize("run", [_run(), make_run({"alone": [1000, 1010]})], ids=["two", "one"])
def test_every_plot_has_its_words_its_title_and_a_figure(run: Run) -> None:
    text = outputs.html(run)
    page = Page(text)
    plots = [found for found in page.all("div") if "plot" in (found.get("class") or "")]
    ids = {found.get("id") for _, found in page.tags}
    assert {plot["id"] for plot in plots} == set(_figures(text))
    for plot in plots:
        assert {plot["aria-labelledby"], plot["aria-describedby"]} <= ids
        assert plot["tabindex"] == "0"
    assert len(ids - {None}) == len([found for _, found in page.tags if "id" in found])


def test_the_answer_stands_first_and_the_warnings_after_it() -> None:
    run = _run()
    quick = replace(run.manifest.settings, profile="quick")
    text = outputs.html(replace(run, manifest=replace(run.manifest, settings=quick)))
    order = [
        text.index(found) for found in ("aiohttp leads: it has 2.01", "A first look", 'id="overall"', 'id="json-rates"')
    ]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "run",
    [
        Run(make_manifest(), (), ()),
        replace(_run(), taken=()),
        make_run({"alone": [1000]}),
        make_run({"a": [1000, 3000], "b": [1000]}, counters=full_host()),
        with_samples(replace(_run(), taken=()), make_sample(severity=INVALID)),
    ],
    ids=["empty", "planned", "one sample", "half a block, full host", "none counts"],
)
def test_a_run_that_has_hardly_begun_has_a_page(run: Run) -> None:
    assert "</html>" in outputs.html(run)


def test_an_entry_that_was_not_built_stands_under_what_was_not_measured() -> None:
    run = _run()
    without = replace(
        run, manifest=replace(run.manifest, facts=Facts.of({"unbuilt": {"brook": "building brook failed"}}))
    )
    assert "brook, all of it: building brook failed" in Page(outputs.html(without)).texts


def test_an_entry_that_failed_wholly_stands_in_the_tables_of_the_page() -> None:
    run = _run()
    settings = replace(run.manifest.settings, levels={"json": (16, 32, 128)})
    entries = run.manifest.entries | {"brook": LABELS}
    failed = replace(run, manifest=replace(run.manifest, settings=settings, entries=entries))
    page = Page(outputs.html(failed))
    texts = [text.strip() for text in page.texts]
    # In the summary and three levels of the overview and of all figures; of both others two levels were not measured.
    assert ("brook" in texts, texts.count("not measured")) == (True, 1 + 2 * (3 + 2 * 2))
    # It has no place among the ranks.
    ranks = [found["style"] for found in page.all("span") if found.get("class") == "rank"]
    assert ranks == [f"--from: {place}; --to: {place}; --of: 2" for place in (1, 2)]


def test_an_interval_that_says_nothing_is_called_too_wide_on_the_page() -> None:
    text = outputs.html(make_run({"a": [1000, 3000], "b": [1500, 1700]}))
    assert "<td>1,732 [too wide]</td>" in text
    assert "An interval that is [too wide] reaches beyond 10 times its value" in text


def test_who_is_faster_is_readable_on_the_page_without_its_colours() -> None:
    text = outputs.html(_run())
    bare = " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())
    assert "▲ faster ▼ slower ? cannot be told apart = equal within 3%" in bare
    assert re.search(r"▲ 2\.01\d \[[\d.–]+\] faster\b", bare)
    assert re.search(r"▼ 0\.49\d \[[\d.–]+\] slower\b", bare)
    many = {f"entry-{number}": [1000 + 100 * number, 1010 + 100 * number, 990 + 100 * number] for number in range(9)}
    assert re.search(r">▲1\.\d{3}</td>", outputs.html(make_run(many)))


def test_what_verification_found_stands_on_the_page_and_a_warning_among_the_warnings() -> None:
    found = (make_finding("aiohttp", warning=False), make_finding("crax"))
    page = Page(outputs.html(replace(_run(), findings=found)))
    assert "aiohttp, json: wrong: answered 'Bye' [body] (block 1)" in page.texts
    assert "crax, json: warning: has more keys [extra keys] (block 1)" in page.texts
    assert "Verification warned of crax in json: see “Verification”." in page.texts
    assert "Verification" not in Page(outputs.html(_run())).texts


def test_a_server_that_ends_each_connection_is_said_to_among_the_warnings() -> None:
    ends = replace(make_finding("crax"), rule="keep-alive", message="was answered with the end of its connection")
    told = "{} after each answer: each request opens a new one, which is measured too."
    page = Page(outputs.html(replace(_run(), findings=(ends, replace(ends, test="db")))))
    assert told.format("crax closes its connection") in page.texts
    page = Page(outputs.html(replace(_run(), findings=(ends, replace(ends, entry="aiohttp")))))
    assert told.format("aiohttp and crax close their connections") in page.texts
    # A fault, for which the test type is not loaded, is no figure's.
    page = Page(outputs.html(replace(_run(), findings=(replace(ends, warning=False),))))
    assert not any("after each answer" in text for text in page.texts)


def test_a_page_names_the_command_that_makes_the_run_again(manifest: Manifest, settings: Settings) -> None:
    seeded = choose("quick", frameworks=settings.frameworks, tests=["json"], blocks=5, repeats=9, seed=4711)
    text = outputs.html(Run(replace(manifest, settings=seeded), (), ()))
    assert "--profile quick --test json --blocks 5 --repeats 9 --seed 4711" in text


def _of_versions(rates: Rates) -> Run:
    run = make_run(rates)
    return replace(run, manifest=replace(run.manifest, variants=versions("crax")))


def test_a_comparison_has_answer_gate_and_plot() -> None:
    run = _of_versions({older("crax"): [1000, 1010, 990], "crax": [800, 810, 790]})
    held = candidate.compare(*baseline.of_versions(run))
    text = comparison_page(held, [], regression.gate(held.rows, 0.03, held.uncompared))
    assert "crax, json: requests per second went down: 0.800" in text
    assert "Slower: crax json" in text
    assert "measured in turns in one run" in text
    assert [len(trace["x"]) for trace in _figures(text)["changes"]["data"]] == [2]


def test_a_comparison_of_two_runs_says_what_they_cannot_tell_and_how_they_differ_elsewhere() -> None:
    held = candidate.compare(
        *baseline.of_several([make_run({"crax": [1000, 1010, 990]})], [make_run({"crax": [800, 810, 790]})])
    )
    text = comparison_page(held, ["kernel was a, is b"], regression.gate(held.rows, 0.03, held.uncompared))
    assert "crax, json: requests per second were lower in the new run: 0.800" in text
    assert "These are two runs at two times" in text
    assert "A regression of 3% is neither shown nor excluded: two runs at two times" in text
    assert "Compared although kernel was a, is b." in text


def test_a_plot_of_changes_shows_the_interval_that_the_outcome_follows_from() -> None:
    run = _of_versions({older("crax"): [10_000, 10_350, 9_700], "crax": [10_000, 10_300, 9_750]})
    text = comparison_page(candidate.compare(*baseline.of_versions(run)), [], None)
    (trace,) = _figures(text)["changes"]["data"]
    assert all("(90 %)" in shown and "equal" in shown for shown in trace["hovertext"])


def _crossed_run() -> Run:
    """Return a run of two frameworks with two data layers each: raw SQL doubles the rate of both."""
    run = make_run(
        {"a": [1000, 1010, 990], "a-raw": [2000, 2010, 2020], "b": [500, 510, 490], "b-raw": [1000, 1020, 990]}
    )
    labels = {
        name: LABELS | {"framework": name[0], "orm": "raw" if name.endswith("raw") else "full"}
        for name in run.manifest.entries
    }
    return replace(run, manifest=replace(run.manifest, entries=labels))


def test_where_entries_are_crossed_the_page_tells_what_each_factor_did() -> None:
    text = outputs.html(_crossed_run())
    assert "raw SQL instead of the ORM gave 2.0" in text
    (told, untold) = _figures(text)["factors"]["data"]
    assert 0.5 in [round(ratio, 1) for ratio in (*told["x"], *untold["x"])]
    assert "<summary>Factors in json: ratios" in text


def test_where_they_are_not_it_says_nothing_of_factors() -> None:
    assert "factors" not in _figures(outputs.html(_run()))


def test_a_page_is_refused_a_block_that_its_template_has_no_branch_for() -> None:
    class Unknown(Paragraph):
        pass

    with pytest.raises(TypeError, match=r"blocks\.html has no branch for the block Unknown"):
        page.page(Document((Unknown(("text",)),)), [])


@pytest.mark.parametrize("kind", get_args(Block), ids=lambda kind: kind.__name__)
def test_every_block_has_a_branch_in_the_page_s_template(kind: type) -> None:
    template = (resources.files("benchlab.report") / "templates" / "blocks.html").read_text(encoding="utf-8")
    assert f'if kind == "{kind.__name__}" %}}' in template
