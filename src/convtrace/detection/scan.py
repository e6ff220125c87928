"""One picture in, one verdict out, whatever the picture is."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from convtrace.detection import storage
from convtrace.detection.bundled import bundled
from convtrace.detection.detector import Detector
from convtrace.detection.verdict import Verdict
from convtrace.errors import ImageError
from convtrace.image import read

__all__ = ["scan"]


def scan(source: Any, *, detector: Detector | str | os.PathLike[str] | None = None) -> Verdict:
    """Judge one picture; a picture that cannot be read gives a verdict with an error.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or Picture
        The picture.
    detector : Detector, str or os.PathLike, optional
        A detector or the file of one; the bundled detector by default. To judge many
        pictures load it once.

    Returns
    -------
    Verdict

    Raises
    ------
    ModelError
        Where the detector cannot be loaded.
    """
    if detector is None:
        detector = bundled()
    elif not isinstance(detector, Detector):
        detector = storage.load(detector)
    try:
        picture = read(source, provenance=True)
        # Put beside the verdict, after it: the detector is not told.
        return replace(detector.verdict(picture), provenance=picture.provenance)
    except ImageError as error:
        return Verdict.failed(error.name, str(error))
