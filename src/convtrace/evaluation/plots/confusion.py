"""Confusion matrices: shares of each row as shade, counts as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convtrace.evaluation.plots._style import WIDTH, short

__all__ = ["draw"]


def draw(data: Mapping[str, Any]) -> Figure:
    """Draw a confusion matrix.

    Parameters
    ----------
    data : mapping
        ``names``, and ``counts`` with a row for each truth and a column for each answer.

    Returns
    -------
    Figure
    """
    counts = np.asarray(data["counts"])
    names = [short(name) for name in data["names"]]
    small = len(names) <= 4
    size = (4.2, 2.6) if small else (WIDTH, 0.32 * len(names) + 1.9)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    total = counts.sum(axis=1)
    share = counts / np.maximum(total, 1)[:, None]
    shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), count in np.ndenumerate(counts):
        if count:
            shade = "white" if share[i, j] > 0.55 else "black"
            axes.text(j, i, f"{count}", ha="center", va="center", color=shade, fontsize=8)
    turned: dict[str, Any] = {}
    if not small:
        turned = {"rotation": 50, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, fontsize=8, **turned)
    axes.set_yticks(
        range(len(names)),
        [f"{name} ({n})" for name, n in zip(names, total, strict=True)],
        fontsize=8,
    )
    axes.set_xlabel("called", fontsize=9)
    axes.set_ylabel("truth (pictures)", fontsize=9)
    bar = figure.colorbar(shown)
    bar.set_label("share of the row", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure
