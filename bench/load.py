# SPDX-License-Identifier: Apache-2.0
"""Asks one URL over and over on kept connections and tells how often and how fast it was answered.

`wrk` does it where it is installed; otherwise this file does, run as a process of its own so that nothing but the asking takes
its time. One request is under way on each connection at any moment, with either.

    load.py URL CONNECTIONS SECONDS
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
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from processes import BenchError, clean_environment, run

# How long an answer may take before it counts as an error.
_ANSWER_SECONDS = 10.0
_ATTEMPTS = 3
_WRK_REPORT = """
done = function(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What one run has shown."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int

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

    def measure(self, url: str, connections: int, seconds: int) -> Load:
        """Asks for so long on so many connections; once more where not one answer came, which is counted."""
        for _ in range(_ATTEMPTS):
            load, output = self._ask(url, connections, seconds)
            if load.requests > 0:
                return load
            self.silent += 1
        raise BenchError(f"not one request was answered in {_ATTEMPTS} attempts:\n{output}")

    def _ask(self, url: str, connections: int, seconds: int) -> tuple[Load, str]:
        bound = seconds + 3 * _ANSWER_SECONDS
        if self._wrk is None:
            command: list[str | Path] = [sys.executable, Path(__file__).resolve(), url, str(connections), str(seconds)]
            return _last_line(run(command, clean_environment(), bound))
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as report:
            report.write(_WRK_REPORT)
            report.flush()
            options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{_ANSWER_SECONDS:.0f}s", "-s", report.name]
            return _last_line(run([self._wrk, *options, url], clean_environment(), bound))


def _last_line(output: str) -> tuple[Load, str]:
    return Load(**json.loads(output.strip().splitlines()[-1])), output


class _Connection:
    """One kept connection with its request under way."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self._request = request
        self.socket = socket.create_connection((host, port), timeout=_ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        # Where the answer ends, once its head is there; a chunked one ends with its last chunk.
        self._length: int | None = None
        self._is_chunked = False
        self.status = b""

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
            self.status = head[0].split()[1]
            headers = dict(line.split(b": ", 1) for line in head[1:] if b": " in line)
            self._is_chunked = headers.get(b"transfer-encoding") == b"chunked"
            self._length = None if self._is_chunked else head_end + 4 + int(headers.get(b"content-length", b"0"))
        return self._received.endswith(b"0\r\n\r\n") if self._length is None else len(self._received) >= self._length


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of them lies, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def ask(url: str, connections: int, seconds: float) -> Load:
    """Asks from this process."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    took: list[float] = []
    errors = 0
    selector = selectors.DefaultSelector()

    def join() -> None:
        connection = _Connection(host, port, request)
        connection.ask()
        selector.register(connection.socket, selectors.EVENT_READ, connection)

    def give_up(connection: _Connection) -> None:
        nonlocal errors
        errors += 1
        selector.unregister(connection.socket)
        connection.socket.close()
        join()

    for _ in range(connections):
        join()
    begin = time.perf_counter()
    end, next_look = begin + seconds, begin + 1
    while (now := time.perf_counter()) < end:
        if now >= next_look:
            next_look = now + 1
            for stuck in [key.data for key in selector.get_map().values() if now - key.data.asked > _ANSWER_SECONDS]:
                give_up(stuck)
        for key, _ in selector.select(min(end - now, 0.5)):
            connection: _Connection = key.data
            try:
                if connection.receive():
                    took.append(time.perf_counter() - connection.asked)
                    errors += not connection.status.startswith((b"2", b"3"))
                    connection.ask()
            except OSError:
                give_up(connection)
    elapsed = time.perf_counter() - begin
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    if not took:
        return Load(0, elapsed, 0, 0, errors)
    return Load(len(took), elapsed, percentile(took, 0.5) * 1e3, percentile(took, 0.99) * 1e3, errors)


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])).__dict__))
