# SPDX-License-Identifier: Apache-2.0
"""The snippet as a program: compiled, run as `__main__`, and ended as a script ends.

Owns: the fresh module, the value of a last bare expression, threads and exit functions. Does not own: what is collected
afterwards, the time limit.
"""

from __future__ import annotations

import ast
import atexit
import builtins
import io
import linecache
import sys
import threading
import types
from typing import Any, Final

from .errors import FILENAME

NOTHING: Final = object()


class Program:
    """One snippet in a module of its own."""

    def __init__(self, code: str) -> None:
        # Python takes the mark for a character of the code; an editor has put it there unseen.
        self._code = code.removeprefix("\ufeff")
        self.module = types.ModuleType("__main__")
        self.module.__dict__.update(__builtins__=builtins, __file__=FILENAME, __doc__=None)
        self.value: object = NOTHING

    @property
    def namespace(self) -> dict[str, Any]:
        """The globals of the snippet."""
        return self.module.__dict__

    def install(self) -> None:
        """Makes it the main module, for `pickle` and `typing`, and its text known to tracebacks and `inspect`."""
        sys.modules["__main__"] = self.module
        # Lines as the compiler counts them: `splitlines` knows more ends of lines than Python does.
        lines = io.StringIO(self._code, newline=None).readlines()
        # No time of change: this entry is not dropped for there being no such file.
        linecache.cache[FILENAME] = (len(self._code), None, lines, FILENAME)

    def run(self) -> None:
        """Runs it to its end. What it raises comes through."""
        try:
            body, last = self._compile()
        except MemoryError:
            # So says the parser of code that is nested too deeply for it.
            raise SyntaxError("too deeply nested to be compiled") from None
        exec(body, self.namespace)  # noqa: S102 - this is what all of it is for.
        if last is not None:
            self.value = eval(last, self.namespace)  # noqa: S307 - the same.

    def finish(self) -> None:
        """Waits for its threads and runs its exit functions, as the end of an interpreter does."""
        if threading.active_count() > 1:
            # The one that also tells the pools of `concurrent.futures` to end; joining their threads alone would wait for ever.
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()

    def _compile(self) -> tuple[types.CodeType, types.CodeType | None]:
        tree = ast.parse(self._code, FILENAME)
        last: types.CodeType | None = None
        if tree.body and isinstance(expression := tree.body[-1], ast.Expr) and not self._is_hushed(expression):
            del tree.body[-1]
            future = _future_flags(tree)
            last = compile(ast.Expression(expression.value), FILENAME, "eval", flags=future, dont_inherit=True)
        return compile(tree, FILENAME, "exec", dont_inherit=True), last

    def _is_hushed(self, expression: ast.Expr) -> bool:
        """Whether a semicolon follows, which hides the value as in a notebook."""
        lines = linecache.getlines(FILENAME)
        end = (expression.end_lineno or 1) - 1
        rest = lines[end].encode()[expression.end_col_offset or 0 :] if end < len(lines) else b""
        return rest.lstrip().startswith(b";")


def _future_flags(tree: ast.Module) -> int:
    """What `from __future__` in the body means for the expression, which is compiled apart."""
    import __future__

    names = [
        alias.name
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__" and not statement.level
        for alias in statement.names
    ]
    flags = 0
    for name in names:
        feature = getattr(__future__, name, None)
        flags |= getattr(feature, "compiler_flag", 0)
    return flags
