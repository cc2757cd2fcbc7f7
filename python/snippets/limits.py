# SPDX-License-Identifier: Apache-2.0
"""How much of a run is kept, in one place. The server checks the same bounds again, since it trusts no child."""

from __future__ import annotations

from typing import Final

MEBIBYTE: Final = 1024 * 1024

# The largest frame from the server (code, files and standard input) and to it (the result).
FRAME_FROM_SERVER: Final = 64 * MEBIBYTE
FRAME_TO_SERVER: Final = 48 * MEBIBYTE

# The shares of one result's frame. Their sum stays below `FRAME_TO_SERVER`, so that a result is never refused for its size.
CHARTS_ENCODED: Final = 20 * MEBIBYTE
FRAMES_ENCODED: Final = 10 * MEBIBYTE
VARIABLES_ENCODED: Final = 4 * MEBIBYTE

CHARTS: Final = 32
CHART_BYTES: Final = 8 * MEBIBYTE
CHART_PIXELS: Final = 25_000_000
PLOTLY_WIDTH: Final = 700
PLOTLY_HEIGHT: Final = 450
PLOTLY_SIDE: Final = 100_000

FRAMES: Final = 32
FRAME_ROWS: Final = 1_000
FRAME_COLUMNS: Final = 200
FRAME_ENCODED: Final = 4 * MEBIBYTE
CELL_CHARACTERS: Final = 1_000
HTML_ROWS: Final = 100
HTML_BYTES: Final = 512 * 1024

VARIABLES: Final = 200
VALUE_CHARACTERS: Final = 10_000
REPR_CHARACTERS: Final = 1_000
NAME_CHARACTERS: Final = 200
DEPTH: Final = 8
# Integers beyond this are not exact in JavaScript and many other readers of JSON: they are written as strings.
EXACT_INTEGER: Final = 2**53

FILES: Final = 32
FILES_BYTES: Final = 8 * MEBIBYTE
FILE_DEPTH: Final = 4
FILES_LOOKED_AT: Final = 10_000

MESSAGE_CHARACTERS: Final = 10_000
TRACEBACK_CHARACTERS: Final = 64 * 1024
# Of a line of source in a traceback.
SOURCE_CHARACTERS: Final = 500
