"""What a dockerfile starts from: the images of its stages, and the same text with others in their place.

Read as Docker reads it: https://docs.docker.com/reference/dockerfile/#environment-replacement says how variables are
replaced, and BuildKit's parser what is an instruction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from benchlab.core.errors import ConfigError
from benchlab.techempower import variables

SCRATCH = "scratch"
WORD = re.compile(r"\S+")
FLAG = re.compile(r"--[A-Za-z]\S*")
# Parser directives stand before all else.
DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
# The text behind it is another program's, up to a line of its word alone.
HEREDOC = re.compile(r"""\d*<<(-?)(?:"([^"'<\s]+)"|'([^"'<\s]+)'|([^"'<\s]+))$""")
WITH_HEREDOCS = ("RUN", "COPY", "ADD")
# Words of a command: what stands in quotes is one with what stands beside it.
QUOTED_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
# What BuildKit alone understands, beside here-documents.
MOUNT = re.compile(r"--(?:mount|network|security)=")
# A reference to an image (https://pkg.go.dev/github.com/distribution/reference).
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-f]{32,})?"
)


@dataclass(frozen=True)
class Stage:
    """A FROM: the image that it starts from, and where in the text that stands as it is written."""

    image: str
    begin: int
    end: int


@dataclass(frozen=True)
class Dockerfile:
    """A dockerfile as far as the lab must know it.

    `stages` are those that start from an image; `is_empty` is whether it has no FROM at all. `needs` names what in it
    BuildKit alone understands.
    """

    text: str
    stages: tuple[Stage, ...]
    is_empty: bool
    needs: tuple[str, ...]

    @property
    def bases(self) -> tuple[str, ...]:
        """Return the images that the stages start from, in order, each once; not stages, nor the empty image."""
        return tuple(dict.fromkeys(stage.image for stage in self.stages))

    def replaced(self, stand_ins: Mapping[str, str]) -> str:
        """Return the text with the stand-in of each image that has one; nothing else changes."""
        text = self.text
        for stage in reversed(self.stages):
            if stage.image in stand_ins:
                text = text[: stage.begin] + stand_ins[stage.image] + text[stage.end :]
        return text


@dataclass(frozen=True)
class _Instruction:
    """An instruction in one line, as its continuations make it; `places` has where each of its letters stands."""

    line: str
    places: tuple[int, ...]
    heredocs: tuple[str, ...]

    @property
    def name(self) -> str:
        found = WORD.search(self.line)
        return found[0].upper() if found else ""

    def words(self) -> list[re.Match[str]]:
        """Return the words behind the name; of a FROM or ARG none has a space in it but within quotes."""
        return list(QUOTED_WORD.finditer(self.line))[1:]


def parse(text: str, arguments: Mapping[str, str]) -> Dockerfile:
    """Return what the dockerfile starts from, where it is built with these arguments.

    Raises ConfigError where that cannot be told.
    """
    escape = _escape(text)
    stages: list[Stage] = []
    names: set[str] = set()
    values: dict[str, str] = {}
    needs: dict[str, None] = {}
    seen_from = False
    for instruction in _instructions(text, escape):
        if instruction.name == "ARG" and not seen_from:
            values |= _arguments(instruction, values, arguments, escape)
        elif instruction.name == "FROM":
            seen_from = True
            stage, name = _stage(instruction, values, escape)
            # Docker knows stages by their names in small letters.
            if stage.image.lower() not in names and stage.image != SCRATCH:
                if not REFERENCE.fullmatch(stage.image):
                    raise ConfigError(f"{_quoted(instruction)} starts from {stage.image!r}, which is no image's name")
                stages.append(stage)
            names |= {name.lower()} if name else set()
        needs |= dict.fromkeys(_needs(instruction))
    return Dockerfile(text, tuple(stages), not seen_from, tuple(needs))


def _stage(instruction: _Instruction, values: Mapping[str, str], escape: str) -> tuple[Stage, str]:
    """Return the stage of a FROM, and its name if it has one. Raises ConfigError."""
    words = [word for word in instruction.words() if not FLAG.match(word[0])]
    if len(words) not in (1, 3) or (len(words) == 3 and words[1][0].upper() != "AS"):
        raise ConfigError(f"{_quoted(instruction)} is not FROM image, nor FROM image AS name; mend it")
    image = _replaced(instruction, words[0][0], values, escape)
    if not image:
        raise ConfigError(
            f"{_quoted(instruction)} starts from nothing: the variables in it have no value; give them one in an ARG "
            "before it"
        )
    begin, end = instruction.places[words[0].start()], instruction.places[words[0].end() - 1] + 1
    return Stage(image, begin, end), words[2][0] if len(words) == 3 else ""


def _arguments(
    instruction: _Instruction, values: Mapping[str, str], given: Mapping[str, str], escape: str
) -> dict[str, str]:
    """Return the values of an ARG: what the build is given, else its default; without either it has none."""
    found = dict(values)
    for word in instruction.words():
        name, has_default, default = word[0].partition("=")
        if name in given:
            found[name] = given[name]
        elif has_default:
            found[name] = _replaced(instruction, default, found, escape)
    return found


def _replaced(instruction: _Instruction, word: str, values: Mapping[str, str], escape: str) -> str:
    try:
        return variables.replaced(word, values, escape)
    except ValueError as error:
        raise ConfigError(f"{_quoted(instruction)}: {error}") from error


def _needs(instruction: _Instruction) -> Iterator[str]:
    """Yield what in the instruction BuildKit alone understands."""
    if instruction.heredocs:
        yield "here-documents"
    words = [word[0] for word in instruction.words()] if instruction.name == "RUN" else []
    flags = takewhile(FLAG.match, words)
    yield from dict.fromkeys(f"RUN {found[0][:-1]}" for flag in flags if (found := MOUNT.match(flag)))


def _quoted(instruction: _Instruction) -> str:
    return f"`{' '.join(instruction.line.split())[:100]}`"


def _escape(text: str) -> str:
    """Return what ends a line that goes on, which a directive at the top may change."""
    for line in text.splitlines():
        found = DIRECTIVE.match(line.strip())
        if found is None:
            break
        if found[1].lower() == "escape":
            return found[2]
    return "\\"


def _instructions(text: str, escape: str) -> Iterator[_Instruction]:
    lines = list(_lines(text))
    continued = re.compile(rf"{re.escape(escape)}[ \t]*$")
    letters: list[str] = []
    places: list[int] = []
    number = 0
    while number < len(lines):
        begin, line = lines[number]
        number += 1
        # Comments and empty lines may stand inside an instruction, and do not end it.
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        goes_on = continued.search(line)
        kept = line[: goes_on.start()] if goes_on else line
        letters += kept
        places += range(begin, begin + len(kept))
        if goes_on and number < len(lines):
            continue
        whole = "".join(letters)
        heredocs, number = _passed(_heredocs(whole), lines, number)
        yield _Instruction(whole, tuple(places), heredocs)
        letters, places = [], []
    if letters:
        yield _Instruction("".join(letters), tuple(places), ())


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each line begins, and the line without its end."""
    at = 0
    for line in text.split("\n"):
        yield at, line.removesuffix("\r")
        at += len(line) + 1


def _heredocs(line: str) -> Iterator[tuple[str, bool]]:
    """Yield the words that end the here-documents of an instruction, and whether tabs may stand before each."""
    name, *words = QUOTED_WORD.findall(line) or [""]
    if name.upper() not in WITH_HEREDOCS:
        return
    for word in words:
        if found := HEREDOC.fullmatch(word):
            yield found[2] or found[3] or found[4], bool(found[1])


def _passed(
    heredocs: Iterable[tuple[str, bool]], lines: list[tuple[int, str]], number: int
) -> tuple[tuple[str, ...], int]:
    """Return the here-documents that have an end, and the number of the line behind the last of them.

    One without an end is none: a shell takes `1<<X` for one, and a builder without here-documents hands it that.
    """
    found = []
    for word, with_tabs in heredocs:
        texts = (line.lstrip("\t") if with_tabs else line for _, line in lines[number:])
        last = next((index for index, line in enumerate(texts) if line == word), None)
        if last is not None:
            found.append(word)
            number += last + 1
    return tuple(found), number
