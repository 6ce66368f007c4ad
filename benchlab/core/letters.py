"""Letters that would do more than be read: shown as what they are, and words as a shell takes them."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterable

# What a terminal obeys, what turns the order of letters around, what parts lines without being seen to, and halves of
# pairs of surrogates, which no file takes. A tab and a line's end are what they look like.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
# Halves of surrogates that Python has for bytes of a file's name which are no letters.
BYTES = range(0xDC80, 0xDD00)
# More of what is quoted is not needed to find it.
MOST_QUOTED = 60


def visible(text: str) -> str:
    """Return the text with the code of each letter that would not be seen: `\\x1b` for an escape."""
    return HIDDEN.sub(lambda match: _code(match[0]), text)


def one_line(text: str) -> str:
    """Return the text in one line: like `visible`, and so its tabs and lines' ends."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def typed(word: str) -> str:
    """Return the word as it can be typed in a shell, in one line whatever it holds."""
    if one_line(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(_typed(letter) for letter in word) + "'"


def quoted(value: object) -> str:
    """Return what JSON has, in a few words: a number or the begin of a text as it is, of the rest what it is."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None:
        return "null"
    text = json.dumps(value) if isinstance(value, str | bool | float) else _number(value)
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"


def _number(value: object) -> str:
    # Python writes no number of more than some thousand digits.
    return str(value) if not isinstance(value, int) or abs(value) < 10**MOST_QUOTED else "a number of many digits"


def _code(letter: str) -> str:
    number = ord(letter)
    if number in BYTES:
        number -= BYTES.start - 0x80
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _typed(letter: str) -> str:
    if letter in "'\\":
        return f"\\{letter}"
    return {"\n": "\\n", "\t": "\\t"}.get(letter) or visible(letter)


def meant(name: str, known: Iterable[str], flag: str = "") -> str:
    """Return "did you mean json? " for the known name that is nearest, or nothing where none is near.

    `flag` is one that may be repeated: a list of known names with commas was meant as its values.
    """
    known = list(known)
    names = [part.strip() for part in name.split(",")]
    if flag and len(names) > 1 and set(names) <= set(known):
        return f"did you mean {' '.join(f'{flag} {each}' for each in names)}? "
    near = nearest(name, known)
    return f"did you mean {near}? " if near else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest, None where none is near."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)
