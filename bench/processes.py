# SPDX-License-Identifier: Apache-2.0
"""What every process that a measurement starts has in common: its environment, its log, its end, and bounds on all waiting."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Settings of the caller that would bend one side of the comparison. The first would leave Python without bytecode.
_STRIPPED = frozenset(
    {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "VIRTUAL_ENV", "PORT", "LOG_LEVEL", "MAX_WORKERS"}
)
_STRIPPED_PREFIXES = ("LITHOUSE_", "STREAMLIT_", "MPL", "TIMEOUT_SECONDS")
_KEPT_LINES = 60


class BenchError(Exception):
    """A measurement that could not be made, in words for the person who asked for it."""


def clean_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment without what would bend a measurement, and with `settings`."""
    kept = {
        name: value for name, value in os.environ.items() if name not in _STRIPPED and not name.startswith(_STRIPPED_PREFIXES)
    }
    return {**kept, **(settings or {})}


def wait_until(what: str, probe: Callable[[], T | None], seconds: float, pause: float = 0.01) -> T:
    """Waits for `probe` to give a value, and fails with the last thing that was seen."""
    end, seen = time.monotonic() + seconds, "nothing"
    while time.monotonic() < end:
        try:
            value = probe()
            if value is not None:
                return value
        except OSError as error:
            seen = repr(error)
        time.sleep(pause)
    raise BenchError(f"waited {seconds:.0f} s for {what}; last seen: {seen}")


def free_port() -> int:
    """A port on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(command: Sequence[str | Path], folder: Path | None, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Starts a command in a session of its own, with one stream for all that it says."""
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


class Server:
    """A process that serves until it is ended; its last lines are kept for when it fails."""

    def __init__(self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = Path(command[0]).name
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.process = _start(command, folder, environment)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def said(self) -> str:
        """Its last lines."""
        return "".join(list(self._lines))

    def check_alive(self) -> None:
        """Fails with its last lines if it has ended."""
        if self.process.poll() is not None:
            self._reader.join(2)
            raise BenchError(f"`{self.name}` ended with {self.process.returncode}:\n{self.said}")

    def end(self, seconds: float) -> bool:
        """Asks it to end, and forces it when it does not; tells whether it had to be forced."""
        forced = False
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                forced = True
        # Whatever it has left in its own group goes with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(2)
        if self.process.stdout is not None and not self._reader.is_alive():
            self.process.stdout.close()
        return forced


def run(command: Sequence[str | Path], environment: Mapping[str, str], seconds: float, folder: Path | None = None) -> str:
    """Runs a command to its end and returns its output; fails with the output when it fails or takes too long."""
    with _start(command, folder, environment) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"`{Path(command[0]).name} {command[1]} …` took longer than {seconds:.0f} s") from None
            raise
    if process.returncode != 0:
        raise BenchError(f"`{Path(command[0]).name} {command[1]} …` ended with {process.returncode}:\n{output[-4000:]}")
    return output


def processes_of(folder: Path) -> list[int]:
    """The processes whose command line or environment names this folder: what a server that keeps its data there has started."""
    named, needle = [], os.fsencode(folder)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if needle in (entry / "cmdline").read_bytes() or needle in (entry / "environ").read_bytes():
                named.append(int(entry.name))
    return named
