# SPDX-License-Identifier: Apache-2.0
"""What processes hold in memory, as the kernel counts it in `/proc/PID/smaps_rollup`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from processes import BenchError

_SETTLE_SECONDS = 15.0
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Memory:
    """Bytes: all that is mapped in; the same with shared pages divided among those who share; what nobody shares."""

    rss: int = 0
    pss: int = 0
    private: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss + other.rss, self.pss + other.pss, self.private + other.private)


def of_process(pid: int) -> Memory:
    """The memory of one process."""
    counts: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, rest = line.split(":", 1)
        counts[name] = int(rest.split()[0]) * 1024
    return Memory(counts["Rss"], counts["Pss"], counts["Private_Clean"] + counts["Private_Dirty"])


def of_processes(pids: Iterable[int]) -> Memory:
    """The memory of several, added up."""
    return sum((of_process(pid) for pid in pids), Memory())


def children(pid: int) -> list[int]:
    """The processes that this one is the parent of."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name may hold spaces and brackets; the parent is the second word after its last bracket.
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def family(pid: int) -> list[int]:
    """A process with everything below it."""
    return [pid, *(member for child in children(pid) for member in family(child))]


def keeper_of(serve: int) -> int:
    """The keeper that this server has started."""
    for child in children(serve):
        if b"keeper" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
            return child
    raise BenchError("the server has no keeper")


def settled(read: Callable[[], Memory]) -> Memory:
    """What is read once it changes by less than a hundredth in half a second."""
    end, last = time.monotonic() + _SETTLE_SECONDS, read()
    while time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)
        now = read()
        if abs(now.pss - last.pss) * 100 < last.pss:
            return now
        last = now
    return last
