"""The commands about entries: what there are, and new ones."""

from __future__ import annotations

import argparse
import errno
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchlab.cli import selection
from benchlab.cli.command import OK, Command, say, show
from benchlab.core.errors import UsageError
from benchlab.core.quantities import counted
from benchlab.experiment import selection as of_sets
from benchlab.experiment import stack
from benchlab.experiment.flags import ADOPTED_ENTRIES, ENTRIES, Flag
from benchlab.experiment.settings import VARY
from benchlab.experiment.stack import Labels

if TYPE_CHECKING:
    from benchlab.engine.topology import Topology

LIST = """
python lab.py list
python lab.py list --tag asgi,raw
"""
NEW = """
python lab.py new mine --from aiohttp             an entry on the ORM, behind gunicorn
python lab.py new mine --from crax-uvicorn        one on SQL by hand, behind uvicorn
"""
ADOPT = """
python lab.py adopt path/to/entry                 then --framework with the name that it says
python lab.py adopt path/to/entry --base python:3.12=benchlab/base-dev
python lab.py adopt --remove NAME
"""


FOLDER = Flag(
    "folder", "the folder with the benchmark_config.json", metavar="DIR", default="needed without --remove", nargs="?"
)
ONE_TEST = Flag("--test", "one of its tests", metavar="NAME", default="all", is_repeatable=True)
BASE = Flag(
    "--base",
    "replace an image that a dockerfile starts from, as in the example",
    metavar="IMAGE=IMAGE",
    default="none",
    is_repeatable=True,
)
BASES = Flag("--bases", "a file of such pairs, one in a line", metavar="FILE", default="none")
AS = Flag("--as", "another name for the framework here", metavar="NAME", default="its own", kept_as="name")
REMOVE = Flag(
    "--remove",
    "remove an adopted entry instead",
    metavar="NAME",
    default="none",
    is_repeatable=True,
    completes=ADOPTED_ENTRIES,
)
NAME = Flag("name", "the new entry's name: small letters, digits, '-'", metavar="NAME")
FROM = Flag(
    "--from",
    "the entry that is most like it; list shows them",
    metavar="ENTRY",
    is_required=True,
    kept_as="origin",
    completes=ENTRIES,
)


def _list(root: Path, given: argparse.Namespace) -> int:
    from benchlab.engine import capacity, compose, provision, stage, topology
    from benchlab.engine.engine import Engine
    from benchlab.report.document import Document, Paragraph, Table, Terms

    engine = Engine.if_any(compose.project(root))
    if engine is None:
        own = counted(capacity.own_cpus(), "CPU")
        say(f"no engine answers: workers and pool are shown for the {own} of this machine")
        available = capacity.own()
    else:
        available = stage.seen(engine, provision.local(engine))
    resolved = topology.load(root, compose.resources(root, available.cpus))
    every = {entry.name: entry.labels for entry in resolved.choose([])}
    names = selection.among(every, given)
    labels = {entry.name: entry.labels for entry in resolved.choose(names)}
    headers = ("entry", *stack.columns_of_many(labels))
    table = Table(headers, tuple(map(tuple, stack.rows_of_many(labels))), words=headers)
    below = (Paragraph((line,)) for line in (*stack.below_many(labels), "Packages in the images, by their folder:"))
    show(Document((table, *below, Terms(tuple(_packages(resolved, labels))), Terms(tuple(_choices(every))))))
    return OK


def _packages(resolved: Topology, labels: Mapping[str, Labels]) -> Iterator[tuple[str, str]]:
    """Yield the packages of each folder that entries are built from, in the order of the entries."""
    from benchlab.host import inventory

    homes = dict.fromkeys(resolved.context(name).home for name in sorted(labels))
    yield from ((home.name, inventory.versions(home)) for home in homes)


def _choices(labels: Mapping[str, Labels]) -> Iterator[tuple[str, str]]:
    """Yield what entries can be chosen by: the sets with their entries, the tags with how many entries each has.

    And what can be chosen of them: the levels of each factor that they declare, with how many entries have these.
    """
    usual = ", ".join(of_sets.of_set(labels, of_sets.STUDY)) or "none"
    yield f"{selection.SET.name} {of_sets.STUDY}", f"{usual}: measured where none is named"
    yield f"{selection.SET.name} {of_sets.POPULAR}", ", ".join(of_sets.of_set(labels, of_sets.POPULAR)) or "none"
    yield selection.TAG.name, ", ".join(f"{tag} ({len(names)})" for tag, names in of_sets.by_tag(labels).items())
    declared = [(name, ",".join(levels)) for of in labels.values() for name, levels in stack.choices(of).items()]
    for name in sorted({name for name, _ in declared}):
        counts = Counter(levels for other, levels in declared if other == name)
        yield f"{VARY.name} {name}", "; ".join(f"{levels} ({count})" for levels, count in counts.most_common())


def _new(root: Path, given: argparse.Namespace) -> int:
    from benchlab.techempower import drafting

    draft = drafting.plan(root, given.name, given.origin)
    drafting.write(root, draft)
    folder = draft.folder.relative_to(root)
    print(
        f"drafted {draft.name}: {folder} is a copy of {draft.source.relative_to(root)}, its stanza is in compose.yaml"
    )
    say(f"next: write {folder}/app.py and README.md, make the stanza's labels true, then")
    say(f"python lab.py verify --framework {draft.name}    (docs/add-an-entry.md leads through it)")
    return OK


def _adopt(root: Path, given: argparse.Namespace) -> int:
    from benchlab.engine import compose, lease, stage
    from benchlab.techempower import adopt, tfb

    if (given.folder is None) == (not given.remove):
        raise UsageError("name a folder, or what to --remove; see `python lab.py adopt --help`")
    if given.remove:
        return _remove(root, given.remove)
    optional = adopt.stand_ins(adopt.pairs(Path(given.bases)) if given.bases is not None else ())
    stand_ins = adopt.stand_ins(given.base)
    request = adopt.Request(_folder(given.folder), tuple(given.test), given.name or "", stand_ins, optional)
    entries, refused = adopt.examine(root, request)
    for name, why in refused.items():
        say(f"left out {tfb.printable(name)}: {why}")
    lab = stage.open_lab(root, (), say)
    # What the engine grants is tried with containers, which would disturb another lab's samples.
    lease.refuse_if_held(lab.engine)
    adopt.refuse_missing(lab.engine, entries, say)
    missing = {image for entry in entries for image in entry.pulled if not adopt.is_here(lab.engine, image)}
    adopt.adopt(root, request.folder, entries, adopt.grants(lab.engine, lab.debian))
    for entry in entries:
        print(f"adopted {entry}")
        for image in entry.pulled:
            if image in missing:
                instead = f"{image}={stack.base_for(image)}"
                say(f"{entry.name}: {image} is pulled when it is built; else adopt with --base {instead}")
        if entry.buildkit_features and not compose.has_buildkit():
            say(f"{entry.name}: {', '.join(entry.buildkit_features)} {compose.NEEDS_BUILDKIT}")
    return OK


def _folder(text: str) -> Path:
    """Return the folder that was named. Raises UsageError where the name is empty, or a link that leads to itself."""
    if not text:
        raise UsageError('"" is not a folder; name one that has a benchmark_config.json')
    try:
        Path(text).stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(f"{text} is a link that leads back to itself; name a folder") from error
    return Path(text)


def _remove(root: Path, names: Sequence[str]) -> int:
    """Remove adopted entries, and their images from the engine, where one answers."""
    from benchlab.engine import compose, lease
    from benchlab.engine.engine import Engine
    from benchlab.techempower import adopt

    adopt.check_adopted(root, names)
    engine = Engine.if_any(compose.project(root))
    if engine is not None:
        lease.refuse_if_held(engine)
    images = adopt.remove(root, names)
    for name, image in zip(dict.fromkeys(names), images, strict=True):
        image_removed = engine is not None and engine.remove_image(image)
        print(f"removed {name}" + (f" and its image {image}" if image_removed else ""))
    if engine is None:
        say("no Docker engine answers: an image that was built stays on it; `python lab.py clean` removes it")
    return OK


COMMANDS = (
    Command(
        "list",
        "show the entries and what each is made of; the sets and tags that choose some",
        _list,
        flags=selection.by_default("all"),
        examples=LIST,
    ),
    Command(
        "new",
        "draft an entry from an existing one",
        _new,
        "Draft an entry from an existing one: copy its folder, and add its stanza to compose.yaml.",
        (NAME, FROM),
        NEW,
    ),
    Command(
        "adopt",
        "make entries from a folder in the TechEmpower format",
        _adopt,
        "Make entries from a folder in the format of the TechEmpower benchmarks. The folder is not changed.",
        (FOLDER, ONE_TEST, BASE, BASES, AS, REMOVE),
        ADOPT,
    ),
)
