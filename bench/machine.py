# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on and with, in one line each."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from processes import BenchError, clean_environment, run


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> str:
    """The machine."""
    model, memory = platform.machine(), 0.0
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            memory = int(line.split()[1]) / 1024**2
    kernel = ".".join(os.uname().release.split(".")[:2])
    return f"{cores()} cores ({model}), {memory:.0f} GiB of memory, Linux {kernel}"


def load() -> float:
    """How many processes wanted a core in the last minute."""
    return os.getloadavg()[0]


def version(program: str | Path, *arguments: str) -> str:
    """What a program answers when it is asked for its version, or that it is not there."""
    if shutil.which(program) is None:
        return "none in PATH"
    try:
        return run([program, *arguments], clean_environment(), 20).split("\n")[0].split(" from ")[0].strip()
    except BenchError:
        return "unknown"
