# SPDX-License-Identifier: Apache-2.0
"""Cells of a frame as plain JSON: null for what is missing, ISO 8601 for times, strings for integers that JSON cannot hold."""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any, Final

from . import limits, safejson

# Levels of a hierarchical index or header are joined by this.
LEVELS: Final = " / "
_SCALARS: Final = (bool, int, float, str, complex, bytes)


class Reader:
    """Reads the cells of one frame, and remembers whether it had to cut any."""

    def __init__(self) -> None:
        import numpy
        import pandas

        self.has_cut = False
        self._numpy = numpy
        self._missing = (pandas.NaT, pandas.NA)

    def label(self, label: object) -> str:
        """The name of a column or of one level of it."""
        if type(label) is tuple:
            return self._cut(LEVELS.join(self.label(level) for level in label))
        value = self.cell(label)
        return "NaN" if value is None else value if isinstance(value, str) else str(value)

    def index(self, index: Any) -> list[Any]:
        """The labels of the rows; those of several levels are joined."""
        values = index.tolist()
        return [self.label(value) if type(value) is tuple else self.cell(value) for value in values]

    def column(self, column: Any) -> list[Any]:
        """The cells of one column."""
        dtype = column.dtype
        kind = dtype.kind if isinstance(dtype, self._numpy.dtype) else ""
        if kind and kind in "biu":
            values: list[Any] = column.to_numpy().tolist()
            return values if kind == "b" else [safejson.integer(value) for value in values]
        if kind == "f":
            return [value if math.isfinite(value) else _not_finite(value) for value in column.to_numpy().tolist()]
        return [self.cell(value) for value in column.array]

    def cell(self, value: Any) -> Any:
        """One value."""
        kind = type(value)
        if kind is str:
            return self._cut(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return safejson.integer(value)
        if kind is float:
            return value if math.isfinite(value) else _not_finite(value)
        if any(value is missing for missing in self._missing):
            return None
        return self._rarer(value, kind)

    def _rarer(self, value: Any, kind: type) -> Any:
        if issubclass(kind, self._numpy.generic):
            item = value.item()
            if type(item) in _SCALARS:
                return self.cell(item)
            return None if self._numpy.isnat(value) else self._cut(str(value))
        if issubclass(kind, (datetime.date, datetime.time)):
            return value.isoformat()
        if kind is decimal.Decimal and value.is_nan():
            return None
        if kind is complex or issubclass(kind, datetime.timedelta):
            return str(value)
        return safejson.plain_or_brief(value, limits.CELL_CHARACTERS)

    def _cut(self, text: str) -> str:
        if len(text) <= limits.CELL_CHARACTERS:
            return text
        self.has_cut = True
        return text[: limits.CELL_CHARACTERS - 1] + "…"


def _not_finite(value: float) -> str | None:
    return None if math.isnan(value) else repr(value)
