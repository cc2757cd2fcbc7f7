# SPDX-License-Identifier: Apache-2.0
"""Plotly figures as plain JSON: lists instead of packed arrays, null for what is missing.

Kept once each: when shown, or at the end if they are left in a global or are the last expression.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import sys
from collections.abc import Mapping
from typing import Any, Final

from . import limits, safejson
from .gallery import Gallery, within

_PACKED: Final = {"dtype", "bdata"}


class PlotlyCharts:
    """Looks after the figures of one run. `install` is called once, in the warm parent."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        # With the figures themselves, so that no other object gets one's identity.
        self._shown: dict[int, tuple[Any, str]] = {}
        self._last: list[Any] = []

    def install(self) -> None:
        """Puts our `show` in the place of the one that would look for a browser."""
        module: Any = sys.modules.get("plotly.io")
        if module is None:
            return
        charts = self

        @functools.wraps(module.show)
        def show(fig: Any, *_args: object, **_kwargs: object) -> None:
            charts.show(fig)

        module.show = show

    def show(self, figure: Any) -> None:
        """Keeps a figure as it is now, unless it was kept so already."""
        if self._gallery.is_full():
            return
        data = plain_figure(figure)
        text = json.dumps(data, ensure_ascii=False)
        known = self._shown.get(id(figure))
        if known is not None and known[1] == text:
            return
        self._shown[id(figure)] = (figure, text)
        if len(text) > limits.CHART_BYTES:
            self._gallery.drop(f"a figure of {len(text)} characters of JSON is too large")
            return
        layout = data.get("layout") or {}
        width, height = _side(layout.get("width"), limits.PLOTLY_WIDTH), _side(layout.get("height"), limits.PLOTLY_HEIGHT)
        chart = {"type": "plotly", "format": "json", "data": data, "width": width, "height": height}
        self._gallery.add(chart, len(text.encode("utf-8", "replace")))

    def is_figure(self, value: object) -> bool:
        """Whether it is a figure."""
        kind = _figure_class()
        return kind is not None and issubclass(type(value), kind)

    def takes(self, value: object) -> bool:
        """Whether a last expression is a figure, which is kept."""
        if not self.is_figure(value):
            return False
        self._last.append(value)
        return True

    def collect(self, namespace: Mapping[str, object]) -> None:
        """Keeps the figures in globals that were not shown."""
        kind = _figure_class()
        if kind is None:
            return
        left = [value for value in within(namespace) if issubclass(type(value), kind)]
        for figure in (*left, *self._last):
            if id(figure) in self._shown:
                continue
            try:
                self.show(figure)
            except Exception as error:
                self._gallery.drop(f"a plotly figure could not be written as JSON: {type(error).__name__}: {str(error)[:500]}")


def plain_figure(figure: Any) -> dict[str, Any]:
    """The figure's `data`, `layout` and `frames` as plain JSON."""
    described = figure if isinstance(figure, dict) else figure.to_plotly_json()
    plain: dict[str, Any] = _plain(described)
    return plain


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in {bool, str}:
        return value
    if kind is int:
        return safejson.integer(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        if value.keys() >= _PACKED:
            return _unpacked(value)
        return {str(key): _plain(item) for key, item in value.items()}
    if kind in {list, tuple}:
        return [_plain(item) for item in value]
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is numpy.ndarray:
        return _list_of(value)
    from plotly.utils import PlotlyJSONEncoder

    return _plain(PlotlyJSONEncoder().default(value))


def _unpacked(packed: dict[str, Any]) -> Any:
    """What plotly packs into base64 for its own script, as a list again."""
    import numpy

    values = numpy.frombuffer(base64.b64decode(packed["bdata"]), dtype=f"<{packed['dtype']}")
    if "shape" in packed:
        values = values.reshape([int(side) for side in str(packed["shape"]).split(",")])
    return _list_of(values)


def _list_of(values: Any) -> Any:
    import numpy

    kind = values.dtype.kind
    if kind in "bU":
        return values.tolist()
    if kind == "f" and numpy.isfinite(values).all():
        return values.tolist()
    if kind == "M":
        missing = numpy.isnat(values)
        return numpy.where(missing, None, numpy.datetime_as_string(values).astype(object)).tolist()
    return _plain(values.tolist())


def _side(length: Any, default: int) -> int:
    if isinstance(length, (int, float)) and math.isfinite(length) and 1 <= length <= limits.PLOTLY_SIDE:
        return round(length)
    return default


def _figure_class() -> type | None:
    kind = getattr(sys.modules.get("plotly.basedatatypes"), "BaseFigure", None)
    return kind if isinstance(kind, type) else None
