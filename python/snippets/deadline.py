# SPDX-License-Identifier: Apache-2.0
"""The soft time limit: tells where the code was when its time was over.

It works in the main thread between two steps of the interpreter. Where it does not come to that (a long call into native
code, a run that takes the signal for itself) the server ends the run a moment later, without the place.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

# How soon it is tried again when a frame is being sent: half a frame must not be followed by another.
_AGAIN_SECONDS = 0.02


class Deadline:
    """Calls back once, with the frame that was interrupted. There is one in a process; it is made before anybody waits."""

    def __init__(self) -> None:
        self._alarm: tuple[Callable[[], bool], Callable[[FrameType | None], None]] | None = None
        signal.signal(signal.SIGALRM, self._ring)

    def start(self, seconds: float, is_busy: Callable[[], bool], over: Callable[[FrameType | None], None]) -> None:
        """From here on the time runs; while it `is_busy`, its end is put off."""
        self._alarm = (is_busy, over)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))

    def stop(self) -> None:
        """No call after this."""
        self._alarm = None
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, _signal: int, frame: FrameType | None) -> None:
        if self._alarm is None:
            return
        is_busy, over = self._alarm
        if is_busy():
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
            return
        self._alarm = None
        over(frame)
