"""What traces of known pictures look like: means, quantiles and a map in two dimensions.

Condensed from the packaged feature table by ``tools/build_report_references.py`` to one small
file, so that a report needs no table of thousands of rows. Compression changes a trace more
than its origin does, so everything is kept for each condition of compression.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score

from convtrace.detection.conditions import CONDITIONS
from convtrace.errors import ConvtraceError
from convtrace.evaluation import FeatureTable
from convtrace.traces import Trace
from convtrace.traces.model import offsets

__all__ = [
    "CHANNELS",
    "CROP",
    "KERNEL_SIZE",
    "LEVELS",
    "Condition",
    "ReferenceSet",
    "feature_names",
    "numbers_of",
    "references",
    "references_path",
    "summarise",
]

KERNEL_SIZE = 7
"""Side of the kernels that are compared."""

CHANNELS = "rgb"
"""Their channels, one kernel each."""

CROP = 256
"""Side of the centre of a picture, in pixels, in which the reference traces were measured."""

LEVELS: NDArray[np.float64] = np.linspace(0.0, 1.0, 41)
"""The levels of the stored quantiles."""

Floats = NDArray[np.float64]

_STATISTICS = ("log_sigma", "weight", "log_likelihood")
# A mean of fewer pictures would say more of them than of their generator.
_LEAST_ROWS = 20
_POINTS = 250
_FORMAT = "convtrace report references 1"
_ARRAYS = (
    "real_means",
    "generated_means",
    "real_quantiles",
    "generated_quantiles",
    "auc",
    "centre",
    "axes",
    "points",
)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What is known of the traces of pictures of one condition of compression.

    Attributes
    ----------
    real_names, generated_names : tuple of str
        Sources of photographs, and generators.
    real_means, generated_means : ndarray of shape (n, C * (N * N - 1)), float64
        Their mean coefficients, in the order of `Trace.vector`.
    real_quantiles, generated_quantiles : ndarray of shape (d, 41), float64
        Quantiles at `LEVELS` of each number of `feature_names`.
    auc : ndarray of shape (d,), float64
        How well each number alone tells real from generated: 0.5 not at all, 1 and 0
        perfectly (1 where generated images have the greater).
    centre : ndarray of shape (C * (N * N - 1),), float64
        The origin of the projection.
    axes : ndarray of shape (2, C * (N * N - 1)), float64
        Its axes: the direction that tells real from generated best by a linear rule, and the
        direction of most of the remaining variation.
    points : ndarray of shape (m, 3), float64
        Projected pictures that the axes were not fitted on: the two coordinates, and 1 for a
        generated image.
    projection_auc : float
        How well the first coordinate tells real from generated, on such pictures.
    """

    real_names: tuple[str, ...]
    generated_names: tuple[str, ...]
    real_means: Floats
    generated_means: Floats
    real_quantiles: Floats
    generated_quantiles: Floats
    auc: Floats
    centre: Floats
    axes: Floats
    points: Floats
    projection_auc: float

    def project(self, vector: Floats) -> tuple[float, float]:
        """Return the two coordinates of a trace.

        Parameters
        ----------
        vector : ndarray of shape (C * (N * N - 1),)
            From `Trace.vector`.

        Returns
        -------
        x, y : float
            Greater x is more like generated images.
        """
        x, y = self.axes @ (vector - self.centre)
        return float(x), float(y)


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceSet:
    """All conditions.

    Attributes
    ----------
    conditions : mapping of str to Condition
        By name of the condition; see `convtrace.detection.conditions`.
    """

    conditions: Mapping[str, Condition]

    def condition(self, name: str) -> tuple[str, Condition]:
        """Return a condition, or the lossless one where it was not measured.

        Parameters
        ----------
        name : str
            The condition of a picture.

        Returns
        -------
        name : str
            Of the condition that is returned.
        condition : Condition
        """
        chosen = name if name in self.conditions else "lossless"
        return chosen, self.conditions[chosen]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file.

        Parameters
        ----------
        path : str or os.PathLike
            By convention ``.npz``.
        """
        about: dict[str, Any] = {"format": _FORMAT, "conditions": {}}
        arrays: dict[str, NDArray[Any]] = {}
        for name, found in self.conditions.items():
            about["conditions"][name] = {
                "real": found.real_names,
                "generated": found.generated_names,
                "projection_auc": found.projection_auc,
            }
            for array in _ARRAYS:
                # Axes are multiplied with sums of many terms; the rest is only drawn.
                kind = np.float32 if array in ("axes", "centre") else np.float16
                arrays[f"{name}/{array}"] = getattr(found, array).astype(kind)
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file,
                about=np.array(json.dumps(about)),
                **arrays,  # type: ignore[arg-type]
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ReferenceSet:
        """Read the file.

        Parameters
        ----------
        path : str or os.PathLike
            From `save`.

        Returns
        -------
        ReferenceSet

        Raises
        ------
        ConvtraceError
            Where it is missing, or is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                if about.get("format") != _FORMAT:
                    raise ValueError("another format")
                conditions = {
                    name: Condition(
                        real_names=tuple(each["real"]),
                        generated_names=tuple(each["generated"]),
                        projection_auc=float(each["projection_auc"]),
                        **{key: stored[f"{name}/{key}"].astype(np.float64) for key in _ARRAYS},
                    )
                    for name, each in about["conditions"].items()
                }
        except (OSError, ValueError, KeyError) as error:
            raise ConvtraceError(
                f"{os.fspath(path)}: the reference data of the reports cannot be read; install "
                "convtrace again"
            ) from error
        return cls(conditions)


def references_path() -> Path:
    """Return the packaged file.

    Returns
    -------
    pathlib.Path
    """
    return Path(__file__).parent / "data" / "references.npz"


@lru_cache(maxsize=1)
def references() -> ReferenceSet:
    """Load the packaged reference data, once in a process.

    Returns
    -------
    ReferenceSet
    """
    return ReferenceSet.load(references_path())


def feature_names() -> tuple[str, ...]:
    """Return the names of the numbers that are compared: coefficients, then statistics.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> names = feature_names()
    >>> names[0], names[-1], len(names)
    ('ct7_r_-3_-3', 'ct7_b_log_likelihood', 153)
    """
    steps = offsets(KERNEL_SIZE).tolist()
    kernel = [
        f"ct{KERNEL_SIZE}_{channel}_{row:+d}_{column:+d}"
        for channel in CHANNELS
        for row, column in steps
    ]
    return (
        *kernel,
        *(f"ct{KERNEL_SIZE}_{channel}_{name}" for channel in CHANNELS for name in _STATISTICS),
    )


def numbers_of(trace: Trace) -> Floats:
    """Return the numbers of a trace that are compared, in the order of `feature_names`.

    Parameters
    ----------
    trace : Trace
        Of size `KERNEL_SIZE` and channels `CHANNELS`.

    Returns
    -------
    ndarray of shape (d,), float64
    """
    statistics = np.stack([np.log(trace.sigma), trace.weight, trace.log_likelihood], axis=1)
    return np.concatenate([trace.vector, statistics.ravel()])


def summarise(table: FeatureTable, *, seed: int = 0) -> ReferenceSet:
    """Condense a feature table.

    Parameters
    ----------
    table : FeatureTable
        With the columns of `feature_names`, for instance the packaged one.
    seed : int, default 0
        Of the drawing of the points that are kept.

    Returns
    -------
    ReferenceSet
        Of the pictures as they are and saved as JPEG, not of rescaled ones: those have
        traces of their own.

    Raises
    ------
    ConvtraceError
        Where the table lacks a column.
    """
    place = {str(name): column for column, name in enumerate(table.names)}
    missing = [name for name in feature_names() if name not in place]
    if missing:
        raise ConvtraceError(f"the feature table has no column {missing[0]}")
    columns = np.array([place[name] for name in feature_names()])
    plain = np.array(
        ["rescale" not in name and "crop" not in name for name in table.templates.tolist()]
    )
    found = {}
    for name in CONDITIONS:
        rows = plain & (table.conditions == name)
        if min((rows & (table.labels == label)).sum() for label in ("real", "fake")) >= _LEAST_ROWS:
            found[name] = _summarise_condition(
                table.features[rows][:, columns].astype(np.float64), table.select(rows), seed
            )
    return ReferenceSet(found)


def _summarise_condition(values: Floats, table: FeatureTable, seed: int) -> Condition:
    generated = table.labels == "fake"
    count = KERNEL_SIZE**2 * len(CHANNELS) - len(CHANNELS)
    kernels = values[:, :count]
    sources = np.array([name.removeprefix("real-") for name in table.subsets.tolist()])
    real_names, real_means = _means(kernels, np.where(generated, "", sources))
    generated_names, generated_means = _means(kernels, np.where(generated, table.generators, ""))
    # Groups are hashes, so their last digit halves them without looking at anything else.
    half = np.array([int(group[-1], 16) % 2 == 0 for group in table.groups.tolist()])
    centre, axes = _axes(kernels[half], generated[half])
    projected = (kernels[~half] - centre) @ axes.T
    auc = np.array([roc_auc_score(generated, column) for column in values.T])
    return Condition(
        real_names,
        generated_names,
        real_means,
        generated_means,
        np.quantile(values[~generated], LEVELS, axis=0).T,
        np.quantile(values[generated], LEVELS, axis=0).T,
        auc,
        centre,
        axes,
        _sample(projected, generated[~half], seed),
        float(roc_auc_score(generated[~half], projected[:, 0])),
    )


def _means(kernels: Floats, names: NDArray[Any]) -> tuple[tuple[str, ...], Floats]:
    kept = [
        name for name in sorted(set(names.tolist()) - {""}) if (names == name).sum() >= _LEAST_ROWS
    ]
    return tuple(kept), np.array([kernels[names == name].mean(axis=0) for name in kept])


def _axes(kernels: Floats, generated: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return a centre between the classes and the two axes, scaled to the classes' spread."""
    rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
    rule.fit(kernels, generated)
    centre = (kernels[generated].mean(axis=0) + kernels[~generated].mean(axis=0)) / 2
    within = kernels.copy()
    for label in (False, True):
        within[generated == label] -= kernels[generated == label].mean(axis=0)
    first = np.asarray(rule.coef_[0], dtype=np.float64)
    first = first / np.std(within @ first)
    # What is left of the variation once the first coordinate is known: by regression, so
    # that the second says nothing that the first has said.
    score = within @ first
    slope = within.T @ score / (score @ score)
    rest = within - np.outer(score, slope)
    _, vectors = np.linalg.eigh(np.cov(rest, rowvar=False))
    principal = vectors[:, -1]
    second = principal - first * float(principal @ slope)
    second *= np.sign(second[np.argmax(np.abs(second))]) / np.std(within @ second)
    return centre, np.stack([first, second])


def _sample(projected: Floats, generated: NDArray[np.bool_], seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    parts = []
    for label in (False, True):
        rows = np.flatnonzero(generated == label)
        chosen = np.sort(rng.permutation(rows)[:_POINTS])
        parts.append(np.column_stack([projected[chosen], np.full(len(chosen), float(label))]))
    return np.concatenate(parts)
