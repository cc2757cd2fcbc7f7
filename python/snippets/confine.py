# SPDX-License-Identifier: Apache-2.0
"""Carries out the plan that confines a child: a list of raw system calls, made by the server as data.

Owns: turning the plan into calls before the fork, performing them after it, and telling which one failed. Does not own the
policy: nothing here knows what a step is for. It fails closed, since a child that could not be confined is never used.

An argument of a step is an object with one key:
    {"int": 7}                  a number
    {"bytes": "<base64>"}       a pointer to these bytes
    {"text": "tmpfs"}           a pointer to this text
    {"format": "size=1,uid={uid}"}  the same, with the values of the slot filled in
    {"slot_int": "uid"}         a number of the slot: `slot`, `uid`, `gid`, `data_limit` or `ruleset`
    {"filter": "<base64>"}      a pointer to a `struct sock_fprog` of these instructions
    {"limit": {"soft": 1, "hard": "data_limit"}}  a pointer to a `struct rlimit64`
"""

from __future__ import annotations

import base64
import ctypes
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

Values = Mapping[str, int]

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_SYSCALL: Final = _LIBC.syscall
_SYSCALL.restype = ctypes.c_long
_FILTER_INSTRUCTION: Final = 8
_ARGUMENTS: Final = 6
_CLOSE_RANGE: Final = 436
_MANY_DESCRIPTORS: Final = 4096


class Refused(Exception):
    """A step failed; nothing after it was done."""

    def __init__(self, step: str, errno: int) -> None:
        super().__init__(step, errno)
        self.step, self.errno = step, errno
        self.message = f"the step `{step}` failed: {os.strerror(errno)}"


class Call:
    """One step made ready: what it points to is kept alive with it."""

    __slots__ = ("_arguments", "_kept", "_may_fail", "name")

    def __init__(self, step: Mapping[str, Any], values: Values) -> None:
        self.name: str = step["name"]
        self._may_fail: bool = step.get("may_fail", False)
        self._kept: list[object] = []
        numbers = [self._number(argument, values) for argument in step["args"]]
        if len(numbers) > _ARGUMENTS:
            raise ValueError(f"the step `{self.name}` has {len(numbers)} arguments")
        numbers += [0] * (_ARGUMENTS - len(numbers))
        self._arguments = [ctypes.c_long(number) for number in (step["number"], *numbers)]

    def perform(self) -> None:
        """Makes the call, and raises `Refused` when the kernel says no."""
        if _SYSCALL(*self._arguments) == -1 and not self._may_fail:
            raise Refused(self.name, ctypes.get_errno())

    def _number(self, argument: Mapping[str, Any], values: Values) -> int:
        ((kind, value),) = argument.items()
        if kind == "int":
            return int(value)
        if kind == "slot_int":
            return values[value]
        if kind in {"bytes", "text", "format"}:
            return self._pointer(_bytes_of(kind, value, values))
        if kind == "filter":
            return self._filter(base64.b64decode(value, validate=True))
        if kind == "limit":
            return self._pointer(struct.pack("=QQ", _limit(value["soft"], values), _limit(value["hard"], values)))
        raise ValueError(f"the step `{self.name}` has an argument of the unknown kind `{kind}`")

    def _pointer(self, content: bytes) -> int:
        buffer = ctypes.create_string_buffer(content, max(len(content), 1))
        self._kept.append(buffer)
        return ctypes.addressof(buffer)

    def _filter(self, instructions: bytes) -> int:
        count, rest = divmod(len(instructions), _FILTER_INSTRUCTION)
        if rest:
            raise ValueError(f"the step `{self.name}` has half an instruction in its filter")
        return self._pointer(struct.pack("@HP", count, self._pointer(instructions)))


def _bytes_of(kind: str, value: str, values: Values) -> bytes:
    if kind == "bytes":
        return base64.b64decode(value, validate=True)
    text = value.format_map(values) if kind == "format" else value
    return os.fsencode(text) + b"\0"


def _limit(value: object, values: Values) -> int:
    """One side of a resource limit: a number, or the name of a slot's value."""
    return values[value] if isinstance(value, str) else int(str(value))


def close_range(first: int, last: int) -> None:
    """Closes all descriptors from the first to the last; there may be none. The call has one number on all machines."""
    if _SYSCALL(ctypes.c_long(_CLOSE_RANGE), ctypes.c_long(first), ctypes.c_long(last), ctypes.c_long(0)) == -1:
        # An outer sandbox may not know the call.
        os.closerange(first, min(last + 1, _MANY_DESCRIPTORS))


def prepare(steps: Sequence[Mapping[str, Any]], values: Values) -> list[Call]:
    """All that can be done before the fork, and once for every slot."""
    return [Call(step, values) for step in steps]


def perform(calls: Sequence[Call]) -> None:
    """Performs the calls in order. The last one takes away the right to make most others."""
    for call in calls:
        call.perform()
