"""A bar chart as numbers for an SVG: the server draws it, so it needs no script and no style in the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDE, HIGH, GAP = 10, 100, 2  # units of the drawing: a bar with its gap, the tallest bar, the gap


class Bar(NamedTuple):
    """One bar, with its corner and size in the drawing's units."""

    label: str
    value: int  # centavos
    x: int
    y: int
    width: int
    height: int


class Chart(NamedTuple):
    """Bars side by side, as tall as their values."""

    bars: list[Bar]
    highest: int  # centavos
    total: int
    width: int
    height: int
    ends: tuple[str, str, str]  # labels of the first, the middle and the last bar


def draw(values: Sequence[tuple[str, int]]) -> Chart:
    """The chart of (label, centavos). What is not zero can be seen."""
    highest = max(value for _, value in values)
    bars = []
    for number, (label, value) in enumerate(values):
        height = max(round(HIGH * value / highest), 2) if value > 0 else 0
        bars.append(Bar(label, value, number * WIDE, HIGH - height, WIDE - GAP, height))
    labels = [bar.label for bar in bars]
    ends = (labels[0], labels[len(labels) // 2], labels[-1])
    return Chart(bars, highest, sum(bar.value for bar in bars), len(bars) * WIDE - GAP, HIGH, ends)
