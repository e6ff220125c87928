"""Receiver operating characteristics with bands, a panel each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convtrace.evaluation.plots._style import PALETTE, grid, short

__all__ = ["draw"]


def draw(data: Mapping[str, Any]) -> Figure:
    """Draw ROC curves.

    Parameters
    ----------
    data : mapping
        ``curves``: each a ``name``, ``counts``, and ``x``, ``y``, ``low``, ``high``.

    Returns
    -------
    Figure
    """
    figure, panels = grid(len(data["curves"]), height=1.95, columns=4, sharex=True, sharey=True)
    for axes, curve in zip(panels, data["curves"], strict=True):
        x, y = np.asarray(curve["x"]), np.asarray(curve["y"])
        area = float(np.trapezoid(y, x))
        axes.fill_between(x, curve["low"], curve["high"], color=PALETTE[0], alpha=0.25, linewidth=0)
        axes.plot(x, y, color=PALETTE[0], linewidth=1.4)
        axes.plot([0, 1], [0, 1], color="0.55", linestyle=":", linewidth=1)
        name = short(curve["name"])
        axes.set_title(f"{name}\n{curve['counts']}", fontsize=7)
        axes.annotate(f"AUC {area:.3f}", (0.95, 0.06), ha="right", fontsize=8)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.tick_params(labelsize=7)
        axes.set_xticks([0, 0.5, 1])
        axes.set_yticks([0, 0.5, 1])
        axes.label_outer()
    figure.supxlabel("share of the real called generated", fontsize=8.5)
    figure.supylabel("share of the generated called so", fontsize=8.5)
    return figure
