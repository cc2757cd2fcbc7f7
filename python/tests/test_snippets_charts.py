# SPDX-License-Identifier: Apache-2.0
"""Charts come back once each, in their own size, without tricks in the snippet."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

from tests.snippets_lab import InLab

PYPLOT = "import matplotlib.pyplot as plt\n"
PLOTLY = "import plotly.graph_objects as go, plotly.express as px\n"


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


class Matplotlib(InLab):
    def charts(self, code: str, **request: Any) -> list[dict[str, Any]]:
        charts: list[dict[str, Any]] = self.succeeds(PYPLOT + code, **request).charts
        for chart in charts:
            self.assertEqual(size_of(base64.b64decode(chart["data"])), (chart["width"], chart["height"]))
        return charts

    def sizes(self, code: str) -> list[tuple[int, int]]:
        return [(chart["width"], chart["height"]) for chart in self.charts(code)]

    def test_open_figure_comes_in_its_own_size_and_dots(self) -> None:
        self.assertEqual(self.sizes("plt.plot([1, 2]);"), [(640, 480)])
        self.assertEqual(self.sizes("plt.figure(figsize=(3, 2), dpi=200)"), [(600, 400)])
        self.assertEqual(
            self.sizes("plt.rcParams.update({'savefig.dpi': 300, 'savefig.bbox': 'tight'}); plt.plot([1])"), [(640, 480)]
        )

    def test_shown_figures_come_once_in_the_order_of_showing(self) -> None:
        code = """
for width in (2, 3):
    plt.figure(figsize=(width, 1))
    plt.plot([1])
    plt.show()
plt.figure(figsize=(4, 1))
"""
        self.assertEqual(self.sizes(code), [(200, 100), (300, 100), (400, 100)])

    def test_show_closes_so_that_the_next_plot_is_a_new_one(self) -> None:
        code = "plt.plot([1]); plt.show(); plt.show()\nprint(plt.get_fignums())\nplt.plot([2]); plt.show(); plt.close('all')"
        self.assertEqual(len(self.charts(code)), 2)

    def test_figure_shown_by_itself_comes_again_only_changed(self) -> None:
        code = "fig, ax = plt.subplots()\nfig.show(); fig.show(); plt.show()"
        self.assertEqual(len(self.charts(code)), 1)
        self.assertEqual(len(self.charts(f"{code}\nax.plot([1])\nfig.show()")), 2)

    def test_figures_without_pyplot_come_when_left_in_a_global(self) -> None:
        code = "from matplotlib.figure import Figure\nfig = Figure(figsize=(2, 1)); fig.add_subplot().plot([1])"
        self.assertEqual(self.sizes(code), [(200, 100)])
        self.assertEqual(self.sizes("from matplotlib.figure import Figure\nFigure(figsize=(2, 1))"), [(200, 100)])

    def test_figure_in_several_places_comes_once(self) -> None:
        self.assertEqual(len(self.charts("fig = other = plt.figure()\nfig")), 1)

    def test_open_figures_come_by_their_number(self) -> None:
        code = "for w in (1, 2, 3): plt.figure(w, figsize=(w, 1))\nplt.figure(1)"
        self.assertEqual(self.sizes(code), [(100, 100), (200, 100), (300, 100)])

    def test_drawn_things_are_not_printed(self) -> None:
        for last in (
            "plt.plot([1])", "plt.hist([1, 2])", "plt.title('t')", "plt.subplots(2, 2)", "plt.bar(['a'], [1])", "plt.gca()",
            "plt.boxplot([1, 2])", "plt.pie([1])", "__import__('pandas').DataFrame({'a': [1]}).hist()",
        ):  # fmt: skip
            self.assertEqual(self.prints(PYPLOT + last), "", last)

    def test_pandas_plots_are_charts(self) -> None:
        self.assertEqual(len(self.charts("import pandas as pd\npd.Series([1, 2]).plot()\nplt.show()")), 1)

    def test_other_back_ends_do_not_matter(self) -> None:
        for code in (
            "import matplotlib\nmatplotlib.use('Agg')",
            "import matplotlib\nmatplotlib.use('svg')",
            "plt.switch_backend('pdf')",
        ):
            self.assertEqual(self.sizes(f"{code}\nplt.plot([1])\nplt.show()"), [(640, 480)], code)

    def test_huge_figures_are_drawn_smaller_and_it_is_said(self) -> None:
        outcome = self.succeeds(PYPLOT + "plt.figure(figsize=(1000, 1000)); plt.plot([1])")
        (chart,) = outcome.charts
        self.assertLessEqual(chart["width"] * chart["height"], 25_000_000)
        self.assertGreater(chart["width"], 4900)
        self.assertEqual(outcome.truncated, ["charts"])
        self.assertIn("100000 x 100000 pixels", outcome.stderr)

    def test_figure_that_cannot_be_drawn_is_said(self) -> None:
        outcome = self.succeeds(PYPLOT + "plt.figure(figsize=(1, 10**6))")
        self.assertEqual((outcome.charts, outcome.truncated), ([], ["charts"]))
        outcome = self.succeeds(PYPLOT + "plt.plot([1]); plt.title('$\\\\frac{$')\nplt.figure()")
        self.assertEqual((len(outcome.charts), outcome.truncated), (1, ["charts"]))
        self.assertIn("could not be drawn: ValueError", outcome.stderr)

    def test_error_of_drawing_is_raised_where_it_is_shown(self) -> None:
        error = self.fails(PYPLOT + "plt.title('$\\\\frac{$')\nplt.show()").error
        self.assertEqual((error["type"], error["line"]), ("ValueError", 3))

    def test_many_figures_are_bounded(self) -> None:
        code = "plt.rcParams['figure.max_open_warning'] = 0\nfor _ in range(200): plt.figure(figsize=(1, 1))"
        outcome = self.succeeds(PYPLOT + code)
        self.assertEqual((len(outcome.charts), outcome.truncated), (32, ["charts"]))

    def test_styles_stay_in_their_run(self) -> None:
        self.charts("plt.style.use('dark_background'); plt.rcParams['figure.figsize'] = (1, 1)")
        self.assertEqual(self.sizes("plt.plot([1])"), [(640, 480)])

    def test_charts_are_streamed_as_they_are_shown(self) -> None:
        outcome = self.succeeds(PYPLOT + "plt.plot([1]); plt.show()\nplt.plot([2])", stream=True)
        self.assertEqual(outcome.streamed, outcome.charts)
        self.assertEqual(len(outcome.charts), 2)


class Plotly(InLab):
    def charts(self, code: str) -> list[dict[str, Any]]:
        charts: list[dict[str, Any]] = self.succeeds(PLOTLY + code).charts
        return charts

    def test_figures_in_globals_shown_or_last_come_once(self) -> None:
        for code in (
            "fig = go.Figure(go.Scatter(x=[1], y=[2]))",
            "go.Figure(go.Scatter(x=[1], y=[2])).show()",
            "go.Figure(go.Scatter(x=[1], y=[2]))",
            "fig = go.Figure(go.Scatter(x=[1], y=[2]))\nfig.show(); fig.show('png')\nfig",
            "import plotly.io\nplotly.io.show(dict(data=[dict(type='scatter', x=[1], y=[2])]))",
            "import plotly.io\nplotly.io.renderers.default = 'browser'\ngo.Figure(go.Scatter(x=[1], y=[2])).show()",
        ):
            outcome = self.succeeds(PLOTLY + code)
            self.assertEqual((len(outcome.charts), outcome.stdout), (1, ""), code)
            (chart,) = outcome.charts
            self.assertEqual((chart["type"], chart["format"], chart["width"], chart["height"]), ("plotly", "json", 700, 450))
            self.assertEqual((chart["data"]["data"][0]["x"], chart["data"]["data"][0]["y"]), ([1], [2]))

    def test_changed_figure_shown_again_comes_again(self) -> None:
        self.assertEqual(len(self.charts("fig = go.Figure(); fig.show(); fig.update_layout(title='t'); fig.show()")), 2)

    def test_size_is_the_layouts(self) -> None:
        (chart,) = self.charts("fig = go.Figure(layout=dict(width=300, height=200.4))")
        self.assertEqual((chart["width"], chart["height"]), (300, 200))
        # The server takes no longer side, and would call the whole result unreadable.
        (chart,) = self.charts("fig = go.Figure(layout=dict(width=100_000, height=100_001))")
        self.assertEqual((chart["width"], chart["height"]), (100_000, 450))

    def test_data_is_plain_json(self) -> None:
        code = """
import datetime, decimal
import numpy as np, pandas as pd
anything = np.array([1, "a"], dtype=object)
when = pd.to_datetime(["2024-01-01", None])
columns = {
    "float": np.array([1.5, np.nan, np.inf]), "int": np.array([1, 2**40]), "small": np.arange(3, dtype="u1"), "list": [1, None],
    "when": when, "text": np.array(["a", "b"]), "cat": pd.Categorical(["a", "b"]), "decimal": [decimal.Decimal("1.5")],
    "date": [datetime.date(2024, 1, 2)], "big": [2**60], "tz": pd.Series(when).dt.tz_localize("UTC"), "object": anything,
}
fig = go.Figure([go.Scatter(name=name, y=values) for name, values in columns.items()])
fig.add_trace(go.Heatmap(name="grid", z=np.array([[1.0, np.nan], [3.0, 4.0]])))
"""
        (chart,) = self.charts(code)
        text = json.dumps(chart["data"], allow_nan=False)
        self.assertNotIn("bdata", text)
        found = {trace["name"]: trace.get("y", trace.get("z")) for trace in chart["data"]["data"]}
        self.assertEqual(found["float"], [1.5, None, None])
        self.assertEqual((found["int"], found["small"], found["list"]), ([1, 2**40], [0, 1, 2], [1, None]))
        self.assertEqual((found["text"], found["cat"], found["object"]), (["a", "b"], ["a", "b"], [1, "a"]))
        self.assertEqual(found["grid"], [[1.0, None], [3.0, 4.0]])
        self.assertTrue(found["when"][0].startswith("2024-01-01T00:00:00") and found["when"][1] is None, found["when"])
        self.assertTrue(found["date"][0].startswith("2024-01-02"), found["date"])
        self.assertTrue(math.isclose(float(found["decimal"][0]), 1.5), found["decimal"])
        self.assertEqual(int(found["big"][0]), 2**60)

    def test_express_and_subplots_work(self) -> None:
        code = """
import pandas as pd
from plotly.subplots import make_subplots
df = pd.DataFrame({"a": range(3), "b": [1.5, 2, None], "c": ["x", "y", "x"]})
px.scatter(df, x="a", y="b", color="c").show()
fig = make_subplots(rows=1, cols=2)
fig.add_trace(go.Bar(y=[1]), row=1, col=2)
"""
        self.assertEqual(len(self.charts(code)), 2)

    def test_html_export_is_a_file(self) -> None:
        outcome = self.succeeds(PLOTLY + "go.Figure().write_html('a.html', include_plotlyjs=False);")
        self.assertEqual([file["name"] for file in outcome.files], ["a.html"])

    def test_huge_figures_are_left_out_and_it_is_said(self) -> None:
        outcome = self.succeeds(PLOTLY + "import numpy as np\nfig = go.Figure(go.Scatter(y=np.random.rand(10**6)))")
        self.assertEqual((outcome.charts, outcome.truncated), ([], ["charts"]))
        self.assertIn("too large", outcome.stderr)

    def test_many_charts_together_fit_into_one_answer(self) -> None:
        code = "import numpy as np\nfor _ in range(8): go.Figure(go.Scatter(y=np.random.rand(300_000))).show()"
        outcome = self.succeeds(PLOTLY + code)
        self.assertEqual(outcome.truncated, ["charts"])
        self.assertGreater(len(outcome.charts), 1)
