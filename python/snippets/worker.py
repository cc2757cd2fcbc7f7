# SPDX-License-Identifier: Apache-2.0
"""A child from its fork to its run: takes its descriptors, is confined, waits for the code, and serves one run.

Everything that can be done before the code comes is done before `parked` is said.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from . import confine, errors, fork_hooks, words
from .channel import DESCRIPTOR, Channel, Closed
from .collectors import Collectors
from .deadline import Deadline
from .memory import Reserve
from .run import Place, Run, rehearse

# What a child that could not be confined exits with: a software fault, as in `sysexits.h`.
_REFUSED = 70
_LAST_DESCRIPTOR = 2**31 - 1


@dataclass(frozen=True)
class Order:
    """What a child is told by its parent at the fork."""

    calls: Sequence[confine.Call]
    home: str
    # Whether the environment names this home already.
    is_home_named: bool
    # The parent's process id, as it sees itself.
    parent: int
    deadline: Deadline
    channel: int
    stdout: int
    stderr: int
    # Descriptors of the parent that the plan needs, and closes.
    kept: Sequence[int]


def serve(order: Order, collectors: Collectors) -> NoReturn:
    """Never returns to the parent's code, whatever happens."""
    code, has_begun = 1, False
    try:
        channel = _take_descriptors(order)
        try:
            confine.perform(order.calls)
            folder = _go_home(order)
        except confine.Refused as refusal:
            told = {"step": refusal.step, "errno": refusal.errno, "message": refusal.message}
            channel.send({"refused": told})
            os._exit(_REFUSED)
        except OSError as error:
            channel.send({"refused": {"step": "working folder", "errno": error.errno or 0, "message": str(error)}})
            os._exit(_REFUSED)
        place = _become_oneself(folder, order)
        channel.send({"parked": {}})
        request = channel.receive()["run"]
        has_begun = True
        Run(request, channel, collectors, place).perform()
    except Closed:
        code = 0
    except BaseException as error:
        if has_begun:
            words.say_our_own(error)
        else:
            sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _take_descriptors(order: Order) -> Channel:
    os.dup2(order.stdout, 1)
    os.dup2(order.stderr, 2)
    if order.channel == DESCRIPTOR:
        os.set_inheritable(DESCRIPTOR, False)
    else:
        os.dup2(order.channel, DESCRIPTOR, inheritable=False)
    first = DESCRIPTOR + 1
    for kept in (*sorted(order.kept), _LAST_DESCRIPTOR + 1):
        if first < kept:
            confine.close_range(first, kept - 1)
        first = kept + 1
    # Away from the parent's group, so that whatever the run starts can be found by its own.
    os.setsid()
    return Channel()


def _go_home(order: Order) -> str:
    """Enters the working folder, which the plan has made where there is one."""
    work, scratch = f"{order.home}/work", _scratch(order.home)
    try:
        os.stat(scratch)
        os.chdir(work)
    except FileNotFoundError:
        for folder in (work, scratch):
            os.makedirs(folder, exist_ok=True)
        os.chdir(work)
    if not order.is_home_named:
        name_home(order.home)
    return work


def name_home(home: str) -> None:
    """Tells programs of the home, by the names that they look for: once for all children where they have the same."""
    os.environ["HOME"], os.environ["TMPDIR"] = home, _scratch(home)


def _scratch(home: str) -> str:
    return f"{home}/tmp"  # noqa: S108 - in the run's own home.


def _become_oneself(folder: str, order: Order) -> Place:
    """What a fork of a warm interpreter has in common with its siblings, and must not."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        # With a number of this size it takes a fifth of the time that it takes without; 32 bits are no secret, nor meant to be.
        numpy_random.seed(int.from_bytes(os.urandom(4), "little"))
    # It seeds its own names by the process id, and every child is process 1 of its namespace, as the parent is.
    tempfile._name_sequence = None  # type: ignore[attr-defined]
    tempfile.tempdir = None
    errors.work_folder = folder
    sys.path.insert(0, folder)
    sys.argv = ["snippet.py"]
    sys.orig_argv = ["python", "snippet.py"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fork_hooks.grant(has_another_number=os.getpid() != order.parent)
    place = Place(folder, order.deadline, Reserve())
    rehearse_unheard(place)
    gc.enable()
    return place


def rehearse_unheard(place: Place, times: int = 1) -> None:
    """Rehearses a run; what it says goes nowhere."""
    nowhere, stdout = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), os.dup(1)
    os.dup2(nowhere, 1)
    for _ in range(times):
        rehearse(Channel(nowhere), place)
    os.dup2(stdout, 1)
    os.close(stdout)
    os.close(nowhere)
