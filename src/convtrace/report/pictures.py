"""Small views of a picture: itself, the windowed verdicts, a map."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convtrace.detection.windows import WINDOW, Windows
from convtrace.image import Picture

__all__ = [
    "GENERATED",
    "MISFIT",
    "REAL",
    "grey_png",
    "misfit_png",
    "overlay_png",
    "preview_jpeg",
    "thumbnail_jpeg",
    "tint",
]

REAL, GENERATED = (0, 114, 178), (213, 94, 0)
"""Blue for real and vermilion for generated: Okabe and Ito's, told apart by the colour-blind."""

MISFIT = (106, 27, 154)
"""Purple for what fits the kernels worse than its texture explains: neither class's colour."""

# Standard deviations at which that colour begins and is full.
_MISFIT_FROM, _MISFIT_FULL = 1.0, 3.0
_PREVIEW = 960
_MAP = 900
_OPAQUE = 215
# Between windows that lie apart: the nearest one's colour, so much of its strength.
_FAINT = 0.45


def preview_jpeg(picture: Picture, side: int = _PREVIEW, quality: int = 85) -> bytes:
    """Return a picture small and upright.

    Parameters
    ----------
    picture : Picture
        The picture.
    side : int
        The greatest width and height.
    quality : int
        Of the JPEG.

    Returns
    -------
    bytes
        A JPEG; transparency and colour profiles are left out.
    """
    image = picture.display()
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def thumbnail_jpeg(picture: Picture) -> bytes:
    """Return a picture as small as a row of a table, upright, as JPEG."""
    return preview_jpeg(picture, side=72, quality=55)


def grey_png(values: NDArray[np.float32], side: int = _MAP) -> bytes:
    """Return values of 0..1 as a greyscale PNG, 1 white, averaged where it is too large.

    Parameters
    ----------
    values : ndarray of shape (H, W)
        For instance a posterior map.
    side : int
        The greatest width and height.

    Returns
    -------
    bytes
    """
    image = Image.fromarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.BOX)
    return _png(image)


def misfit_png(
    picture: Picture, responsibilities: NDArray[np.float32], misfit: NDArray[np.float64]
) -> bytes:
    """Draw a posterior map pale, and in purple where it fits worse than its texture explains.

    Parameters
    ----------
    picture : Picture
        Whose map it is.
    responsibilities : ndarray of shape (H, W), float32
        The mean posterior map, 0..1.
    misfit : ndarray of shape (H, W), float64
        Of `convtrace.traces.misfit_map`; coloured from 1 standard deviation on, fully from 3.

    Returns
    -------
    bytes
        A PNG, of at most the size of `grey_png`'s, and upright as the windowed verdicts are, so
        that places are found again.
    """
    pale = 255.0 - 90.0 * (1.0 - np.clip(responsibilities, 0, 1))[..., None]
    share = np.clip((misfit - _MISFIT_FROM) / (_MISFIT_FULL - _MISFIT_FROM), 0, 1)[..., None]
    colours = pale * (1 - 0.85 * share) + np.array(MISFIT) * 0.85 * share
    image = _with_pixels(picture, np.rint(colours).astype(np.uint8)).display()
    if max(image.size) > _MAP:
        image.thumbnail((_MAP, _MAP), Image.Resampling.BOX)
    return _png(image)


def tint(probability: float) -> tuple[int, int, int, int]:
    """Return the colour of a probability: blue to vermilion, transparent at a half.

    Parameters
    ----------
    probability : float
        Of being generated, 0..1, or NaN.

    Returns
    -------
    tuple of int
        Red, green, blue and opacity, 0..255; NaN is fully transparent.

    Examples
    --------
    >>> tint(0.5)[3], tint(1.0)
    (0, (213, 94, 0, 215))
    """
    if np.isnan(probability):
        return (0, 0, 0, 0)
    colour = GENERATED if probability >= 0.5 else REAL
    return (*colour, round(_OPAQUE * abs(probability - 0.5) * 2))


def overlay_png(picture: Picture, windows: Windows) -> bytes:
    """Draw the windowed verdicts as a transparent picture, to be laid over the upright one.

    Parameters
    ----------
    picture : Picture
        The picture that was judged.
    windows : Windows
        Of `convtrace.detection.windows.windowed`.

    Returns
    -------
    bytes
        A PNG of the shape of the upright picture. Each place has the mean of the windows
        that cover it. Places between windows that lie apart are a fainter shade of the
        nearest; others that none covers are transparent.
    """
    scale = min(1.0, _PREVIEW / max(picture.width, picture.height))
    shape = (max(1, round(picture.height * scale)), max(1, round(picture.width * scale)))
    total, count = np.zeros(shape), np.zeros(shape)
    for row, top in enumerate(windows.tops):
        for column, left in enumerate(windows.lefts):
            probability = windows.probabilities[row, column]
            if not np.isnan(probability):
                here = (
                    slice(round(top * scale), round((top + WINDOW) * scale)),
                    slice(round(left * scale), round((left + WINDOW) * scale)),
                )
                total[here] += probability
                count[here] += 1
    mean = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    colours = _tinted(mean)
    if windows.apart:
        rows = _nearest(shape[0], windows.tops, scale)
        columns = _nearest(shape[1], windows.lefts, scale)
        between = _tinted(windows.probabilities[np.ix_(rows, columns)])
        between[..., 3] = np.rint(between[..., 3] * _FAINT).astype(np.uint8)
        colours = np.where((count > 0)[..., None], colours, between)
    # Turned as the picture itself is turned for people.
    turned = _with_pixels(picture, colours[..., :3]).display().convert("RGB")
    turned.putalpha(_with_pixels(picture, colours[..., 3]).display())
    return _png(turned)


def _tinted(probabilities: NDArray[np.float64]) -> NDArray[np.uint8]:
    colours = np.zeros((*probabilities.shape, 4), dtype=np.uint8)
    for value in np.unique(probabilities[~np.isnan(probabilities)]):
        colours[probabilities == value] = tint(float(value))
    return colours


def _nearest(length: int, starts: tuple[int, ...], scale: float) -> NDArray[np.intp]:
    """Return for each row or column of the view the window whose centre is nearest."""
    centres = (np.array(starts) + WINDOW / 2) * scale
    nearest: NDArray[np.intp] = np.abs(np.arange(length)[:, None] + 0.5 - centres).argmin(axis=1)
    return nearest


def _with_pixels(picture: Picture, pixels: NDArray[np.uint8]) -> Picture:
    """Return a picture with other pixels and the same orientation."""
    return replace(picture, pixels=np.ascontiguousarray(pixels))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    # Not "optimize": of a noisy map it takes five times as long for a few bytes.
    image.save(stream, "PNG")
    return stream.getvalue()
