# SPDX-License-Identifier: Apache-2.0
"""Snippets run as scripts do, and their errors read as their authors expect."""

from __future__ import annotations

import sys
import unittest

from tests.snippets_lab import InLab


class Program(InLab):
    def test_last_expression_is_shown_as_in_a_notebook(self) -> None:
        self.assertEqual(self.prints("x = 2\nx + 1"), "3\n")
        self.assertEqual(self.prints("'text'"), "'text'\n")
        for silent in ("None", "x = 1", "x = 1\nx;", "x = 1\nx ; # hush", "def f(): return 1", "", "# only a comment"):
            with self.subTest(silent):
                self.assertEqual(self.prints(silent), "")

    def test_snippet_is_the_main_module(self) -> None:
        out = self.prints(
            """
            from __future__ import annotations
            import dataclasses, inspect, pickle, sys, typing

            @dataclasses.dataclass
            class Point:
                x: int
                y: Point | None = None

            assert __name__ == "__main__" and sys.modules["__main__"].Point is Point
            assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
            assert typing.get_type_hints(Point)["x"] is int
            print(inspect.getsource(Point).splitlines()[1])
            print(__file__, sys.argv, __doc__, __spec__)
            """
        )
        self.assertEqual(out, "class Point:\nsnippet.py ['snippet.py'] None None\n")

    def test_globals_start_empty(self) -> None:
        names = (
            "['__annotations__', '__builtins__', '__doc__', '__file__', '__loader__', '__name__', '__package__', '__spec__']\n"
        )
        self.assertIn(self.prints("print(sorted(globals()))"), {names, names.replace("'__annotations__', ", "")})

    def test_our_modules_cannot_be_imported_by_accident(self) -> None:
        for name in ("files", "frames", "run", "limits", "channel", "snippets", "zygote", "control"):
            self.assertEqual(self.fails(f"import {name}").error["type"], "ModuleNotFoundError", name)

    def test_future_statements_hold_for_the_last_expression(self) -> None:
        self.assertEqual(self.prints("from __future__ import annotations\n(lambda: 1)()"), "1\n")

    def test_given_files_are_in_the_working_folder_and_importable(self) -> None:
        files = [
            {"name": "helper.py", "data": "QU5TV0VSID0gNDI="},  # ANSWER = 42
            {"name": "data/a.csv", "data": "YSxiCjEsMgo="},  # a,b 1,2
        ]
        out = self.succeeds("import helper, pandas\nprint(helper.ANSWER, pandas.read_csv('data/a.csv').b[0])", files=files)
        self.assertEqual(out.stdout, "42 2\n")
        self.assertEqual(out.files, [])

    def test_given_files_that_cannot_be_written_are_an_error(self) -> None:
        files = [{"name": "a", "data": ""}, {"name": "a/b", "data": ""}]
        error = self.fails("print('never')", files=files).error
        self.assertEqual((error["type"], error["line"]), ("FileExistsError", None))

    def test_standard_input_is_read_and_ends(self) -> None:
        self.assertEqual(self.prints("print(input('? ') + input())", stdin="ä\nb\n"), "? äb\n")
        self.assertEqual(self.fails("input()", stdin="").error["type"], "EOFError")
        self.assertEqual(self.fails("input()").error["type"], "EOFError")
        self.assertEqual(self.prints("import sys; print(sys.stdin.read())", stdin="all of it"), "all of it\n")

    def test_threads_are_waited_for_and_exit_functions_run(self) -> None:
        out = self.prints(
            """
            import atexit, threading
            from concurrent.futures import ThreadPoolExecutor
            atexit.register(print, "exit")
            over = threading.Event()
            thread = threading.Thread(target=lambda: (over.wait(), print("thread")))
            thread.start()
            pool = ThreadPoolExecutor(2)
            future = pool.submit(lambda: (thread.join(), print("pool")))
            print("end")
            over.set()
            """
        )
        self.assertEqual(out, "end\nthread\npool\nexit\n")

    def test_daemon_threads_are_not_waited_for(self) -> None:
        self.prints("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()")

    def test_forked_processes_send_no_result(self) -> None:
        outcome = self.succeeds(
            "import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nprint('parent' if pid else 'child')"
        )
        self.assertEqual(outcome.stdout, "child\nparent\n")

    def test_processes_of_multiprocessing_return_their_values(self) -> None:
        code = """
            import multiprocessing
            def square(x):
                return x * x
            if __name__ == "__main__":
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    print(pool.map(square, [1, 2, 3]))
            """
        self.assertEqual(self.prints(code), "[1, 4, 9]\n")

    def test_fork_that_fails_ends_as_a_script_would(self) -> None:
        code = "import os\npid = os.fork()\nif not pid:\n    raise SystemExit(7)\nprint(os.waitpid(pid, 0)[1] >> 8)"
        self.assertEqual(self.prints(code), "7\n")

    def test_runs_share_no_state(self) -> None:
        self.succeeds(
            "import math, os, builtins\nmath.pi = 3\nos.environ['X'] = '1'\nbuiltins.y = 1\nopen('left', 'w').write('x')"
        )
        self.assertEqual(
            self.prints("import math, os\nprint(math.pi, 'X' in os.environ, os.listdir())"), "3.141592653589793 False []\n"
        )

    def test_random_numbers_and_names_differ_between_runs(self) -> None:
        code = """
            import numpy as np, random, secrets, tempfile, uuid
            print(np.random.rand(), random.random(), np.random.default_rng().random(), uuid.uuid4(), secrets.token_hex())
            print(tempfile.mktemp().rpartition("/")[2])
            """
        first, second = self.prints(code), self.prints(code)
        for one, other in zip(first.split(), second.split(), strict=True):
            self.assertNotEqual(one, other)

    def test_temporary_files_lie_in_the_runs_own_folder(self) -> None:
        code = "import os, tempfile\nprint(os.path.dirname(tempfile.mkstemp()[1]) == os.environ['TMPDIR'] != os.getcwd())"
        self.assertEqual(self.prints(code), "True\n")


class Errors(InLab):
    def error(self, code: str) -> dict[str, object]:
        error: dict[str, object] = self.fails(code).error
        return error

    def test_error_names_type_message_line_and_column(self) -> None:
        error = self.error("def f(x):\n    return 1 / x\n\nprint('ä', f(0))\n")
        self.assertEqual((error["type"], error["message"], error["line"]), ("ZeroDivisionError", "division by zero", 2))
        self.assertEqual(error["column"], 12 if sys.version_info >= (3, 11) else None)

    def test_column_counts_characters(self) -> None:
        error = self.error("x = 'äöü€😀' + missing")
        self.assertEqual(error["column"], 15 if sys.version_info >= (3, 11) else None)

    def test_traceback_has_the_frames_of_the_snippet_alone_with_their_source(self) -> None:
        error = self.error("import json\ndef read():\n    return json.loads('{')\n\nread()")
        self.assertEqual(error["type"], "json.decoder.JSONDecodeError")
        self.assertEqual(error["line"], 3)
        trace = str(error["traceback"])
        self.assertEqual(trace.count('  File "'), 2, trace)
        self.assertTrue(
            trace.startswith('Traceback (most recent call last):\n  File "snippet.py", line 5, in <module>\n    read()')
        )
        self.assertIn("  File \"snippet.py\", line 3, in read\n    return json.loads('{')\n", trace)
        self.assertTrue(
            trace.endswith(
                "\njson.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\n"
            )
        )

    def test_frames_of_given_modules_are_in_the_traceback(self) -> None:
        files = [{"name": "helper.py", "data": "ZGVmIGYoKToKICAgIHJhaXNlIFZhbHVlRXJyb3IoJ3gnKQo="}]
        error = self.fails("import helper\nhelper.f()", files=files).error
        self.assertEqual(error["line"], 2)
        self.assertIn('helper.py", line 2, in f', error["traceback"])

    def test_chained_errors_are_told_whole(self) -> None:
        trace = str(self.error("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e")["traceback"])
        self.assertIn("ZeroDivisionError: division by zero", trace)
        self.assertIn("direct cause", trace)
        self.assertTrue(trace.endswith("KeyError: 'k'\n"))

    @unittest.skipIf(sys.version_info < (3, 11), "groups are of Python 3.11")
    def test_groups_are_told_whole(self) -> None:
        error = self.error("raise ExceptionGroup('many', [ValueError('a'), TypeError('b')])")
        self.assertEqual(error["message"], "many (2 sub-exceptions)")
        self.assertIn("ValueError: a", str(error["traceback"]))

    def test_syntax_error_has_its_place(self) -> None:
        error = self.error("x = 1\ny = (2 +\n")
        self.assertEqual((error["type"], error["line"], error["column"]), ("SyntaxError", 2, 5))
        self.assertEqual(error["message"], "'(' was never closed")
        self.assertIn("    y = (2 +\n", str(error["traceback"]))
        self.assertEqual(self.error("if x:\n  pass\n   y")["type"], "IndentationError")

    def test_syntax_error_of_other_text_is_told_at_the_line_that_asked(self) -> None:
        error = self.error("x = 1\ncompile('a b', 'other', 'exec')")
        self.assertEqual((error["type"], error["line"]), ("SyntaxError", 2))

    def test_endless_recursion_is_an_error_of_bounded_length(self) -> None:
        error = self.error("def f():\n    return f()\nf()")
        self.assertEqual((error["type"], error["line"]), ("RecursionError", 2))
        self.assertLess(len(str(error["traceback"])), 2000)

    def test_nesting_beyond_the_compiler_is_an_error(self) -> None:
        for code in ("(" * 20_000 + ")" * 20_000, "-" * 20_000 + "1", "x" + ".a" * 20_000):
            self.assertIn(self.error(code)["type"], {"SyntaxError", "RecursionError", "NameError"}, code[:10])

    def test_exception_that_cannot_be_told_is_told(self) -> None:
        error = self.error("class Bad(Exception):\n    def __str__(self):\n        raise RuntimeError\nraise Bad")
        self.assertEqual((error["type"], error["message"], error["line"]), ("Bad", "<exception str() failed>", 4))
        evil = "class Meta(type):\n    __module__ = property(lambda s: 1/0)\nclass Bad(Exception, metaclass=Meta): pass\n"
        self.assertEqual(self.error(f"{evil}raise Bad('x')")["type"], "Bad")

    def test_exit_codes_are_as_for_a_script(self) -> None:
        for code in ("raise SystemExit", "import sys; sys.exit(0)", "exit()", "raise SystemExit(None)"):
            self.succeeds(code)
        error = self.error("import sys\nsys.exit(3)")
        self.assertEqual((error["type"], error["message"], error["line"]), ("SystemExit", "3", 2))
        outcome = self.fails("import sys\nsys.exit('no data')")
        self.assertEqual((outcome.stderr, outcome.error["message"]), ("no data\n", "no data"))

    def test_every_kind_of_exception_is_an_error(self) -> None:
        for name in ("KeyboardInterrupt", "GeneratorExit", "BaseException", "StopIteration", "TimeoutError"):
            self.assertEqual(self.error(f"raise {name}('x')")["type"], name)

    def test_huge_messages_are_cut(self) -> None:
        error = self.error("raise ValueError('x' * 10_000_000)")
        self.assertLessEqual(len(str(error["message"])), 10_000)
        self.assertLessEqual(len(str(error["traceback"])), 65_536)

    def test_want_of_memory_has_its_own_status(self) -> None:
        for code in ("raise MemoryError('x')", "import errno\nraise OSError(errno.ENOMEM, 'x')", "x = bytearray(1 << 60)"):
            outcome = self.run_code(code)
            self.assertEqual(outcome.status, "memory_limit", code)
            self.assertIsNotNone(outcome.error)

    def test_run_that_has_used_up_its_memory_is_told_with_its_output(self) -> None:
        limit = "import resource\nresource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))\nprint('before')\n"
        for code in (
            "x = []\nwhile True: x.append(bytearray(100_000))",
            "x = []\nwhile True: x.append(str(len(x)) * 10)",
            "x = {}\nwhile True: x[len(x)] = [object()]",
            "import numpy as np\nx = np.ones(10**9)",
            "def f():\n    x = []\n    while True: x.append([0] * 1000)\nf()",
            "import pandas as pd\nx = pd.DataFrame({'a': range(10)})\nwhile True: x = pd.concat([x, x])",
        ):
            outcome = self.run_code(limit + code)
            self.assertEqual((outcome.status, outcome.stdout, outcome.stderr), ("memory_limit", "before\n", ""), code)
            self.assertIn("MemoryError", outcome.error["type"], code)

    def test_settings_that_would_hinder_us_are_taken_back(self) -> None:
        for code in (
            "import sys\nsys.setrecursionlimit(40)",
            "import sys\nsys.settrace(lambda *_: 1 / 0)",
            "import sys\nsys.setprofile(lambda *_: None)",
            "import gc\ngc.disable(); gc.set_threshold(1, 1, 1)",
            "import warnings\nwarnings.simplefilter('error')",
            "import numpy as np\nnp.seterr(all='raise')",
        ):
            frame = "import pandas as pd\ndf = pd.DataFrame({'a': [1.5, None]})\nx = [[[1]]]\n"
            outcome = self.run_code(frame + code)
            self.assertEqual((outcome.value("x"), len(outcome.dataframes)), ([[[1]]], 1), code)

    def test_error_of_the_last_values_repr_is_told(self) -> None:
        error = self.error("class A:\n    def __repr__(self):\n        return 1 / 0\nA()")
        self.assertEqual((error["type"], error["line"]), ("ZeroDivisionError", 3))

    def test_what_was_there_before_the_error_is_kept(self) -> None:
        outcome = self.fails("import matplotlib.pyplot as plt\nx = 1\nprint('before')\nplt.plot([1])\n1 / 0")
        self.assertEqual((outcome.stdout, outcome.value("x"), len(outcome.charts)), ("before\n", 1, 1))
