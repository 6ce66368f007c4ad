"""Renews the parts of docs/ that are made from the code: `python docs/generate.py`, and `--check` to compare only.

A part stands between two comments, `<!-- made: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchlab import ROOMS  # noqa: E402
from benchlab.cli.cli import COMMANDS  # noqa: E402
from benchlab.cli.command import MAIN, Command  # noqa: E402
from benchlab.experiment.flags import Flag  # noqa: E402
from benchlab.experiment.profiles import PROFILES, Profile  # noqa: E402
from benchlab.experiment.settings import OF_PROFILE, SETTINGS  # noqa: E402

PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)


def modules(room: str) -> dict[str, Path]:
    """Return the room's modules by name, in the order of the alphabet."""
    return {path.stem: path for path in sorted((ROOT / "benchlab" / room).glob("*.py")) if path.stem != "__init__"}


def imported(path: Path) -> set[tuple[str, str]]:
    """Return room and module of each module of the package that is imported when this one runs, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    modules: set[tuple[str, str]] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and id(node) not in for_types
            and (node.module or "").startswith("benchlab.")
        ):
            room, *module = str(node.module).split(".")[1:]
            modules |= {(room, name) for name in module or [alias.name for alias in node.names]}
    return modules


def summary(path: Path) -> str:
    """Return the first sentence of the module's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).rstrip(".")


def rooms() -> str:
    """Return the rooms, one in a line, as a listing of the folder."""
    return "\n".join(
        ["```text", *(f"{f'{room}/':14} {summary(ROOT / 'benchlab' / room / '__init__.py')}" for room in ROOMS), "```"]
    )


def table() -> str:
    """Return a table of all modules by room, with what each owns."""
    rows = [
        f"| {room if first else ''} | {name} | {summary(path)} |"
        for room in ROOMS
        for first, (name, path) in zip([True, *[False] * 99], modules(room).items(), strict=False)
    ]
    return "\n".join(["| room | module | owns |", "|---|---|---|", *rows])


def drawing() -> str:
    """Return a drawing of which room builds on which, without the arrows that follow from others."""
    direct = {
        (room, on)
        for room in ROOMS
        for path in modules(room).values()
        for on, _ in imported(path)
        if on != room and on in ROOMS
    }
    return "\n".join(
        ["```mermaid", "flowchart BT", *(f"  {room} --> {on}" for room, on in _without_implied(direct)), "```"]
    )


def _without_implied(direct: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    below = {room: {on for one, on in direct if one == room} for room in ROOMS}
    for room in ROOMS:
        below[room] |= {far for near in below[room] for far in below[near]}
    for room, on in sorted(direct, key=lambda edge: (ROOMS.index(edge[0]), ROOMS.index(edge[1]))):
        if not any(on in below[near] for one, near in direct if one == room and near != on):
            yield room, on


def profiles() -> str:
    """Return a table of the profiles, with the numbers that flags change in them, and how long rounds go on."""
    numbers = [setting for setting in SETTINGS if setting.default == OF_PROFILE and not setting.is_repeatable]
    rows = [
        [
            f"`{profile.name}`",
            *(str(setting.usual(profile)) for setting in numbers),
            f"{profile.note}{_rounds(profile)}",
        ]
        for profile in PROFILES.values()
    ]
    return _rows(["profile", *(f"`{setting.name}`" for setting in numbers), "what it is"], rows)


def _rounds(profile: Profile) -> str:
    return f" In a block of two entries they take {profile.block_s} s." if profile.block_s else ""


def commands() -> str:
    """Return a section for each command: what it does, its flags, examples."""
    return "\n\n".join(section for command in COMMANDS.values() for section in _command(command))


def _command(command: Command) -> Iterator[str]:
    yield f"## {command.name}"
    yield command.described
    shared = COMMANDS[MAIN].flags if command.name != MAIN else ()
    if own := [_flag(flag) for flag in command.flags if flag not in shared]:
        yield _rows(["flag", "value", "default", "what it does"], own)
    if common := [f"`{flag.name}`" for flag in command.flags if flag in shared]:
        yield f"As for [{MAIN}](#{MAIN}): {', '.join(common)}."
    yield "\n".join(f"    {line}" for line in command.shown.splitlines())


def _flag(flag: Flag) -> list[str]:
    names = [flag.metavar] if flag.is_argument else [name for name in (flag.short, flag.name) if name]
    value = "" if flag.is_argument else f"`{flag.metavar}`" if flag.metavar else _either(flag.choices)
    notes = [value, flag.unit, "repeatable" if flag.is_repeatable else ""]
    is_needed = flag.is_required or (flag.is_argument and not flag.nargs)
    return [
        _either(names),
        "; ".join(filter(None, notes)),
        "must be given" if is_needed else flag.default,
        flag.help,
    ]


def _either(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


PARTS: Mapping[str, Callable[[], str]] = {
    "rooms": rooms,
    "modules": table,
    "drawing": drawing,
    "profiles": profiles,
    "commands": commands,
}


def renewed(text: str) -> str:
    """Return the document with every part made anew."""
    return PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[3]}", text)


def outdated() -> dict[Path, str]:
    """Return what documents that are not current would be."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
    return {path: new for path, text in texts.items() if (new := renewed(text)) != text}


def main() -> int:
    stale = outdated()
    for path, text in stale.items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    return int("--check" in sys.argv and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
