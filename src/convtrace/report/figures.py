"""Plots of an explanation: drawn once, for HTML as SVG and for paper as they are."""

from __future__ import annotations

import base64
import io
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from convtrace.detection.conditions import in_words
from convtrace.report.references import CHANNELS

if TYPE_CHECKING:
    from convtrace.report.explanation import Explanation, Feature

__all__ = [
    "drawing",
    "features_figure",
    "kernel_limit",
    "kernels_figure",
    "map_figure",
    "png",
    "position_figure",
    "scale_figure",
    "spectrum_figure",
    "svg_data",
    "telling_features",
    "windows_figure",
]

_REAL, _GENERATED = "#0072B2", "#D55E00"
# Stands for the colour of text, which in the SVG follows the reader's light or dark.
_INK, _FAINT = "#010203", "#020304"
_STYLE = (
    "<style>svg{--ink:#1b1f24;--faint:#8a9099;--real:#0072b2;--generated:#d55e00}"
    "@media(prefers-color-scheme:dark){svg{--ink:#e8eaed;--faint:#7d848d;--real:#6bb6ee;"
    "--generated:#ff9a57}}</style>"
)
_MINUS = "\N{MINUS SIGN}"
_CHANNEL_NAMES = {"r": "red", "g": "green", "b": "blue"}


# Matplotlib's settings belong to the whole process: two threads that change them for a while
# would put back each other's.
_DRAWING = threading.RLock()


@contextmanager
def drawing(settings: dict[str, Any]) -> Iterator[None]:
    """Change Matplotlib's settings for a while, one thread at a time.

    Parameters
    ----------
    settings : dict
        As for ``matplotlib.rc_context``.
    """
    with _DRAWING, mpl.rc_context(settings), warnings.catch_warnings():
        # A file name may be in a script that the font lacks: boxes are drawn instead.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _style(ink: str, faint: str) -> dict[str, Any]:
    return {
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": faint,
        "xtick.color": ink,
        "ytick.color": ink,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "font.size": 10,
        "font.family": "sans-serif",
        "svg.fonttype": "none",
        "svg.hashsalt": "convtrace",
        # File names and metadata may hold a dollar, which is no formula.
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }


def png(figure: Figure, *, dpi: int = 110) -> bytes:
    """Render a figure on white.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    dpi : int
        Pixels an inch.

    Returns
    -------
    bytes
    """
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    about = {"Software": None}
    with drawing({}):
        figure.savefig(stream, format="png", dpi=dpi, facecolor="white", metadata=about)
    return stream.getvalue()


def svg_data(figure: Figure) -> str:
    """Render a figure as the address of an SVG that follows light and dark.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.

    Returns
    -------
    str
        A ``data:`` address.
    """
    FigureCanvasSVG(figure)
    stream = io.StringIO()
    with drawing({"svg.fonttype": "none", "svg.hashsalt": "convtrace"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    for colour, name in (
        (_INK, "ink"),
        (_FAINT, "faint"),
        (_REAL, "real"),
        (_GENERATED, "generated"),
    ):
        text = text.replace(colour.lower(), f"var(--{name})")
    head, tag, rest = text.partition("<defs>")
    text = f"{head}{_STYLE}{tag}{rest}"
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def scale_figure(explanation: Explanation) -> Figure:
    """Draw the probability on its scale, between held-out pictures of both classes."""
    calibration = explanation.calibration
    with drawing(_style(_INK, _FAINT)):
        figure = _figure(5.4, 2.1)
        axes = figure.add_subplot()
        low, high = calibration.low, calibration.high
        for left, right, colour, name in (
            (0.0, low, _REAL, "real"),
            (low, high, "#888888", "unsure"),
            (high, 1.0, _GENERATED, "generated"),
        ):
            if right > left:
                axes.axvspan(left, right, color=colour, alpha=0.13, lw=0)
                if right - left > 0.07:
                    axes.text(
                        (left + right) / 2, 1.03, name, ha="center", va="bottom",
                        transform=axes.get_xaxis_transform(), fontsize=9,
                    )  # fmt: skip
        edges = np.linspace(0, 1, 26)
        for scores, colour, name, hatch in (
            (calibration.real_quantiles, _REAL, "photographs", ""),
            (calibration.generated_quantiles, _GENERATED, "generated", ""),
        ):
            share, _ = np.histogram(calibration.probability(scores), edges)
            axes.stairs(
                share / share.sum() * 100, edges, color=colour, label=f"held-out {name}", lw=1.6,
                fill=False, hatch=hatch,
            )  # fmt: skip
        probability = explanation.verdict.probability or 0.0
        axes.axvline(probability, color=_INK, lw=2.2)
        side = "left" if probability < 0.75 else "right"
        axes.text(
            probability + (0.012 if side == "left" else -0.012), 0.94, "this picture", ha=side,
            va="top", transform=axes.get_xaxis_transform(), fontsize=9, weight="bold",
        )  # fmt: skip
        axes.set(xlim=(0, 1), xlabel="probability of being generated", ylabel="% of pictures")
        axes.set_ylim(bottom=0)
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9,
            frameon=False,
        )  # fmt: skip
    return figure


def kernel_limit(explanation: Explanation) -> float:
    """Return the coefficient at which the colours of the kernels are full."""
    stacks = (
        explanation.trace.kernels,
        explanation.nearest_real.kernels,
        explanation.nearest_generated.kernels,
    )
    return float(max(np.abs(stack).max() for stack in stacks)) or 1.0


def kernels_figure(explanation: Explanation) -> Figure:
    """Draw the kernels beside those of the nearest references, with their numbers."""
    columns = (
        ("this picture", explanation.trace.kernels),
        (
            f"nearest photographs:\n{explanation.nearest_real.name}",
            explanation.nearest_real.kernels,
        ),
        (
            f"nearest generator:\n{explanation.nearest_generated.name}",
            explanation.nearest_generated.kernels,
        ),
    )
    limit = kernel_limit(explanation)
    with drawing(_style(_INK, _FAINT)):
        figure = _figure(8, 8.4)
        grid = figure.subplots(len(CHANNELS), len(columns))
        shown: Any = None
        for row, channel in enumerate(CHANNELS):
            for column, (title, kernels) in enumerate(columns):
                axes = grid[row, column]
                kernel = kernels[row]
                shown = axes.imshow(kernel, cmap="PuOr_r", vmin=-limit, vmax=limit)
                for (i, j), value in np.ndenumerate(kernel):
                    centre = i == j == len(kernel) // 2
                    ink = "white" if abs(value) > 0.55 * limit else "black"
                    text = "" if centre else coefficient(value)
                    axes.text(j, i, text, ha="center", va="center", fontsize=6.2, color=ink)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(False)
                if row == 0:
                    axes.set_title(title, fontsize=9)
                if column == 0:
                    axes.set_ylabel(_CHANNEL_NAMES[channel])
        figure.colorbar(shown, ax=grid, shrink=0.5, aspect=30, label="coefficient")
    return figure


def coefficient(value: float) -> str:
    r"""Write a coefficient shortly.

    Examples
    --------
    >>> coefficient(-0.0712), coefficient(1.034), coefficient(0.001)
    ('\u2212.07', '1.03', '.00')
    """
    text = f"{abs(value):.2f}"
    text = text.removeprefix("0")
    return (_MINUS if value < 0 and text.strip(".0") else "") + text


def position_figure(explanation: Explanation) -> Figure:
    """Draw where the picture falls among real and generated traces."""
    points = explanation.reference.points
    # Half a per cent of strange pictures must not squeeze all others together.
    low, high = np.percentile(points[:, :2], [0.5, 99.5], axis=0)
    margin = 0.08 * (high - low)
    low, high = low - margin, high + margin
    x, y = np.clip(explanation.position, low, high)
    outside = (x, y) != explanation.position
    with drawing(_style(_INK, _FAINT)):
        figure = _figure(4.8, 4.2)
        axes = figure.add_subplot()
        for label, colour, marker, name in (
            (0, _REAL, "o", "photographs"),
            (1, _GENERATED, "^", "generated"),
        ):
            here = points[points[:, 2] == label]
            axes.scatter(
                here[:, 0], here[:, 1], s=13, c=colour, marker=marker, alpha=0.55, lw=0, label=name
            )
        axes.scatter([x], [y], s=210, marker="*", c="#F0E442", edgecolors=_INK, lw=1.2, zorder=5)
        axes.annotate(
            "this picture" + (" (beyond the edge)" if outside else ""),
            (x, y),
            xytext=(10 if x < (low[0] + high[0]) / 2 else -10, 10),
            textcoords="offset points",
            ha="left" if x < (low[0] + high[0]) / 2 else "right",
            weight="bold",
            zorder=6,
        )
        axes.set(
            xlim=(low[0], high[0]),
            ylim=(low[1], high[1]),
            xlabel="best linear rule; right: more like generated",
            ylabel="widest variation besides",
        )
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False
        )
    return figure


def telling_features(explanation: Explanation, most: int = 12) -> list[Feature]:
    """Return the numbers of the trace that tell the classes apart best, each on its own.

    Parameters
    ----------
    explanation : Explanation
        Of the picture.
    most : int
        How many.

    Returns
    -------
    list of Feature
        Best first.
    """
    return sorted(explanation.features, key=lambda one: -abs(one.auc - 0.5))[:most]


def feature_words(name: str) -> str:
    r"""Name a number of the trace for people.

    Examples
    --------
    >>> feature_words("ct7_r_-1_+0"), feature_words("ct7_b_log_sigma")
    ('red, row \u22121, column 0', 'blue, log of sigma')
    """
    _, channel, *rest = name.split("_")
    colour = _CHANNEL_NAMES[channel]
    if rest[0] in ("log", "weight"):
        words = {"log_sigma": "log of sigma", "log_likelihood": "log-likelihood"}
        key = "_".join(rest)
        return f"{colour}, {words.get(key, key)}"
    row, column = (f"{int(one):+d}".replace("-", _MINUS).replace("+0", "0") for one in rest)
    return f"{colour}, row {row}, column {column}"


def features_figure(explanation: Explanation) -> Figure:
    """Draw the most telling numbers as marks on the ranges of both classes."""
    features = telling_features(explanation)
    with drawing(_style(_INK, _FAINT)):
        figure = _figure(4.8, 0.34 * len(features) + 1.1)
        axes = figure.add_subplot()
        for place, one in enumerate(features):
            low = min(one.real[0], one.generated[0])
            width = max(one.real[2], one.generated[2]) - low or 1.0
            for ends, colour, lift in ((one.real, _REAL, -0.14), (one.generated, _GENERATED, 0.14)):
                left, middle, right = ((end - low) / width for end in ends)
                label = None
                if place == 0:
                    label = "photographs" if colour == _REAL else "generated"
                axes.plot(
                    [left, right], [place + lift] * 2, color=colour, lw=4, alpha=0.6, label=label,
                    solid_capstyle="butt",
                )  # fmt: skip
                axes.plot([middle], [place + lift], marker="|", color=colour, ms=10, mew=2)
            at = float(np.clip((one.value - low) / width, -0.25, 1.25))
            axes.plot([at], [place], marker="D", ms=6, color="#F0E442", mec=_INK, mew=1.1)
        axes.set_yticks(range(len(features)), [feature_words(one.name) for one in features])
        axes.tick_params(labelsize=9.5, length=0)
        axes.set_xticks([])
        axes.set(xlim=(-0.3, 1.3), ylim=(len(features) - 0.5, -0.5))
        axes.spines[:].set_visible(False)
        handles, labels = axes.get_legend_handles_labels()
        handles.append(mpl.lines.Line2D([], [], marker="D", ls="", color="#F0E442", mec=_INK))
        figure.legend(
            handles, [*labels, "this picture"], loc="outside upper center", ncols=3, frameon=False,
            fontsize=9, columnspacing=1,
        )  # fmt: skip
    return figure


def spectrum_figure(explanation: Explanation) -> Figure:
    """Draw the spectrum of the posterior map, its peaks marked."""
    with drawing(_style(_INK, _FAINT)):
        figure = _figure(5.2, 4.6)
        axes = figure.add_subplot()
        if explanation.power is None:
            axes.text(0.5, 0.5, explanation.spectrum_note, ha="center", va="center", wrap=True)
            axes.set_axis_off()
            return figure
        power = explanation.power
        floor = np.median(power)
        shown = np.log10(np.maximum(power, floor * 1e-3) / floor)
        half = 0.5 / len(power)
        box = (-0.5 - half, 0.5 - half, 0.5 - half, -0.5 - half)
        image = axes.imshow(
            shown, cmap="cividis", extent=box, vmin=np.percentile(shown, 1),
            vmax=np.percentile(shown, 99.8), interpolation="nearest",
        )  # fmt: skip
        for peak in explanation.peaks:
            for sign in (1, -1):
                x, y = sign * peak.horizontal, sign * peak.vertical
                for a in {x, -x} if abs(x) == 0.5 else {x}:
                    for b in {y, -y} if abs(y) == 0.5 else {y}:
                        axes.plot(
                            [a], [b], "o", ms=11, mfc="none", mec="#F04E98", mew=1.8, clip_on=False
                        )
        axes.set(
            xlabel="across, cycles a pixel", ylabel="down, cycles a pixel",
            xticks=np.arange(-4, 5, 2) / 8, yticks=np.arange(-4, 5, 2) / 8,
        )  # fmt: skip
        axes.spines[:].set_visible(False)
        figure.colorbar(image, label="log power, 0 the median", shrink=0.8)
    return figure


def map_figure(explanation: Explanation) -> Figure:
    """Draw the posterior map with its scale."""
    with drawing(_style(_INK, _FAINT)):
        figure = _figure(5.2, 4.6)
        axes = figure.add_subplot()
        values = np.asarray(Image.open(io.BytesIO(explanation.map_png)), dtype=float) / 255
        image = axes.imshow(values, cmap="gray", vmin=0, vmax=1)
        axes.set_axis_off()
        figure.colorbar(image, label="predicted by its neighbours: 0 no, 1 yes", shrink=0.8)
    return figure


def windows_figure(explanation: Explanation) -> Figure:
    """Draw the windowed verdicts over the picture, and the picture beside it."""
    preview = Image.open(io.BytesIO(explanation.preview_jpeg)).convert("RGB")
    overlay = Image.open(io.BytesIO(explanation.overlay_png)).resize(preview.size)
    both = preview.convert("L").convert("RGB")
    both.paste(overlay, mask=overlay.getchannel("A"))
    with drawing(_style(_INK, _FAINT)):
        figure = _figure(7.2, 3.4)
        for axes, shown, title in zip(
            figure.subplots(1, 2), _as_arrays((preview, both)), ("the picture", "by windows"),
            strict=True,
        ):  # fmt: skip
            axes.imshow(shown)
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()
    return figure


def _as_arrays(images: Sequence[Image.Image]) -> list[NDArray[np.uint8]]:
    return [np.asarray(image) for image in images]


def compared_words(explanation: Explanation) -> str:
    """Say with which pictures the traces are compared."""
    words = f"pictures stored with {in_words(explanation.compared_with)}"
    if explanation.compared_with == explanation.condition:
        return words
    return (
        f"{words}, since none stored with {in_words(explanation.condition)} were measured: take "
        "the comparison with care"
    )
