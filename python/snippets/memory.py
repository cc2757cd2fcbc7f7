# SPDX-License-Identifier: Apache-2.0
"""The memory of the warm parent, laid out so that a fork copies little.

A fork copies page tables, 4 KiB a page. Pages of 2 MiB need 512 times less of them, and objects that the collector never
visits again are never written to.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import sys
from typing import Final

_HUGE_PAGE_SHIFT: Final = 21
_COLLAPSE: Final = 25  # MADV_COLLAPSE, since Linux 6.1.


# Python asks for its objects' memory by the mebibyte, and is given what is free between libraries: no huge page fits into that.
_TOGETHER_BYTES: Final = 64 * 1024 * 1024
# The largest block that it cuts from such a mebibyte, and fewer of them than make one.
_BLOCK_BYTES: Final = 512
_BLOCKS_HELD_OF: Final = 1500

# Enough to describe an error and a few variables.
_RESERVE_BYTES: Final = 16 * 1024 * 1024


class Reserve:
    """Memory that counts towards the limit but is never touched: let go when a run has used up all the rest."""

    def __init__(self) -> None:
        self._pages = mmap.mmap(-1, _RESERVE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def release(self) -> None:
        """Gives it back; a second time there is nothing to give."""
        self._pages.close()


def gather() -> list[bytes]:
    """Called before anything large is imported: what follows lies together in one piece of memory, as long as that has room.

    What is returned holds the room. Once that is dropped, what was not needed of it goes back to the machine.
    """
    content = _BLOCK_BYTES - sys.getsizeof(b"")
    # A list that grew would come to lie in between.
    blocks = [b""] * (_TOGETHER_BYTES // _BLOCK_BYTES)
    for place in range(len(blocks)):
        blocks[place] = bytes(content)
    return blocks[::_BLOCKS_HELD_OF]


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
