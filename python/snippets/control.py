# SPDX-License-Identifier: Apache-2.0
"""The warm parent: makes itself ready, then forks a child whenever the server asks, and tells how each one ended.

Owns: the control socket, forking into a new process namespace, reaping. It decides nothing, runs no code of anybody, and
ends with all its children as soon as the server closes the socket.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import fcntl
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from . import confine, fork_hooks, memory, output, warmup, words, worker
from .collectors import Collectors
from .deadline import Deadline
from .run import Place

_MESSAGE_BYTES: Final = 64 * 1024
_DESCRIPTORS_OF_A_FORK: Final = 3
_CLONE_NEWPID: Final = 0x2000_0000
_CLONE_THREAD: Final = 0x0001_0000
# Ours are out of the way of the numbers that children use.
_HIGH_DESCRIPTOR: Final = 20
# After so many it gains nothing more.
_REHEARSALS: Final = 20
_NO_FOLDER: Final = ""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class NotAlone(Exception):
    """A library has started a thread, which a fork would lose."""


@dataclass
class Child:
    """A run's process, as long as it is not reaped."""

    run: int
    pid: int
    handle: int


class Zygote:
    """The warm parent with its configuration, made ready to fork."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self._control = socket.socket(fileno=_lifted(configuration["control"]))
        namespace = configuration.get("pid_namespace")
        self._namespace = None if namespace is None else _lifted(namespace)
        self._rulesets = [_lifted(ruleset) for ruleset in configuration.get("rulesets", [])]
        self._own_namespace_each = bool(configuration.get("steps_before_fork"))
        self._home: str = configuration["home"]
        self._has_a_home_for_each = self._home.format(slot=0) != self._home.format(slot=1)
        self._confine: list[dict[str, Any]] = configuration["confine"]
        self._seal = configuration["seal"]
        self._prepared: dict[int, tuple[dict[str, int], list[confine.Call]]] = {}
        self._children: dict[int, Child] = {}
        self._collectors = Collectors()
        self._deadline: Deadline
        self._poll = select.poll()

    def run(self) -> NoReturn:
        """Warms up, tells the server, and serves until the server is gone."""
        began = time.monotonic()
        room = memory.gather()
        warmup.prepare_environment()
        versions = warmup.warm_up()
        warmup.forget_traces()
        fork_hooks.restore()
        self._collectors.install()
        _end_threads()
        confine.perform(confine.prepare(self._seal, {}))
        output.install()
        words.install()
        faulthandler.enable(file=2)
        # Its signal handler is there for all children.
        self._deadline = Deadline()
        # Python makes code quicker while it runs it again and again: here for all children, which would each begin anew.
        worker.rehearse_unheard(Place(_NO_FOLDER, self._deadline, memory.Reserve()), _REHEARSALS)
        if not self._has_a_home_for_each:
            worker.name_home(self._home)
        room.clear()
        memory.settle()
        python = ".".join(str(part) for part in sys.version_info[:3])
        seconds = round(time.monotonic() - began, 3)
        self._tell({"ready": {"python": python, "libraries": versions, "seconds": seconds}})
        self._serve()

    def _serve(self) -> NoReturn:
        control = self._control.fileno()
        self._poll.register(control, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == control:
                    self._hear()
                else:
                    self._reap(descriptor)

    def _hear(self) -> None:
        content, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, _DESCRIPTORS_OF_A_FORK)
        if not content:
            self._end()
        order = json.loads(content)["fork"]
        try:
            self._fork(order, descriptors)
        except OSError as error:
            self._tell({"failed": {"run": order["run"], "message": f"a process could not be forked: {error}"}})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, order: dict[str, int], descriptors: list[int]) -> None:
        told = self._order(order, descriptors)
        if self._own_namespace_each:
            _checked(_LIBC.unshare(_CLONE_NEWPID))
        try:
            pid = os.fork()
            if pid == 0:
                worker.serve(told, self._collectors)
        finally:
            self._come_back()
        handle = os.pidfd_open(pid)
        self._children[handle] = Child(order["run"], pid, handle)
        self._poll.register(handle, select.POLLIN)
        self._tell({"forked": {"run": order["run"]}}, [handle])

    def _come_back(self) -> None:
        """Lets children be born here again: the next `unshare` is refused while they are to be born elsewhere."""
        if self._own_namespace_each and _LIBC.setns(self._namespace, _CLONE_NEWPID) == -1:
            # Nothing could be forked from here on, and a new zygote can.
            print(f"the process namespace could not be entered again: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
            self._end()

    def _order(self, order: dict[str, int], descriptors: list[int]) -> worker.Order:
        channel, stdout, stderr = descriptors
        slot, uid, data_limit = order["slot"], order["uid"], order["data_limit"]
        values = {"slot": slot, "uid": uid, "gid": uid, "data_limit": data_limit}
        known, calls = self._prepared.get(slot, ({}, []))
        if known != values:
            # Made once for every slot, since its values hardly ever change.
            ruleset = {"ruleset": self._rulesets[slot % len(self._rulesets)]} if self._rulesets else {}
            calls = confine.prepare(self._confine, {**values, **ruleset})
            self._prepared[slot] = (values, calls)
        return worker.Order(
            calls=calls,
            home=self._home.format(slot=slot),
            is_home_named=not self._has_a_home_for_each,
            parent=os.getpid(),
            deadline=self._deadline,
            channel=channel,
            stdout=stdout,
            stderr=stderr,
            kept=self._rulesets,
        )

    def _reap(self, handle: int) -> None:
        child = self._children.pop(handle)
        self._poll.unregister(handle)
        os.close(handle)
        _, status, usage = os.wait4(child.pid, 0)
        ended = {
            "run": child.run,
            "status": status,
            "max_rss": usage.ru_maxrss * 1024,
            "cpu": round(usage.ru_utime + usage.ru_stime, 6),
        }
        self._tell({"ended": ended})

    def _tell(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors or [])
        except OSError:
            self._end()

    def _end(self) -> NoReturn:
        """The server is gone: nobody wants the children's answers."""
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)
        os._exit(0)


def main(descriptor: int) -> NoReturn:
    """Reads the configuration from the descriptor, and becomes the warm parent."""
    _read_nothing()
    # The terminal's interrupt is meant for the server, which ends this process in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    zygote = Zygote(_configuration(descriptor))
    try:
        zygote.run()
    except (NotAlone, confine.Refused) as error:
        print(getattr(error, "message", error), file=sys.stderr)
        os._exit(70)


def _configuration(descriptor: int) -> dict[str, Any]:
    with open(descriptor, "rb") as source:
        if source.seekable():
            source.seek(0)
        configuration: dict[str, Any] = json.load(source)
    return configuration


def _read_nothing() -> None:
    """Standard input is empty, for the parent and, unless a run brings some, for its children."""
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)


def _lifted(descriptor: int) -> int:
    """The same file under a high number that nothing inherits."""
    lifted = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH_DESCRIPTOR)
    os.close(descriptor)
    return lifted


def _end_threads() -> None:
    """Waits for threads that are about to end, and refuses to go on if one stays."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(5.0)
    # The kernel grants this only to a process of one thread, and does nothing then: it sees native threads too.
    if _LIBC.unshare(_CLONE_THREAD) == -1 and ctypes.get_errno() == errno.EINVAL:
        raise NotAlone("a library has started a thread, and a process with threads cannot be forked safely")
    if threading.active_count() > 1:
        raise NotAlone(f"these threads run, and a process with threads cannot be forked safely: {threading.enumerate()}")


def _checked(result: int) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
