# SPDX-License-Identifier: Apache-2.0
"""The smallest zygote that speaks the contract: it forks, its children confine themselves, and then do what an attacker would.

It performs plans with code of its own, so that the tests of the sandbox need nothing of the service that uses it.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import gc
import json
import os
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

Json = dict[str, Any]

CLONE_NEWPID = 0x20000000
LIBC = ctypes.CDLL(None, use_errno=True)
CHANNEL = 3


def syscall(number: int, *arguments: object) -> int:
    """Makes a raw call; raises what it answers."""
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    LIBC.syscall.restype = ctypes.c_long
    answer = LIBC.syscall(ctypes.c_long(number), *words)
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(answer)


def attempt(work: Callable[[], object]) -> str:
    """Tells how it went: `done`, or the name of the error."""
    try:
        work()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except (MemoryError, ValueError, RuntimeError) as error:
        return type(error).__name__
    return "done"


class Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def argument(arg: Json, values: Json, held: list[object]) -> object:
    """What a call is given for one argument of a step."""
    ((kind, value),) = arg.items()
    if kind == "int":
        return ctypes.c_long(value)
    if kind == "slot_int":
        return ctypes.c_long(values[value])
    if kind == "limit":
        bounds = [values["data_limit"] if bound == "data_limit" else bound for bound in (value["soft"], value["hard"])]
        data = struct.pack("=QQ", *bounds)
    elif kind in ("bytes", "filter"):
        data = base64.b64decode(value)
    elif kind == "format":
        for name in ("slot", "uid", "gid", "data_limit"):
            value = value.replace("{" + name + "}", str(values[name]))
        data = value.encode() + b"\0"
    else:
        data = value.encode() + b"\0"
    buffer = ctypes.create_string_buffer(data, len(data))
    held.append(buffer)
    if kind == "filter":
        program = Filter(len(data) // 8, ctypes.addressof(buffer))
        held.append(program)
        return ctypes.byref(program)
    return buffer


def perform(steps: list[Json], values: Json) -> Json | None:
    """Performs a plan; tells the step that failed. `durations` in the values collects the microseconds of each."""
    LIBC.syscall.restype = ctypes.c_long
    for step in steps:
        if step["name"] in values.get("skip", []):
            continue
        held: list[object] = []
        arguments = [argument(arg, values, held) for arg in step["args"]]
        begin = time.perf_counter_ns()
        answer = LIBC.syscall(ctypes.c_long(step["number"]), *arguments)
        values["durations"].append([step["name"], (time.perf_counter_ns() - begin) / 1000])
        if answer < 0 and not step["may_fail"]:
            return {"step": step["name"], "errno": ctypes.get_errno(), "message": os.strerror(ctypes.get_errno())}
    return None


def send_frame(descriptor: int, value: object) -> None:
    """Writes one frame of the channel."""
    body = json.dumps(value).encode()
    view = memoryview(struct.pack("<I", len(body)) + body)
    while view:
        view = view[os.write(descriptor, view) :]


def receive_frame(descriptor: int) -> Json:
    """Reads one frame of the channel; ends the process at its end."""

    def exactly(length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = os.read(descriptor, length - len(data))
            if not part:
                os._exit(0)
            data += part
        return data

    (length,) = struct.unpack("<I", exactly(4))
    return cast(Json, json.loads(exactly(length)))


def child(handover: Json, order: Json, descriptors: list[int]) -> None:
    """Confines itself, parks, and does what it is told."""
    for source, target in zip(descriptors, (CHANNEL, 1, 2), strict=True):
        os.dup2(source, target)
    home = handover["home"].replace("{slot}", str(order["slot"]))
    rulesets = handover["rulesets"]
    ruleset = (rulesets[order["slot"]] if len(rulesets) > 1 else rulesets[0]) if rulesets else -1
    values = {"gid": order["uid"], "ruleset": ruleset, **order, "durations": []}
    os.environ.clear()
    os.environ.update({"HOME": home, "TMPDIR": f"{home}/tmp"})
    failed = perform(handover["confine"], values)
    if failed:
        send_frame(CHANNEL, {"refused": failed})
        os._exit(70)
    send_frame(CHANNEL, {"parked": {}})
    run = receive_frame(CHANNEL)["run"]
    names = {
        "os": os,
        "ctypes": ctypes,
        "LIBC": LIBC,
        "syscall": syscall,
        "attempt": attempt,
        "HOME": home,
        "DURATIONS": values["durations"],
        "found": None,
        "__name__": "__main__",
    }
    try:
        exec(compile(run["code"], "snippet.py", "exec"), names)
        result = {"found": names["found"]}
    except BaseException:
        result = {"raised": traceback.format_exc()}
    send_frame(CHANNEL, {"result": result})
    os._exit(0)


def fork(control: socket.socket, handover: Json, order: Json, descriptors: list[int]) -> None:
    """Forks one child, which is the first of its own pid namespace where there are any."""
    if handover["steps_before_fork"] and LIBC.unshare(CLONE_NEWPID):
        message = {"failed": {"run": order["run"], "message": os.strerror(ctypes.get_errno())}}
        control.send(json.dumps(message).encode())
        return
    # It stays to be taken hold of, however soon it ends; afterwards nobody has to take note of its end.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        child(handover, order, descriptors)
    if handover["steps_before_fork"] and LIBC.setns(handover["pid_namespace"], CLONE_NEWPID):
        raise OSError(ctypes.get_errno(), "setns")
    pidfd = os.pidfd_open(pid)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    socket.send_fds(control, [json.dumps({"forked": {"run": order["run"]}}).encode()], [pidfd])
    os.close(pidfd)


def main() -> None:
    """Serves forks until the control socket ends."""
    environment = dict(os.environ)
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as file:
        handover = json.load(file)
    control = socket.socket(fileno=handover["control"])
    Path(os.environ["CACHE"], "warm").write_text("written while warming up", encoding="utf-8")
    failed = perform(handover["seal"], {"durations": []})
    if failed:
        control.send(json.dumps({"launch_failed": failed}).encode())
        return
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": {"environment": environment}}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 3)
        if not message:
            return
        fork(control, handover, json.loads(message)["fork"], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


main()
