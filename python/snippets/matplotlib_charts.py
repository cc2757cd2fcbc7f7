# SPDX-License-Identifier: Apache-2.0
"""Matplotlib figures as PNG, in their own size and dots per inch.

`show` keeps what is to be seen and closes the figures, as closing their windows would; a figure that was shown comes again
only if it is shown again, changed. Whatever is open at the end, or left in a global, is kept then.
"""

from __future__ import annotations

import base64
import functools
import io
import math
import sys
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Final

from . import limits
from .gallery import Gallery, within

# PNG and the drawing library know no longer side.
_LONGEST_SIDE: Final = 32_767
# In the lab a line chart takes 5.0 ms and 28.7 kB so; at the usual 6 it takes 7.4 ms and 24.8 kB.
_COMPRESSION: Final = 3
# So many parts of a value tell whether it is something drawn.
_LOOKED_AT: Final = 50


class MatplotlibCharts:
    """Looks after the figures of one run. `install` is called once, in the warm parent."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._shown: weakref.WeakSet[Any] = weakref.WeakSet()
        self._last: list[Any] = []

    def install(self) -> None:
        """Puts our `show` in the place of the two that would look for a screen."""
        pyplot, figure = _loaded("matplotlib.pyplot"), _loaded("matplotlib.figure")
        if pyplot is None or figure is None:
            return
        charts = self

        @functools.wraps(pyplot.show)
        def show(*_args: object, **_kwargs: object) -> None:
            charts.show_open()

        @functools.wraps(figure.Figure.show)
        def show_one(self: Any, *_args: object, **_kwargs: object) -> None:
            charts.show(self)

        pyplot.show = show
        figure.Figure.show = show_one

    def show(self, figure: Any) -> None:
        """Keeps one figure as it looks now, unless it was kept so already."""
        if figure in self._shown and not figure.stale:
            return
        if not self._gallery.is_full():
            self._draw(figure)
        self._shown.add(figure)

    def show_open(self) -> None:
        """Keeps all open figures, and closes them."""
        for figure in _open_figures():
            self.show(figure)
        sys.modules["matplotlib.pyplot"].close("all")

    def is_figure(self, value: object) -> bool:
        """Whether it is a figure."""
        figure = _class("matplotlib.figure", "Figure")
        return figure is not None and issubclass(type(value), figure)

    def takes(self, value: object) -> bool:
        """Whether a last expression is a figure, which is kept, or drawn things, which are nothing to print."""
        figure = _class("matplotlib.figure", "Figure")
        if figure is None:
            return False
        if issubclass(type(value), figure):
            self._last.append(value)
            return True
        drawn = (_class("matplotlib.artist", "Artist"), _class("matplotlib.container", "PieContainer"))
        return _is_drawn(value, tuple(kind for kind in drawn if kind is not None))

    def collect(self, namespace: Mapping[str, object]) -> None:
        """Keeps what was not shown: open figures by their number, then those in globals."""
        kind = _class("matplotlib.figure", "Figure")
        if kind is None:
            return
        left = [value for value in within(namespace) if issubclass(type(value), kind)]
        for figure in (*_open_figures(), *left, *self._last):
            if figure in self._shown:
                continue
            try:
                self.show(figure)
            except Exception as error:
                self._gallery.drop(f"a figure could not be drawn: {type(error).__name__}: {str(error)[:500]}")
                self._shown.add(figure)

    def _draw(self, figure: Any) -> None:
        width, height = figure.bbox.width, figure.bbox.height
        scale = min(1.0, math.sqrt(limits.CHART_PIXELS / (width * height)), _LONGEST_SIDE / width, _LONGEST_SIDE / height)
        if scale == 1.0:
            self._keep(figure)
            return
        size = f"a figure of {width:.0f} x {height:.0f} pixels"
        if min(width, height) * scale < 1:
            self._gallery.drop(f"{size} is too large to be drawn")
            return
        dpi = figure.get_dpi()
        # A hair less: rounding up must not carry it over the bound.
        figure.set_dpi(dpi * scale * 0.999)
        try:
            self._keep(figure)
        finally:
            figure.set_dpi(dpi)
        self._gallery.drop(f"{size} was drawn with {dpi * scale:.3g} instead of {dpi:g} dots per inch")

    def _keep(self, figure: Any) -> None:
        content, width, height = _png(figure)
        if len(content) > limits.CHART_BYTES:
            self._gallery.drop(f"a figure of {width} x {height} pixels makes a PNG of {len(content)} bytes, which is too large")
            return
        data = base64.b64encode(content).decode("ascii")
        self._gallery.add({"type": "matplotlib", "format": "png", "data": data, "width": width, "height": height}, len(data))


def _png(figure: Any) -> tuple[bytes, int, int]:
    """The figure drawn anew by the library's own software renderer, whatever back end it was made for."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = figure.canvas if type(figure.canvas) is FigureCanvasAgg else FigureCanvasAgg(figure)
    canvas.draw()
    pixels = canvas.buffer_rgba()
    height, width = pixels.shape[:2]
    image = Image.frombuffer("RGBA", (width, height), pixels, "raw", "RGBA", 0, 1)
    if image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    sink = io.BytesIO()
    dots = (figure.dpi, figure.dpi)
    image.save(sink, format="png", compress_level=_COMPRESSION, dpi=dots)
    return sink.getvalue(), width, height


def _open_figures() -> list[Any]:
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    managers = [] if helpers is None else sorted(helpers.Gcf.figs.values(), key=lambda manager: manager.num)
    return [manager.canvas.figure for manager in managers]


def _loaded(module: str) -> Any:
    return sys.modules.get(module)


def _class(module: str, name: str) -> type | None:
    kind = getattr(sys.modules.get(module), name, None)
    return kind if isinstance(kind, type) else None


def _is_drawn(value: object, drawn: tuple[type, ...], depth: int = 3) -> bool:
    """Whether this is what drawing functions return: artists, or lists, tuples, arrays and dicts with some in them."""
    if issubclass(type(value), drawn):
        return True
    items: Iterable[Any] = ()
    held: Any = value
    if issubclass(type(value), (list, tuple)):
        items = held[:_LOOKED_AT]
    elif type(value) is dict:
        items = list(held.values())[:_LOOKED_AT]
    elif type(value) is _class("numpy", "ndarray") and held.dtype.kind == "O":
        items = held.ravel()[:_LOOKED_AT]
    return depth > 0 and any(_is_drawn(item, drawn, depth - 1) for item in items)
