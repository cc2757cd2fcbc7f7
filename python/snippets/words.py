# SPDX-License-Identifier: Apache-2.0
"""What Python and libraries say of themselves while a run goes on, in words that show its author's places and not ours.

Owns: the form of warnings, of errors in threads, and of an error in our own code.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
import warnings
from types import FrameType

from . import errors, limits


def install() -> None:
    """Once, in the warm parent. A run may put its own in their place."""
    warnings.formatwarning = _warning
    threading.excepthook = _error_in_thread


def _warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """As Python forms it, with the place in the snippet that led to it, wherever it was raised."""
    if not errors.is_own(filename):
        filename, lineno = errors.FILENAME, _line_of_the_snippet()
    place = f"{filename}:{lineno}" if lineno else filename
    source = (line or linecache.getline(filename, lineno)).strip()[: limits.SOURCE_CHARACTERS]
    return f"{place}: {category.__name__}: {message}\n" + (f"  {source}\n" if source else "")


def _line_of_the_snippet() -> int:
    """The line of the snippet that is being run; 0 once it is over, and its figures are drawn."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == errors.FILENAME:
            return frame.f_lineno
        frame = frame.f_back
    return 0


def _error_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is None or told.exc_type is SystemExit:
        return
    name = "?" if told.thread is None else told.thread.name
    error = errors.describe(told.exc_value)
    print(f"Exception in thread {name}:\n{error['traceback'] or error['type']}", end="", file=sys.stderr)


def say_our_own(error: BaseException) -> None:
    """Tells of an error in our code, where the run has broken what that needs. It uses no builtin function itself."""
    trace = error.__traceback__
    if trace is None:
        return
    while trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    os.write(2, f"lithouse: the run could not be answered: {error.__class__.__name__} in {place}\n".encode())
