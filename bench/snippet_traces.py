# SPDX-License-Identifier: Apache-2.0
"""What a server that runs snippets holds at one moment: processes, descriptors, mounts, cgroups, memory.

Looked at before and after a lot of runs, it shows what they have left behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from memory import Memory, children, family, of_process, of_processes
from processes import BenchError

_CGROUPS = Path("/sys/fs/cgroup")
_SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class Processes:
    """The processes that snippets need, by their part."""

    serve: int
    # The launcher, which becomes or holds the warm Python, with the warm Python itself.
    zygotes: list[int]
    parked: list[int]

    @classmethod
    def of(cls, serve: int) -> Processes:
        """Found by what they are the children of: a parked child is a fork, and looks like its parent."""
        zygotes, parked = [], []
        for launcher in children(serve):
            if "snippet-zygote" not in _command(launcher):
                continue
            warm = [child for child in children(launcher) if "zygote.py" in _command(child)]
            zygotes += [launcher, *warm]
            parked += [child for zygote in warm for child in family(zygote)[1:]]
        return cls(serve, zygotes, parked)


@dataclass(frozen=True)
class Traces:
    """What there is at one moment."""

    processes: int
    parked: int
    descriptors: int
    mounts: int
    cgroups: int
    serve: Memory
    zygote: Memory

    @classmethod
    def of(cls, serve: int) -> Traces:
        """Looks now."""
        found = Processes.of(serve)
        return cls(
            processes=len(family(serve)),
            parked=len(found.parked),
            descriptors=len(list(Path(f"/proc/{serve}/fd").iterdir())),
            # Those of the server, and those of all who have a tree of their own.
            mounts=sum(_lines(Path(f"/proc/{pid}/mountinfo")) for pid in (serve, *found.zygotes, *found.parked)),
            cgroups=sum(len(slots(place)) for place in places_of(found.parked)),
            serve=of_process(serve),
            zygote=of_processes(found.zygotes),
        )


def settled(serve: int) -> Traces:
    """What there is once as many children are parked as a moment before, and no more processes come or go."""

    def look() -> tuple[int, int] | None:
        try:
            return len(family(serve)), len(Processes.of(serve).parked)
        except OSError:
            return None

    _until_same(look)
    return Traces.of(serve)


def of_parked(serve: int) -> list[Memory]:
    """The memory of each parked child."""
    return [of_process(pid) for pid in Processes.of(serve).parked]


def _until_same(look: Callable[[], tuple[int, int] | None]) -> None:
    end, last, since = time.monotonic() + _SETTLE_SECONDS, None, time.monotonic()
    while time.monotonic() < end:
        now = look()
        if now is None or now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 1.0:
            return
        time.sleep(0.1)
    raise BenchError("the processes of the server do not come to rest")


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines())


def places_of(parked: list[int]) -> set[Path]:
    """The folders of control groups that hold the groups of slots."""
    places = set()
    for pid in parked:
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            # The hierarchy of version 2 has no name; beside others it is mounted in a folder of its own.
            for mounted in (controllers,) if controllers else ("unified", ""):
                folder = _CGROUPS / mounted / path.strip("/")
                if folder.name.startswith("slot-") and folder.is_dir():
                    places.add(folder.parent)
    return places


def slots(place: Path) -> list[Path]:
    """The groups of slots in a folder; none where it is gone."""
    return list(place.glob("slot-*"))
