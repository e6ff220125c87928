"""Mean kernels as heat maps, each with its spread beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, SymLogNorm
from matplotlib.figure import Figure

from convtrace.evaluation.plots._style import WIDTH, short

__all__ = ["draw"]

_COLUMNS = 3


def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the kernels.

    Parameters
    ----------
    data : mapping
        ``panels``: each a ``name``, a ``count``, and ``mean`` and ``spread``, N x N numbers.

    Returns
    -------
    Figure
    """
    panels = data["panels"]
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    means = np.array([one["mean"] for one in panels])
    spreads = np.array([one["spread"] for one in panels])
    # The nearest neighbours weigh fifty times what the corners do.
    top = float(np.abs(means).max())
    mean_scale = SymLogNorm(linthresh=top / 50, vmin=-top, vmax=top)
    positive = spreads[spreads > 0]
    spread_scale = LogNorm(float(np.quantile(positive, 0.05)), float(positive.max()))
    figure = Figure(figsize=(WIDTH, 1.36 * rows + 0.75), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.36 * rows, 0.7))
    above, below = parts
    axes = above.subplots(rows, 2 * columns, squeeze=False)
    reach = means.shape[1] // 2
    extent = (-reach - 0.5, reach + 0.5, reach + 0.5, -reach - 0.5)
    shown: list[Any] = [None, None]
    for one in axes.ravel():
        one.set_visible(False)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left, right = axes[row, 2 * column], axes[row, 2 * column + 1]
        shown[0] = left.imshow(means[number], cmap="PuOr", norm=mean_scale, extent=extent)
        spread = np.where(spreads[number] > 0, spreads[number], np.nan)
        shown[1] = right.imshow(spread, cmap="cividis", norm=spread_scale, extent=extent)
        name = short(panel["name"])
        left.set_title(f"{name} ({panel['count']})", fontsize=7.5, loc="left", pad=3)
        for one in (left, right):
            one.set_visible(True)
            one.set_xticks([-reach, 0, reach])
            one.set_yticks([-reach, 0, reach])
            one.tick_params(labelsize=6, length=2, pad=1)
        right.set_yticklabels([])
    above.supylabel("offset of the neighbour (pixels)", fontsize=8)
    for cell, mappable, label in zip(
        below.subplots(1, 2), shown, ("mean weight of the neighbour", "its standard deviation"),
        strict=True,
    ):  # fmt: skip
        bar = figure.colorbar(mappable, cax=cell, orientation="horizontal")
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.ax.minorticks_off()
    return figure
