# SPDX-License-Identifier: Apache-2.0
"""The stream between a child and the server: frames of a little-endian length (32 bits) and as many bytes of JSON."""

from __future__ import annotations

import json
import os
import struct
import threading
from typing import Any

from . import limits

DESCRIPTOR = 3
_HEADER = struct.Struct("<I")


class Closed(Exception):
    """The server is gone, or wants nothing more of this child."""


def encode(message: dict[str, Any]) -> bytes:
    """The message as one frame. Half characters (lone surrogates), which JSON readers refuse, become `?`."""
    body = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(body) > limits.FRAME_TO_SERVER:
        raise ValueError(f"a message of {len(body)} bytes is too long")
    return _HEADER.pack(len(body)) + body


class Channel:
    """The child's end. A frame is never cut by the time-out: whoever interrupts is told, and looks again afterwards."""

    def __init__(self, descriptor: int = DESCRIPTOR) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def receive(self) -> dict[str, Any]:
        """Waits for one frame."""
        (length,) = _HEADER.unpack(self._read(_HEADER.size))
        if length > limits.FRAME_FROM_SERVER:
            raise ValueError(f"a frame of {length} bytes is too long")
        message: dict[str, Any] = json.loads(self._read(length))
        return message

    def send(self, message: dict[str, Any]) -> None:
        """Sends one frame, whole, whichever thread it comes from."""
        frame = memoryview(encode(message))
        with self._lock:
            while frame:
                frame = frame[os.write(self._descriptor, frame) :]

    def is_sending(self) -> bool:
        """Whether a frame is on its way, in this thread or another."""
        return self._lock.locked()

    def _read(self, length: int) -> bytes:
        chunks = []
        while length:
            chunk = os.read(self._descriptor, min(length, limits.MEBIBYTE))
            if not chunk:
                raise Closed
            chunks.append(chunk)
            length -= len(chunk)
        return b"".join(chunks)
