"""What a dockerfile starts from: the images of its stages, and the same text with others in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

FROM = re.compile(r"(?i)^(\s*FROM\s+(?:--\S+\s+)*)([^\s\\]+)(?:\s+AS\s+([^\s\\]+))?")
ARG = re.compile(r"(?i)^\s*ARG\s+(.*)$")
DEFAULT = re.compile(r"""(\w+)=("[^"]*"|'[^']*'|\S*)""")
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")
# The text behind it is another program's, up to a line of that word alone.
HEREDOC = re.compile(r"""\s<<-?(["']?)([A-Za-z_]\w*)\1(?=$|[\s>|;&])""")
SCRATCH = "scratch"


def bases(text: str) -> tuple[str, ...]:
    """Return the images that the stages start from, in order, each once; not stages, nor the empty image.

    A variable has the value that the file itself gives it.
    """
    return tuple(dict.fromkeys(image for _, image in _stages(text)))


def replaced(text: str, stand_ins: Mapping[str, str]) -> str:
    """Return the dockerfile with the stand-in of each image that has one; nothing else changes."""
    lines = text.splitlines(keepends=True)
    for number, image in _stages(text):
        if image in stand_ins:
            lines[number] = _replaced(lines[number], stand_ins[image])
    return "".join(lines)


def _replaced(line: str, image: str) -> str:
    found = FROM.match(line)
    assert found is not None
    return f"{found[1]}{image}{line[found.end(2) :]}"


def _stages(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line's number and the image of each stage that starts from one."""
    defaults: dict[str, str] = {}
    names = {SCRATCH}
    before_all = True
    for number, line in _instructions(text):
        if before_all and (argument := ARG.match(line)):
            defaults |= {name: _expanded(value.strip("\"'"), defaults) for name, value in DEFAULT.findall(argument[1])}
        if stage := FROM.match(line):
            before_all = False
            image = _expanded(stage[2], defaults)
            if image.lower() not in names:
                yield number, image
            names |= {stage[3].lower()} if stage[3] else set()


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that begins an instruction."""
    goes_on, until = False, ""
    for number, line in enumerate(text.splitlines()):
        stripped = line.strip()
        if until:
            until = "" if stripped == until else until
            continue
        # Comments and empty lines may stand inside an instruction, and do not end it.
        if not stripped or stripped.startswith("#"):
            continue
        if not goes_on:
            yield number, line
        goes_on = stripped.endswith("\\")
        if heredoc := HEREDOC.search(line):
            until = heredoc[2]


def _expanded(text: str, defaults: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda match: defaults.get(match[1] or match[2]) or match[3] or "", text)
