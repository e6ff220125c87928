"""Verdicts on many pictures."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from functools import partial

from convtrace.batch import engines
from convtrace.detection import Detector, Verdict
from convtrace.errors import ImageError
from convtrace.image import Picture, read

__all__ = ["judged", "scan_many"]


def scan_many(
    paths: Iterable[str | os.PathLike[str]],
    detector: Detector,
    *,
    workers: int | None = None,
    engine: str = "local",
) -> Generator[Verdict, None, None]:
    """Judge many pictures.

    Parameters
    ----------
    paths : iterable of path
        The pictures, for instance from `convtrace.image.find_pictures`.
    detector : Detector
        What judges them.
    workers : int, optional
        Pictures at once; by default one for each core.
    engine : str, default "local"
        One of `convtrace.batch.engines.names`.

    Returns
    -------
    generator of Verdict
        In the order of the paths, each as soon as it and all before it are done. A picture
        that cannot be read has a verdict with an error. Closing the iterator drops the rest.

    Raises
    ------
    UnknownNameError
        Where no engine has the name.
    """
    return engines.create(engine).map(partial(_verdict, detector), paths, workers=workers)


def judged(path: str | os.PathLike[str], detector: Detector) -> tuple[Verdict, Picture | None]:
    """Judge one picture, and hand its pixels on.

    Parameters
    ----------
    path : path
        The picture.
    detector : Detector
        What judges it.

    Returns
    -------
    verdict : Verdict
        With an error where it cannot be judged.
    picture : Picture or None
        What was read; None where it could not be.
    """
    name = os.fspath(path)
    picture: Picture | None = None
    try:
        picture = read(name)
        return detector.verdict(picture), picture
    except ImageError as error:
        return Verdict.failed(name, str(error)), picture
    except MemoryError:
        error_words = f"{name}: not enough memory to judge it; use fewer workers"
        return Verdict.failed(name, error_words), None


def _verdict(detector: Detector, path: str | os.PathLike[str]) -> Verdict:
    return judged(path, detector)[0]
