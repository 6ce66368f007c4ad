"""JSON made into records; what is wrong with it, by the keys that lead there, in plain words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from benchlab.core.letters import quoted

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

Made = TypeVar("Made")
# What becomes of keys that a record has not: they are faults, or left out.
Others = Literal["forbid", "ignore"]

# No run's facts are nested half as deep; Python alone goes some hundred levels down.
DEEPEST = 20
# What a value must be, by the type of pydantic's error.
WORDS = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "dict_type": "an object",
    "dataclass_type": "an object",
    "tuple_type": "a list",
    "moment": "a time with its zone, like 2026-11-23T12:00:00+00:00",
}


class NotJsonError(ValueError):
    """What is read is no JSON; the message says why in plain words."""


def _refuse_constant(name: str) -> None:
    """Raise NotJsonError: JSON has no such number, and nothing measured is one."""
    raise NotJsonError(f"{name} is no number")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def decoded(text: bytes) -> Any:
    """Return what the text is in JSON. Raises NotJsonError."""
    try:
        return DECODER.decode(text.decode())
    except NotJsonError:
        raise
    except UnicodeDecodeError as error:
        raise NotJsonError(f"byte {error.start + 1} is no UTF-8") from error
    except json.JSONDecodeError as error:
        raise NotJsonError(f"no JSON at {_place(error)}") from error
    except RecursionError as error:
        raise NotJsonError("nested too deeply") from error
    except ValueError as error:
        # Python reads no number of more than some thousand digits.
        raise NotJsonError("a number in it has too many digits") from error


def parsed(kind: type[Made], text: bytes, others: Others = "forbid") -> Made:
    """Return the record of this kind that the text is in JSON; `others` are keys that it has not.

    Raises pydantic's ValidationError, a ValueError, where it is none; `made` of what is `decoded` says why.
    """
    record: Made = _adapter(cast(Any, kind)).validate_json(text, strict=True, extra=others)
    return record


def made(kind: type[Made], content: object, others: Others = "forbid") -> Made:
    """Return the record of this kind that the content, decoded JSON, is. Raises ValueError with the first fault."""
    refuse_unwritable(content)
    # Of Python's own lists and texts pydantic makes neither tuples nor times, when it is strict.
    text = json.dumps(content).encode()
    try:
        return parsed(kind, text, others)
    except ValueError as error:
        raise ValueError(_first_fault(error)) from error


def fitting(kind: type[Made], content: Mapping[str, object]) -> tuple[Made, set[str]]:
    """Return the record of this kind with what of the content fits it, and the names of what does not.

    No field of the record may be needed.
    """
    try:
        return parsed(kind, json.dumps(content).encode()), set()
    except ValueError as error:
        # What no file takes is at no key.
        paths = [fault["loc"] for fault in _faults(error)]
        unfit = {str(path[0]) for path in paths} if all(paths) else set(content)
        fit = {name: value for name, value in content.items() if name not in unfit}
        return parsed(kind, json.dumps(fit).encode()), unfit


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # It takes longer to import than all else of a command that reads no run.
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return adapter


def _first_fault(error: ValueError) -> str:
    """Return in plain words the first of the faults that pydantic names."""
    faults = _faults(error)
    kind, path, value = faults[0]["type"], faults[0]["loc"], faults[0]["input"]
    where = _where(path)
    if kind == "value_error":
        # The words of a record's own check.
        return str(faults[0]["ctx"]["error"])
    if kind == "unexpected_keyword_argument":
        return f"{where} is nothing that this lab knows"
    if kind == "too_long":
        return _wrong_length(where, len(value), faults[0]["ctx"]["max_length"])
    if kind == "missing" and path and isinstance(path[-1], int):
        lacking = sum(fault["type"] == "missing" and fault["loc"][:-1] == path[:-1] for fault in faults)
        return _wrong_length(_where(path[:-1]), len(value), len(value) + lacking)
    if kind == "missing":
        return f"{where} is missing"
    return f"{where or 'it'} is {quoted(value)}, and must be {WORDS[kind]}"


def _faults(error: ValueError) -> list[ErrorDetails]:
    from pydantic import ValidationError

    return cast(ValidationError, error).errors(include_url=False)


def _wrong_length(where: str, count: int, needed: int) -> str:
    return f"{where or 'it'} has {count} values, and must have {needed}"


def _where(path: tuple[int | str, ...]) -> str:
    """Return the keys of a path as they are written behind each other; items of a list are counted from 1."""
    where = ""
    for part in path:
        where = f"{where}[{part + 1}]" if isinstance(part, int) else _below(where, part)
    return where


def _below(where: str, name: str) -> str:
    key = name if name.isidentifier() else quoted(name)
    return f"{where}.{key}" if where else key


def refuse_unwritable(content: object, where: str = "", depth: int = 0) -> None:
    """Raise ValueError of a lone surrogate, of a number that is not finite, and of what is nested too deeply."""
    if depth > DEEPEST:
        raise ValueError(f"{where[:60]}… is nested too deeply")
    if isinstance(content, Mapping):
        for key, value in content.items():
            _refuse_lone_surrogates(key, where)
            refuse_unwritable(value, _below(where, key), depth + 1)
    elif isinstance(content, list):
        for number, value in enumerate(content, start=1):
            refuse_unwritable(value, f"{where}[{number}]", depth + 1)
    elif isinstance(content, str):
        _refuse_lone_surrogates(content, where)
    elif isinstance(content, float) and not math.isfinite(content):
        raise ValueError(f"{where or 'it'} is not a finite number")


def _refuse_lone_surrogates(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where or 'it'} has half of a pair of surrogates, which no file takes") from None


def _place(error: json.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}" if "\n" in error.doc.rstrip("\n") else f"column {error.colno}"
