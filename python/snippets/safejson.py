# SPDX-License-Identifier: Apache-2.0
"""Values of a run as JSON, where they are plain enough, else as a bounded text.

The values come from code nobody vouches for. What decides about a value is its exact type, which cannot be pretended;
nothing is iterated but known containers, so that generators stay unused; and what an object's own methods raise is caught.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import reprlib
import sys
import uuid
from collections.abc import Callable
from typing import Any, Final

from . import limits


class TooMuch(Exception):
    """The value is no JSON, or more of it than fits."""


_SEQUENCES: Final = (list, tuple, set, frozenset, collections.deque)
_MAPPINGS: Final = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
_AS_TEXT: Final = (decimal.Decimal, fractions.Fraction, uuid.UUID, datetime.timedelta)
_WITH_ISO: Final = (datetime.datetime, datetime.date, datetime.time)


def integer(value: int) -> int | str:
    """The number itself while every reader of JSON takes it exactly, else its digits as a string."""
    if -limits.EXACT_INTEGER <= value <= limits.EXACT_INTEGER:
        return value
    try:
        return str(value)
    except ValueError:
        # Python refuses to write out thousands of digits.
        return f"<an integer of {value.bit_length()} bits>"


def number(value: float) -> float | str:
    """The number, or the name of what JSON has no number for: `nan`, `inf`, `-inf`."""
    return value if math.isfinite(value) else repr(value)


class _Plain:
    """One conversion with its allowance of characters, counted roughly."""

    def __init__(self, allowance: int) -> None:
        self._left = allowance

    def convert(self, value: Any, depth: int = limits.DEPTH) -> Any:
        self._spend(2)
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return self._text(integer(value))
        if kind is float:
            return number(value)
        if kind is str:
            return self._text(value)
        if depth <= 0:
            raise TooMuch
        if kind in _MAPPINGS:
            return {self._key(key): self.convert(item, depth - 1) for key, item in list(value.items())}
        if kind in _SEQUENCES:
            return [self.convert(item, depth - 1) for item in value]
        return self._other(value, kind, depth)

    def _other(self, value: Any, kind: type, depth: int) -> Any:
        if kind in _WITH_ISO:
            return value.isoformat()
        if kind in _AS_TEXT or issubclass(kind, pathlib.PurePath):
            return self._text(str(value))
        if issubclass(kind, enum.Enum):
            return self._text(f"{kind.__qualname__}.{value._name_}")
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            named = zip(kind._fields, tuple(value), strict=False)
            return {self._key(name): self.convert(item, depth - 1) for name, item in named}
        if dataclasses.is_dataclass(kind):
            fields = vars(value) if hasattr(value, "__dict__") else {}
            names = [field.name for field in dataclasses.fields(kind) if field.name in fields]
            return {self._key(name): self.convert(fields[name], depth - 1) for name in names}
        for module, convert in _LIBRARIES.items():
            if module in sys.modules:
                known, answer = convert(self, value, kind, depth)
                if known:
                    return answer
        raise TooMuch

    def _key(self, key: object) -> str:
        kind = type(key)
        if kind is str:
            return str(self._text(key))
        if key is None or kind in {bool, int, float} or kind in _WITH_ISO:
            return str(self._text(str(key)))
        plain = self.convert(key, 0) if "numpy" in sys.modules else None
        if isinstance(plain, (str, int, float)):
            return str(plain)
        raise TooMuch

    def _text(self, text: Any) -> Any:
        if isinstance(text, str):
            self._spend(len(text))
        return text

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise TooMuch

    def numpy(self, value: Any, kind: type, depth: int) -> tuple[bool, Any]:
        numpy = sys.modules["numpy"]
        if kind is numpy.ndarray and value.dtype.kind in "biufUmM" and value.size <= limits.VALUE_CHARACTERS:
            if value.dtype.kind in "mM":
                value = value.astype(str)
            return True, self.convert(value.tolist(), depth)
        if issubclass(kind, (numpy.datetime64, numpy.timedelta64)):
            return True, self._text(str(value))
        if issubclass(kind, numpy.generic):
            item = value.item()
            return (True, self.convert(item, depth)) if type(item) in {bool, int, float, str} else (False, None)
        return False, None

    def pandas(self, value: Any, kind: type, depth: int) -> tuple[bool, Any]:
        pandas = sys.modules["pandas"]
        if value is pandas.NaT or value is pandas.NA:
            return True, None
        if kind is pandas.Timestamp:
            return True, value.isoformat()
        if kind in {pandas.Timedelta, pandas.Period, pandas.Interval}:
            return True, self._text(str(value))
        if issubclass(kind, pandas.Index):
            return True, self.convert(value.tolist(), depth)
        return False, None


_LIBRARIES: Final[dict[str, Callable[[_Plain, Any, type, int], tuple[bool, Any]]]] = {
    "numpy": _Plain.numpy,
    "pandas": _Plain.pandas,
}

_TYPE_NAME: Final = type.__dict__["__name__"].__get__
_BRIEF: Final = reprlib.Repr()
_BRIEF.maxlevel = 4
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxset = _BRIEF.maxfrozenset = _BRIEF.maxdeque = _BRIEF.maxdict = _BRIEF.maxarray = 50
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = limits.REPR_CHARACTERS


def type_name(kind: type) -> str:
    """The type's name, asked of the interpreter and not of the type."""
    name: str = _TYPE_NAME(kind)
    return name


def plain(value: object, allowance: int) -> Any:
    """The value as JSON of about at most `allowance` characters. Raises `TooMuch` where that cannot be."""
    return _Plain(allowance).convert(value)


def size(value: object) -> int:
    """How many bytes plain JSON takes in the answer."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def brief(value: object) -> str:
    """A bounded `repr`. Long containers are not written out first only to be cut."""
    try:
        text = _BRIEF.repr(value)
    except BaseException as error:
        return f"<{type_name(type(value))}: its repr raised {type_name(type(error))}>"
    if type(text) is not str:
        return f"<{type_name(type(value))}>"
    return text if len(text) <= limits.REPR_CHARACTERS else text[: limits.REPR_CHARACTERS - 1] + "…"


def plain_or_brief(value: object, allowance: int) -> Any:
    """JSON where it fits, else a bounded text."""
    try:
        return plain(value, allowance)
    except BaseException:
        # `TooMuch`, and whatever a property of the value raised on the way.
        return brief(value)
