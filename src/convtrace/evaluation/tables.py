"""Feature tables: what a detector is trained and measured on, once the pixels are gone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convtrace.batch import engines
from convtrace.datasets import Dataset
from convtrace.detection.conditions import of_degradation, of_picture
from convtrace.errors import DatasetError, ImageError
from convtrace.image import degradations, read, to_uint8

__all__ = [
    "FeatureTable",
    "join_tables",
    "measure",
    "read_table",
    "resolve",
    "stack_tables",
    "write_table",
]

Progress = Callable[[int, int], None]
# Seconds for a picture and a degradation.
_TIME_LIMIT = 600.0
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Features of degraded pictures, one row for each picture and degradation.

    Attributes
    ----------
    features : ndarray of shape (n, d), float32
        The vectors.
    names : ndarray of str, shape (d,)
        Names of the columns.
    picture, labels, generators, groups, subsets, formats : ndarray of str, shape (n,)
        Which picture (start of the SHA-256 of the file), "real" or "fake", its generator,
        its group (hashed), its part of the data set, and its file format.
    templates, degradations, conditions : ndarray of str, shape (n,)
        The degradation asked for, what it came to for this picture, and the compression
        that it left.
    """

    features: NDArray[np.float32]
    names: NDArray[np.str_]
    picture: NDArray[np.str_]
    labels: NDArray[np.str_]
    generators: NDArray[np.str_]
    groups: NDArray[np.str_]
    subsets: NDArray[np.str_]
    formats: NDArray[np.str_]
    templates: NDArray[np.str_]
    degradations: NDArray[np.str_]
    conditions: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.features)

    def select(self, rows: NDArray[Any]) -> FeatureTable:
        """Return some of the rows.

        Parameters
        ----------
        rows : ndarray of bool or int
            A mask or indices.

        Returns
        -------
        FeatureTable
        """
        kept = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return FeatureTable(self.features[rows], self.names, **kept)


_COLUMNS = tuple(f.name for f in fields(FeatureTable) if f.name not in ("features", "names"))


def join_tables(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Lay the columns of several tables of the same pictures side by side.

    Parameters
    ----------
    tables : sequence of FeatureTable
        Each with one row for a picture and degradation, in any order.

    Returns
    -------
    FeatureTable
        In the order of the first.

    Raises
    ------
    DatasetError
        Where one has other rows, or two have a column of the same name.
    """
    first = tables[0]
    keys = [list(zip(t.picture.tolist(), t.templates.tolist(), strict=True)) for t in tables]
    blocks = [first.features]
    for table, of_table in zip(tables[1:], keys[1:], strict=True):
        place = {key: row for row, key in enumerate(of_table)}
        if len(place) != len(of_table) or set(place) != set(keys[0]):
            raise DatasetError("the feature tables are of different pictures or degradations")
        blocks.append(table.features[[place[key] for key in keys[0]]])
    names = np.concatenate([table.names for table in tables])
    if len(set(names.tolist())) != len(names):
        raise DatasetError("two feature tables have a column of the same name")
    kept = {name: getattr(first, name) for name in _COLUMNS}
    return FeatureTable(np.concatenate(blocks, axis=1), names, **kept)


def stack_tables(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Lay the rows of several tables of the same columns one below the other.

    Parameters
    ----------
    tables : sequence of FeatureTable
        At least one.

    Returns
    -------
    FeatureTable

    Raises
    ------
    DatasetError
        Where one has other columns.
    """
    first = tables[0]
    if any(not np.array_equal(table.names, first.names) for table in tables):
        raise DatasetError("the feature tables have different columns")
    kept = {name: np.concatenate([getattr(t, name) for t in tables]) for name in _COLUMNS}
    return FeatureTable(np.concatenate([t.features for t in tables]), first.names, **kept)


def resolve(template: str, key: str) -> str:
    """Draw the parameters of a degradation for one picture.

    Parameters
    ----------
    template : str
        A name of `convtrace.image.degradations` in which ``A..B`` stands for a number
        drawn evenly from A to B: a whole one if both are.
    key : str
        What identifies the picture; the same key gives the same draw.

    Returns
    -------
    str
        A degradation.

    Examples
    --------
    >>> resolve("jpeg-75", "a"), resolve("jpeg-50..100", "a") == resolve("jpeg-50..100", "a")
    ('jpeg-75', True)
    """
    digest = hashlib.sha256(f"{key}|{template}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))

    def draw(match: re.Match[str]) -> str:
        low, high = match.groups()
        if "." in low + high:
            return f"{rng.uniform(float(low), float(high)):.3f}"
        return str(rng.integers(int(low), int(high) + 1))

    return _RANGE.sub(draw, template)


def measure(
    dataset: Dataset,
    descriptor: Any,
    templates: tuple[str, ...],
    *,
    n_jobs: int | None = None,
    engine: str | engines.Engine = "local",
    progress: Progress | None = None,
) -> tuple[FeatureTable, list[str]]:
    """Measure every picture of a data set after every degradation.

    Parameters
    ----------
    dataset : Dataset
        The pictures.
    descriptor : Descriptor
        What measures them.
    templates : tuple of str
        Degradations, as for `resolve`; each picture of both classes gets them all.
    n_jobs : int, optional
        Pictures at once; by default one for each core.
    engine : str or Engine, default "local"
        One of `convtrace.batch.engines.names`, or an engine.
    progress : callable, optional
        Called with the numbers of pictures done and in all.

    Returns
    -------
    table : FeatureTable
        Rows of one picture stand together.
    errors : list of str
        One line for each picture that could not be measured; it has no rows.
    """
    blocks, rows, errors = [], [], []
    run = engines.create(engine) if isinstance(engine, str) else engine
    workers = n_jobs if n_jobs is not None and n_jobs > 0 else None
    results = run.map(
        partial(_described, descriptor=descriptor, templates=templates),
        (_Sample.of(dataset, index) for index in range(len(dataset))),
        workers=workers,
        time_limit=_TIME_LIMIT * len(templates),
        lost=_lost,
    )
    with closing(results):
        for done, found in enumerate(results, start=1):
            if isinstance(found, str):
                errors.append(found)
            else:
                blocks.append(found[0])
                rows += found[1]
            if progress is not None:
                progress(done, len(dataset))
    if not blocks:
        first = errors[0] if errors else "there is none"
        raise DatasetError(f"{dataset.root}: no picture could be measured; the first: {first}")
    columns = {
        name: np.array(values)
        for name, values in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
    }
    names = np.asarray(descriptor.get_feature_names_out(), dtype=str)
    return FeatureTable(np.concatenate(blocks), names, **columns), errors


class _Sample(NamedTuple):
    """What is to be known of a picture to measure it."""

    path: str
    label: str
    generator: str
    group: str
    subset: str

    @classmethod
    def of(cls, dataset: Dataset, index: int) -> _Sample:
        return cls(
            os.fspath(dataset.paths[index]),
            str(dataset.labels[index]),
            str(dataset.generators[index]),
            str(dataset.groups[index]),
            str(dataset.subset[index]),
        )


_Described = tuple[NDArray[np.float32], list[tuple[str, ...]]] | str


def _described(sample: _Sample, *, descriptor: Any, templates: tuple[str, ...]) -> _Described:
    """Measure one picture after every degradation, or say why that cannot be done."""
    try:
        picture = read(sample.path)
        before = of_picture(picture)
        vectors: list[NDArray[np.float32]] = []
        facts: list[tuple[str, ...]] = []
        for template in templates:
            name = resolve(template, picture.sha256)
            changed: Any = picture
            if name != "none":
                seed = int(picture.sha256[:8], 16)
                changed = degradations.apply(name, to_uint8(picture.pixels), seed=seed)
            vectors.append(descriptor.describe(changed).astype(np.float32))
            group = hashlib.sha256(sample.group.encode()).hexdigest()[:16]
            facts.append(
                (
                    picture.sha256[:16],
                    sample.label,
                    sample.generator,
                    group,
                    sample.subset,
                    picture.format,
                    template,
                    name,
                    of_degradation(name, before),
                )
            )
    except ImageError as error:
        return str(error)
    return np.stack(vectors), facts


def _lost(sample: _Sample, reason: str) -> _Described:
    return f"{sample.path}: {reason}"


def write_table(table: FeatureTable, path: Path) -> None:
    """Store a feature table as Parquet, features as half-precision numbers.

    Parameters
    ----------
    table : FeatureTable
        The table.
    path : Path
        The file; replaced once the new one is complete.
    """
    arrays: dict[str, Any] = {
        name: pa.array(getattr(table, name)).dictionary_encode() for name in _COLUMNS
    }
    # Half precision is finer than what a kernel of a 256-pixel crop is known to.
    for index, name in enumerate(table.names):
        arrays[str(name)] = pa.array(table.features[:, index].astype(np.float16))
    temporary = path.with_name(path.name + ".tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(arrays),
        temporary,
        compression="zstd",
        compression_level=15,
        # A dictionary of numbers that hardly repeat takes more than the numbers; their first
        # bytes repeat.
        use_dictionary=list(_COLUMNS),
        column_encoding=dict.fromkeys(map(str, table.names), "BYTE_STREAM_SPLIT"),
    )
    temporary.replace(path)


def read_table(path: Path) -> FeatureTable:
    """Read what `write_table` stored.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    FeatureTable

    Raises
    ------
    DatasetError
        If the file is missing or is no feature table.
    """
    try:
        stored = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{path}: the feature table cannot be read: {error}") from error
    names = [name for name in stored.column_names if name not in _COLUMNS]
    if set(_COLUMNS) - set(stored.column_names) or not names:
        raise DatasetError(f"{path}: this is not a feature table of convtrace")
    features = np.stack(
        [stored.column(name).to_numpy().astype(np.float32) for name in names], axis=1
    )
    columns = {name: np.array(stored.column(name).to_pylist(), dtype=str) for name in _COLUMNS}
    return FeatureTable(features, np.array(names), **columns)
