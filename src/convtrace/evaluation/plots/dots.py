"""Values with intervals by name, several series a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convtrace.evaluation.plots._style import MARKERS, PALETTE, WIDTH, legend_above, short

__all__ = ["draw"]


def draw(data: Mapping[str, Any]) -> Figure:
    """Draw dots with intervals.

    Parameters
    ----------
    data : mapping
        ``rows`` (names), ``xlabel``, and ``series``: each a ``name`` and ``values``, one
        (value, low, high) for each row.

    Returns
    -------
    Figure
    """
    rows, count = list(data["rows"]), len(data["series"])
    height = max(0.24, 0.1 * count) * len(rows) + 1.2
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    place = np.arange(len(rows), dtype=float)
    for row in range(0, len(rows), 2):
        axes.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=0)
    for number, series in enumerate(data["series"]):
        values = np.asarray(series["values"], dtype=float)
        axes.errorbar(
            values[:, 0],
            place + (number - (count - 1) / 2) * 0.8 / count,
            xerr=np.abs(values[:, 1:].T - values[:, 0]),
            color=PALETTE[number % len(PALETTE)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle="none",
            markersize=4.5,
            elinewidth=0.9,
            label=series["name"],
        )
    axes.axvline(0.5, color="0.55", linestyle=":", linewidth=1)
    axes.set_yticks(place, [short(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(f"{data['xlabel']}; dotted: chance")
    axes.tick_params(labelsize=8)
    legend_above(figure, axes, count)
    return figure
