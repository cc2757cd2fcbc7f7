# SPDX-License-Identifier: Apache-2.0
"""Turns what was measured into text: medians with their spread, ratios, and tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Section:
    """One table with what it takes to read it."""

    title: str
    explanation: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The section as text: the columns have one width, so that it reads well on a terminal too."""
        widths = [max(len(row[column]) for row in [self.head, *self.rows]) for column in range(len(self.head))]
        # Words stand to the left and figures to the right; a column of figures has digits in all its rows.
        is_figures = [
            bool(self.rows) and all(row[column][:1].isdigit() or row[column] == "–" for row in self.rows)
            for column in range(len(self.head))
        ]

        def line(cells: Sequence[str]) -> str:
            placed = zip(cells, widths, is_figures, strict=True)
            return "| " + " | ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in placed) + " |"

        rules = ["-" * (width + 1) + (":" if right else "-") for width, right in zip(widths, is_figures, strict=True)]
        table = "\n".join([line(self.head), f"|{'|'.join(rules)}|", *(line(row) for row in self.rows)])
        notes = "".join(f"\n- {note}" for note in self.notes)
        return f"## {self.title}\n\n{self.explanation}\n\n{table}\n" + (f"{notes}\n" if notes else "")


def number(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.3f}"


def spread(values: Sequence[float]) -> str:
    """The median, with the least and the most where there is more than one."""
    if not values:
        return "–"
    median = number(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({number(min(values))}–{number(max(values))})"


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> str:
    """The median of the ratios round by round where both were measured in the same rounds, else the ratio of the medians."""
    if not numerators or not denominators:
        return "–"
    if len(numerators) == len(denominators):
        return spread([above / below for above, below in zip(numerators, denominators, strict=True)])
    return number(statistics.median(numerators) / statistics.median(denominators))
