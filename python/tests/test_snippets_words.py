# SPDX-License-Identifier: Apache-2.0
"""What a run is told beside Python's own words: places of its own, advice, and values shown as in a notebook."""

from __future__ import annotations

from tests.snippets_lab import PROGRAM, InLab


class Places(InLab):
    """What a run is told names places in it, and none of ours."""

    def assert_tells_no_place_of_ours(self, text: str) -> None:
        self.assertNotIn(str(PROGRAM.parent), text)

    def test_warnings_of_libraries_are_told_at_the_line_that_led_to_them(self) -> None:
        stderr = self.succeeds("import matplotlib.pyplot as plt\nplt.title('中')\nplt.show()").stderr
        self.assertRegex(stderr, r"\Asnippet\.py:3: UserWarning: Glyph 20013 .*\n  plt\.show\(\)\n\Z")
        stderr = self.succeeds("import matplotlib.pyplot as plt\nplt.title('中')").stderr
        self.assertRegex(stderr, r"\Asnippet\.py: UserWarning: Glyph 20013 .*\n\Z")
        self.assertEqual(
            self.succeeds("import warnings\n\nwarnings.warn('mine')").stderr,
            "snippet.py:3: UserWarning: mine\n  warnings.warn('mine')\n",
        )

    def test_errors_in_threads_and_forks_are_told_with_the_frames_of_the_snippet(self) -> None:
        thread = "import threading\nthread = threading.Thread(target=lambda: 1 / 0, name='worker')\nthread.start()\nthread.join()"
        stderr = self.succeeds(thread).stderr
        self.assertTrue(stderr.startswith("Exception in thread worker:\nTraceback (most recent call last):\n"), stderr)
        self.assertTrue(stderr.endswith("ZeroDivisionError: division by zero\n"), stderr)
        self.assertEqual(stderr.count('File "'), 1, stderr)
        stderr = self.succeeds("import os\npid = os.fork()\nif pid:\n    os.wait()\nelse:\n    1 / 0").stderr
        self.assertEqual(stderr.count('File "'), 1, stderr)
        self.assert_tells_no_place_of_ours(stderr)

    def test_tracebacks_that_the_run_prints_itself_tell_no_place_of_ours(self) -> None:
        code = """
            import traceback, matplotlib.pyplot as plt
            plt.title("$\\\\x$")
            try:
                plt.show()
            except ValueError:
                traceback.print_exc()
            """
        stderr = self.succeeds(code).stderr
        self.assertIn("<lithouse_snippets>/", stderr)
        self.assert_tells_no_place_of_ours(stderr)

    def test_broken_builtins_lead_to_no_place_of_ours(self) -> None:
        for name in ("len", "isinstance", "BaseException", "Exception", "getattr", "list", "print", "type", "str"):
            outcome = self.run_code(f"import builtins\nbuiltins.{name} = None\n1 / 0")
            self.assert_tells_no_place_of_ours(outcome.stderr + str(outcome.result))


class Advice(InLab):
    """What Python refuses in its own words comes with what to do."""

    def test_advice_stands_behind_the_message(self) -> None:
        cases = {
            "import asyncio\nawait asyncio.sleep(0)": ("SyntaxError", "asyncio.run(main())"),
            "%matplotlib inline\nx = 1": ("SyntaxError", "figures are collected without it"),
            "x = 1\n!pip install x": ("SyntaxError", "the operator can add a library"),
            "input()": ("EOFError", "send it with `stdin`"),
            "import no_such_library": ("ModuleNotFoundError", "the operator can add it to `[snippets] packages`"),
            "import pandas as pd\npd.DataFrame({'a': [1]}).to_markdown()": ("ImportError", "`[snippets] packages`"),
            "import pandas as pd\npd.DataFrame({'a': [1]}).style": ("", "`[snippets] packages`"),
            "from IPython.display import display": ("ModuleNotFoundError", "leave the import out"),
        }
        for code, (kind, advice) in cases.items():
            with self.subTest(code):
                error = self.fails(code).error
                self.assertIn(kind, error["type"])
                self.assertIn(advice, error["message"])

    def test_other_errors_of_the_kind_get_none(self) -> None:
        for code in ("from json import nothing", "import numpy.nothing", "x = = 1", "raise EOFError('mine')"):
            with self.subTest(code):
                message = self.fails(code).error["message"]
                self.assertNotIn("operator", message)
                self.assertNotIn("stdin", message)

    def test_byte_order_mark_is_no_part_of_the_code(self) -> None:
        self.assertEqual(self.prints("\ufeffprint(1)"), "1\n")

    def test_long_lines_of_source_are_cut_in_tracebacks(self) -> None:
        for code in ("1 / 0 + " + "1" * 4000, "x = " + "1" * 50_000):
            trace = self.fails(code).error["traceback"]
            self.assertLess(len(trace), 2_000)
            self.assertIn("…", trace)


class Display(InLab):
    """Values are shown as in a notebook, with nothing imported."""

    def test_display_shows_figures_frames_and_the_rest(self) -> None:
        code = """
            import pandas as pd, plotly.graph_objects as go, matplotlib.pyplot as plt
            df = pd.DataFrame({"a": [1]})
            display(1, "two", df)
            display(df * 2)
            display(go.Figure())
            display(plt.figure())
            display(None)
            """
        outcome = self.succeeds(code)
        self.assertEqual(outcome.stdout, "1\n'two'\nNone\n")
        self.assertEqual([frame["name"] for frame in outcome.dataframes], ["df", "_"])
        self.assertEqual([chart["type"] for chart in outcome.charts], ["plotly", "matplotlib"])

    def test_figures_in_collections_of_globals_come(self) -> None:
        code = """
            import plotly.graph_objects as go
            from matplotlib.figure import Figure
            gathered = [go.Figure(), Figure()]
            named = {"a": go.Figure(), "b": (1, 2)}
            pair = (Figure(), 2)
            """
        kinds = [chart["type"] for chart in self.succeeds(code).charts]
        self.assertEqual(sorted(kinds), ["matplotlib", "matplotlib", "plotly", "plotly"])

    def test_collection_as_last_expression_shows_each(self) -> None:
        setup = "import pandas as pd, plotly.graph_objects as go\nfrom matplotlib.figure import Figure\n"
        outcome = self.succeeds(f"{setup}pd.DataFrame({{'a': [1]}}), pd.Series([1]), go.Figure(), Figure(), 'text', None")
        self.assertEqual((len(outcome.dataframes), len(outcome.charts), outcome.stdout), (2, 2, "'text'\n"))
        outcome = self.succeeds(f"{setup}{{'f': go.Figure(), 'n': 1}}")
        self.assertEqual((len(outcome.charts), outcome.stdout), (1, "{'n': 1}\n"))
        self.assertEqual(self.prints("(1, 'a')"), "(1, 'a')\n")
        outcome = self.succeeds("import matplotlib.pyplot as plt\nplt.subplots()")
        self.assertEqual((len(outcome.charts), outcome.stdout), (1, ""))
