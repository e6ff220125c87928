"""Pixels of an experiment's pictures, for methods that do not go by feature tables."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convtrace.datasets import Dataset
from convtrace.evaluation.tables import resolve
from convtrace.image import degradations, read, to_uint8

__all__ = ["degraded_pixels", "paths_by_name"]


def paths_by_name(dataset: Dataset) -> dict[str, Path]:
    """Return the files by the names that feature tables give to pictures.

    Parameters
    ----------
    dataset : Dataset
        The pictures.

    Returns
    -------
    dict of str to Path
        By the start of the SHA-256 of the file.
    """
    found = {}
    for path in dataset.paths:
        with path.open("rb") as file:
            found[hashlib.file_digest(file, "sha256").hexdigest()[:16]] = path
    return found


def degraded_pixels(path: Path, template: str) -> NDArray[np.uint8]:
    """Return a picture as `convtrace.evaluation.measure` would have degraded it.

    Parameters
    ----------
    path : Path
        The file.
    template : str
        Degradation, as for `convtrace.evaluation.resolve`.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W)
    """
    picture = read(path)
    pixels = to_uint8(picture.pixels)
    chain = resolve(template, picture.sha256)
    return degradations.apply(chain, pixels, seed=int(picture.sha256[:8], 16))
