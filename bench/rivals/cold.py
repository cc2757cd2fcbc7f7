# SPDX-License-Identifier: Apache-2.0
"""Runs the snippet on its standard input in this interpreter, which has just been started, and answers with JSON.

What a program does that starts Python for every run: import the libraries that snippets use, run the code, collect.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from typing import Any

import collected

_LIBRARIES = ("numpy", "pandas", "matplotlib.pyplot", "plotly.express")


def main() -> None:
    """Runs it."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    stdout, namespace = io.StringIO(), {"__name__": "__main__"}
    status, error = "success", None
    with contextlib.redirect_stdout(stdout):
        try:
            exec(compile(sys.stdin.read(), "snippet.py", "exec"), namespace)
        except Exception as raised:
            status, error = "error", {"type": type(raised).__name__, "message": str(raised)}
    output: dict[str, Any] = {
        "stdout": stdout.getvalue(),
        "charts": collected.charts(),
        "dataframes": collected.frames(namespace),
    }
    json.dump({"status": status, "output": output, "error": error}, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
