# SPDX-License-Identifier: Apache-2.0
"""The charts of a run, encoded, in the order they were shown, as many as fit."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from . import limits

Chart = dict[str, Any]

# More figures than an answer has room for are not looked for.
_LOOKED_AT: Final = 50


class Gallery:
    """Holds charts, and passes each on at once where the run is followed live."""

    def __init__(self) -> None:
        self.charts: list[Chart] = []
        self._room = limits.CHARTS_ENCODED
        self._truncated: set[str] = set()
        self._stream: Callable[[Chart], None] | None = None

    def begin(self, truncated: set[str], stream: Callable[[Chart], None] | None) -> None:
        """Takes what belongs to the run that starts now."""
        self._truncated, self._stream = truncated, stream

    def is_full(self) -> bool:
        """Whether another chart would be dropped; it is noted that there was one."""
        full = len(self.charts) >= limits.CHARTS
        if full:
            self._truncated.add("charts")
        return full

    def add(self, chart: Chart, encoded: int) -> None:
        """Keeps a chart whose data takes `encoded` bytes in the answer."""
        if self.is_full():
            return
        if encoded > self._room:
            self.drop(f"a chart of {encoded} bytes does not fit into the answer any more")
            return
        self._room -= encoded
        self.charts.append(chart)
        if self._stream is not None:
            self._stream(chart)

    def drop(self, reason: str) -> None:
        """Notes that a chart is not, or not wholly, in the answer, and says why where a person looks."""
        self._truncated.add("charts")
        say(reason)


def within(namespace: Mapping[str, object]) -> Iterator[object]:
    """The values in globals, and what is in lists, tuples and dicts among them: one level, and the first of each."""
    for value in list(namespace.values()):
        yield value
        yield from items(value)


def items(value: object) -> list[object]:
    """The first items of a list, tuple or dict, where people gather figures; of anything else none."""
    if type(value) in {list, tuple}:
        return list(cast("list[object]", value)[:_LOOKED_AT])
    if type(value) is dict:
        return list(itertools.islice(cast("dict[object, object]", value).values(), _LOOKED_AT))
    return []


def say(reason: str) -> None:
    """Tells the author of the run, on standard error, what is not in the answer and why."""
    # The run may have closed or replaced the stream: then it is not told.
    with contextlib.suppress(Exception):
        print(f"lithouse: {reason}", file=sys.stderr)
