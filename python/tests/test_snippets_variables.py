# SPDX-License-Identifier: Apache-2.0
"""Variables are JSON where they fit and bounded text where they do not, and files come back as they are."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.snippets_lab import InLab


class Variables(InLab):
    def values(self, code: str) -> dict[str, Any]:
        return {name: variable["value"] for name, variable in self.succeeds(code).variables.items()}

    def test_plain_values_are_json_in_order(self) -> None:
        code = """
            z = 1; a = True; n = None; f = 1.5; s = "ä😀"; l = [1, [2, (3,)]]; d = {"k": {1: 2, None: 3}}; t = (1, 2); st = {7}
            b = 0
            """
        expected = {
            "z": 1, "a": True, "n": None, "f": 1.5, "s": "ä😀", "l": [1, [2, [3]]], "d": {"k": {"1": 2, "None": 3}},
            "t": [1, 2], "st": [7], "b": 0,
        }  # fmt: skip
        found = self.values(code)
        self.assertEqual(found, expected)
        self.assertEqual(list(found), list(expected))

    def test_numbers_that_json_lacks_are_text(self) -> None:
        found = self.values(
            "big = 2**53 + 1; ok = -2**53; huge = 10**5000; nan = float('nan'); inf = [float('-inf')]; c = 1 + 2j"
        )
        huge = found.pop("huge")
        self.assertEqual(found, {"big": "9007199254740993", "ok": -(2**53), "nan": "nan", "inf": ["-inf"], "c": "(1+2j)"})
        self.assertTrue(huge == "<an integer of 16610 bits>" or len(huge) <= 1000)

    def test_everyday_objects_are_readable(self) -> None:
        code = """
            import collections, dataclasses, datetime, decimal, enum, fractions, pathlib, uuid
            class Color(enum.Enum):
                RED = 1
            @dataclasses.dataclass
            class Point:
                x: int
                tags: list
            Pair = collections.namedtuple("Pair", "a b")
            day, when = datetime.date(2024, 2, 1), datetime.datetime(2024, 2, 1, 3, tzinfo=datetime.timezone.utc)
            color, point, pair = Color.RED, Point(1, ["a"]), Pair(1, "b")
            price, part, path = decimal.Decimal("1.10"), fractions.Fraction(1, 3), pathlib.Path("a/b")
            span, count, raw, r = datetime.timedelta(hours=1), collections.Counter("aab"), b"\\x00a", range(3)
            """
        expected = {
            "day": "2024-02-01", "when": "2024-02-01T03:00:00+00:00", "color": "Color.RED", "point": {"x": 1, "tags": ["a"]},
            "pair": {"a": 1, "b": "b"}, "price": "1.10", "part": "1/3", "path": "a/b", "span": "1:00:00",
            "count": {"a": 2, "b": 1}, "raw": "b'\\x00a'", "r": "range(0, 3)",
        }  # fmt: skip
        self.assertEqual(self.values(code), expected)

    def test_numbers_and_times_of_libraries_are_plain(self) -> None:
        code = """
            import numpy as np, pandas as pd
            i, f, b, a, m = np.int64(3), np.float32(0.5), np.bool_(True), np.array([1.0, np.nan]), np.eye(2, dtype=int)
            d, ts, nat, idx = np.datetime64("2024-01-02"), pd.Timestamp("2024-01-02", tz="UTC"), pd.NaT, pd.Index([1, 2])
            td, big = pd.Timedelta("1D"), np.zeros(10**6)
            """
        found = self.values(code)
        self.assertTrue(found.pop("big").startswith("array([0., 0., 0., ..., 0.,"))
        expected = {
            "i": 3, "f": 0.5, "b": True, "a": [1.0, "nan"], "m": [[1, 0], [0, 1]], "d": "2024-01-02",
            "ts": "2024-01-02T00:00:00+00:00", "nat": None, "idx": [1, 2], "td": "1 days 00:00:00",
        }  # fmt: skip
        self.assertEqual(found, expected)

    def test_types_are_named_as_python_names_them(self) -> None:
        code = "import numpy as np, collections\nclass A: pass\na, n, c, s = A(), np.int8(1), collections.Counter(), 'x'"
        found = {name: variable["type"] for name, variable in self.succeeds(code).variables.items()}
        self.assertEqual(found, {"a": "A", "n": "numpy.int8", "c": "collections.Counter", "s": "str"})

    def test_what_is_no_value_is_left_out(self) -> None:
        code = """
            import math, pandas as pd, matplotlib.pyplot as plt, plotly.graph_objects as go
            from math import sin
            class A: pass
            def f(): pass
            g, _hidden, df, series, m = lambda: 1, 1, pd.DataFrame({"a": [1]}), pd.Series([1]), [].append
            fig, figure = plt.figure(), go.Figure()
            x = 1
            """
        self.assertEqual(list(self.values(code)), ["x"])

    def test_long_values_are_bounded(self) -> None:
        found = self.values("s = 'x' * 10**7; l = list(range(10**6)); d = {i: 'y' * 100 for i in range(1000)}; f = ['a' * 9000]")
        for name in "sld":
            self.assertLessEqual(len(found[name]), 10_000, name)
            self.assertIsInstance(found[name], str)
        self.assertEqual(found["f"], ["a" * 9000])

    def test_many_variables_are_bounded_and_it_is_said(self) -> None:
        outcome = self.succeeds("for i in range(1000): globals()[f'v{i}'] = i")
        self.assertEqual((len(outcome.variables), outcome.truncated), (200, ["variables"]))

    def test_many_long_variables_fit_into_one_answer(self) -> None:
        outcome = self.succeeds("for i in range(200): globals()[f'v{i}'] = chr(0x1F600 + i % 50) * 9900")
        self.assertEqual(outcome.truncated, ["variables"])
        self.assertGreater(len(outcome.variables), 50)

    def test_cycles_and_depth_end(self) -> None:
        found = self.values("a = []; a.append(a)\nd = {}; d['d'] = d\nn = 1\nfor _ in range(10_000): n = [n]")
        self.assertEqual((found["a"], found["d"]), ("[[[[[...]]]]]", "{'d': {'d': {'d': {'d': {...}}}}}"))
        self.assertLessEqual(len(found["n"]), 1000)

    def test_generators_and_files_are_not_used_up(self) -> None:
        outcome = self.succeeds("def g():\n    print('asked')\n    yield 1\ngen = g(); m = map(print, [1]); z = iter([1])")
        self.assertEqual(outcome.stdout, "")
        self.assertTrue(outcome.value("gen").startswith("<generator object g at"))

    def test_evil_objects_do_no_harm(self) -> None:
        code = """
            class Evil:
                def __getattribute__(self, name): raise SystemExit(name)
                def __repr__(self): raise KeyboardInterrupt
                def __eq__(self, other): raise ValueError
                def __iter__(self): print("iterated"); return iter([1])
                def __len__(self): raise ValueError
                __hash__ = None
            class Liar:
                __class__ = property(lambda self: dict)
                def items(self): raise ValueError
            class Text(str):
                def __str__(self): raise ValueError
                def __repr__(self): return Text("t")
            class Meta(type):
                def __getattribute__(cls, name): raise ValueError(name)
            class Odd(metaclass=Meta): pass
            evil, liar, text, odd, inside = Evil(), Liar(), Text("x"), Odd(), [Evil()]
            class Keys(dict): pass
            keys = Keys(a=1)
            after = 1
            """
        outcome = self.succeeds(code)
        self.assertEqual(outcome.stdout, "")
        self.assertEqual(outcome.value("after"), 1)
        self.assertIn("KeyboardInterrupt", outcome.value("evil"))
        json.dumps(outcome.variables, allow_nan=False)


class Files(InLab):
    def test_files_left_in_the_working_folder_come_back(self) -> None:
        code = """
            import os, pandas as pd
            pd.DataFrame({"a": [1]}).to_csv("out.csv", index=False)
            os.makedirs("sub"); open("sub/b.bin", "wb").write(bytes(3))
            """
        found = {file["name"]: base64.b64decode(file["data"]) for file in self.succeeds(code).files}
        self.assertEqual(found, {"out.csv": b"a\n1\n", "sub/b.bin": b"\0\0\0"})

    def test_file_that_was_never_closed_is_whole(self) -> None:
        (file,) = self.succeeds("f = open('a.txt', 'w'); f.write('text')").files
        self.assertEqual((file["size"], base64.b64decode(file["data"])), (4, b"text"))

    def test_given_files_come_back_only_if_changed(self) -> None:
        given = [{"name": name, "data": base64.b64encode(b"old").decode()} for name in ("a", "b", "c")]
        found = self.succeeds("open('b', 'w').write('new'); open('c', 'w').write('old')", files=given).files
        self.assertEqual([file["name"] for file in found], ["b"])

    def test_savefig_makes_a_file_and_its_figure_a_chart(self) -> None:
        outcome = self.succeeds("import matplotlib.pyplot as plt\nplt.plot([1]); plt.savefig('a.png')")
        self.assertEqual(([file["name"] for file in outcome.files], len(outcome.charts)), (["a.png"], 1))

    def test_what_is_no_regular_file_or_too_large_is_left(self) -> None:
        code = """
            import os
            os.symlink("/etc/passwd", "link"); os.mkfifo("fifo"); os.symlink("/etc", "folder")
            with open("sparse", "wb") as f: f.truncate(1 << 40)
            open("big", "wb").write(bytes(9 << 20))
            open("small", "w").write("x")
            os.makedirs("a/b/c/d/e"); open("a/b/c/in", "w").write("x"); open("a/b/c/d/out", "w").write("x")
            """
        outcome = self.succeeds(code)
        self.assertEqual([file["name"] for file in outcome.files], ["a/b/c/in", "small"])
        self.assertEqual(outcome.truncated, ["files"])

    def test_many_files_are_bounded(self) -> None:
        outcome = self.succeeds("for i in range(100): open(f'{i:03}', 'w').write('x')")
        self.assertEqual((len(outcome.files), outcome.files[31]["name"], outcome.truncated), (32, "031", ["files"]))

    def test_names_that_are_no_text_do_no_harm(self) -> None:
        (file,) = self.succeeds(r"open(b'\xff\xfe', 'w').write('x')").files
        self.assertEqual(file["name"], "\ufffd\ufffd")

    def test_folder_that_is_gone_does_no_harm(self) -> None:
        self.assertEqual(self.succeeds("import os, shutil\nshutil.rmtree(os.getcwd())").files, [])
