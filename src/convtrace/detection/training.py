"""From pictures to training rows, each picture degraded in every way that a recipe says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.detection.conditions import of_degradation, of_picture
from convtrace.image import Picture, degradations, read, to_uint8

__all__ = ["TrainingTable", "training_table"]

# Enough pictures to keep all threads busy, few enough to hold.
_CHUNK = 32


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTable:
    """Features of degraded pictures.

    Parameters
    ----------
    features : numpy.ndarray of shape (n, d), float64
        One row for each picture and degradation.
    source : numpy.ndarray of int, shape (n,)
        Which of the pictures each row is of; rows of one picture must stay in one group.
    degradations, conditions : numpy.ndarray of str, shape (n,)
        What was done, and the resulting compression.
    formats : numpy.ndarray of str, shape (n,)
        The file format that each picture came in.
    sides : numpy.ndarray of int, shape (n,)
        The shorter side of what was measured, in pixels.
    """

    features: NDArray[np.float64]
    source: NDArray[np.intp]
    degradations: NDArray[np.str_]
    conditions: NDArray[np.str_]
    formats: NDArray[np.str_]
    sides: NDArray[np.intp]


def training_table(
    sources: Iterable[Any],
    descriptor: Any,
    names: Sequence[str] = ("none",),
    *,
    seed: int = 0,
) -> TrainingTable:
    """Measure pictures, each as it is after every one of the degradations.

    Parameters
    ----------
    sources : iterable
        The pictures, each anything that `convtrace.image.read` takes.
    descriptor : Descriptor
        What measures them.
    names : sequence of str
        Degradations; see `convtrace.image.degradations`.
    seed : int
        Of the degradations; each picture has its own.

    Returns
    -------
    TrainingTable

    Raises
    ------
    ImageError
        Where a picture cannot be read.
    ConvtraceError
        Where a degradation is unknown.

    Examples
    --------
    >>> from convtrace.descriptors import create
    >>> rng = np.random.default_rng(0)
    >>> pictures = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2)]
    >>> table = training_table(pictures, create("ct", kernel_size=3), ["none", "jpeg-75"])
    >>> table.source.tolist(), table.conditions.tolist()[:2]
    ([0, 0, 1, 1], ['lossless', 'jpeg-70-84'])
    """
    for name in names:
        degradations.check(name)
    features, conditions, formats, sides = [], [], [], []
    count = 0
    for chunk in _chunks(sources, _CHUNK):
        variants: list[Picture | NDArray[np.uint8]] = []
        for source in chunk:
            picture = read(source)
            before = of_picture(picture)
            formats += [picture.format] * len(names)
            for name in names:
                variant = _degraded(picture, name, seed + count)
                pixels = variant.pixels if isinstance(variant, Picture) else variant
                variants.append(variant)
                sides.append(min(pixels.shape[:2]))
                conditions.append(of_degradation(name, before))
            count += 1
        features.append(np.asarray(descriptor.transform(variants), dtype=np.float64))
    width = len(descriptor.get_feature_names_out())
    return TrainingTable(
        np.concatenate(features) if features else np.empty((0, width)),
        np.repeat(np.arange(count), len(names)),
        np.array(list(names) * count, dtype=str),
        np.array(conditions, dtype=str),
        np.array(formats, dtype=str),
        np.array(sides, dtype=np.intp),
    )


def _degraded(picture: Picture, name: str, seed: int) -> Picture | NDArray[np.uint8]:
    if name.strip().lower() == "none":
        return picture
    return degradations.apply(name, to_uint8(picture.pixels), seed=seed)


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
