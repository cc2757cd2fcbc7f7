# SPDX-License-Identifier: Apache-2.0
"""Data frames and series of a run as tables of plain JSON. Only what is shown of a frame is looked at."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from . import cells, errors, limits, safejson, table
from .gallery import say

Frame = dict[str, Any]

# With less left than this, no frame is even looked at.
_LEAST_ROOM: Final = 16 * 1024


class Frames:
    """The frames of one run."""

    def __init__(self) -> None:
        self._truncated: set[str] = set()
        self._last: list[object] = []
        self._room = limits.FRAMES_ENCODED

    def begin(self, truncated: set[str]) -> None:
        """Takes what belongs to the run that starts now."""
        self._truncated = truncated

    def is_frame(self, value: object) -> bool:
        """Whether it is a frame or a series."""
        return issubclass(type(value), _kinds())

    def takes(self, value: object, namespace: Mapping[str, object]) -> bool:
        """Whether a last expression is a frame; if no global holds it, it is kept under the name `_`."""
        if not self.is_frame(value):
            return False
        is_held = any(held is value and not name.startswith("_") for name, held in list(namespace.items()))
        # Shown twice, or so many that the answer has no room: kept once, and one more, so that it is told.
        if not is_held and len(self._last) <= limits.FRAMES and not any(held is value for held in self._last):
            self._last.append(value)
        return True

    def collect(self, namespace: Mapping[str, object]) -> list[Frame]:
        """The frames in globals in the order of their first assignment, then the last expression."""
        kinds = _kinds()
        named = [(name, value) for name, value in list(namespace.items()) if issubclass(type(value), kinds)]
        named = [(name, value) for name, value in named if type(name) is str and not name.startswith("_")]
        found: list[Frame] = []
        for name, value in (*named, *(("_", value) for value in self._last)):
            if len(found) == limits.FRAMES or len(name) > limits.NAME_CHARACTERS or self._room < _LEAST_ROOM:
                self._truncated.add("dataframes")
                continue
            try:
                frame = describe(name, value, min(limits.FRAME_ENCODED, self._room))
            except Exception as error:
                self._truncated.add("dataframes")
                say(f"the frame `{name}` could not be shown: {type(error).__name__}: {str(error)[:500]}")
                continue
            size = 0 if frame is None else safejson.size(frame)
            if frame is None or size > self._room:
                self._truncated.add("dataframes")
                continue
            self._room -= size
            found.append(frame)
        return found


def describe(name: str, frame: Any, room: int) -> Frame | None:
    """The frame's head in JSON of at most `room` bytes; nothing if not even one row fits."""
    import pandas

    if issubclass(type(frame), pandas.Series):
        frame = frame.to_frame(name=0 if frame.name is None else frame.name)
    rows, columns = (int(side) for side in frame.shape)
    head = frame.iloc[: limits.FRAME_ROWS, : limits.FRAME_COLUMNS]
    reader = cells.Reader()
    names = [reader.label(label) for label in head.columns]
    index = reader.index(head.index)
    data = [list(row) for row in zip(*(reader.column(head.iloc[:, place]) for place in range(head.shape[1])), strict=True)]
    if not names:
        data = [[] for _ in index]
    kept = _rows_that_fit(index, data, room // 2)
    if kept == 0 and rows:
        return None
    index, data = index[:kept], data[:kept]
    cut = reader.has_cut or kept < rows or len(names) < columns
    return {
        "name": name,
        "columns": names,
        "dtypes": [errors.bounded(str(kind), limits.NAME_CHARACTERS) for kind in head.dtypes],
        "index": index,
        "data": data,
        "shape": [rows, columns],
        "truncated": cut,
        "html": table.html(names, index, data, min(limits.HTML_BYTES, room // 4)),
    }


def _rows_that_fit(index: list[Any], data: list[list[Any]], room: int) -> int:
    """How many rows may stay."""
    for kept, row in enumerate(zip(index, data, strict=True)):
        room -= safejson.size(row)
        if room < 0:
            return kept
    return len(data)


def _kinds() -> tuple[type, ...]:
    """The types of frames, if pandas is loaded."""
    pandas = sys.modules.get("pandas")
    kinds = (getattr(pandas, "DataFrame", None), getattr(pandas, "Series", None))
    return tuple(kind for kind in kinds if isinstance(kind, type))
