"""Verdicts for many pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from convtrace.batch.engine import map_ordered
from convtrace.detection import Detector, Verdict
from convtrace.errors import ImageError

__all__ = ["scan_many"]


def scan_many(
    paths: Iterable[str | os.PathLike[str]], detector: Detector, *, workers: int | None = None
) -> Iterator[Verdict]:
    """Judge pictures.

    Parameters
    ----------
    paths : iterable of path
        The pictures.
    detector : Detector
        What judges them.
    workers : int, optional
        Threads; one for each core by default.

    Yields
    ------
    Verdict
        One for each path, in order; one that cannot be read has an error.
    """

    def one(path: str | os.PathLike[str]) -> Verdict:
        try:
            return detector.verdict(path)
        except ImageError as error:
            return Verdict.failed(os.fspath(path), str(error))

    return map_ordered(one, paths, workers=workers)
