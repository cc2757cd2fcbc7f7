# SPDX-License-Identifier: Apache-2.0
"""Standard output, error and input of a run.

What was written is in the pipe the moment `print` returns: a run may be killed at any instant, and native code that writes
to the descriptors keeps its place. It costs one system call for every write, 2 to 3 µs for a printed line.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import os
import sys
import tempfile
from typing import cast


def _unbuffered(descriptor: int, name: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    raw.name = name
    # Half characters, which no reader of UTF-8 takes, are shown escaped: a print is no place to fail for them.
    stream = io.TextIOWrapper(cast(io.BufferedWriter, raw), encoding="utf-8", errors="backslashreplace", write_through=True)
    stream.mode = "w"  # type: ignore[misc]
    return stream


def install() -> None:
    """Gives Python its three streams and C its unbuffered output. Once, before the fork: descriptors are named by number."""
    sys.stdout = sys.__stdout__ = _unbuffered(1, "<stdout>")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _unbuffered(2, "<stderr>")  # type: ignore[misc]
    source = io.BufferedReader(io.FileIO(0, "r", closefd=False))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(source, encoding="utf-8", errors="replace")  # type: ignore[misc]
    with contextlib.suppress(ValueError, OSError):
        libc = ctypes.CDLL(None)
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 2, 0)  # `_IONBF` is 2 in every libc of Linux.


def give_input(text: str) -> None:
    """Makes the text what the run reads: a file without a name in place of `/dev/null`."""
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(text.encode("utf-8", "replace"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.dup2(descriptor, 0)
    os.close(descriptor)


_FFLUSH = ctypes.CDLL(None).fflush


def flush() -> None:
    """Writes out what the run left in its own buffers, whatever it did to its streams."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        # A stream may be anything by now, and raise anything.
        with contextlib.suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    with contextlib.suppress(Exception):
        _FFLUSH(None)


def flush_files() -> None:
    """Writes out the files that the run left open, as the end of an interpreter would."""
    for found in gc.get_objects():
        if type(found) in {io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom}:
            with contextlib.suppress(Exception):
                found.flush()
