"""JSON held against the records that it is to become: what is missing, unknown or of another kind, in plain words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from benchlab.core.letters import quoted
from benchlab.records import checks

# No run's facts are nested half as deep; Python alone goes some hundred levels down.
DEEPEST = 20
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", dict: "an object"}


def _refuse_constant(name: str) -> None:
    """Raise ValueError: JSON has no such number, and nothing measured is one."""
    raise NotJsonError(f"{name} is no number")


class NotJsonError(ValueError):
    """What is read is no JSON; the message says why in plain words."""


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


def refuse_other(content: object, kind: Any, where: str = "") -> None:
    """Raise ValueError where the content, read as JSON, is not what the kind is made of: the first fault that there is.

    `kind` is a type as a record's field has it; `where` are the keys that lead to the content.
    """
    if kind in (object, Any):
        _refuse_unwritable_parts(content, where)
    elif is_dataclass(kind):
        _refuse_other_fields(content, kind, where)
    elif get_origin(kind) in (Union, UnionType):
        _refuse_all(content, kind, where)
    elif get_origin(kind) is tuple:
        _refuse_other_items(content, get_args(kind), where)
    elif get_origin(kind) in (dict, Mapping):
        _, of = get_args(kind)
        for key, value in _object(content, where).items():
            _refuse_unwritable(key, where)
            refuse_other(value, of, _below(where, key))
    elif kind is datetime:
        _refuse_no_moment(content, where)
    else:
        _refuse_other_value(content, kind, where)


def _refuse_other_fields(content: object, kind: Any, where: str) -> None:
    found, kinds = _object(content, where), _fields(kind)
    for name, (of, is_needed) in kinds.items():
        if name in found:
            refuse_other(found[name], of, _below(where, name))
        elif is_needed:
            raise ValueError(f"{_below(where, name)} is missing")
    if strangers := sorted(found.keys() - kinds.keys()):
        raise ValueError(f"{_below(where, strangers[0])} is nothing that this lab knows")


def _refuse_all(content: object, kind: Any, where: str) -> None:
    """Raise ValueError where the content is neither null nor of the one kind beside that."""
    for of in get_args(kind):
        if of is not type(None) and content is not None:
            refuse_other(content, of, where)


def _refuse_other_items(content: object, kinds: tuple[Any, ...], where: str) -> None:
    if not isinstance(content, list):
        raise ValueError(_must(where, content, "a list"))
    if kinds[-1] is ...:
        kinds = (kinds[0],) * len(content)
    if len(kinds) != len(content):
        raise ValueError(f"{where or 'it'} has {len(content)} values, and must have {len(kinds)}")
    for number, (value, of) in enumerate(zip(content, kinds, strict=True), start=1):
        refuse_other(value, of, f"{where}[{number}]")


def _refuse_no_moment(content: object, where: str) -> None:
    _refuse_other_value(content, str, where)
    try:
        checks.moment(str(content))
    except (ValueError, OverflowError) as error:
        raise ValueError(_must(where, content, "a time with its zone, like 2026-11-23T12:00:00+00:00")) from error


def _refuse_other_value(content: object, kind: Any, where: str) -> None:
    # For Python True is an integer, too; for JSON a whole number is a number.
    if not (type(content) is kind or (kind is float and type(content) is int)):
        raise ValueError(_must(where, content, WORDS.get(kind, "something else")))
    _refuse_unwritable(content, where)


def _refuse_unwritable_parts(content: object, where: str, depth: int = 0) -> None:
    """Raise ValueError where anything in what may be of any kind cannot be written again."""
    if depth > DEEPEST:
        raise ValueError(f"{where[:60]}… is nested too deeply")
    if isinstance(content, dict):
        for key, value in content.items():
            _refuse_unwritable(key, where)
            _refuse_unwritable_parts(value, _below(where, key), depth + 1)
    elif isinstance(content, list):
        for number, value in enumerate(content, start=1):
            _refuse_unwritable_parts(value, f"{where}[{number}]", depth + 1)
    else:
        _refuse_unwritable(content, where)


def _refuse_unwritable(value: object, where: str) -> None:
    """Raise ValueError of half a letter, which no file takes, and of a number that is too large to be one."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where or 'it'} is beyond all numbers")
    try:
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where or 'it'} has half of a pair of surrogates, which no file takes") from None


def _object(content: object, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(_must(where, content, "an object"))
    return content


def _must(where: str, content: object, what: str) -> str:
    return f"{where or 'it'} is {quoted(content)}, and must be {what}"


def _below(where: str, name: str) -> str:
    said = name if name.isidentifier() else quoted(name)
    return f"{where}.{said}" if where else said


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return of each field of a record what kind it is, and whether it must be there."""
    hints = get_type_hints(kind)
    return {
        field.name: (hints[field.name], field.default is MISSING and field.default_factory is MISSING)
        for field in fields(kind)
    }


def _place(error: json.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}" if "\n" in error.doc.rstrip("\n") else f"column {error.colno}"
