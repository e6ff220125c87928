"""Figures of experiments, one module a kind: readable at page width, safe for the colour-blind.

A kind is a function from the data of a `convtrace.evaluation.experiments.Plot` to a figure.
A new one is one module and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from convtrace.evaluation.experiments.base import Plot
from convtrace.evaluation.plots import (
    confusion,
    curves,
    dots,
    kernels,
    lines,
    scatter,
    spectra,
)
from convtrace.evaluation.plots._style import PALETTE, WIDTH, written

__all__ = ["KINDS", "PALETTE", "WIDTH", "draw", "written"]

KINDS: Mapping[str, Callable[[Mapping[str, Any]], Figure]] = {
    "confusion": confusion.draw,
    "dots": dots.draw,
    "kernels": kernels.draw,
    "lines": lines.draw,
    "roc": curves.draw,
    "scatter": scatter.draw,
    "spectra": spectra.draw,
}
"""How each kind is drawn."""


def draw(plot: Plot) -> Figure:
    """Draw what a plot shows.

    Parameters
    ----------
    plot : Plot
        Of an experiment's result.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> data = {"x": [3, 5], "xlabel": "size (pixels)", "ylabel": "accuracy",
    ...         "series": [{"name": "SVM", "values": [(0.8, 0.7, 0.9), (0.9, 0.8, 1.0)]}]}
    >>> draw(Plot("sizes", "lines", "Accuracy against size.", data)).axes[0].get_ylabel()
    'accuracy'
    """
    return KINDS[plot.kind](plot.data)
