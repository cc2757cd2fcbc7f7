# SPDX-License-Identifier: Apache-2.0
"""Asks one URL over and over on kept connections and tells how often and how fast it was answered.

It is asked with `GET`, or with `POST` where there is something to send. What is to be found in every answer can be told too.

`wrk` does it where it is installed; otherwise this file does, run as a process of its own so that nothing but the asking takes
its time. One request is under way on each connection at any moment, with either.

    load.py URL CONNECTIONS SECONDS [QUESTION]       the question as JSON
"""

from __future__ import annotations

import json
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from processes import BenchError, clean_environment, run

# How long an answer may take before it counts as an error.
_ANSWER_SECONDS = 10.0
_ATTEMPTS = 3
# A global of the script lives in the thread that asks, and is read from there at the end.
_WRK_REPORT = """
local asking
setup = function(thread) asking = thread end
done = function(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p95_ms": %f, "p99_ms": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, failed.connect + failed.read + failed.write + failed.status + failed.timeout
    + (asking:get('wrong') or 0)))
end
"""
# The body and the words may hold anything but the end of such a string.
_WRK_POST = """
wrk.method = 'POST'
wrk.headers['Content-Type'] = 'application/json'
wrk.body = [====[%s]====]
"""
_WRK_EXPECT = """
wrong = 0
response = function(status, headers, body)
  -- Those with another status are counted already.
  if status < 400 and not string.find(body, [====[%s]====], 1, true) then wrong = wrong + 1 end
end
"""
_WRK_PAUSE = "delay = function() return %d end\n"


@dataclass(frozen=True)
class Question:
    """What is asked besides the URL."""

    body: str = ""
    # What every answer holds.
    expected: str = ""
    # How long each connection waits from an answer to the next request.
    pause_ms: int = 0

    def for_wrk(self) -> str:
        """As a script."""
        parts = [_WRK_REPORT]
        parts += [_WRK_POST % self.body] if self.body else []
        parts += [_WRK_EXPECT % self.expected] if self.expected else []
        parts += [_WRK_PAUSE % self.pause_ms] if self.pause_ms else []
        return "".join(parts)

    def for_socket(self, host: str, port: int, path: str) -> bytes:
        """As HTTP."""
        body = self.body.encode()
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body


@dataclass(frozen=True)
class Load:
    """What one run has shown."""

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int

    @classmethod
    def of(cls, took: list[float], seconds: float, errors: int) -> Load:
        """Made of how many seconds each answer took."""
        p50, p95, p99 = (percentile(took, part) * 1e3 if took else 0.0 for part in (0.5, 0.95, 0.99))
        return cls(len(took), seconds, p50, p95, p99, errors)

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return self.requests / self.seconds


class Generator:
    """The program that asks."""

    def __init__(self, wanted: str) -> None:
        found = shutil.which("wrk")
        if wanted == "wrk" and found is None:
            raise BenchError("`wrk` is not in PATH; without `--generator wrk` the benchmark asks by itself")
        self._wrk = None if wanted == "own" else found
        # How often a run brought no answer at all.
        self.silent = 0

    def describe(self) -> str:
        """Its name and version."""
        if self._wrk is None:
            return "`bench/load.py` (one thread of Python; `wrk` was not used)"
        # It ends with 1 when it is asked for its version.
        told = subprocess.run([self._wrk, "-v"], capture_output=True, text=True, timeout=10, check=False)
        words = told.stdout.split()
        return f"wrk {words[1]}, one thread" if len(words) > 1 else "wrk, one thread"

    def measure(self, url: str, connections: int, seconds: int, question: Question | None = None) -> Load:
        """Asks for so long on so many connections; once more where not one answer came, which is counted."""
        for _ in range(_ATTEMPTS):
            load, output = self._ask(url, connections, seconds, question or Question())
            if load.requests > 0:
                return load
            self.silent += 1
        raise BenchError(f"not one request was answered in {_ATTEMPTS} attempts:\n{output}")

    def _ask(self, url: str, connections: int, seconds: int, question: Question) -> tuple[Load, str]:
        bound = seconds + 3 * _ANSWER_SECONDS
        if self._wrk is None:
            command: list[str | Path] = [sys.executable, Path(__file__).resolve(), url, str(connections), str(seconds)]
            command.append(json.dumps(question.__dict__))
            return _last_line(run(command, clean_environment(), bound))
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as report:
            report.write(question.for_wrk())
            report.flush()
            options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{_ANSWER_SECONDS:.0f}s", "-s", report.name]
            return _last_line(run([self._wrk, *options, url], clean_environment(), bound))


def _last_line(output: str) -> tuple[Load, str]:
    return Load(**json.loads(output.strip().splitlines()[-1])), output


class _Connection:
    """One kept connection with its request under way."""

    def __init__(self, host: str, port: int, request: bytes, expected: bytes) -> None:
        self._request = request
        self._expected = expected
        self.asked: float | None = None
        self.socket = socket.create_connection((host, port), timeout=_ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        # Where the answer ends, once its head is there; a chunked one ends with its last chunk.
        self._length: int | None = None
        self._is_chunked = False
        self._status = b""

    def is_good(self) -> bool:
        """Whether the answer that is complete is one that was hoped for."""
        return self._status.startswith((b"2", b"3")) and self._expected in self._received

    def ask(self) -> None:
        self._received.clear()
        self._length, self._is_chunked = None, False
        self.asked = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> bool:
        """Takes what has come and tells whether the answer is complete."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise ConnectionError("closed")
        self._received += chunk
        if self._length is None and not self._is_chunked:
            head_end = self._received.find(b"\r\n\r\n")
            if head_end < 0:
                return False
            head = bytes(self._received[:head_end]).lower().split(b"\r\n")
            self._status = head[0].split()[1]
            headers = dict(line.split(b": ", 1) for line in head[1:] if b": " in line)
            self._is_chunked = headers.get(b"transfer-encoding") == b"chunked"
            self._length = None if self._is_chunked else head_end + 4 + int(headers.get(b"content-length", b"0"))
        return self._received.endswith(b"0\r\n\r\n") if self._length is None else len(self._received) >= self._length


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of them lies, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def ask(url: str, connections: int, seconds: float, question: Question | None = None) -> Load:
    """Asks from this process."""
    return _Asking(url, question or Question()).on(connections, seconds)


class _Asking:
    """All connections of one run, and what has come of it so far."""

    def __init__(self, url: str, question: Question) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._request = question.for_socket(self._host, self._port, parts.path or "/")
        self._expected, self._pause = question.expected.encode(), question.pause_ms / 1e3
        self._selector = selectors.DefaultSelector()
        self._took: list[float] = []
        self._errors = 0
        # Those that pause, with the time when they ask again: in order, since all pause equally long.
        self._pausing: deque[tuple[float, _Connection]] = deque()

    def on(self, connections: int, seconds: float) -> Load:
        """Asks on so many of them for so long."""
        for _ in range(connections):
            self._join()
        begin = time.perf_counter()
        end, next_look = begin + seconds, begin + 1
        while (now := time.perf_counter()) < end:
            if now >= next_look:
                next_look = now + 1
                self._give_up_the_stuck(now)
            due = self._ask_again(now)
            for key, _ in self._selector.select(min(end - now, due, 0.5)):
                self._hear(key.data)
        elapsed = time.perf_counter() - begin
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        return Load.of(self._took, elapsed, self._errors)

    def _join(self) -> None:
        connection = _Connection(self._host, self._port, self._request, self._expected)
        connection.ask()
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _hear(self, connection: _Connection) -> None:
        try:
            if not connection.receive():
                return
            now = time.perf_counter()
            if connection.asked is None:
                raise ConnectionError("an answer to nothing")
            self._took.append(now - connection.asked)
            self._errors += not connection.is_good()
            connection.asked = None
            if self._pause:
                self._pausing.append((now + self._pause, connection))
            else:
                connection.ask()
        except OSError:
            self._give_up(connection)

    def _ask_again(self, now: float) -> float:
        """Ends the pauses that are over, and tells how long the next one still is."""
        while self._pausing and self._pausing[0][0] <= now:
            _, connection = self._pausing.popleft()
            try:
                connection.ask()
            except OSError:
                self._give_up(connection)
        return max(0.0, self._pausing[0][0] - now) if self._pausing else _ANSWER_SECONDS

    def _give_up(self, connection: _Connection) -> None:
        self._errors += 1
        self._pausing = deque(entry for entry in self._pausing if entry[1] is not connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._join()

    def _give_up_the_stuck(self, now: float) -> None:
        connections: list[_Connection] = [key.data for key in self._selector.get_map().values()]
        for connection in connections:
            if connection.asked is not None and now - connection.asked > _ANSWER_SECONDS:
                self._give_up(connection)


def _main(url: str, connections: str, seconds: str, question: str = "{}") -> None:
    print(json.dumps(ask(url, int(connections), float(seconds), Question(**json.loads(question))).__dict__))


if __name__ == "__main__":
    _main(*sys.argv[1:])
