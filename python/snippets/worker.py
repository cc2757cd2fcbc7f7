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

from . import confine, errors, words
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
            folder = _go_home(order.home)
        except confine.Refused as refusal:
            told = {"step": refusal.step, "errno": refusal.errno, "message": refusal.message}
            channel.send({"refused": told})
            os._exit(_REFUSED)
        except OSError as error:
            channel.send({"refused": {"step": "working folder", "errno": error.errno or 0, "message": str(error)}})
            os._exit(_REFUSED)
        place = _become_oneself(folder)
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


def _go_home(home: str) -> str:
    """Enters the working folder, which the plan has made where there is one."""
    work, scratch = f"{home}/work", f"{home}/tmp"  # noqa: S108 - in the run's own home.
    for folder in (work, scratch):
        if not os.path.isdir(folder):
            os.makedirs(folder)
    os.chdir(work)
    os.environ["HOME"], os.environ["TMPDIR"] = home, scratch
    return work


def _become_oneself(folder: str) -> Place:
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
    place = Place(folder, Deadline(), Reserve())
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
