# SPDX-License-Identifier: Apache-2.0
"""Frames come back as tables of plain JSON, whatever is in them, and only their head is looked at."""

from __future__ import annotations

import json
from typing import Any

from tests.snippets_lab import InLab

PANDAS = "import pandas as pd, numpy as np\n"


class Frames(InLab):
    def frame(self, code: str) -> dict[str, Any]:
        """The one frame that the code leaves."""
        frames: list[dict[str, Any]] = self.succeeds(PANDAS + code).dataframes
        (found,) = frames
        json.dumps(found, allow_nan=False)
        return found

    def column(self, values: str) -> list[Any]:
        return [row[0] for row in self.frame(f"df = pd.DataFrame({{'c': {values}}})")["data"]]

    def test_frame_has_the_shape_of_the_api(self) -> None:
        found = self.frame("df = pd.DataFrame({'a': [1, 2], 'b': [0.5, None]}, index=['x', 'y'])")
        html = found.pop("html")
        expected = {
            "name": "df", "columns": ["a", "b"], "dtypes": ["int64", "float64"], "index": ["x", "y"],
            "data": [[1, 0.5], [2, None]], "shape": [2, 2], "truncated": False,
        }  # fmt: skip
        self.assertEqual(found, expected)
        self.assertTrue(html.startswith('<table class="dataframe"><thead><tr><th></th><th>a</th><th>b</th></tr></thead>'), html)
        self.assertIn("<tr><th>x</th><td>1</td><td>0.5</td></tr><tr><th>y</th><td>2</td><td>NaN</td></tr>", html)

    def test_series_is_a_frame_of_one_column(self) -> None:
        found = self.frame("s = pd.Series([1, 2], name='n')")
        self.assertEqual((found["name"], found["columns"], found["data"], found["shape"]), ("s", ["n"], [[1], [2]], [2, 1]))
        self.assertEqual(self.frame("s = pd.Series([1])")["columns"], ["0"])

    def test_last_expression_has_its_globals_name_or_none(self) -> None:
        frames = self.succeeds(PANDAS + "b = pd.DataFrame({'x': [1]})\na = pd.DataFrame()\nb.x * 2").dataframes
        self.assertEqual([frame["name"] for frame in frames], ["b", "a", "_"])
        outcome = self.succeeds(PANDAS + "df = pd.DataFrame({'x': [1]})\ndf")
        self.assertEqual(([frame["name"] for frame in outcome.dataframes], outcome.stdout), (["df"], ""))
        self.assertEqual(self.frame("_df = pd.DataFrame({'x': [1]})\n_df")["name"], "_")
        self.assertEqual(self.succeeds(PANDAS + "_df = pd.DataFrame({'x': [1]})").dataframes, [])

    def test_cells_of_all_types_are_plain(self) -> None:
        cases: dict[str, list[Any]] = {
            "[2**53, 2**53 + 1, -2**63]": [2**53, "9007199254740993", "-9223372036854775808"],
            "np.array([2**64 - 1], dtype='u8')": ["18446744073709551615"],
            "[1.5, np.nan, np.inf, -np.inf]": [1.5, None, "inf", "-inf"],
            "np.array([0.5], dtype='f4')": [0.5],
            "[True, False]": [True, False],
            "pd.array([1, None], dtype='Int64')": [1, None],
            "pd.array([True, None], dtype='boolean')": [True, None],
            "pd.array(['a', None], dtype='string')": ["a", None],
            "['a', None, np.nan, pd.NA, pd.NaT]": ["a", None, None, None, None],
            "pd.Categorical(['a', None, 'b'])": ["a", None, "b"],
            "pd.Categorical([1, 2])": [1, 2],
            "pd.to_datetime(['2024-01-02 03:04:05', None])": ["2024-01-02T03:04:05", None],
            "pd.to_datetime(['2024-01-02']).tz_localize('Europe/Berlin')": ["2024-01-02T00:00:00+01:00"],
            "pd.to_timedelta(['1 days 02:00:00', None])": ["1 days 02:00:00", None],
            "pd.period_range('2024-01', periods=1, freq='M')": ["2024-01"],
            "pd.interval_range(0, 1)": ["(0, 1]"],
            "[1 + 2j]": ["(1+2j)"],
            "[b'\\x00']": ["b'\\x00'"],
            "[__import__('decimal').Decimal('1.10'), __import__('decimal').Decimal('nan')]": ["1.10", None],
            "[__import__('datetime').date(2024, 1, 2), __import__('datetime').time(3)]": ["2024-01-02", "03:00:00"],
            "[[1, [2]], {'k': 1}, (1,), {3}, np.array([1, 2])]": [[1, [2]], {"k": 1}, [1], [3], [1, 2]],
            "pd.arrays.SparseArray([0, 0, 1])": [0, 0, 1],
            "[np.datetime64('NaT'), np.int64(2**60), np.str_('x'), 10**30]": [None, str(2**60), "x", str(10**30)],
        }
        code = "import warnings\nwarnings.simplefilter('ignore')\n" + "\n".join(
            f"f{number} = pd.DataFrame({{'c': {values}}})" for number, values in enumerate(list(cases)[:23])
        )
        outcome = self.succeeds(PANDAS + code)
        json.dumps(outcome.result, allow_nan=False)
        for number, (values, expected) in enumerate(cases.items()):
            with self.subTest(values):
                self.assertEqual([row[0] for row in outcome.frame(f"f{number}")["data"]], expected)

    def test_evil_cells_do_no_harm(self) -> None:
        code = """
class Evil:
    def __repr__(self): raise SystemExit(1)
    def __eq__(self, other): raise ValueError
    def __bool__(self): raise ValueError
    def __float__(self): raise ValueError
    __hash__ = None
class Bomb:
    def __repr__(self): return "x" * 10**7
df = pd.DataFrame({"c": [Evil(), Bomb(), "y" * 5000]}, dtype=object)
"""
        found = self.frame(code)
        evil, bomb, text = (row[0] for row in found["data"])
        self.assertIn("SystemExit", evil)
        self.assertEqual((len(bomb), len(text), found["truncated"]), (1000, 1000, True))

    def test_levels_are_joined(self) -> None:
        code = """
df = pd.DataFrame({"k": ["a", "a", "b"], "j": [1, 2, 1], "v": [1, 2, 3]}).groupby(["k", "j"]).agg({"v": ["sum", "mean"]})
"""
        found = self.frame(code)
        self.assertEqual((found["columns"], found["index"]), (["v / sum", "v / mean"], ["a / 1", "a / 2", "b / 1"]))

    def test_names_may_repeat_and_be_anything(self) -> None:
        found = self.frame("df = pd.DataFrame([[1, 2, 3, 4]], columns=['a', 'a', None, pd.Timestamp('2024-01-01')])")
        self.assertEqual((found["columns"], found["data"]), (["a", "a", "NaN", "2024-01-01T00:00:00"], [[1, 2, 3, 4]]))
        self.assertEqual(self.frame("df = pd.DataFrame([[1, 2]], columns=[0, 1.5])")["columns"], ["0.0", "1.5"])

    def test_index_of_times_is_iso(self) -> None:
        found = self.frame("df = pd.DataFrame({'a': [1, 2]}, index=pd.DatetimeIndex(['2024-01-01', None]))")
        self.assertEqual(found["index"], ["2024-01-01T00:00:00", None])

    def test_empty_frames_keep_their_shape(self) -> None:
        cases: list[tuple[str, list[int], list[list[Any]]]] = [
            ("df = pd.DataFrame()", [0, 0], []),
            ("df = pd.DataFrame(columns=['a'])", [0, 1], []),
            ("df = pd.DataFrame(index=[1, 2])", [2, 0], [[], []]),
        ]
        for code, shape, data in cases:
            found = self.frame(code)
            self.assertEqual((found["shape"], found["data"], found["truncated"]), (shape, data, False), code)

    def test_only_the_head_is_shown(self) -> None:
        found = self.frame("df = pd.DataFrame(np.zeros((1001, 201)))")
        self.assertEqual((found["shape"], found["truncated"]), ([1001, 201], True))
        self.assertTrue(len(found["data"]) <= 1000 and len(found["data"][0]) == len(found["columns"]) == 200)
        self.assertLessEqual(len(found["html"].encode()), 512 * 1024)

    def test_large_frames_cost_no_more_than_their_head(self) -> None:
        code = "import time\ndf = pd.DataFrame({f'c{i}': np.arange(10**6) for i in range(10)})"
        found = self.frame(code)
        self.assertEqual((found["shape"], len(found["data"]), len(found["index"])), ([10**6, 10], 1000, 1000))
        self.assertEqual(found["html"].count("<tr>"), 102)

    def test_html_is_escaped(self) -> None:
        code = (
            "df = pd.DataFrame({'<script>x</script>': ['<img src=x onerror=alert(1)>', [\"<b>\"]]}, index=['\"><svg>', \"'&\"])"
        )
        html = self.frame(code)["html"]
        for tag in ("<script", "<img", "<svg", "<b>", "'&<"):
            self.assertNotIn(tag, html)
        self.assertIn("&lt;img src=x onerror=alert(1)&gt;", html)

    def test_numbers_are_readable_in_html(self) -> None:
        html = self.frame("df = pd.DataFrame({'a': [1/3, 1e-9, 1e20, 1234567.891, 2.0]})")["html"]
        for text in ("0.333333", "1e-09", "1e+20", "1234567.891", "2.0"):
            self.assertIn(f"<td>{text}</td>", html)

    def test_many_wide_frames_fit_into_one_answer(self) -> None:
        code = "for i in range(40): globals()[f'd{i}'] = pd.DataFrame([['x' * 900] * 200] * 1000)"
        outcome = self.succeeds(PANDAS + code)
        self.assertEqual(outcome.truncated, ["dataframes"])
        self.assertGreaterEqual(len(outcome.dataframes), 1)
        for frame in outcome.dataframes:
            self.assertTrue(frame["truncated"])
            self.assertEqual(len(frame["data"]), len(frame["index"]))
        self.assertEqual(len(self.succeeds(PANDAS + "for i in range(40): globals()[f'd{i}'] = pd.DataFrame([1])").dataframes), 32)

    def test_frame_that_cannot_be_read_is_said(self) -> None:
        code = "class Broken(pd.DataFrame):\n    iloc = property(lambda self: 1 / 0)\n"
        code += "bad, df = Broken({'a': [1]}), pd.DataFrame({'a': [1]})"
        outcome = self.succeeds(PANDAS + code)
        self.assertEqual(([frame["name"] for frame in outcome.dataframes], outcome.truncated), (["df"], ["dataframes"]))
        self.assertIn("`bad` could not be shown: ZeroDivisionError", outcome.stderr)
