# SPDX-License-Identifier: Apache-2.0
"""What libraries want done at a fork: the needless part of it is put off until a child may fork by itself.

Locks are mended that another thread may have held, and threads are forgotten that are gone. The warm parent has one thread and no
lock is held, so none of that changes anything in its forks; but what it touches has to be copied for each of them, 75 of the 900
pages that a child takes for itself. In a run's own forks all of it is done as usual.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

_NEEDLESS: Final = {"threading", "logging", "concurrent.futures.thread"}
_REGISTER: Final = os.register_at_fork
_put_off: Final[list[dict[str, Callable[[], Any]]]] = []


def put_off() -> None:
    """Called before anything is imported that has such wishes. Those of other modules are granted at once."""
    os.register_at_fork = _register  # type: ignore[assignment]


def _register(**wishes: Callable[[], Any]) -> None:
    if sys._getframe(1).f_globals.get("__name__") in _NEEDLESS:
        _put_off.append(wishes)
    else:
        _REGISTER(**wishes)


def restore() -> None:
    """Lets later wishes be granted at once, whoever has them."""
    os.register_at_fork = _REGISTER


def grant(has_another_number: bool) -> None:
    """In a child, for all forks from here on. Where the child has not the parent's process id, what knows of it is told now."""
    for wishes in _put_off:
        _REGISTER(**wishes)
    if has_another_number:
        for wishes in reversed(_put_off):
            wishes.get("before", _nothing)()
        for wishes in _put_off:
            wishes.get("after_in_child", _nothing)()


def _nothing() -> None:
    pass
