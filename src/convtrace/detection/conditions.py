"""The compression of a picture as a coarse condition.

The trace suffers from compression more than from anything else, so held-out results, the
calibration and the thresholds are kept for each of a few classes of compression. They speak
of how the file is stored now: a PNG may have been a JPEG before, which the file cannot tell.
"""

from __future__ import annotations

import re

from convtrace.image import Picture, degradations

__all__ = [
    "CONDITIONS",
    "in_words",
    "is_small",
    "is_window",
    "of_degradation",
    "of_picture",
    "of_quality",
    "of_small",
    "of_whole",
    "of_window",
    "related",
]

_BUCKETS = ((95, "jpeg-95-100"), (85, "jpeg-85-94"), (70, "jpeg-70-84"), (1, "jpeg-1-69"))

CONDITIONS = ("lossless", *(name for _, name in _BUCKETS), "other-lossy")
"""The conditions, from the mildest."""

# Formats that are, or nearly always are, stored with a loss other than JPEG's.
_OTHER_LOSSY = frozenset({"WEBP", "HEIF", "HEIC", "AVIF", "JPEG2000"})

_WINDOW, _SMALL = "window-of-", "small-of-"

_WORDS = {
    "lossless": "no JPEG compression",
    "jpeg-95-100": "JPEG quality 95 to 100",
    "jpeg-85-94": "JPEG quality 85 to 94",
    "jpeg-70-84": "JPEG quality 70 to 84",
    "jpeg-1-69": "JPEG quality below 70",
    "other-lossy": "lossy compression other than JPEG",
}


def of_quality(quality: float | None) -> str:
    """Return the condition of a JPEG quality.

    Parameters
    ----------
    quality : float or None
        1 to 100; None for a picture that is no JPEG.

    Returns
    -------
    str
        One of `CONDITIONS`.

    Examples
    --------
    >>> of_quality(75), of_quality(None)
    ('jpeg-70-84', 'lossless')
    """
    if quality is None:
        return "lossless"
    whole = round(quality)
    return next((name for least, name in _BUCKETS if whole >= least), _BUCKETS[-1][1])


def of_picture(picture: Picture) -> str:
    """Return the condition of a picture as it is stored.

    Parameters
    ----------
    picture : Picture
        From `convtrace.image.read`.

    Returns
    -------
    str
        One of `CONDITIONS`.
    """
    if picture.jpeg is not None:
        return of_quality(picture.jpeg.quality)
    return "other-lossy" if picture.format.upper() in _OTHER_LOSSY else "lossless"


def of_degradation(degradation: str, before: str = "lossless") -> str:
    """Return the condition of a picture after a degradation.

    Parameters
    ----------
    degradation : str
        A name of `convtrace.image.degradations`, such as "rescale-0.8+jpeg-75".
    before : str
        The condition of the picture before.

    Returns
    -------
    str
        That of the last step where it is a JPEG one; "lossless" after any other step (the
        pixels are stored anew); `before` where nothing is done. A "window" at the end is a part
        of the picture before it, and has its condition; see `of_window`.

    Examples
    --------
    >>> of_degradation("rescale-0.8+jpeg-75"), of_degradation("none", "jpeg-95-100")
    ('jpeg-70-84', 'jpeg-95-100')
    """
    written_out = degradations.expand(degradation.strip().lower())
    steps = [step for step in written_out.split("+") if step not in ("", "none")]
    if steps and steps[-1].startswith("window-"):
        return of_window(of_degradation("+".join(steps[:-1]), before))
    if not steps:
        return before
    match = re.match(r"jpeg-(\d+)", steps[-1])
    return of_quality(float(match.group(1)) if match else None)


def of_window(condition: str) -> str:
    """Return the condition of a small part of a picture, judged by itself.

    Parameters
    ----------
    condition : str
        That of the picture.

    Returns
    -------
    str

    Examples
    --------
    >>> of_window("jpeg-70-84"), in_words(of_window("jpeg-70-84"))
    ('window-of-jpeg-70-84', 'JPEG quality 70 to 84')
    """
    return condition if is_window(condition) else _WINDOW + condition


def is_window(condition: str) -> bool:
    """Tell whether a condition is one of `of_window`.

    Parameters
    ----------
    condition : str
        Any.

    Returns
    -------
    bool
    """
    return condition.startswith(_WINDOW)


def of_small(condition: str) -> str:
    """Return the condition of a picture so small that it was probably scaled down.

    Parameters
    ----------
    condition : str
        That of its compression; a window's is returned as it is.

    Returns
    -------
    str

    Examples
    --------
    >>> of_small("jpeg-70-84"), in_words(of_small("jpeg-70-84"))
    ('small-of-jpeg-70-84', 'JPEG quality 70 to 84')
    """
    return condition if is_window(condition) or is_small(condition) else _SMALL + condition


def is_small(condition: str) -> bool:
    """Tell whether a condition is one of `of_small`.

    Parameters
    ----------
    condition : str
        Any.

    Returns
    -------
    bool
    """
    return condition.startswith(_SMALL)


def of_whole(condition: str) -> str:
    """Return the compression alone.

    Parameters
    ----------
    condition : str
        From `of_window` or `of_small`; any other is returned as it is.

    Returns
    -------
    str
        For a window that of the picture that it is part of.
    """
    return condition.removeprefix(_WINDOW).removeprefix(_SMALL)


def related(condition: str) -> tuple[str, ...]:
    """Name the conditions whose calibration judges a picture, the most fitting first.

    Parameters
    ----------
    condition : str
        That of the picture, or from `of_window` or `of_small`.

    Returns
    -------
    tuple of str
        For a window also that of all windows, and that of the picture; for a small picture that of
        all small ones, and its compression.

    Examples
    --------
    >>> related("lossless"), related(of_window("lossless"))
    (('lossless',), ('window-of-lossless', 'window-of-', 'lossless'))
    """
    whole = of_whole(condition)
    if whole == condition:
        return (condition,)
    return condition, condition.removesuffix(whole), whole


def in_words(condition: str) -> str:
    """Return a condition in plain words.

    Parameters
    ----------
    condition : str
        One of `CONDITIONS`, or a name of the user's own; a window's is that of its picture, and of
        a small picture it is the compression.

    Returns
    -------
    str
    """
    whole = of_whole(condition)
    return _WORDS.get(whole, whole)
