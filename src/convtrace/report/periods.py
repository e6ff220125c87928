"""What a period in the posterior map may come from, in words."""

from __future__ import annotations

from convtrace.traces import Peak

__all__ = ["in_words"]

_NEAR = 0.004


def in_words(peak: Peak) -> str:
    """Say what a peak at this frequency often comes from.

    Parameters
    ----------
    peak : Peak
        From `convtrace.traces.find_peaks`.

    Returns
    -------
    str

    Examples
    --------
    >>> in_words(Peak(0.5, 0.0, 20.0))
    'every 2 pixels: doubling of the size, by a generator or a program, or a colour filter'
    >>> in_words(Peak(0.125, 0.25, 9.0))
    'on the grid of JPEG: blocks of 8 pixels'
    >>> in_words(Peak(0.31, 0.0, 9.0))
    'every 3.2 pixels: resizing often leaves such a period'
    """
    places = (peak.vertical, abs(peak.horizontal))
    if all(_is_multiple(place, 2) for place in places):
        return (
            "every 2 pixels: doubling of the size, by a generator or a program, or a colour filter"
        )
    if all(_is_multiple(place, 4) for place in places):
        return (
            "every 4 pixels: enlargement by 4 in a generator or a program; also on the grid of "
            "JPEG blocks"
        )
    if all(_is_multiple(place, 8) for place in places):
        return "on the grid of JPEG: blocks of 8 pixels"
    frequency = max(places)
    return f"every {1 / frequency:.1f} pixels: resizing often leaves such a period"


def _is_multiple(frequency: float, parts: int) -> bool:
    return abs(frequency * parts - round(frequency * parts)) < _NEAR * parts
