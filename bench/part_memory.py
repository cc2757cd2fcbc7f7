# SPDX-License-Identifier: Apache-2.0
"""What Lithouse holds in memory without apps and with some, and what the same apps hold when they are run by hand."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from memory import Memory, family, keeper_of, of_process, of_processes, settled
from report import Section, number
from servers import Lithouse, Plain
from session import visit

_EXPLANATION = """Resident memory, after things have settled: *RSS* counts every page that is mapped in, *PSS* divides shared
ones among those who share them, *private* is what nobody shares. Every app has been visited once, under Lithouse also by
Lithouse itself, and counts with all processes that belong to it. Lithouse is freshly started, and has built the environment
where there are apps. The same apps by hand are as many `streamlit run` from that environment, at another time."""


def _mib(memory: Memory) -> list[str]:
    return [number(count / 1024**2) for count in (memory.rss, memory.pss, memory.private)]


def _median(of: Sequence[Memory]) -> Memory:
    def middle(values: list[int]) -> int:
        return round(statistics.median(values))

    return Memory(middle([m.rss for m in of]), middle([m.pss for m in of]), middle([m.private for m in of]))


class MemoryOf:
    """The memory of one server, looked at several times while it lives."""

    def __init__(self, server: Lithouse) -> None:
        self.section = Section("Memory", _EXPLANATION, ["apps", "what", "RSS, MiB", "PSS, MiB", "private, MiB"])
        self._serve = server.server.process.pid
        self._keeper = keeper_of(self._serve)

    def _note(self, apps: int, what: str, memory: Memory) -> None:
        self.section.rows.append([str(apps), what, *_mib(memory)])

    def _note_each(self, where: str, each: list[Memory]) -> None:
        self._note(len(each), f"one app {where}, median", _median(each))
        self._note(len(each), f"all apps {where}", sum(each, Memory()))

    def without_apps(self) -> None:
        """Looks before anything is deployed."""
        settled(lambda: of_processes([self._serve, self._keeper]))
        self._note(0, "`serve`", of_process(self._serve))
        self._note(0, "the keeper", of_process(self._keeper))

    def with_apps(self, pids: list[int]) -> None:
        """Looks while these apps run."""
        families = [family(pid) for pid in pids]
        of_apps = {pid for members in families for pid in members}
        settled(lambda: of_processes([self._serve, self._keeper, *of_apps]))
        self._note(len(pids), "`serve`", of_process(self._serve))
        self._note(len(pids), "the keeper", of_process(self._keeper))
        rest = set(family(self._serve)) - {self._serve, self._keeper} - of_apps
        if rest:
            self._note(len(pids), f"{len(rest)} further processes", of_processes(rest))
        self._note_each("under Lithouse", [of_processes(members) for members in families])

    def after_requests(self) -> None:
        """Looks at the server once more when it has been asked a lot."""
        self._note(1, "`serve`, after the requests above", of_process(self._serve))

    def by_hand(self, environment: Path, apps: int, say: Callable[[str], None]) -> None:
        """Looks at so many `streamlit run` at once."""
        with contextlib.ExitStack() as stack:
            running = []
            for count in range(apps):
                say(f"memory: `streamlit run` {count + 1} of {apps}")
                plain = stack.enter_context(Plain(environment).until_healthy())
                visit(plain.address)
                running.append(plain.server.process.pid)
            families = [family(pid) for pid in running]
            settled(lambda: of_processes(pid for members in families for pid in members))
            self._note_each("by hand", [of_processes(members) for members in families])
