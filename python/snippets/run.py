# SPDX-License-Identifier: Apache-2.0
"""One run: the code, its time limit, and the result made of what it left behind."""

from __future__ import annotations

import atexit
import builtins
import gc
import logging
import os
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from . import errors, files, output, variables
from .channel import Channel
from .collectors import Collectors
from .deadline import Deadline
from .memory import Reserve
from .program import NOTHING, Program

# What Python itself begins with.
_RECURSION = 1000
_REHEARSAL = """
import math
def area(radius: float = 1.0) -> float:
    return math.pi * radius ** 2
numbers = [area(x) for x in range(3) if x]
for number in numbers:
    print(f"{number:.2f}")
print("Hello", "World")
"""


@dataclass(frozen=True)
class Place:
    """What a process has for its run: the working folder, the clock, and some memory put aside."""

    folder: str
    deadline: Deadline
    reserve: Reserve


class Run:
    """From the request to the result; the process ends with it."""

    def __init__(self, request: dict[str, Any], channel: Channel, collectors: Collectors, place: Place) -> None:
        self._timeout = float(request["timeout"])
        self._channel, self._place = channel, place
        self._request = request
        self._given: files.Given = {}
        self._program = Program(request["code"])
        self._truncated: set[str] = set()
        self._collectors = collectors
        collectors.begin(self._truncated, self._stream if request.get("stream") else None)
        self._process = os.getpid()
        self._began = 0.0

    def perform(self) -> NoReturn:
        """Runs the code, sends the result, and ends the process."""
        self.answer()
        os._exit(0)

    def answer(self) -> None:
        """Runs the code and sends the result."""
        self._program.install()
        builtins.display = self._display  # type: ignore[attr-defined]
        self._began = time.monotonic()
        self._place.deadline.start(self._timeout, self._channel.is_sending, self._time_over)
        status, failure = self._execute()
        spent = self._milliseconds()
        if os.getpid() != self._process:
            _end_fork(failure)
        _undo_hindrances()
        told = None if status == "success" or failure is None else errors.describe(failure)
        # With its frames go the values that they hold.
        failure = None
        result = self._collect()
        output.flush()
        # No time-out from here on: half a result must not be followed by another one.
        self._place.deadline.stop()
        try:
            self._channel.send(_result(status, told, spent, result, self._truncated))
        except MemoryError:
            # Nothing of it was sent: a frame is made before it is.
            self._channel.send(_result(status, told, spent, self._without_the_rest(), self._truncated))

    def _execute(self) -> tuple[str, BaseException | None]:
        failure: BaseException | None = None
        try:
            self._take_input()
            self._program.run()
            self._show_value()
        except BaseException as error:
            failure = error
        if failure is not None and errors.is_for_want_of_memory(failure):
            self._place.reserve.release()
        try:
            self._program.finish()
        except BaseException as error:
            failure = failure or error
        output.flush()
        return _status_of(failure), failure

    def _take_input(self) -> None:
        self._given = files.put(self._request.get("files") or [])
        if self._request.get("stdin") is not None:
            output.give_input(self._request["stdin"])
        # The time is that of the code alone.
        self._began = time.monotonic()

    def _show_value(self) -> None:
        """The value of a last bare expression: collected if it is something to see, else printed."""
        value, self._program.value = self._program.value, None
        if value is NOTHING or value is None:
            return
        namespace = self._program.namespace
        if self._collectors.takes_some_of(value, namespace) or self._collectors.takes(value, namespace):
            return
        print(repr(value))

    def _display(self, *values: object, **_: object) -> None:
        """The function `display` of notebooks."""
        for value in values:
            self._collectors.display(value, self._program.namespace)

    def _collect(self) -> dict[str, Any]:
        """What there is to see, or, where there is no memory left to look, what was seen before."""
        try:
            return self._looked_at()
        except MemoryError:
            return self._without_the_rest()

    def _without_the_rest(self) -> dict[str, Any]:
        """Lets go of all that the run holds."""
        self._place.reserve.release()
        self._program.namespace.clear()
        gc.collect()
        self._truncated |= {"charts", "dataframes", "files", "variables"}
        return {"charts": self._collectors.shown_charts()}

    def _looked_at(self) -> dict[str, Any]:
        namespace = self._program.namespace
        result = self._collectors.collect(namespace)
        result["variables"] = variables.collect(namespace, self._truncated)
        # Opened for writing and never closed: the end of the interpreter would write it out, and there is none.
        if files.are_in(self._place.folder):
            output.flush_files()
            result["files"] = files.collect(self._place.folder, self._given, self._truncated)
        return result

    def _stream(self, chart: dict[str, Any]) -> None:
        if os.getpid() == self._process:
            self._channel.send({"chart": chart})

    def _milliseconds(self) -> int:
        return round((time.monotonic() - self._began) * 1000)

    def _time_over(self, frame: FrameType | None) -> None:
        """Sends what is there already, with the place; asks the run for nothing more."""
        if os.getpid() != self._process:
            return
        output.flush()
        told = errors.describe_timeout(self._timeout, frame)
        charts = {"charts": self._collectors.shown_charts()}
        self._channel.send(_result("timeout", told, self._milliseconds(), charts, self._truncated))
        os._exit(0)


def _undo_hindrances() -> None:
    """Takes back settings of the run under which our own code could not work."""
    sys.settrace(None)
    sys.setprofile(None)
    if sys.getrecursionlimit() < _RECURSION:
        sys.setrecursionlimit(_RECURSION)


def rehearse(channel: Channel, place: Place) -> None:
    """Goes once through what every run does: the pages it writes to are copied now, and not when somebody waits."""
    # It runs at the end, and that is still to come.
    atexit.unregister(logging.shutdown)
    Run({"code": _REHEARSAL, "timeout": 60}, channel, Collectors(), place).answer()
    atexit.register(logging.shutdown)


def _result(
    status: str, error: dict[str, Any] | None, spent: int, collected: dict[str, Any], truncated: set[str]
) -> dict[str, Any]:
    empty: dict[str, Any] = {"charts": [], "dataframes": [], "variables": {}, "files": []}
    answer = {"status": status, "execution_time": spent, "error": error, **empty, **collected, "truncated": sorted(truncated)}
    return {"result": answer}


def _status_of(failure: BaseException | None) -> str:
    if failure is None:
        return "success"
    if isinstance(failure, SystemExit):
        if failure.code is None or failure.code == 0:
            return "success"
        if not isinstance(failure.code, int):
            # Python itself does so for a script.
            print(failure.code, file=sys.stderr)
        return "error"
    return "memory_limit" if errors.is_for_want_of_memory(failure) else "error"


def _end_fork(failure: BaseException | None) -> NoReturn:
    """The end of a process that the run forked: that of a script, without a result."""
    code = 0
    if isinstance(failure, SystemExit):
        code = failure.code if isinstance(failure.code, int) else int(failure.code is not None)
    elif failure is not None:
        print(errors.describe(failure)["traceback"], end="", file=sys.stderr)
        code = 1
    output.flush()
    os._exit(code & 0xFF)
