# SPDX-License-Identifier: Apache-2.0
"""A warm interpreter that runs one snippet over and over in itself: what is left when nothing is started, sent or confined.

It gets the code as its only argument and runs it once for each line on its standard input; the answer is a line with the
milliseconds that it took, collecting included.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time

import collected


def main() -> None:
    """Answers until there are no more lines."""
    code = compile(sys.argv[1], "snippet.py", "exec")
    for _ in sys.stdin:
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            namespace = {"__name__": "__main__"}
            exec(code, namespace)
            collected.charts()
        print((time.perf_counter() - began) * 1000, flush=True)


if __name__ == "__main__":
    main()
