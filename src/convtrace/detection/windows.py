"""The windowed verdict: the detector's probability in many places of one picture.

A window is judged by the calibration and the limits of windows, where the detector has them: a
part of a picture scores otherwise than the whole.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convtrace.detection.conditions import of_picture, of_window
from convtrace.detection.detector import Detector, Examination
from convtrace.errors import ImageError
from convtrace.image import Picture, Pixels

__all__ = ["LEAST_SIDES", "MOST_WINDOWS", "WINDOW", "Windows", "starts", "windowed"]

WINDOW = 128
"""Side of a window in pixels."""

LEAST_SIDES = (WINDOW, WINDOW + WINDOW // 2)
"""The shorter and the longer side that a picture needs for more than one window."""

MOST_WINDOWS = 25
"""At most so many windows; in larger pictures they lie farther apart.

They cost more than all else in an explanation together. With 25 they overlap by a quarter on
a picture of 512x512, with 36 by nearly a half, and the map looks the same.
"""

# JPEG's blocks: all windows begin on the same place of one, as the picture itself does.
_GRID = 8


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Verdicts in windows of a picture.

    Attributes
    ----------
    tops, lefts : tuple of int
        Rows and columns where windows begin; every pair is a window.
    probabilities : ndarray of shape (len(tops), len(lefts)), float64
        Of being generated; NaN where the window is too flat or strange to judge.
    labels : ndarray of shape (len(tops), len(lefts)), str
        "real", "generated" or "unsure".
    reason : str
        Why there are no windows; empty where there are.
    own_scale : bool
        Whether the detector has probabilities and limits for windows; otherwise they are judged
        by those of whole pictures.
    """

    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.str_]
    reason: str = ""
    own_scale: bool = False

    @property
    def apart(self) -> bool:
        """Whether there are places between the windows that no window covers."""
        return any(
            after - before > WINDOW
            for places in (self.tops, self.lefts)
            for before, after in pairwise(places)
        )

    def within(self, label: str) -> Windows:
        """Take back that parts are real, where the whole is not called so.

        A part tells less than the whole, and its limits rest on fewer generators.

        Parameters
        ----------
        label : str
            The verdict on the whole picture.

        Returns
        -------
        Windows
        """
        if label == "real":
            return self
        return replace(self, labels=np.where(self.labels == "real", "unsure", self.labels))

    @classmethod
    def none(cls, reason: str) -> Windows:
        """Return no windows, for a reason."""
        return cls((), (), np.empty((0, 0)), np.empty((0, 0), dtype=str), reason)


def starts(length: int, count: int) -> tuple[int, ...]:
    """Spread windows evenly over a length.

    Parameters
    ----------
    length : int
        Pixels, at least `WINDOW`.
    count : int
        At most so many windows; neighbours overlap by half at most.

    Returns
    -------
    tuple of int
        Multiples of 8, from 0 on; the last window ends less than 8 pixels before the end.

    Examples
    --------
    >>> starts(256, 6), starts(1000, 4)
    ((0, 64, 128), (0, 288, 584, 872))
    """
    room = (length - WINDOW) // _GRID
    wanted = min(count, room * _GRID // (WINDOW // 2) + 1)
    if wanted <= 1:
        return (room // 2 * _GRID,)
    return tuple(int(place) * _GRID for place in np.rint(np.linspace(0, room, wanted)))


def windowed(
    picture: Picture, detector: Detector, pool: Executor, *, most: int = MOST_WINDOWS
) -> Windows:
    """Judge a picture window by window.

    Parameters
    ----------
    picture : Picture
        The picture.
    detector : Detector
        What judges.
    pool : Executor
        Of threads, in which the windows are measured.
    most : int, default 25
        How many windows at most.

    Returns
    -------
    Windows
        Without windows, but a reason, where the picture is too small, or windows are for the
        detector.
    """
    sides = sorted((picture.width, picture.height))
    if sides[0] < LEAST_SIDES[0] or sides[1] < LEAST_SIDES[1]:
        return Windows.none(
            f"The picture is {picture.width}x{picture.height} pixels: too small to be judged in "
            f"parts, for which it needs {LEAST_SIDES[1]}x{LEAST_SIDES[0]} pixels at least."
        )
    # As many rows and columns as the shape of the picture asks for.
    columns = max(1, round(np.sqrt(most * picture.width / picture.height)))
    lefts = starts(picture.width, min(columns, most))
    tops = starts(picture.height, max(1, most // len(lefts)))
    corners = [(top, left) for top in tops for left in lefts]
    condition = of_picture(picture)

    def examine(corner: tuple[int, int]) -> Examination:
        top, left = corner
        pixels: Pixels = picture.pixels[top : top + WINDOW, left : left + WINDOW]
        # The rest of the picture stays: its compression decides on the calibration.
        found = detector.examine(replace(picture, pixels=pixels.copy()))
        return replace(found, condition=of_window(condition))

    try:
        found = list(pool.map(examine, corners))
    except ImageError as error:
        return Windows.none(
            f"The detector cannot judge windows of {WINDOW}x{WINDOW} pixels: {error.reason}."
        )
    verdicts = detector.judge(found)
    shape = (len(tops), len(lefts))
    probabilities = [
        np.nan if examined.problems else verdict.probability
        for examined, verdict in zip(found, verdicts, strict=True)
    ]
    return Windows(
        tops,
        lefts,
        np.array(probabilities, dtype=np.float64).reshape(shape),
        np.array([verdict.label for verdict in verdicts], dtype=str).reshape(shape),
        own_scale=detector.calibration_for(of_window(condition))
        is not detector.calibration_for(condition),
    )
