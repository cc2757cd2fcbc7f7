# SPDX-License-Identifier: Apache-2.0
"""All that looks for charts and frames, behind one door. Made once in the warm parent, used by one run in each child."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from .frames import Frames
from .gallery import Chart, Gallery, items
from .matplotlib_charts import MatplotlibCharts
from .plotly_charts import PlotlyCharts


class Collectors:
    """The charts and frames of one run."""

    def __init__(self) -> None:
        self._gallery = Gallery()
        self._matplotlib = MatplotlibCharts(self._gallery)
        self._plotly = PlotlyCharts(self._gallery)
        self._frames = Frames()

    def install(self) -> None:
        """Takes over `show` of the libraries that are loaded."""
        self._matplotlib.install()
        self._plotly.install()

    def begin(self, truncated: set[str], stream: Callable[[Chart], None] | None) -> None:
        """Starts a run: what is cut is noted in `truncated`, charts are passed to `stream` at once if there is one."""
        self._gallery.begin(truncated, stream)
        self._frames.begin(truncated)

    def takes(self, value: object, namespace: Mapping[str, object]) -> bool:
        """Whether the value of the last expression is shown by one of us, and is not to be printed."""
        return self._frames.takes(value, namespace) or self._matplotlib.takes(value) or self._plotly.takes(value)

    def takes_some_of(self, value: object, namespace: Mapping[str, object]) -> bool:
        """Whether a list, tuple or dict has figures or frames in it. Those are shown; what else is in it is printed."""
        if not any(self._is_to_see(item) for item in items(value)):
            return False
        if isinstance(value, dict):
            rest = {key: item for key, item in value.items() if not self.takes(item, namespace)}
            if rest:
                print(repr(rest))
            return True
        for item in cast("list[object]", value):
            if item is not None and not self.takes(item, namespace):
                print(repr(item))
        return True

    def _is_to_see(self, value: object) -> bool:
        return self._frames.is_frame(value) or self._matplotlib.is_figure(value) or self._plotly.is_figure(value)

    def display(self, value: object, namespace: Mapping[str, object]) -> None:
        """Shows a value now, as a notebook's `display` does: figures as they look, frames with the others, the rest as text."""
        if self._matplotlib.is_figure(value):
            self._matplotlib.show(value)
        elif self._plotly.is_figure(value):
            self._plotly.show(value)
        elif not self._frames.takes(value, namespace):
            print(repr(value))

    def collect(self, namespace: Mapping[str, object]) -> dict[str, Any]:
        """What the run left behind."""
        self._matplotlib.collect(namespace)
        self._plotly.collect(namespace)
        return {"charts": self._gallery.charts, "dataframes": self._frames.collect(namespace)}

    def shown_charts(self) -> list[Chart]:
        """The charts so far."""
        return self._gallery.charts
