"""Renders a document as one HTML file that needs no network: Jinja2 for the page, plotly for its plots.

The library and the plots are compressed in the file, which makes it less than half as large; the page unpacks them.
Equal documents give equal files where zlib is the same: nothing in them is made by chance or by the clock.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NoReturn

import jinja2

from benchlab import __version__
from benchlab.core import letters, quantities
from benchlab.report import heat
from benchlab.report.charts import Chart
from benchlab.report.document import Block, Document, Heading
from benchlab.statistics.stats import EQUIVALENCE
from benchlab.storage import store

# Inlined, not linked: a report is one file.
TEMPLATE, STYLE, SCRIPT = "page.html", "page.css", "page.js"
COMPACT: Mapping[str, Any] = {"separators": (",", ":"), "allow_nan": False}


@dataclass(frozen=True)
class Section:
    """A framed part of the page: from one heading to the next of its level."""

    heading: Heading
    blocks: Sequence[Block]


def page(document: Document, charts: Iterable[Chart]) -> str:
    """Return the document as a page, with each chart in the place that has its name."""
    drawn = {chart.name: chart for chart in charts}
    library, script = _library(), _asset(SCRIPT)
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            document=document,
            sections=list(_sections(document)),
            charts=drawn,
            own_file=store.PAGE,
            equivalence=EQUIVALENCE,
            signs={outcome.value: sign for outcome, sign in heat.SIGNS.items()},
            version=__version__,
            figures=_packed(json.dumps({name: chart.figure for name, chart in drawn.items()}, **COMPACT)),
            style=_asset(STYLE),
            script=script,
            library=library.packed,
            meaning=quantities.MEANING,
            script_digests=[_digest(script), library.digest],
        )
    )


def _sections(document: Document) -> Iterator[Section]:
    """Yield the sections of the document; blocks before the first heading have a section without one."""
    heading, blocks = Heading(""), list[Block]()
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == Heading.level:
            if blocks or heading.text:
                yield Section(heading, blocks)
            heading, blocks = block, []
        else:
            blocks.append(block)
    yield Section(heading, blocks)


@dataclass(frozen=True)
class Library:
    """Plotly's script, compressed, as text; and the digest by which the page's policy lets it run, and it alone."""

    packed: str
    digest: str


@cache
def _library() -> Library:
    source = (resources.files("plotly") / "package_data/plotly.min.js").read_text(encoding="utf-8")
    return Library(_packed(source), _digest(source))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("benchlab.report"),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["zip"] = zip
    environment.globals["refuse"] = _refuse
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment


def _refuse(kind: str) -> NoReturn:
    """Raise TypeError: the page would be without that block, and nobody would miss it."""
    raise TypeError(f"blocks.html has no branch for the block {kind}")


def _visible(value: object) -> object:
    """Return a text without characters that reverse others; anything else unchanged."""
    return letters.visible(value) if isinstance(value, str) and letters.HIDDEN.search(value) else value


@cache
def _asset(name: str) -> str:
    return (resources.files("benchlab.report") / "templates" / name).read_text(encoding="utf-8")


def _packed(text: str) -> str:
    """Return the text compressed, as base64."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _digest(script: str) -> str:
    """Return the digest as a content security policy names a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
