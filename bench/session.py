# SPDX-License-Identifier: Apache-2.0
"""One headless visit: opens the WebSocket of a Streamlit app, asks for the page, and reads until its script is over.

The wire format is written down in `python/README.md`; only the few fields that tell the end and an exception are read.
"""

from __future__ import annotations

import base64
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import BinaryIO

from processes import BenchError
from servers import Address

# `BackMsg { rerun_script: ClientState {} }`
_RERUN = b"\x5a\x00"
_FINAL, _OPCODE, _CLOSE, _PONG, _PING = 0x80, 0x0F, 0x8, 0xA, 0x9
_DELTA, _SCRIPT_FINISHED, _ELEMENT, _EXCEPTION = 5, 6, 3, 8
_PATIENCE_SECONDS = 60.0


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of one protobuf message, in order, up to the first byte that makes no sense."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = 0
        for shift in range(0, 70, 7):
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number that does not end")

    try:
        while at < len(message):
            tag = varint()
            kind = tag & 7
            if kind == 0:
                yield tag >> 3, varint()
                continue
            length = {1: 8, 5: 4}.get(kind) or (varint() if kind == 2 else -1)
            if length < 0 or at + length > len(message):
                return
            yield tag >> 3, message[at : at + length]
            at += length
    except (IndexError, ValueError):
        return


def has_ended(message: bytes) -> bool:
    """Whether this message of the app says that the script is over; fails when the page shows an exception instead."""
    for number, value in fields(message):
        if number == _DELTA and isinstance(value, bytes):
            for inner, element in fields(value):
                if inner == _ELEMENT and isinstance(element, bytes) and any(n == _EXCEPTION for n, _ in fields(element)):
                    raise BenchError("the page shows an exception instead of the app")
        if number == _SCRIPT_FINISHED:
            if value != 0:
                raise BenchError("the app's script does not compile")
            return True
    return False


def _frame(opcode: int, content: bytes) -> bytes:
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))
    return bytes([_FINAL | opcode, 0x80 | len(content)]) + mask + masked


def _exactly(stream: BinaryIO, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise BenchError("the app closed the session before its script was over")
    return content


def _messages(stream: BinaryIO, connection: socket.socket) -> Iterator[bytes]:
    pieces: list[bytes] = []
    while True:
        first, second = _exactly(stream, 2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", _exactly(stream, 2))
        elif length == 127:
            (length,) = struct.unpack("!Q", _exactly(stream, 8))
        content = _exactly(stream, length)
        opcode = first & _OPCODE
        if opcode == _PING:
            connection.sendall(_frame(_PONG, content))
        elif opcode == _CLOSE:
            raise BenchError("the app closed the session before its script was over")
        elif opcode != _PONG:
            pieces.append(content)
            if first & _FINAL:
                yield b"".join(pieces)
                pieces.clear()


def visit(address: Address) -> None:
    """Opens the page and returns when its script is over."""
    end = time.monotonic() + _PATIENCE_SECONDS
    request = [
        f"GET {address.path}_stcore/stream HTTP/1.1",
        f"Host: 127.0.0.1:{address.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: streamlit",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]
    with socket.create_connection(("127.0.0.1", address.port), timeout=_PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall("\r\n".join([*request, "", ""]).encode())
        with connection.makefile("rb") as stream:
            status = stream.readline()
            if b" 101 " not in status:
                raise BenchError(f"the WebSocket was not opened: {status.decode(errors='replace').strip()}")
            while stream.readline() not in (b"\r\n", b""):
                pass
            connection.sendall(_frame(0x2, _RERUN))
            for message in _messages(stream, connection):
                if has_ended(message):
                    connection.sendall(_frame(_CLOSE, struct.pack("!H", 1000)))
                    return
                if time.monotonic() > end:
                    raise BenchError(f"the app's script was not over after {_PATIENCE_SECONDS:.0f} s")
