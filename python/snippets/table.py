# SPDX-License-Identifier: Apache-2.0
"""A small HTML table of cells that are plain JSON already. Everything is escaped: cells are text of strangers."""

from __future__ import annotations

import html as markup
import json
from typing import Any

from . import limits

_HEAD = '<table class="dataframe"><thead><tr><th></th>'
_TAIL = "</tbody></table>"
_MORE = "<tr><th>…</th></tr>"


def html(columns: list[str], index: list[Any], data: list[list[Any]], most: int) -> str:
    """The first rows, as many as fit into `most` bytes."""
    head = f"{_HEAD}{''.join(f'<th>{_escaped(name)}</th>' for name in columns)}</tr></thead><tbody>"
    room = most - len(head.encode("utf-8", "replace")) - len(_MORE.encode()) - len(_TAIL)
    if room < 0:
        return ""
    rows, is_cut = [], len(data) > limits.HTML_ROWS
    for label, cells in zip(index[: limits.HTML_ROWS], data, strict=False):
        row = f"<tr><th>{_text(label)}</th>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"
        room -= len(row.encode("utf-8", "replace"))
        if room < 0:
            is_cut = True
            break
        rows.append(row)
    return f"{head}{''.join(rows)}{_MORE if is_cut else ''}{_TAIL}"


def _text(cell: Any) -> str:
    """The cell as a person reads it."""
    if cell is None:
        return "NaN"
    if isinstance(cell, float):
        return _float(cell)
    if isinstance(cell, str):
        return _escaped(cell)
    return _escaped(str(cell) if isinstance(cell, (bool, int)) else json.dumps(cell, ensure_ascii=False))


def _float(value: float) -> str:
    """Six digits after the point at most, as pandas prints it; very small and very large numbers with an exponent."""
    if value == 0 or 1e-4 <= abs(value) < 1e15:
        whole, _, rest = f"{value:.6f}".partition(".")
        return f"{whole}.{rest.rstrip('0') or '0'}"
    return f"{value:.6g}"


def _escaped(text: str) -> str:
    return markup.escape(text, quote=True)
