# SPDX-License-Identifier: Apache-2.0
"""What the warm parent does once, so that no run pays for it: imports, and the first use of what libraries load late.

Each library is optional. One that is missing or broken is told on standard error, and the service runs without it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, Final

LIBRARIES: Final = ("numpy", "pandas", "matplotlib", "plotly")
_CACHE: Final = type(functools.lru_cache(abs))
# Threads of numerical libraries would be lost in every fork, and one run has one core.
_SINGLE_THREADED: Final = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)
# Of the standard library, what snippets and our own collectors use most.
_STANDARD: Final = (
    "argparse ast asyncio base64 bisect calendar cmath collections concurrent.futures contextlib copy csv dataclasses datetime "
    "decimal difflib enum fractions functools glob hashlib heapq html inspect io itertools json logging math operator pathlib "
    "pickle pprint queue random re resource secrets statistics string struct tempfile textwrap threading time timeit traceback "
    "typing unicodedata uuid warnings zlib zoneinfo"
)


def prepare_environment() -> None:
    """What libraries read from the environment when they are imported."""
    for name in _SINGLE_THREADED:
        os.environ[name] = "1"
    os.environ["MPLBACKEND"] = "agg"


def warm_up() -> dict[str, str]:
    """Imports and exercises everything; answers with the versions of the libraries that are there."""
    for name in _STANDARD.split():
        importlib.import_module(name)
    versions = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LIBRARIES:
            module = _guarded(name, lambda name=name: importlib.import_module(name))  # type: ignore[misc]
            if module is not None:
                versions[name] = str(getattr(module, "__version__", "?"))
        for name, exercise in _EXERCISES.items():
            if set(name.split("+")) <= versions.keys():
                _guarded(name, exercise)
    return versions


def _guarded(name: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        _report(name)
    except (Exception, SystemExit):
        _report(name)
    return None


def _report(name: str) -> None:
    print(f"`{name}` could not be made ready for snippets:\n{traceback.format_exc()}", file=sys.stderr)


def _use_numpy() -> None:
    import numpy

    numpy.random.seed()
    numpy.random.default_rng().normal(size=4)
    numpy.linalg.svd(numpy.eye(3))
    numpy.fft.fft(numpy.ones(4))
    numpy.polynomial.Polynomial([1, 2])(3)
    repr(numpy.linspace(0, 1, 5))


def _use_pandas() -> None:
    import io

    import pandas

    text = "when,who,amount\n2024-01-01,a,1.5\n2024-01-02,b,\n2024-02-03,a,3\n"
    frame = pandas.read_csv(io.StringIO(text), parse_dates=["when"])
    frame["month"] = frame["when"].dt.strftime("%Y-%m")
    frame["kind"] = frame["who"].astype("category")
    frame.groupby("who")["amount"].agg(["sum", "mean"]).reset_index()
    frame.pivot_table(index="month", columns="who", values="amount", aggfunc="sum", observed=True)
    frame.merge(frame[["who", "amount"]], on="who").sort_values("amount_x")
    frame.set_index("when")["amount"].resample("D").sum().rolling(2).mean()
    pandas.concat([frame, frame]).drop_duplicates()["amount"].fillna(0)
    frame["who"].str.upper().value_counts()
    frame.describe()
    frame.to_csv(index=False)
    frame.to_json(orient="records")
    frame.to_html()
    pandas.date_range("2024-01-01", periods=3, freq="D").tz_localize("UTC")
    str(frame), repr(frame), frame.to_string()
    frame.info(buf=io.StringIO())


def _use_matplotlib() -> None:
    from matplotlib import pyplot

    from .gallery import Gallery
    from .matplotlib_charts import MatplotlibCharts

    gallery = Gallery()
    figure, axes = pyplot.subplots(2, 2)
    axes[0, 0].plot([1, 2, 3], [1, 4, 9], marker="o", label="$x^2$")
    axes[0, 0].legend()
    axes[0, 0].set(title="title", xlabel="x", ylabel="y")
    axes[0, 0].grid(True)
    axes[0, 1].bar(["a", "b"], [1, 2])
    axes[1, 0].hist([1, 2, 2, 3])
    axes[1, 0].scatter([1], [1], c=[0.5])
    figure.colorbar(axes[1, 1].imshow([[1, 2], [3, 4]]), ax=axes[1, 1])
    figure.tight_layout()
    figure.savefig(os.devnull, format="png")
    MatplotlibCharts(gallery).show_open()
    figure, axes = pyplot.subplots()
    axes.pie([1, 2], labels=["a", "b"], autopct="%.0f%%")
    figure, axes = pyplot.subplots(1, 2, layout="constrained")
    axes[0].contourf([[1, 2], [3, 4]])
    axes[0].annotate("a", (0, 0), (1, 1), arrowprops={"arrowstyle": "->"})
    axes[1].boxplot([1, 2, 3])
    MatplotlibCharts(gallery).show_open()


def _use_dates_on_axes() -> None:
    import pandas
    from matplotlib import pyplot

    from .gallery import Gallery
    from .matplotlib_charts import MatplotlibCharts

    frame = pandas.DataFrame({"a": [1, 2, 3]}, index=pandas.date_range("2024-01-01", periods=3))
    frame.plot()
    frame.plot(kind="bar")
    MatplotlibCharts(Gallery()).show_open()
    pyplot.plot(frame.index, frame["a"])
    MatplotlibCharts(Gallery()).show_open()


def _use_plotly() -> None:
    import plotly.graph_objects as objects
    import plotly.io
    import plotly.subplots

    from .plotly_charts import plain_figure

    figure = plotly.subplots.make_subplots(rows=1, cols=2)
    figure.add_trace(objects.Scatter(x=[1, 2], y=[3, 4], mode="lines+markers", name="a"), row=1, col=1)
    figure.add_trace(objects.Bar(x=["a"], y=[1]), row=1, col=2)
    figure.add_trace(objects.Histogram(x=[1, 2]), row=1, col=2)
    figure.update_layout(title="title", width=500, height=300, xaxis_title="x", legend={"title": "t"})
    plain_figure(figure)
    plain_figure(objects.Figure(data=[objects.Pie(labels=["a"], values=[1])]))
    plain_figure(objects.Figure(data=[objects.Heatmap(z=[[1, 2]])]))
    plain_figure(objects.Figure(data=[objects.Surface(z=[[1, 2], [3, 4]])]))
    plain_figure(objects.Figure(data=[objects.Table(header={"values": ["a"]})]))
    plain_figure(objects.Figure(data=[objects.Indicator(value=1)]))
    plotly.io.to_json(figure)


def _use_plotly_express() -> None:
    import pandas
    from plotly import express

    from .plotly_charts import plain_figure

    frame = pandas.DataFrame({"a": [1, 2], "b": [1.5, 2.5], "c": ["x", "y"]})
    for draw in (express.line, express.scatter, express.bar):
        plain_figure(draw(frame, x="a", y="b", color="c", title="t"))
    plain_figure(express.histogram(frame, x="a"))
    plain_figure(express.pie(frame, names="c", values="b"))
    plain_figure(express.box(frame, y="b"))
    plain_figure(express.violin(frame, y="b"))
    plain_figure(express.imshow([[1, 2]]))
    plain_figure(express.scatter_3d(frame, x="a", y="b", z="b"))


_EXERCISES: Final[dict[str, Callable[[], None]]] = {
    "numpy": _use_numpy,
    "pandas": _use_pandas,
    "matplotlib": _use_matplotlib,
    "pandas+matplotlib": _use_dates_on_axes,
    "plotly": _use_plotly,
    "pandas+plotly": _use_plotly_express,
}


def _forget_fonts() -> None:
    """Lets go of all open fonts: their files would be closed under them in the children."""
    holders = {"matplotlib.font_manager", "matplotlib.mathtext", "matplotlib._mathtext", "matplotlib.text", "matplotlib.textpath"}
    for found in gc.get_objects():
        if type(found) is _CACHE and found.__module__ in holders:
            found.cache_clear()


def forget_traces() -> None:
    """Takes back what the warm-up left that a run must not see."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is not None:
        # The figures of a run are collected after its exit functions.
        atexit.unregister(helpers.Gcf.destroy_all)
        helpers.Gcf.destroy_all()
    _forget_fonts()
    imaging = sys.modules.get("PIL.Image")
    if imaging is not None:
        atexit.unregister(imaging.core.clear_cache)
    for module in list(sys.modules.values()):
        with contextlib.suppress(Exception):
            registry = vars(module).get("__warningregistry__")
            if registry:
                registry.clear()
