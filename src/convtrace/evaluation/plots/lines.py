"""Values with intervals against a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convtrace.evaluation.plots._style import MARKERS, PALETTE, WIDTH, legend_above

__all__ = ["draw"]


def draw(data: Mapping[str, Any]) -> Figure:
    """Draw lines with intervals.

    Parameters
    ----------
    data : mapping
        ``x`` (numbers), ``xlabel``, ``ylabel``, and ``series``: each a ``name`` and ``values``,
        one (value, low, high) for each x.

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axes = figure.add_subplot()
    x = np.asarray(data["x"], dtype=float)
    place = np.arange(len(x), dtype=float)
    count = len(data["series"])
    for number, series in enumerate(data["series"]):
        values = np.asarray(series["values"], dtype=float)
        # Side by side, so that the bars of one do not hide those of another.
        shifted = place + 0.016 * len(x) * (number - (count - 1) / 2)
        axes.errorbar(
            shifted,
            values[:, 0],
            yerr=np.abs(values[:, 1:].T - values[:, 0]),
            color=PALETTE[number % len(PALETTE)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle="-" if number < len(PALETTE) else "--",
            markersize=5,
            linewidth=1.3,
            elinewidth=0.9,
            capsize=2,
            label=series["name"],
        )
    axes.axhline(0.5, color="0.55", linestyle=":", linewidth=1)
    axes.annotate(
        "chance",
        (place[0], 0.5),
        xytext=(0, -3),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color="0.35",
    )
    axes.set_xticks(place, [f"{value:g}" for value in x])
    axes.set(xlabel=data["xlabel"], ylabel=data["ylabel"])
    low = min(np.nanmin(np.asarray(one["values"], dtype=float)) for one in data["series"])
    axes.set_ylim(min(0.45, low - 0.02), 1.02)
    axes.grid(axis="y", color="0.9")
    legend_above(figure, axes, count)
    return figure
