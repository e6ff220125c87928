"""The verdicts of a detector on a data set, as it is and after attacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convtrace.batch import engines
from convtrace.datasets import Dataset
from convtrace.detection import Detector, Examination, Verdict
from convtrace.detection.conditions import of_degradation, of_picture
from convtrace.errors import DatasetError, ImageError
from convtrace.image import Picture, read, to_uint8
from convtrace.image import degradations as attacks

__all__ = ["Judged", "Sample", "judge_dataset"]

# Seconds for a picture and an attack.
_TIME_LIMIT = 600.0


class Sample(NamedTuple):
    """What is to be known of a picture to judge it and to count the verdict.

    Attributes
    ----------
    path, label, generator, group : str
        As in a `Dataset`.
    """

    path: str
    label: str
    generator: str
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """All verdicts: one row for each picture and attack.

    Attributes
    ----------
    samples : sequence of Sample
        The pictures, n of them.
    sha256 : sequence of str
        Hexadecimal digests of their files.
    attacks : ndarray of str, shape (n,)
        What was done to them.
    verdicts : sequence of Verdict
        What the detector says, without an error.
    """

    samples: Sequence[Sample]
    sha256: Sequence[str]
    attacks: NDArray[np.str_]
    verdicts: Sequence[Verdict]

    @property
    def generated(self) -> NDArray[np.bool_]:
        """Which are generated images in truth."""
        return np.array([one.label == "fake" for one in self.samples])

    @property
    def groups(self) -> NDArray[np.str_]:
        """What must be drawn together."""
        return np.array([one.group for one in self.samples])

    @property
    def generators(self) -> NDArray[np.str_]:
        """What made the generated images."""
        return np.array([one.generator for one in self.samples])

    @property
    def probability(self) -> NDArray[np.float64]:
        """Of being generated, as the detector has it."""
        return np.array([each.probability for each in self.verdicts], dtype=np.float64)

    @property
    def labels(self) -> NDArray[np.str_]:
        """What the detector says."""
        return np.array([each.label for each in self.verdicts])


# SHA-256 and the verdict after each attack, or why there is none.
_Found = tuple[str, list[Verdict]] | str


def judge_dataset(
    dataset: Dataset,
    detector: Detector,
    degradations: tuple[str, ...],
    *,
    n_jobs: int | None = None,
    engine: str | engines.Engine = "local",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Judged, list[str]]:
    """Judge all pictures after all attacks, each as `convtrace.scan` would.

    Parameters
    ----------
    dataset : Dataset
        The pictures.
    detector : Detector
        What judges them.
    degradations : tuple of str
        Attacks, names of `convtrace.image.degradations`.
    n_jobs, engine, progress
        As for `convtrace.evaluation.measure`.

    Returns
    -------
    judged : Judged
        Rows of one picture stand together.
    errors : list of str
        One line for each picture that could not be judged; it has no rows.

    Raises
    ------
    DatasetError
        If no picture can be judged.
    """
    samples = [
        Sample(os.fspath(path), *map(str, others))
        for path, *others in zip(
            dataset.paths, dataset.labels, dataset.generators, dataset.groups, strict=True
        )
    ]
    run = engines.create(engine) if isinstance(engine, str) else engine
    results = run.map(
        partial(_verdicts, detector=detector, degradations=degradations),
        samples,
        workers=n_jobs if n_jobs is not None and n_jobs > 0 else None,
        time_limit=_TIME_LIMIT * len(degradations),
        lost=_lost,
    )
    rows: list[tuple[Sample, str, str, Verdict]] = []
    errors = []
    with closing(results):
        for done, (sample, found) in enumerate(zip(samples, results, strict=True), start=1):
            if isinstance(found, str):
                errors.append(found)
            else:
                sha256, verdicts = found
                rows += [
                    (sample, sha256, name, verdict)
                    for name, verdict in zip(degradations, verdicts, strict=True)
                ]
            if progress is not None:
                progress(done, len(samples))
    if not rows:
        first = errors[0] if errors else "there is none"
        raise DatasetError(f"{dataset.root}: no picture could be measured; the first: {first}")
    of_rows, sha256s, names, said = zip(*rows, strict=True)
    return Judged(of_rows, sha256s, np.array(names), said), errors


def _verdicts(sample: Sample, *, detector: Detector, degradations: tuple[str, ...]) -> _Found:
    """Judge one picture after every attack, or say why that cannot be done."""
    try:
        picture = read(sample.path)
        found = [_examined(picture, name, detector) for name in degradations]
    except ImageError as error:
        return str(error)
    return picture.sha256, detector.judge(found)


def _examined(picture: Picture, attack: str, detector: Detector) -> Examination:
    if attack.strip().lower() == "none":
        return detector.examine(picture)
    seed = int(picture.sha256[:8], 16)
    changed = attacks.apply(attack, to_uint8(picture.pixels), seed=seed)
    return detector.examine(changed, compression=of_degradation(attack, of_picture(picture)))


def _lost(sample: Sample, reason: str) -> _Found:
    return f"{sample.path}: {reason}"
