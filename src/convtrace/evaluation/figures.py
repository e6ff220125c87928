"""Plots of results: readable at page width, safe for the colour-blind, with counts on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from convtrace.batch import replacing

__all__ = ["confusion_figure", "roc_figure", "save"]

# Okabe and Ito's palette.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def roc_figure(curves: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.float64]]]) -> Figure:
    """Plot receiver operating characteristics.

    Parameters
    ----------
    curves : mapping of str to (truth, probability)
        One a name; truth is True for generated.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, (generated, probability)) in enumerate(curves.items()):
        false, true, _ = roc_curve(generated, probability)
        label = f"{name} ({(~generated).sum()} real, {generated.sum()} generated)"
        axes.plot(false, true, color=_COLOURS[place % len(_COLOURS)], label=label)
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="chance")
    axes.set(
        xlabel="false positive rate (real called generated)",
        ylabel="true positive rate (generated called generated)",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend(loc="lower right", fontsize="small")
    return figure


def confusion_figure(
    counts: NDArray[np.int64], rows: list[str], columns: list[str], title: str = ""
) -> Figure:
    """Plot a confusion matrix: shares of each row as shade, counts as numbers.

    Parameters
    ----------
    counts : ndarray of shape (r, c), int64
        Pictures.
    rows, columns : list of str
        True classes, and verdicts.
    title : str, default ""
        What the counts are of.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(1.3 * len(columns) + 2, 0.6 * len(rows) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shown = axes.imshow(share, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (i, j), count in np.ndenumerate(counts):
        shade = "black" if share[i, j] > 0.6 else "white"
        axes.text(j, i, f"{count}", ha="center", va="center", color=shade)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="verdict", ylabel="truth", title=title)
    figure.colorbar(shown, label="share of the row")
    return figure


def save(figure: Figure, path: Path, **options: Any) -> Path:
    """Write a figure; the format follows the suffix.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : Path
        The file; replaced once the new one is complete.
    **options
        For ``Figure.savefig``.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150, format=path.suffix.removeprefix("."), **options)
    return path
