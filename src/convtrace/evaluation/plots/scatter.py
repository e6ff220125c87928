"""Points of two coordinates: a panel for each group, the others in grey behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convtrace.evaluation.plots._style import GREY, PALETTE, grid, short

__all__ = ["draw"]


def draw(data: Mapping[str, Any]) -> Figure:
    """Draw a map in small panels: no palette holds eighteen colours that all can tell apart.

    Parameters
    ----------
    data : mapping
        ``points``, pairs of numbers; ``groups``: each a ``name`` and ``rows``, indices of
        points; ``labels`` of the two axes, empty where they have no meaning.

    Returns
    -------
    Figure
    """
    points = np.asarray(data["points"], dtype=float)
    groups = data["groups"]
    figure, panels = grid(len(groups), height=1.5)
    low, high = np.quantile(points, [0.002, 0.998], axis=0)
    margin = 0.04 * (high - low)
    for axes, group in zip(panels, groups, strict=True):
        rows = np.asarray(group["rows"], dtype=int)
        axes.scatter(*points.T, s=1.0, color=GREY, linewidths=0, rasterized=True)
        storage = str(group["name"]).startswith("stored")
        axes.scatter(
            *points[rows].T, s=3.0, color=PALETTE[1 if storage else 0], linewidths=0,
            rasterized=True,
        )  # fmt: skip
        name = short(group["name"])
        axes.set_title(f"{name} ({len(rows)})", fontsize=7, pad=3)
        axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
        axes.set_xticks([])
        axes.set_yticks([])
    across, up = data["labels"]
    if across:
        figure.supxlabel(across, fontsize=8.5)
        figure.supylabel(up, fontsize=8.5)
    return figure
