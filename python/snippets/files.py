# SPDX-License-Identifier: Apache-2.0
"""Files of a run: those that came with it, and those it left in its working folder.

Collected inside the sandbox, by the same rights as the run had, and still with care: links are not followed, and whatever
is not a regular file of bounded size is left alone.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from typing import Any

from . import limits

Given = dict[str, int]


def put(files: list[dict[str, str]]) -> Given:
    """Writes the given files into the working folder, and remembers what was in them."""
    given = {}
    for file in files:
        name, content = file["name"], base64.b64decode(file["data"], validate=True)
        folder = os.path.dirname(name)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(name, "wb", buffering=0) as sink:
            rest = memoryview(content)
            while rest:
                rest = rest[sink.write(rest) :]
        given[os.path.normpath(name)] = hash(content)
    return given


def are_in(folder: str) -> bool:
    """Whether there is anything in the folder, or even the folder."""
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def collect(folder: str, given: Given, truncated: set[str]) -> list[dict[str, Any]]:
    """What is new or changed, by name, as far as it fits."""
    found: list[dict[str, Any]] = []
    room = limits.FILES_BYTES
    for name in sorted(_regular_files(folder, truncated)):
        shown = os.fsencode(name).decode("utf-8", "replace")
        content = None if _is_misleading(shown) else _read(os.path.join(folder, name), room)
        if content is None:
            truncated.add("files")
            continue
        if name in given and given[name] == hash(content):
            continue
        if len(found) == limits.FILES:
            truncated.add("files")
            break
        room -= len(content)
        encoded = base64.b64encode(content).decode("ascii")
        found.append({"name": shown, "size": len(content), "data": encoded})
    return found


def _is_misleading(name: str) -> bool:
    """Whether the name is another path elsewhere, or writes on a terminal: no answer may hold it."""
    return "\\" in name or any(unicodedata.category(character) == "Cc" for character in name)


def _regular_files(folder: str, truncated: set[str]) -> Iterator[str]:
    """The paths of regular files, relative to the folder, to a bounded depth and number."""
    waiting, looked_at = [("", 1)], 0
    while waiting:
        place, depth = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(os.path.join(folder, place)) as entries:
            for entry in entries:
                looked_at += 1
                if looked_at > limits.FILES_LOOKED_AT:
                    truncated.add("files")
                    return
                path = os.path.join(place, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    if depth == limits.FILE_DEPTH:
                        truncated.add("files")
                    else:
                        waiting.append((path, depth + 1))
                elif entry.is_file(follow_symlinks=False):
                    yield path


def _read(path: str, most: int) -> bytes | None:
    """The file's content, or nothing if it is larger than that, or gone, or something else by now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > most:
            return None
        chunks, size = [], 0
        while chunk := os.read(descriptor, limits.MEBIBYTE):
            size += len(chunk)
            if size > most:
                return None
            chunks.append(chunk)
        return b"".join(chunks)
    except OSError:
        return None
    finally:
        os.close(descriptor)
