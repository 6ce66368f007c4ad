"""What a dockerfile starts from: the images of its stages, and the same text with others in their place.

Read as Docker reads it: BuildKit's parser says what is an instruction, and
https://docs.docker.com/reference/dockerfile/#environment-replacement how variables are replaced: `$name` and `${name}`;
`${name:-word}` and `${name:+word}`, which take an empty value for none; `${name-word}` and `${name+word}`, which do
not; `${name:?word}` and `${name?word}`, which end the build. `word` may have variables too. Quotes and escapes go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from benchlab.core.errors import ConfigError

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
# What only BuildKit understands, beside here-documents.
BUILDKIT_FLAG = re.compile(r"--(?:mount|network|security)=")
# A reference to an image (https://pkg.go.dev/github.com/distribution/reference).
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-f]{32,})?"
)
# The name of a variable, in braces and without.
BRACED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?!$-]")
BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What stands behind a name, by the first of its letters.
MODIFIERS = "-+?"
# What the builder knows of its own machine and of that which is built for, and nobody else does.
PLATFORM = re.compile(r"(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT)")


@dataclass(frozen=True)
class Stage:
    """A FROM: the image that it starts from, and where in the text that stands as it is written."""

    image: str
    begin: int
    end: int


@dataclass(frozen=True)
class Dockerfile:
    """A dockerfile as far as the lab must know it.

    `stages` are those that start from an image; `has_from` is whether there is a FROM at all. `buildkit_features` names
    what only BuildKit understands.
    """

    text: str
    stages: tuple[Stage, ...]
    has_from: bool
    buildkit_features: tuple[str, ...]

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


def parse(text: str, arguments: Mapping[str, str]) -> Dockerfile:
    """Return what the dockerfile starts from, where it is built with these arguments.

    Raises ConfigError where that cannot be known.
    """
    stages: list[Stage] = []
    names: set[str] = set()
    values: dict[str, str] = {}
    features: dict[str, None] = {}
    has_from = False
    for instruction in _instructions(text):
        if instruction.name == "ARG" and not has_from:
            values = _declared(instruction, values, arguments)
        elif instruction.name == "FROM":
            has_from = True
            stage, name = _stage(instruction, values)
            # Docker knows stages by their names in small letters.
            if stage.image.lower() not in names and stage.image != SCRATCH:
                if not REFERENCE.fullmatch(stage.image):
                    raise ConfigError(f"{instruction} starts from {stage.image!r}, which is not an image's name")
                stages.append(stage)
            names |= {name.lower()} if name else set()
        features |= dict.fromkeys(_buildkit_features(instruction))
    return Dockerfile(text, tuple(stages), has_from, tuple(features))


def expand(word: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """Return the word as Docker takes it, with its variables replaced.

    Raises ValueError where Docker would refuse it, or only the builder knows a value.
    """
    return _Expansion(word, values, escape).text("")


@dataclass(frozen=True)
class _Instruction:
    """An instruction in one line, as its continuations make it; `places` has where each of its letters stands."""

    line: str
    places: tuple[int, ...]
    heredocs: tuple[str, ...]
    escape: str

    @property
    def name(self) -> str:
        match = WORD.search(self.line)
        return match[0].upper() if match else ""

    def words(self) -> list[re.Match[str]]:
        """Return the words behind the name; of a FROM or ARG none has a space in it but within quotes."""
        return list(QUOTED_WORD.finditer(self.line))[1:]

    def expanded(self, word: str, values: Mapping[str, str]) -> str:
        """Return one of its words with its variables replaced. Raises ConfigError."""
        try:
            return expand(word, values, self.escape)
        except ValueError as error:
            raise ConfigError(f"{self}: {error}") from error

    def __str__(self) -> str:
        return f"`{' '.join(self.line.split())[:100]}`"


def _stage(instruction: _Instruction, values: Mapping[str, str]) -> tuple[Stage, str]:
    """Return the stage of a FROM, and its name if it has one. Raises ConfigError."""
    words = [word for word in instruction.words() if not FLAG.match(word[0])]
    if len(words) not in (1, 3) or (len(words) == 3 and words[1][0].upper() != "AS"):
        raise ConfigError(f"{instruction} is neither FROM image nor FROM image AS name; fix it")
    image = instruction.expanded(words[0][0], values)
    if not image:
        raise ConfigError(
            f"{instruction} starts from nothing: the variables in it have no value; give them one in an ARG before it"
        )
    begin, end = instruction.places[words[0].start()], instruction.places[words[0].end() - 1] + 1
    return Stage(image, begin, end), words[2][0] if len(words) == 3 else ""


def _declared(instruction: _Instruction, values: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the values with those of an ARG: what the build is given, else its default; without either it has none."""
    result = dict(values)
    for word in instruction.words():
        name, has_default, default = word[0].partition("=")
        if name in given:
            result[name] = given[name]
        elif has_default:
            result[name] = instruction.expanded(default, result)
    return result


def _buildkit_features(instruction: _Instruction) -> Iterator[str]:
    """Yield what in the instruction only BuildKit understands."""
    if instruction.heredocs:
        yield "here-documents"
    words = [word[0] for word in instruction.words()] if instruction.name == "RUN" else []
    flags = takewhile(FLAG.match, words)
    yield from dict.fromkeys(f"RUN {match[0][:-1]}" for flag in flags if (match := BUILDKIT_FLAG.match(flag)))


def _escape(text: str) -> str:
    """Return what ends a line that goes on, which a directive at the top may change."""
    for line in text.splitlines():
        match = DIRECTIVE.match(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"


def _instructions(text: str) -> Iterator[_Instruction]:
    lines, escape = list(_lines(text)), _escape(text)
    line_end = re.compile(rf"{re.escape(escape)}[ \t]*$")
    letters: list[str] = []
    places: list[int] = []
    number = 0
    while number < len(lines):
        begin, line = lines[number]
        number += 1
        # Comments and empty lines may stand inside an instruction, and do not end it.
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        continuation = line_end.search(line)
        kept = line[: continuation.start()] if continuation else line
        letters += kept
        places += range(begin, begin + len(kept))
        if continuation and number < len(lines):
            continue
        whole = "".join(letters)
        heredocs, number = _read_heredocs(_heredocs(whole), lines, number)
        yield _Instruction(whole, tuple(places), heredocs, escape)
        letters, places = [], []
    if letters:
        yield _Instruction("".join(letters), tuple(places), (), escape)


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
        if match := HEREDOC.fullmatch(word):
            yield match[2] or match[3] or match[4], bool(match[1])


def _read_heredocs(
    heredocs: Iterable[tuple[str, bool]], lines: list[tuple[int, str]], number: int
) -> tuple[tuple[str, ...], int]:
    """Return the here-documents that have an end, and the number of the line behind the last of them.

    One without an end is none: a shell takes `1<<X` for one, and a builder without here-documents hands it that.
    """
    ended = []
    for word, with_tabs in heredocs:
        texts = (line.lstrip("\t") if with_tabs else line for _, line in lines[number:])
        last = next((index for index, line in enumerate(texts) if line == word), None)
        if last is not None:
            ended.append(word)
            number += last + 1
    return tuple(ended), number


class _Expansion:
    """Reads a word letter by letter, and replaces its variables."""

    def __init__(self, word: str, values: Mapping[str, str], escape: str):
        self._word, self._values, self._escape = word, values, escape
        self._at = 0

    def text(self, until: str) -> str:
        """Return what comes up to `until`, or to the end of the word where that is nothing."""
        parts = []
        while (letter := self._next()) != until:
            if letter == "'":
                parts.append(self._single_quoted())
            elif letter == '"':
                parts.append(self._double_quoted())
            elif letter == "$":
                parts.append(self._variable())
            elif letter == self._escape:
                parts.append(self._next())
            elif not letter:
                raise ValueError(f"{self._word} has a ${{ without a }}; fix it")
            else:
                parts.append(letter)
        return "".join(parts)

    def _next(self) -> str:
        letter = self._word[self._at : self._at + 1]
        self._at += 1
        return letter

    def _single_quoted(self) -> str:
        end = self._word.find("'", self._at)
        if end < 0:
            raise ValueError(f"{self._word} has an unclosed quote; fix it")
        begin, self._at = self._at, end + 1
        return self._word[begin:end]

    def _double_quoted(self) -> str:
        parts = []
        while (letter := self._next()) != '"':
            if not letter:
                raise ValueError(f"{self._word} has an unclosed quote; fix it")
            if letter == "$":
                parts.append(self._variable())
            elif letter == self._escape and self._word[self._at : self._at + 1] in ('"', "$", self._escape):
                parts.append(self._next())
            else:
                parts.append(letter)
        return "".join(parts)

    def _variable(self) -> str:
        """Return the value of the variable behind a dollar, which is read already."""
        if self._word[self._at : self._at + 1] != "{":
            name = self._name(BARE_NAME)
            return (self._value(name) or "") if name else "$"
        self._at += 1
        name = self._name(BRACED_NAME)
        if not name:
            raise ValueError(f"{self._word} has a ${{}} without a name; fix it")
        return self._modified(name)

    def _name(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._word, self._at)
        self._at = match.end() if match else self._at
        return match[0] if match else ""

    def _modified(self, name: str) -> str:
        """Return the value of ${name…}, whose name is read already."""
        modifier = self._next()
        if modifier == "}":
            return self._value(name) or ""
        takes_empty_for_none = modifier == ":"
        if takes_empty_for_none:
            modifier = self._next()
        if not modifier:
            raise ValueError(f"{self._word} has a ${{ without a }}; fix it")
        if modifier not in MODIFIERS:
            raise ValueError(f"{self._word}: the lab does not support ${{{name}{modifier}…}}; write its value")
        other = self.text("}")
        value = self._value(name)
        is_set = bool(value) if takes_empty_for_none else value is not None
        if modifier == "+":
            return other if is_set else ""
        if not is_set and modifier == "?":
            raise ValueError(f"{self._word}: {name} has no value ({other or 'it must have one'})")
        return (value or "") if is_set else other

    def _value(self, name: str) -> str | None:
        if name not in self._values and PLATFORM.fullmatch(name):
            raise ValueError(f"{self._word}: only the builder knows {name}; write its value")
        return self._values.get(name)
