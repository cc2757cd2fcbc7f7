# SPDX-License-Identifier: Apache-2.0
"""What a server costs that knows many apps which are stopped: memory, processor time, its start, and what is asked of all apps."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from memory import Memory, keeper_of, of_process, settled
from part_deploy import Bench
from processes import BenchError
from report import Section, number, spread
from servers import Lithouse, ask_once

_TICKS = os.sysconf("SC_CLK_TCK")
_COST = """Every app is stopped. *RSS* is resident memory after things have settled, *CPU* the processor time of both processes over
{idle} s in which nobody asks for anything, in percent of one core. *Start* is from the start of the program to the whole answer
of `/api/apps`, with a keeper that has to be started too; *listens* is when its address was told."""
_ASKED = "One request on a connection of its own, answered whole, and the command line with its start: the median of {rounds}."


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    counts: tuple[int, ...]
    starts: int
    idle_seconds: int
    rounds: int


class Many:
    """The measurements, one data folder a number of apps."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._cost: list[list[str]] = []
        self._asked: list[list[str]] = []

    def all(self, amount: Amount) -> list[Section]:
        """Measures every number of apps."""
        for count in amount.counts:
            self._bench.say(f"{count} apps that are stopped")
            self._of(count, amount)
        head = ["apps", "`serve` RSS, MiB", "keeper RSS, MiB", "both PSS, MiB", "CPU, %", "listens, ms", "start, ms"]
        cost = Section("Known apps that are stopped", _COST.format(idle=amount.idle_seconds), head, self._cost)
        asked = Section("Questions about all apps", _ASKED.format(rounds=amount.rounds), ["apps", "what", "ms", "KiB"], self._asked)
        return [cost, asked]

    def _of(self, count: int, amount: Amount) -> None:
        data = self._bench.work / f"data-many-{count}"
        with self._server(data):
            pass
        fill(data, count)
        # The first start after the filling writes what people look for into each app's folder.
        with self._server(data) as (server, _):
            self._check(server, count)
        listens, starts = [], []
        for _ in range(amount.starts):
            begin = time.monotonic()
            with self._server(data) as (server, listened):
                self._check(server, count)
                starts.append((time.monotonic() - begin) * 1000)
                listens.append((listened - begin) * 1000)
        with self._server(data) as (server, _):
            self._idle(server, count, amount, listens, starts)
            self._ask(server, count, amount.rounds)

    @contextmanager
    def _server(self, data: Path) -> Iterator[tuple[Lithouse, float]]:
        server = Lithouse(self._bench.binary, self._bench.python, data, {})
        listened = time.monotonic()
        with server:
            yield server, listened
        for note in server.notes:
            self._bench.say(f"odd: {note}")

    @staticmethod
    def _check(server: Lithouse, count: int) -> None:
        seen = server.api("GET", "/apps")["apps"]
        if len(seen) != count or any(app["status"] != "stopped" for app in seen):
            raise BenchError(f"{count} stopped apps were put in, and the server tells of {len(seen)}: {seen[:1]}")

    def _idle(self, server: Lithouse, count: int, amount: Amount, listens: list[float], starts: list[float]) -> None:
        serve = server.server.process.pid
        both = [serve, keeper_of(serve)]
        memory: list[Memory] = []

        def look() -> Memory:
            memory[:] = [of_process(pid) for pid in both]
            return sum(memory, Memory())

        settled(look)
        before = sum(map(_processor_seconds, both))
        time.sleep(amount.idle_seconds)
        used = sum(map(_processor_seconds, both)) - before
        mib = [number(value / 1024**2) for value in (memory[0].rss, memory[1].rss, memory[0].pss + memory[1].pss)]
        self._cost.append([str(count), *mib, f"{used / amount.idle_seconds * 100:.2f}", spread(listens), spread(starts)])

    def _ask(self, server: Lithouse, count: int, rounds: int) -> None:
        environment = {**os.environ, "LITHOUSE_DATA": str(server.data)}
        for path in ("/api/apps", "/"):
            body = ask_once(server.port, "GET", path)[1]
            self._note(count, f"`GET {path}`", rounds, len(body), lambda path=path: ask_once(server.port, "GET", path))
        command = [str(self._bench.binary), "status"]
        said = _output(command, environment)
        self._note(count, "`lithouse status`", rounds, len(said), lambda: _output(command, environment))

    def _note(self, count: int, what: str, rounds: int, size: int, ask: Callable[[], object]) -> None:
        times = []
        for _ in range(rounds):
            begin = time.monotonic()
            ask()
            times.append((time.monotonic() - begin) * 1000)
        self._asked.append([str(count), what, spread(times), number(size / 1024)])


def _output(command: list[str], environment: dict[str, str]) -> bytes:
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, timeout=60).stdout


def _processor_seconds(pid: int) -> float:
    """The processor time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def fill(data: Path, count: int) -> None:
    """Puts stopped apps into a data folder whose server has ended: rows, and the folders with their files."""
    now = 1_790_000_000_000
    apps, releases = [], []
    for index in range(count):
        app, key = f"{index:016x}", f"app-{index:04}"
        folder = data / "apps" / app / "releases" / "1"
        folder.mkdir(parents=True)
        (folder / "app.py").write_text("import streamlit as st\nst.write('hello')\n")
        (folder / "requirements.txt").write_text("streamlit\n")
        apps.append((app, key, f"App number {index}", f"What people look at on day {index}", "x" * 64, now + index))
        releases.append((app, now + index))
    with closing(sqlite3.connect(data / "lithouse.db")) as base, base:
        base.executemany(
            "INSERT INTO apps (id, key, name, description, origin, desired, active, head, cookie_secret, created_at)"
            " VALUES (?, ?, ?, ?, 'deployed', 'stopped', 1, 1, ?, ?)",
            apps,
        )
        base.executemany(
            "INSERT INTO releases (app, number, state, served, entry, environment, created_at)"
            " VALUES (?, 1, 'ready', 1, 'app.py', NULL, ?)",
            releases,
        )
