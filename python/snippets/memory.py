# SPDX-License-Identifier: Apache-2.0
"""The memory of the warm parent, laid out so that a fork copies little.

A fork copies page tables, 4 KiB a page. Pages of 2 MiB need 512 times less of them, and objects that the collector never
visits again are never written to.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
from typing import Final

_HUGE_PAGE_SHIFT: Final = 21
_COLLAPSE: Final = 25  # MADV_COLLAPSE, since Linux 6.1.


# Enough to describe an error and a few variables.
_RESERVE_BYTES: Final = 16 * 1024 * 1024


class Reserve:
    """Memory that counts towards the limit but is never touched: let go when a run has used up all the rest."""

    def __init__(self) -> None:
        self._pages = mmap.mmap(-1, _RESERVE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def release(self) -> None:
        """Gives it back; a second time there is nothing to give."""
        self._pages.close()


def settle() -> None:
    """Called once, when all is warm."""
    gc.collect()
    blocks = {id(thing) >> _HUGE_PAGE_SHIFT for thing in gc.get_objects()}
    gc.freeze()
    # The collector would write to what it visits; every child switches it on again for itself.
    gc.disable()
    libc = ctypes.CDLL(None)
    for block in blocks:
        # Refused for whatever is no whole huge page of private memory, by older kernels, and where the machine forbids it.
        start = ctypes.c_void_p(block << _HUGE_PAGE_SHIFT)
        libc.madvise(start, ctypes.c_size_t(1 << _HUGE_PAGE_SHIFT), _COLLAPSE)
