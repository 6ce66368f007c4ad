"""Variables in a word of a dockerfile, replaced by Docker's rules.

https://docs.docker.com/reference/dockerfile/#environment-replacement: `$name` and `${name}`; `${name:-word}` and
`${name:+word}`, which take an empty value for none; `${name-word}` and `${name+word}`, which do not; `${name:?word}`
and `${name?word}`, which end the build. `word` may have variables too. Quotes and escapes are taken away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?!$-]")
BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What stands behind a name, by the first of its letters.
MODIFIERS = "-+?"
# What the builder knows of its own machine and of that which is built for, and nobody else does.
PLATFORM = re.compile(r"(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT)")


def replaced(word: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """Return the word as Docker takes it. Raises ValueError where Docker would refuse it, or alone knows a value."""
    reader = _Reader(word, values, escape)
    return reader.text("")


class _Reader:
    """Reads a word letter by letter."""

    def __init__(self, word: str, values: Mapping[str, str], escape: str):
        self._word, self._values, self._escape = word, values, escape
        self._at = 0

    def text(self, until: str) -> str:
        """Return what comes up to `until`, or to the end of the word where that is nothing."""
        parts = []
        while (letter := self._next()) != until:
            if letter == "'":
                parts.append(self._single())
            elif letter == '"':
                parts.append(self._double())
            elif letter == "$":
                parts.append(self._variable())
            elif letter == self._escape:
                parts.append(self._next())
            elif not letter:
                raise ValueError(f"{self._word} has a ${{ without its }}; mend it")
            else:
                parts.append(letter)
        return "".join(parts)

    def _next(self) -> str:
        letter = self._word[self._at : self._at + 1]
        self._at += 1
        return letter

    def _single(self) -> str:
        end = self._word.find("'", self._at)
        if end < 0:
            raise ValueError(f"{self._word} has a quote without its end; mend it")
        begin, self._at = self._at, end + 1
        return self._word[begin:end]

    def _double(self) -> str:
        parts = []
        while (letter := self._next()) != '"':
            if not letter:
                raise ValueError(f"{self._word} has a quote without its end; mend it")
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
            bare = BARE.match(self._word, self._at)
            return self._value(self._passed(bare)) or "" if bare else "$"
        self._at += 1
        name = NAME.match(self._word, self._at)
        if name is None:
            raise ValueError(f"{self._word} has a ${{}} without a name; mend it")
        return self._modified(self._passed(name))

    def _passed(self, found: re.Match[str]) -> str:
        self._at = found.end()
        return found[0]

    def _modified(self, name: str) -> str:
        """Return the value of ${name…}, whose name is read already."""
        modifier = self._next()
        if modifier == "}":
            return self._value(name) or ""
        takes_empty_for_none = modifier == ":"
        if takes_empty_for_none:
            modifier = self._next()
        if not modifier:
            raise ValueError(f"{self._word} has a ${{ without its }}; mend it")
        if modifier not in MODIFIERS:
            raise ValueError(f"{self._word}: the lab does not know ${{{name}{modifier}…}}; write what it comes to")
        other = self.text("}")
        value = self._value(name)
        is_there = bool(value) if takes_empty_for_none else value is not None
        if modifier == "+":
            return other if is_there else ""
        if not is_there and modifier == "?":
            raise ValueError(f"{self._word}: {name} has no value ({other or 'it must have one'})")
        return (value or "") if is_there else other

    def _value(self, name: str) -> str | None:
        if name not in self._values and PLATFORM.fullmatch(name):
            raise ValueError(f"{self._word}: the builder alone knows {name}; write its value")
        return self._values.get(name)
