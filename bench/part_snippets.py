# SPDX-License-Identifier: Apache-2.0
"""How fast snippets are run, by Lithouse and by what a user would take instead; what the sandbox costs; what runs leave."""

from __future__ import annotations

import contextlib
import shutil
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import machine
import snippet_traces
from load import Generator, Load
from memory import Memory
from part_deploy import Bench
from processes import BenchError, wait_until
from report import Section, number, ratio, spread
from servers import BUILD_SECONDS, Lithouse
from snippet_sides import CHART, GROUP_BY, HELLO, Rivals, Service, Side, WarmInterpreter

LITHOUSE = "Lithouse"
SERVICE = "FastAPI, RestrictedPython, process pool"
COLD = "a cold interpreter"
CONFINED = "bubblewrap, a cold interpreter"
WARM = "a warm interpreter, in itself"
LEVELS = ("none", "basic", "standard", "full")
# As many wait for each worker of Lithouse before it sends others away.
_WAITING_PER_WORKER = 4
_MOST_CLIENTS = 16
_PAUSE_MS = 50
_LOAD_CLIENTS = 8

_EXPLANATION = f"""The same snippet, run over and over. *{LITHOUSE}* is `POST /execute`, every run in a process of its own that is
confined and never used again. *{SERVICE}* is the service in `bench/rivals/service.py`: workers that have imported everything and
are kept, with a restricted language and no other confinement. *{COLD}* is `bench/rivals/cold.py`, a process for every run that
imports numpy, pandas, matplotlib and plotly; *{CONFINED}* is the same within `bwrap --unshare-all`, with a read-only tree.
Both services have as many workers, and the libraries have the same versions everywhere.
`hello` prints a line; `group-by` makes a data frame of 10,000 rows and prints totals; `chart` draws two lines with a legend and
answers with a PNG of 640×480. *At rest* is a run every {_PAUSE_MS} ms, *back to back* the next as soon as the last is answered.
The last two columns say how many times as many runs Lithouse does in a second, and how many times as long a run takes without it:
above 1 Lithouse is better."""

_SANDBOX = """What each level of the sandbox costs: the same server started anew with `snippets.sandbox` set, asked for `hello`.
`none` is a fork of the warm interpreter and nothing more. Children are confined before their code comes, so what it takes
shows in the rate rather than in a run at rest."""

_TRACES = """What the server holds before and after so much load, of all three snippets in turn: at rest each time, and when
it has been ended. *PSS* divides shared pages among those who share them, *private* is what nobody shares. The processes are
the server, its keeper, the launcher, the warm Python and the parked children; mounts are those that any of them sees."""


@dataclass(frozen=True)
class Amount:
    """How much is measured of snippets."""

    rounds: int
    seconds: int
    level_rounds: int
    load_seconds: int


@dataclass(frozen=True)
class Cell:
    """One thing that every side is asked."""

    snippet: str
    clients: int
    how: str
    pause_ms: int = 0


_CODE = {"hello": HELLO, "group-by": GROUP_BY, "chart": CHART}
_CELLS = [
    *(Cell(snippet, 1, "at rest", _PAUSE_MS) for snippet in _CODE),
    *(Cell(snippet, 1, "back to back") for snippet in _CODE),
    *(Cell(snippet, clients, "back to back") for snippet in ("hello", "group-by") for clients in (4, _MOST_CLIENTS)),
]
Loads = dict[tuple[Cell, str], list[Load]]


class Snippets:
    """All that is measured of snippets, in a folder of its own."""

    def __init__(self, bench: Bench, generator: Generator, settings: Mapping[str, str]) -> None:
        self._bench = bench
        self._generator = generator
        self._workers = max(machine.cores(), _MOST_CLIENTS // _WAITING_PER_WORKER)
        self._settings = {**settings, "MAX_WORKERS": str(self._workers)}
        self.libraries: dict[str, str] = {}
        self.notes: list[str] = []
        self._places: set[Path] = set()

    def all(self, amount: Amount) -> list[Section]:
        """Measures everything and returns the tables."""
        sections = []
        with self._serving() as (server, ours):
            health = server.health()["snippets"]
            self.libraries = health["zygote"]["libraries"]
            rivals = self._rivals()
            sections.append(self._runs(ours, rivals, amount, health["level"]))
            sections.append(self._traces(server, ours, amount.load_seconds))
        self._after_the_end(sections[-1])
        sections.insert(1, self._sandbox(amount))
        sections[-1].notes += self.notes
        return sections

    @contextlib.contextmanager
    def _serving(self, level: str = "auto") -> Iterator[tuple[Lithouse, Service]]:
        """A server of ours that runs snippets already."""
        self._bench.say(f"starting the server for snippets, sandbox `{level}`")
        with self._bench.lithouse("data-snippets", {**self._settings, "LITHOUSE_SNIPPETS_SANDBOX": level}) as server:
            service = Service(self._generator, server.port)

            def ready() -> bool | None:
                server.server.check_alive()
                return service.is_ready() or None

            wait_until("the first snippet", ready, BUILD_SECONDS, pause=0.2)
            yield server, service
        self.notes += server.notes

    def _rivals(self) -> Rivals:
        self._bench.say("making the environment of the others")
        place = self._bench.work / "rivals"
        place.mkdir()
        return Rivals(self._bench.python, place, self.libraries)

    def _runs(self, ours: Service, rivals: Rivals, amount: Amount, level: str) -> Section:
        """All sides in turn, the first one of a round being another in the next."""
        with rivals.service(self._workers) as service, rivals.warm(CHART) as warm:
            confined = rivals.confined()
            sides: dict[str, Side] = {LITHOUSE: ours, SERVICE: service.until_ready(self._generator), COLD: rivals.cold()}
            if confined is not None:
                sides[CONFINED] = confined
            loads, drawn = self._measure(sides, warm, amount)
        section = _runs_section(loads, list(sides))
        section.notes += _chart_notes(loads, drawn)
        if confined is None:
            section.notes.append("bubblewrap is not installed here, and was skipped: `apt-get install bubblewrap` brings it.")
        section.notes += [
            f"The sandbox of Lithouse: `{level}`. Workers: {self._workers} each, so that {_MOST_CLIENTS} clients can wait.",
            f"Rounds, in which the sides take turns: {amount.rounds}, of {amount.seconds} s for each side.",
            f"The services were asked by {self._generator.describe()}; processes were started by a thread for each client, "
            "which had few runs in that time: their p95 and p99 are the slowest or nearly so.",
            f"The one who asks and all that answers share the {machine.cores()} cores of the machine.",
        ]
        return section

    def _measure(self, sides: Mapping[str, Side], warm: WarmInterpreter, amount: Amount) -> tuple[Loads, list[Load]]:
        self._bench.say("snippets, to warm up")
        for code in _CODE.values():
            for name in (LITHOUSE, SERVICE):
                sides[name].load(code, 2, 1)
        loads: Loads = defaultdict(list)
        drawn, names = [], list(sides)
        for turn in range(amount.rounds):
            order = names[turn % len(names) :] + names[: turn % len(names)]
            for cell in _CELLS:
                self._bench.say(f"snippets, round {turn + 1} of {amount.rounds}: {cell.snippet}, {cell.clients}, {cell.how}")
                for name in order:
                    if cell.pause_ms and name in {COLD, CONFINED}:
                        # A pause changes nothing for them.
                        continue
                    loads[cell, name].append(sides[name].load(_CODE[cell.snippet], cell.clients, amount.seconds, cell.pause_ms))
                if cell == Cell("chart", 1, "back to back"):
                    drawn.append(warm.load(amount.seconds))
        return loads, drawn

    def _traces(self, server: Lithouse, ours: Service, seconds: int) -> Section:
        """Before and after a lot of runs."""
        pid = server.server.process.pid
        section = Section("Snippets: what they leave behind", _TRACES, ["what", "before", f"after {seconds} s of load"])
        before = snippet_traces.settled(pid)
        parked = snippet_traces.of_parked(pid)
        self._places = snippet_traces.places_of(snippet_traces.Processes.of(pid).parked)
        self._bench.say(f"snippets, {seconds} s of load")
        runs = sum(ours.load(code, _LOAD_CLIENTS, max(1, seconds // len(_CODE))).requests for code in _CODE.values())
        after = snippet_traces.settled(pid)
        counts = {"parked": "children parked", "descriptors": "open descriptors of the server", "cgroups": "control groups"}
        for name in ("processes", "parked", "descriptors", "mounts", "cgroups"):
            section.rows.append([counts.get(name, name), str(getattr(before, name)), str(getattr(after, name))])
        for what, first, last in (
            ("memory of the server", before.serve, after.serve),
            ("memory of the warm Python", before.zygote, after.zygote),
        ):
            section.rows.append([f"{what}, private, MiB", _mib(first.private), _mib(last.private)])
            section.rows.append([f"{what}, PSS, MiB", _mib(first.pss), _mib(last.pss)])
        for what, of in (("PSS", _pss), ("private", _private)):
            cells = [_mib(statistics.median(map(of, found))) for found in (parked, snippet_traces.of_parked(pid)) if found]
            if len(cells) == 2:
                section.rows.append([f"one parked child, {what}, MiB", *cells])
        section.notes.append(f"{runs:,} runs, of {_LOAD_CLIENTS} clients.")
        return section

    def _after_the_end(self, section: Section) -> None:
        left = sum(len(snippet_traces.slots(place)) for place in self._places)
        processes = "none" if not self.notes else "see below"
        section.notes.append(f"After the end of the server: processes {processes}, control groups {left or 'none'}.")

    def _sandbox(self, amount: Amount) -> Section:
        """The levels one after the other, and again."""
        found: dict[str, list[tuple[Load, Load]]] = defaultdict(list)
        refused: dict[str, str] = {}
        for turn in range(amount.level_rounds):
            for level in LEVELS[turn % len(LEVELS) :] + LEVELS[: turn % len(LEVELS)]:
                if level in refused:
                    continue
                try:
                    with self._serving(level) as (_, service):
                        service.load(HELLO, 2, 1)
                        rest = service.load(HELLO, 1, amount.seconds, _PAUSE_MS)
                        found[level].append((rest, service.load(HELLO, 4, amount.seconds)))
                except BenchError as error:
                    refused[level] = str(error).splitlines()[0]
        head = ["level", "p50 at rest, ms", "runs/s, 4 clients", "p50, 4 clients, ms", "time at rest : `none`", "runs/s : `none`"]
        section = Section("Snippets: what the sandbox costs", _SANDBOX, head)
        for level in LEVELS:
            if level in refused:
                section.notes.append(f"`{level}` could not be measured here: {refused[level]}")
                continue
            rests, fulls = zip(*found[level], strict=True)
            compared = ["–", "–"]
            if level != "none" and "none" in found:
                base_rests, base_fulls = zip(*found["none"], strict=True)
                compared = [
                    ratio([load.p50_ms for load in rests], [load.p50_ms for load in base_rests]),
                    ratio([load.rate for load in fulls], [load.rate for load in base_fulls]),
                ]
            rates = spread([load.rate for load in fulls])
            middles = [spread([load.p50_ms for load in of]) for of in (rests, fulls)]
            section.rows.append([f"`{level}`", middles[0], rates, middles[1], *compared])
        section.notes.append(f"Rounds: {amount.level_rounds}, each with a server for every level.")
        shutil.rmtree(self._bench.work / "data-snippets", ignore_errors=True)
        return section


def _pss(memory: Memory) -> int:
    return memory.pss


def _private(memory: Memory) -> int:
    return memory.private


def _mib(count: float) -> str:
    return number(count / 1024**2)


def _runs_section(loads: Loads, names: list[str]) -> Section:
    head = [
        "snippet",
        "clients",
        "how",
        "of",
        "runs/s",
        "p50, ms",
        "p95, ms",
        "p99, ms",
        "Lithouse's runs/s : its",
        "its p50 : Lithouse's",
    ]
    section = Section("Snippets", _EXPLANATION, head)
    for cell in _CELLS:
        ours = loads[cell, LITHOUSE]
        for name in names:
            found = loads[cell, name]
            if not found:
                continue
            compared = ["–", "–"]
            if name != LITHOUSE:
                compared = [
                    ratio([load.rate for load in ours], [load.rate for load in found]),
                    ratio([load.p50_ms for load in found], [load.p50_ms for load in ours]),
                ]
            if cell.pause_ms:
                # The pause decides on the rate.
                compared[0] = "–"
            times = [spread([getattr(load, part) for load in found]) for part in ("p50_ms", "p95_ms", "p99_ms")]
            rate = "–" if cell.pause_ms else spread([load.rate for load in found])
            section.rows.append([cell.snippet, str(cell.clients), cell.how, name, rate, *times, *compared])
    failed = {name: sum(load.errors for key, of in loads.items() if key[1] == name for load in of) for name in names}
    wrong = ", ".join(f"{count} of {name}" for name, count in failed.items() if count)
    section.notes.append(f"Runs that failed: {wrong}." if wrong else "No run failed.")
    return section


def _chart_notes(loads: Loads, drawn: list[Load]) -> list[str]:
    """The chart over HTTP beside drawing it where nothing is sent, started or confined."""
    inside = [load.p50_ms for load in drawn]
    notes = [f"The chart drawn in {WARM}: p50 {spread(inside)} ms."]
    for how, pause in (("at rest", _PAUSE_MS), ("back to back", 0)):
        over_http = [load.p50_ms for load in loads[Cell("chart", 1, how, pause), LITHOUSE]]
        notes.append(f"Lithouse's chart, {how}, over HTTP, takes {ratio(over_http, inside)} times as long as that.")
    return notes
