# SPDX-License-Identifier: Apache-2.0
"""Large bodies in both directions, through the proxy and by the API: how long they take, and what the server holds of them."""

from __future__ import annotations

import contextlib
import http.client
import io
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from part_deploy import Bench
from processes import BenchError, wait_until
from report import Section, ratio, spread
from servers import Lithouse

_BLOCK = 1 << 16
_SECONDS = 300.0
# A server of the standard library that gives and takes as much as it is asked to.
_APP = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    block = bytes(1 << 16)

    def do_GET(self):
        left = int(self.path.rpartition('/')[2] or 0)
        self.send_response(200)
        self.send_header('Content-Length', str(left))
        self.end_headers()
        while left > 0:
            left -= self.wfile.write(self.block[:left])

    def do_POST(self):
        left = int(self.headers['Content-Length'])
        while left > 0:
            left -= len(self.rfile.read(min(left, 1 << 16)))
        self.send_response(204)
        self.end_headers()

http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"""
_CONFIGURATION = "[apps.bodies]\ndir = {folder!r}\ncommand = \"exec '{python}' -S serve.py\"\n"

_EXPLANATION = """Bodies of {size} MiB on one connection. *Down* and *up* go to an app that gives and takes bytes
(`http.server` of Python), asked through Lithouse and on its own port; *bundle* is a zip of that size sent to `POST
/api/apps`, until the answer: it is received, synced to the disk, unpacked and checked; *file* is one file of it, read back.
*Memory* is how far the peak of `serve` went above what it held before. The ratio compares with the app's own port: of the
time, so less is better."""


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    rounds: int
    size: int


@dataclass
class Transfer:
    """Seconds, and the growth of the server's peak in bytes, round by round."""

    seconds: list[float]
    grown: list[float]


class Peak:
    """How far the peak of a process goes above what it holds now."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        # Begins the peak anew; a kernel that lacks it tells the peak since the start, which is only more.
        with contextlib.suppress(OSError):
            (self._folder / "clear_refs").write_text("5")
        self._before = self._bytes("VmRSS")

    def grown(self) -> int:
        """How far it went since."""
        return max(self._bytes("VmHWM") - self._before, 0)

    def _bytes(self, name: str) -> int:
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise BenchError(f"the kernel does not tell `{name}`")


def send(port: int, path: str, body: Iterator[bytes], length: int, kind: str = "application/octet-stream") -> bytes:
    """Sends a body piece by piece, and returns the answer's."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)) as connection:
        connection.request("POST", path, body, {"Content-Type": kind, "Content-Length": str(length)})
        answer = connection.getresponse()
        content = answer.read()
    if not 200 <= answer.status < 300:
        raise BenchError(f"POST {path} answered {answer.status}: {content.decode(errors='replace')}")
    return content


def receive(port: int, path: str) -> int:
    """Reads an answer's body piece by piece, and returns its length."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise BenchError(f"GET {path} answered {answer.status}")
        buffer, length = bytearray(_BLOCK), 0
        while count := answer.readinto(buffer):
            length += count
    return length


def blocks(length: int) -> Iterator[bytes]:
    """So many bytes."""
    block = bytes(_BLOCK)
    for left in range(length, 0, -_BLOCK):
        yield block[:left]


def form(archive: Path) -> tuple[Callable[[], Iterator[bytes]], int, str]:
    """A form with the archive as its bundle: its pieces, its length and its type."""
    head = b'--edge\r\nContent-Disposition: form-data; name="bundle"; filename="b.zip"\r\n\r\n'
    tail = b"\r\n--edge--\r\n"

    def pieces() -> Iterator[bytes]:
        yield head
        with archive.open("rb") as file:
            while piece := file.read(_BLOCK):
                yield piece
        yield tail

    return pieces, len(head) + archive.stat().st_size + len(tail), "multipart/form-data; boundary=edge"


def pack(archive: Path, length: int) -> None:
    """Makes a bundle with one large file, stored as it is."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as made:
        made.writestr("app.py", "print(1)\n")
        made.writestr("requirements.txt", "")
        with made.open("large", "w") as file:
            for block in blocks(length):
                file.write(block)


def measure(bench: Bench, amount: Amount) -> Section:
    """Measures all of it on a server of its own."""
    data = bench.work / "data-bodies"
    folder = data / "of-bodies"
    folder.mkdir(parents=True)
    (folder / "serve.py").write_text(_APP)
    (data / "lithouse.toml").write_text(_CONFIGURATION.format(folder=str(folder), python=bench.python))
    archive = bench.work / "large.zip"
    pack(archive, amount.size)
    found: dict[tuple[str, str], Transfer] = defaultdict(lambda: Transfer([], []))
    with bench.lithouse(data.name, {}) as server:
        port = int(server.until_running("bodies")["port"])
        wait_until("the app to answer", lambda: receive(port, "/1") or None, 30)
        for turn in range(amount.rounds):
            bench.say(f"large bodies, round {turn + 1} of {amount.rounds}")
            _round(server, port, archive, amount.size, found)
        notes = server.notes
    archive.unlink()
    return section(found, amount, notes)


def _round(server: Lithouse, port: int, archive: Path, size: int, found: dict[tuple[str, str], Transfer]) -> None:
    def take(what: str, by: str, act: Callable[[], object]) -> None:
        peak, begin = Peak(server.server.process.pid), time.perf_counter()
        act()
        found[what, by].seconds.append(time.perf_counter() - begin)
        found[what, by].grown.append(float(peak.grown()))

    def down(port: int, path: str) -> None:
        if receive(port, path) != size:
            raise BenchError(f"GET {path} ended early")

    for by, where, prefix in (("Lithouse", server.port, "/apps/bodies/"), ("the app's port", port, "/")):
        take("down", by, partial(down, where, f"{prefix}{size}"))
        take("up", by, partial(send, where, f"{prefix}taken", blocks(size), size))
    pieces, length, kind = form(archive)
    made = io.BytesIO()
    take("bundle", "Lithouse", lambda: made.write(send(server.port, "/api/apps", pieces(), length, kind)))
    app = server.app_of(made.getvalue())
    take("file", "Lithouse", lambda: down(server.port, f"/api/apps/{app}/files/large"))
    server.remove(app)


def section(found: dict[tuple[str, str], Transfer], amount: Amount, notes: list[str]) -> Section:
    """The table."""
    head = ["what", "by", "s", "MiB/s", "memory, MiB", "ratio of s"]
    made = Section("Large bodies", _EXPLANATION.format(size=amount.size >> 20), head)
    for (what, by), transfer in found.items():
        is_ours = by == "Lithouse"
        base = found.get((what, "the app's port"))
        rates = [(amount.size / 1024**2) / seconds for seconds in transfer.seconds]
        grown = spread([count / 1024**2 for count in transfer.grown]) if is_ours else "–"
        compared = ratio(transfer.seconds, base.seconds) if is_ours and base else "–"
        made.rows.append([what, by, spread(transfer.seconds), spread(rates), grown, compared])
    made.notes.append(f"Rounds, in which they take turns: {amount.rounds}. The one who asks is Python too, and shares the cores.")
    made.notes += notes
    return made
