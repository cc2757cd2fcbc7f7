# SPDX-License-Identifier: Apache-2.0
"""How a run failed, as its author should read it: type, message, place, and a traceback of the author's own frames.

Everything here looks at objects the run made, which may raise whatever is asked of them; there is always an answer.
"""

from __future__ import annotations

import contextlib
import errno
import linecache
import os
import traceback
from types import FrameType
from typing import Any, Final

from . import advice, limits, safejson

FILENAME: Final = "snippet.py"
_HEAD = "Traceback (most recent call last):\n"
_CUT = "\n… (cut)"

# Modules that came with the run lie here; their frames are its author's too. Said by the worker once it is there.
work_folder = "."

Error = dict[str, Any]


def qualified(kind: type) -> str:
    """The type's name as a traceback shows it: with its module, unless that is Python's own or the snippet."""
    try:
        module, name = kind.__module__, kind.__qualname__
        text = str(name) if module in {"builtins", "__main__"} else f"{module}.{name}"
    except (Exception, RecursionError):
        # Types can have types of their own, which answer for them.
        text = safejson.type_name(kind)
    return bounded(text, limits.NAME_CHARACTERS)


def bounded(text: str, most: int) -> str:
    """The text, cut so that the mark of the cut still fits."""
    return text if len(text) <= most else text[: most - len(_CUT)] + _CUT


def is_for_want_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, which libraries tell in more than one way."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def describe(error: BaseException) -> Error:
    """The error as the answer tells it."""
    try:
        return _describe(error)
    except (Exception, RecursionError):
        return _bare(qualified(type(error)), "the error could not be described")


def describe_timeout(seconds: float, frame: FrameType | None) -> Error:
    """The place where the time was over."""
    stack = _own(traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False))
    stack.reverse()
    message = f"the code ran longer than {seconds:g} s"
    answer = _bare("TimeoutError", message)
    place = _innermost(stack)
    if place is not None:
        answer["line"], answer["column"] = place.lineno, _column(place)
        answer["traceback"] = _bounded_traceback(f"{_HEAD}{''.join(stack.format())}TimeoutError: {message}\n")
    return answer


def _describe(error: BaseException) -> Error:
    told = traceback.TracebackException.from_exception(error, compact=True)
    _keep_own_frames(told)
    answer = _bare(qualified(type(error)), _message(error))
    place = _innermost(told.stack)
    if isinstance(error, SyntaxError) and error.filename == FILENAME:
        answer["line"], answer["column"] = _positive(error.lineno), _positive(error.offset)
    elif place is not None:
        answer["line"], answer["column"] = place.lineno, _column(place)
    answer["traceback"] = _bounded_traceback("".join(told.format()))
    return answer


def _bare(kind: str, message: str) -> Error:
    return {"type": kind, "message": message, "line": None, "column": None, "traceback": None}


def _message(error: BaseException) -> str:
    try:
        # A syntax error's own text repeats the place, which is told apart.
        text = error.msg if isinstance(error, SyntaxError) and isinstance(error.msg, str) else str(error)
    except (Exception, RecursionError):
        return "<exception str() failed>"
    with contextlib.suppress(Exception, RecursionError):
        told = advice.on(error)
        text = text if told is None else f"{text}: {told}"
    return bounded(text, limits.MESSAGE_CHARACTERS)


def _keep_own_frames(told: traceback.TracebackException) -> None:
    """Takes the frames of libraries and of ours out of an error and of all it is chained to."""
    waiting, seen = [told], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack = _own(one.stack)
        group = getattr(one, "exceptions", None) or ()
        waiting += [linked for linked in (one.__cause__, one.__context__, *group) if linked is not None]


def _own(stack: traceback.StackSummary) -> traceback.StackSummary:
    """The frames of the snippet and of modules in its working folder."""
    return traceback.StackSummary.from_list([frame for frame in stack if is_own(frame.filename)])


def is_own(filename: str) -> bool:
    """Whether a file is the snippet or a module in its working folder."""
    return filename == FILENAME or filename.startswith(f"{work_folder}{os.sep}")


def _innermost(stack: traceback.StackSummary) -> traceback.FrameSummary | None:
    return next((frame for frame in reversed(stack) if frame.filename == FILENAME), None)


def _column(frame: traceback.FrameSummary) -> int | None:
    """The column in characters, from 1. Python 3.10 knows none; newer ones count in bytes, from 0."""
    offset = getattr(frame, "colno", None)
    if offset is None:
        return None
    line = linecache.getline(frame.filename, frame.lineno or 0)
    return len(line.encode()[:offset].decode(errors="replace")) + 1 if line else int(offset) + 1


def _positive(number: object) -> int | None:
    return number if isinstance(number, int) and number > 0 else None


def _bounded_traceback(text: str) -> str:
    """The whole, or its beginning and its end: what happened stands last. Lines of source are shown as far as people read."""
    text = "\n".join(map(_bounded_source, text.split("\n")))
    most = limits.TRACEBACK_CHARACTERS
    if len(text) <= most:
        return text
    half = most // 2 - len(_CUT)
    return f"{text[:half]}{_CUT}\n{text[-half:]}"


def _bounded_source(line: str) -> str:
    """A line of a traceback, cut if it is one of source: those are indented, within the marks of groups of errors too."""
    most = limits.SOURCE_CHARACTERS
    is_source = line.lstrip(" |").startswith(("^", "~")) or line.startswith(("    ", "  |"))
    return line if len(line) <= most or not is_source else f"{line[:most]}…"
