"""An explanation as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from convtrace.detection.conditions import in_words
from convtrace.detection.windows import WINDOW
from convtrace.report import figures
from convtrace.report.periods import in_words as period_in_words
from convtrace.report.references import CHANNELS
from convtrace.report.text import size_in_words

if TYPE_CHECKING:
    from convtrace.report.explanation import Explanation

__all__ = ["environment", "render_html", "script"]

_CHANNEL_NAMES = {"r": "Red", "g": "Green", "b": "Blue"}


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates: everything escaped, an unknown name an error.

    Returns
    -------
    jinja2.Environment
    """
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["asset"] = asset
    found.globals["script"] = script
    found.globals["script_hash"] = script_hash
    return found


def asset(name: str) -> Markup:
    """Return a style sheet of our own, as it is."""
    return Markup(_text(name))  # noqa: S704  # a file of this package, nothing from outside


def script(name: str) -> Markup:
    """Return a script of our own, as it is."""
    return Markup(_text(name))  # noqa: S704  # a file of this package, nothing from outside


def script_hash(name: str) -> str:
    """Return the hash by which the page's policy admits that script and no other."""
    return base64.b64encode(hashlib.sha256(_text(name).encode()).digest()).decode()


@lru_cache(maxsize=8)
def _text(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def data_address(data: bytes, kind: str) -> str:
    """Return the ``data:`` address of a picture."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def render_html(explanation: Explanation) -> str:
    """Write an explanation as one HTML file that needs nothing from outside.

    Parameters
    ----------
    explanation : Explanation
        From `convtrace.report.explain`.

    Returns
    -------
    str
        A whole document. Text of the picture (its name, its metadata) is escaped, and the
        policy of the page admits no script but its own.
    """
    shown = explanation
    has_windows = not shown.windows.reason
    return (
        environment()
        .get_template("explanation.html.j2")
        .render(
            e=shown,
            label_words=LABEL_WORDS[shown.verdict.label or "unsure"],
            percent=f"{shown.verdict.probability or 0.0:.0%}",
            preview=data_address(shown.preview_jpeg, "image/jpeg"),
            overlay=data_address(shown.overlay_png, "image/png") if has_windows else "",
            window_side=WINDOW,
            window_counts=window_counts(shown),
            windows_apart=shown.windows.apart,
            map=data_address(shown.map_png, "image/png"),
            misfit=data_address(shown.misfit_png, "image/png"),
            scale=figures.svg_data(figures.scale_figure(shown)),
            position=figures.svg_data(figures.position_figure(shown)),
            features=figures.svg_data(figures.features_figure(shown)),
            all_features=[(figures.feature_words(one.name), one) for one in shown.features],
            spectrum=""
            if shown.power is None
            else figures.svg_data(figures.spectrum_figure(shown)),
            peaks=[(peak, period_in_words(peak)) for peak in shown.peaks],
            kernel_rows=kernel_rows(shown),
            compared=figures.compared_words(shown),
            condition=in_words(shown.condition),
            size=size_in_words(int(shown.facts["bytes"])),
        )
    )


LABEL_WORDS = {
    "real": "Looks like a camera photograph",
    "generated": "Looks generated",
    "unsure": "Cannot tell",
}
"""The verdicts as headings."""


def window_counts(explanation: Explanation) -> dict[str, int]:
    """Count the windows by what is said of them.

    Returns
    -------
    dict
        Keys all, real, generated, unsure.
    """
    labels = explanation.windows.labels
    counts = {name: int((labels == name).sum()) for name in ("real", "generated", "unsure")}
    return {"all": int(labels.size), **counts}


def kernel_rows(explanation: Explanation) -> list[dict[str, Any]]:
    """Lay the kernels out: one row a channel, three kernels each, with colours."""
    limit = figures.kernel_limit(explanation)
    columns = (
        ("this picture", explanation.trace.kernels),
        (f"nearest photographs: {explanation.nearest_real.name}", explanation.nearest_real.kernels),
        (
            f"nearest generator: {explanation.nearest_generated.name}",
            explanation.nearest_generated.kernels,
        ),
    )
    reach = explanation.trace.kernel_size // 2
    return [
        {
            "channel": _CHANNEL_NAMES[channel],
            "sigma": float(explanation.trace.sigma[place]),
            "weight": float(explanation.trace.weight[place]),
            "kernels": [
                {
                    "title": title,
                    "offsets": range(-reach, reach + 1),
                    "rows": [
                        (i - reach, [_cell(i, j, value, limit, reach) for j, value in enumerate(r)])
                        for i, r in enumerate(kernels[place].tolist())
                    ],
                }
                for title, kernels in columns
            ],
        }
        for place, channel in enumerate(CHANNELS)
    ]


def _cell(row: int, column: int, value: float, limit: float, reach: int) -> dict[str, str]:
    if row == column == reach:
        return {"text": "", "style": ""}
    share = float(np.clip(value / limit, -1, 1))
    # Violet for negative, orange for positive, paler towards 0; always with black or white.
    full = (224, 130, 20) if share > 0 else (94, 60, 153)
    red, green, blue = (round(247 + (one - 247) * abs(share) ** 0.7) for one in full)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 120
    return {
        "text": figures.coefficient(value),
        "style": f"background:rgb({red},{green},{blue});color:{'#fff' if dark else '#000'}",
    }
