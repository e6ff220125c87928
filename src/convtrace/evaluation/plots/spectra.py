"""Frequency responses as heat maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convtrace.evaluation.plots._style import grid, short

__all__ = ["draw"]


def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the responses on one scale.

    Parameters
    ----------
    data : mapping
        ``panels``: each a ``name``, a ``count`` and ``values``, log10 of the response from -0.5
        to 0.5 cycles a pixel both ways.

    Returns
    -------
    Figure
    """
    panels = data["panels"]
    values = np.array([one["values"] for one in panels], dtype=float)
    low, high = np.quantile(values, [0.01, 0.999])
    figure, cells = grid(len(panels), height=1.65)
    shown: Any = None
    for axes, panel, one in zip(cells, panels, values, strict=True):
        shown = axes.imshow(
            one, cmap="cividis", vmin=low, vmax=high, extent=(-0.5, 0.5, -0.5, 0.5), origin="lower"
        )
        name = short(panel["name"])
        axes.set_title(f"{name}\n({panel['count']})", fontsize=7.5, pad=3)
        axes.set_xticks([-0.5, 0, 0.5])
        axes.set_yticks([-0.5, 0, 0.5])
        axes.tick_params(labelsize=6.5, length=2, pad=1)
        axes.label_outer()
    bar = figure.colorbar(shown, ax=cells, fraction=0.02, aspect=45, pad=0.01)
    bar.set_label("log10 of what the prediction error keeps", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.supxlabel("horizontal frequency (cycles a pixel)", fontsize=8)
    figure.supylabel("vertical frequency (cycles a pixel)", fontsize=8)
    return figure
