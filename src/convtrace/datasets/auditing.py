"""The audit: tries to tell a data set's classes apart without looking at a pixel.

If the fakes are PNG and the real photographs JPEG, a detector trained on them
learns PNG against JPEG, scores high, and is worthless. For each kind of fact about
the files the audit trains a small classifier on that alone, reports its grouped,
cross-validated AUC with a 95% interval, and says in plain words what it means.

References
----------
P. Grommelt et al., "Fake or JPEG? Revealing Common Biases in Generated Image
Detection Datasets", 2024, arXiv:2403.17608.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from convtrace.datasets import audit_facts
from convtrace.datasets.audit_report import AuditReport, Fact, Finding
from convtrace.datasets.audit_tables import audit_tables
from convtrace.datasets.dataset import FAKE, REAL, Dataset, relative_name
from convtrace.datasets.headers import Header, read_header
from convtrace.datasets.separability import (
    Evidence,
    Scorer,
    facts_scores,
    held_out_auc,
    joint_scores,
    name_scores,
)
from convtrace.datasets.splits import grouped_folds
from convtrace.errors import DatasetError, ImageError

__all__ = ["audit"]

Floats = npt.NDArray[np.float64]

_MIN_PICTURES = 10

_RE_SAVE = "Re-save both classes by the same code, in the same format and quality."
# What is tested on its own, and the function that turns headers into columns.
_FACTS: Final[tuple[tuple[Fact, Callable[[Sequence[Header]], Floats]], ...]] = (
    (
        Fact(
            "format",
            "File format",
            "may learn one format's compression against another's rather than traces",
            _RE_SAVE,
        ),
        audit_facts.file_format,
    ),
    (
        Fact(
            "colour mode",
            "Colour mode",
            "may learn greyscale, palette or alpha against colour rather than traces",
            "Convert both classes to RGB, or leave out the pictures in other modes.",
        ),
        audit_facts.colour_mode,
    ),
    (
        Fact(
            "size",
            "Picture size",
            "may learn the size, or the re-sampling that led to it, rather than traces",
            "Crop (do not scale) both classes to one size, from pictures of similar sizes.",
        ),
        audit_facts.size,
    ),
    (
        Fact(
            "bytes per pixel",
            "File size per pixel",
            "may learn how strongly, or in which format, files were compressed rather than traces",
            f"{_RE_SAVE} What remains is detail in the pictures themselves.",
        ),
        audit_facts.bytes_per_pixel,
    ),
    (
        Fact(
            "metadata",
            "Metadata",
            "does not see metadata if it reads pixels alone, but the classes came by "
            "different ways, which leave other marks",
            "Check where both classes come from, and strip metadata before sharing the set.",
        ),
        audit_facts.metadata,
    ),
)
_JPEG: Final = Fact(
    "JPEG compression",
    "JPEG compression (of the JPEG files)",
    "may learn quality and subsampling rather than traces",
    f"{_RE_SAVE} Mind that a first, different compression stays visible under the second.",
)
_NAME: Final = Fact(
    "file name",
    "The file's name (numbers and folders aside)",
    "does not see names if it reads pixels alone, but the classes were collected apart, "
    "and names can leak the label to people and scripts",
    "Rename the files of both classes in one scheme.",
)
_ALL: Final = Fact(
    "all together",
    "All these facts together",
    "may learn a mixture of them rather than traces",
    "Mend the single facts first, then audit again.",
    several=True,
)
_PUBLISHED: Final = Fact(
    "format as published",
    "The format in which the pictures were published",
    "may learn traces of the first compression, which outlive re-saving and cropping, "
    "rather than those of generators",
    "Compare only sets of one published format, or cover compression in training "
    "for both classes alike.",
)


@dataclass(frozen=True, slots=True)
class _Test:
    """A fact, the rows that have it, and what a classifier sees of them."""

    fact: Fact
    rows: npt.NDArray[np.intp]
    evidence: Evidence
    scorer: Scorer = facts_scores


def audit(
    dataset: Dataset,
    *,
    n_splits: int = 5,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AuditReport:
    """Test whether facts about the files alone tell real from fake.

    Only headers are read, no pixels: thousands of pictures take seconds.

    Parameters
    ----------
    dataset : Dataset
        With both classes, ten readable pictures each or more. Its groups are
        kept together in the cross-validation.
    n_splits : int
        Number of folds; lowered where a class has fewer groups.
    seed : int
        Of the folds, the trees and the bootstrap.
    n_jobs : int, optional
        Threads that read headers; by default one per processor.
    progress : callable, optional
        Called with the number of headers read and the number of all.

    Returns
    -------
    AuditReport
        Warnings are given from the thresholds of
        `convtrace.datasets.audit_report` on.

    Raises
    ------
    DatasetError
        If a class is missing or has fewer than ten readable pictures.
    """
    for label in (REAL, FAKE):
        if not np.any(dataset.labels == label):
            raise DatasetError(
                f"{dataset.root}: has no {label} pictures; an audit compares both classes, "
                "so add the other one (a manifest can join two folders)"
            )
    headers, unreadable = _read_headers(dataset, n_jobs, progress)
    known = [one for one in headers if one is not None]
    readable = dataset.select(np.array([one is not None for one in headers], dtype=np.bool_))
    for label in (REAL, FAKE):
        count = int(np.count_nonzero(readable.labels == label))
        if count < _MIN_PICTURES:
            raise DatasetError(
                f"{dataset.root}: has {count} readable {label} pictures; "
                f"an audit needs {_MIN_PICTURES} of each class"
            )
    return AuditReport(
        root=dataset.root,
        layout=dataset.layout,
        counts=dataset.counts(),
        findings=tuple(_run(one, readable, n_splits, seed) for one in _tests(readable, known)),
        tables=audit_tables(readable, known),
        unreadable=unreadable,
        notes=dataset.notes,
        n_splits=n_splits,
        seed=seed,
    )


def _read_headers(
    dataset: Dataset, n_jobs: int | None, progress: Callable[[int, int], None] | None
) -> tuple[list[Header | None], tuple[tuple[str, str], ...]]:
    headers: list[Header | None] = []
    unreadable: list[tuple[str, str]] = []
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(max_workers=n_jobs or os.cpu_count() or 1) as pool,
    ):
        # Damaged EXIF is common, and of no consequence here.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        results = pool.map(_header_or_error, dataset.paths)
        for path, result in zip(dataset.paths, results, strict=True):
            if isinstance(result, ImageError):
                unreadable.append((relative_name(path, dataset.root), result.reason))
                headers.append(None)
            else:
                headers.append(result)
            if progress is not None:
                progress(len(headers), len(dataset))
    return headers, tuple(unreadable)


def _header_or_error(path: Path) -> Header | ImageError:
    try:
        return read_header(path)
    except ImageError as error:
        return error


def _tests(dataset: Dataset, headers: Sequence[Header]) -> list[_Test]:
    """Lay out all tests of readable pictures and their headers."""
    everything = np.arange(len(dataset))
    names = tuple(audit_facts.normalised_name(path) for path in dataset.paths)
    columns = [function(headers) for _, function in _FACTS]
    tests = [
        _Test(fact, everything, Evidence(matrix))
        for (fact, _), matrix in zip(_FACTS, columns, strict=True)
    ]
    # On all files the lack of a quality would only tell the format a second time.
    jpegs = np.array([i for i, one in enumerate(headers) if one.jpeg is not None], dtype=np.intp)
    compression = audit_facts.jpeg_compression([one for one in headers if one.jpeg is not None])
    spread = np.full((len(headers), compression.shape[1]), -1.0)
    spread[jpegs] = compression
    together = Evidence(np.hstack([*columns, spread]), names)
    nothing = np.empty((len(dataset), 0))
    tests += [
        _Test(_JPEG, jpegs, Evidence(compression)),
        _Test(_NAME, everything, Evidence(nothing, names), name_scores),
        _Test(_ALL, everything, together, joint_scores),
    ]
    if np.any(dataset.published_format != ""):
        published = audit_facts.published_format(dataset.published_format.tolist())
        tests.append(_Test(_PUBLISHED, everything, Evidence(published)))
    return tests


def _run(test: _Test, dataset: Dataset, n_splits: int, seed: int) -> Finding:
    part = dataset.select(test.rows)
    n_groups = {one: len(np.unique(part.groups[part.labels == one])) for one in (REAL, FAKE)}
    for label, count in n_groups.items():
        pictures = int(np.count_nonzero(part.labels == label))
        if pictures < _MIN_PICTURES:
            return Finding.untested(
                test.fact, len(part), f"only {pictures} {label} pictures are of this kind"
            )
        if count < 2:
            return Finding.untested(test.fact, len(part), f"all {label} pictures are one group")
    folds = grouped_folds(
        part.labels, part.groups, n_splits=max(2, min(n_splits, *n_groups.values())), seed=seed
    )
    auc = held_out_auc(
        test.scorer, test.evidence, part.labels == FAKE, part.groups, folds, seed=seed
    )
    return Finding.measured(test.fact, len(part), auc)
