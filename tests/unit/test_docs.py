"""The sections that code and documents cite exist, and so does what their links lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchlab", "calibration", "docs", "frameworks", "images", "tests", "wrk")
TEXTS = {
    ".cfg",
    ".conf",
    ".html",
    ".in",
    ".ini",
    ".js",
    ".lua",
    ".md",
    ".py",
    ".sh",
    ".sql",
    ".toml",
    ".yaml",
    ".yml",
    "",
}
# A comment that goes on in the next line begins with its mark there.
GAP = r"[\s#*]+"
NUMBER = r"\d+(?:\.\d+)?"
CITATION = re.compile(rf"docs/method\.md,{GAP}sections?{GAP}({NUMBER}(?:(?:,{GAP}|{GAP}and{GAP}){NUMBER})*)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")


def _texts() -> Iterator[Path]:
    """Yield the files of the repository that people write."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXTS)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and path.name != Path(__file__).name:
                yield path


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _cited(text: str) -> set[str]:
    return {number for cited in CITATION.findall(text) for number in re.findall(NUMBER, cited)}


def _headings(path: Path) -> list[str]:
    prose = re.sub(r"^(?: {4}|```).*$", "", _read(path), flags=re.MULTILINE)
    return [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(prose)]


def _anchors(path: Path) -> set[str]:
    """Return what GitHub calls the headings of a page in links."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _headings(path)}


def _sections() -> list[str]:
    numbered = (re.match(r"(\d+\.\d+|\d+(?=\.)) ?", heading) for heading in _headings(ROOT / "docs/method.md"))
    return [match[1] for match in numbered if match]


def test_every_section_of_the_method_that_is_cited_exists() -> None:
    cited = {(str(path.relative_to(ROOT)), number) for path in _texts() for number in _cited(_read(path))}
    assert {number for _, number in cited} >= {"1.1", "4.1", "6.3", "6.4"}
    assert {(file, number) for file, number in cited if number not in _sections()} == set()


def test_nothing_cites_the_method_by_another_name() -> None:
    assert [str(path) for path in _texts() if re.search(r"METHOD[:,]\s", _read(path))] == []


def test_the_sections_of_the_method_are_numbered_in_order() -> None:
    numbers = [tuple(map(int, section.split("."))) for section in _sections()]
    assert numbers == sorted(set(numbers))
    chapters = [number[0] for number in numbers if len(number) == 1]
    assert chapters == list(range(1, len(chapters) + 1))
    for chapter in chapters:
        parts = [number[1] for number in numbers if number[0] == chapter and len(number) == 2]
        assert parts == list(range(1, len(parts) + 1))


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("(docs/method.md, section 3.2)", {"3.2"}),
        ("docs/method.md, section 11: never ranked", {"11"}),
        ("docs/method.md, sections 6.3, 6.4 and 7.", {"6.3", "6.4", "7"}),
        ("# see docs/method.md,\n# section 4.1.", {"4.1"}),
        ("docs/method.md#2-load", set()),
    ],
)
def test_a_citation_is_read_as_people_write_it(text: str, sections: set[str]) -> None:
    assert _cited(text) == sections


@pytest.mark.parametrize("page", [path for path in _texts() if path.suffix == ".md"], ids=lambda path: path.name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    prose = re.sub(r"^ {4}.*$", "", _read(page), flags=re.MULTILINE)
    links = [((page.parent / file) if file else page, anchor) for file, anchor in LINK.findall(prose)]
    broken = [
        (str(target), anchor)
        for target, anchor in links
        if not target.exists() or (anchor and anchor not in _anchors(target))
    ]
    assert broken == []
