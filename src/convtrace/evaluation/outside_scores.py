"""Outside detectors on the pictures of an experiment, after the same degradations."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.learning import balanced_accuracy
from convtrace.evaluation.outside import OutsideDetector, score
from convtrace.evaluation.pixels import degraded_pixels

__all__ = ["threshold_calls"]


def threshold_calls(
    detector: OutsideDetector,
    by_name: Mapping[str, Path],
    pictures: NDArray[np.str_],
    template: str,
    codes: NDArray[np.intp],
    groups: NDArray[Any],
    seed: int,
) -> NDArray[np.bool_]:
    """Return what a detector calls generated, its threshold chosen on the training folds.

    Parameters
    ----------
    detector : OutsideDetector
        The command.
    by_name : mapping of str to Path
        The files, as of `convtrace.evaluation.pixels.paths_by_name`.
    pictures : ndarray of str, shape (n,)
        As in a feature table.
    template : str
        Degradation.
    codes, groups : ndarray of shape (n,)
        Classes 0 (real) and 1, and groups.
    seed : int
        Of the folds.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ConvtraceError
        Where the detector fails.
    """
    with tempfile.TemporaryDirectory(prefix="convtrace-") as folder:
        paths = []
        for name in pictures.tolist():
            path = by_name[name]
            if template != "none":
                changed = degraded_pixels(path, template)
                path = Path(folder) / f"{name}.png"
                Image.fromarray(changed).save(path)
            paths.append(path)
        scores = score(detector, paths)
    called = np.zeros(len(codes), dtype=bool)
    for train, test in folds_by_group(codes, groups, seed=seed):
        called[test] = scores[test] >= _best_threshold(scores[train], codes[train])
    return called


def _best_threshold(scores: NDArray[np.float64], codes: NDArray[np.intp]) -> float:
    """Return the score from which on calling generated is right most often."""
    values = np.unique(scores)
    middles = np.concatenate([[values[0]], (values[1:] + values[:-1]) / 2])
    merits = [balanced_accuracy(codes, (scores >= t).astype(np.intp)) for t in middles]
    return float(middles[int(np.argmax(merits))])
