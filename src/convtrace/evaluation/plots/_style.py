"""What all figures have in common: palette, sizes, writing without a timestamp."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["GREY", "MARKERS", "PALETTE", "WIDTH", "grid", "legend_above", "short", "written"]

PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#882255", "#888888"),
)
"""Okabe and Ito's, without the yellow that white paper swallows; then Tol's wine, and grey."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "h", "<")
"""So that series are told apart without colour, too."""

GREY = "#c4c8cc"

WIDTH = 7.2
"""Inches: the text width of a page, where 8 points are still read."""

_DPI = 110
# Bytes of a PNG.
_LARGE = 130_000


def grid(panels: int, *, height: float, columns: int = 5, **options: Any) -> tuple[Figure, Any]:
    """Return a figure of small panels, those left over hidden.

    Parameters
    ----------
    panels : int
        How many are wanted.
    height : float
        Of one row, in inches.
    columns : int, default 5
        At most.
    **options
        For ``Figure.subplots``.

    Returns
    -------
    figure : Figure
    axes : list of Axes
        As many as panels.
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(WIDTH, rows * height + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for one in axes[panels:]:
        one.set_visible(False)
    return figure, axes[:panels]


def legend_above(figure: Figure, axes: Axes, count: int, *, columns: int = 4) -> None:
    """Put the legend above the axes, where it hides no data.

    Parameters
    ----------
    figure : Figure
        The figure.
    axes : Axes
        Its only panel.
    count : int
        How many entries there are.
    columns : int, default 4
        At most.
    """
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=min(columns, count),
        fontsize=8,
        frameon=False,
    )


def short(name: object) -> str:
    """Return a class's name as small panels have room for it.

    Parameters
    ----------
    name : object
        The name.

    Returns
    -------
    str

    Examples
    --------
    >>> short("FaceForensics++ FaceSwap")
    'FF++ FaceSwap'
    """
    return str(name).replace("FaceForensics++ ", "FF++ ")


def written(figure: Figure, formats: Sequence[str] = ("png", "svg")) -> dict[str, bytes]:
    """Return a figure as files; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        The figure.
    formats : sequence of str, default ("png", "svg")
        Out of these two.

    Returns
    -------
    dict of str to bytes
    """
    files = {}
    # The SVG's names are random otherwise, and both formats carry the date.
    settings = {"svg.hashsalt": "convtrace", "svg.fonttype": "path"}
    with mpl.rc_context(settings):
        for name in formats:
            buffer = io.BytesIO()
            canvas: Any = {"png": FigureCanvasAgg, "svg": FigureCanvasSVG}[name]
            canvas(figure)
            metadata = {"Date": None} if name == "svg" else {"Software": None}
            figure.savefig(buffer, format=name, dpi=_DPI, metadata=metadata)
            files[name] = _fewer_colours(buffer) if name == "png" else buffer.getvalue()
    return files


def _fewer_colours(png: io.BytesIO) -> bytes:
    """Store a palette in place of true colour, where that saves much: nobody sees it."""
    if png.getbuffer().nbytes < _LARGE:
        return png.getvalue()
    with Image.open(png) as whole:
        indexed = whole.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    indexed.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
