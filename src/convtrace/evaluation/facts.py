"""What the pictures' files say: size, format and quality, for the honesty of tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convtrace.datasets import Dataset, read_header
from convtrace.errors import DatasetError, ImageError

__all__ = ["PictureFacts", "collect_facts", "read_facts", "write_facts"]


@dataclass(frozen=True, slots=True, eq=False)
class PictureFacts:
    """Facts of each picture's file.

    Attributes
    ----------
    picture, labels, generators, groups, subsets, formats : ndarray of str, shape (n,)
        As in a feature table.
    width, height, quality : ndarray of int, shape (n,)
        In pixels, and the JPEG quality; 0 for a file that is no JPEG.
    """

    picture: NDArray[np.str_]
    labels: NDArray[np.str_]
    generators: NDArray[np.str_]
    groups: NDArray[np.str_]
    subsets: NDArray[np.str_]
    formats: NDArray[np.str_]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    quality: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.picture)


_COLUMNS = tuple(PictureFacts.__dataclass_fields__)


def collect_facts(dataset: Dataset) -> PictureFacts:
    """Read the headers of a data set's pictures.

    Parameters
    ----------
    dataset : Dataset
        The pictures; those that cannot be read are left out.

    Returns
    -------
    PictureFacts
    """
    rows = []
    for index, path in enumerate(dataset.paths):
        try:
            header = read_header(path)
        except ImageError:
            continue  # measuring it names it
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        quality = header.jpeg.quality if header.jpeg is not None else None
        rows.append(
            (
                digest[:16],
                str(dataset.labels[index]),
                str(dataset.generators[index]),
                hashlib.sha256(str(dataset.groups[index]).encode()).hexdigest()[:16],
                str(dataset.subset[index]),
                header.format,
                header.width,
                header.height,
                0 if quality is None else round(quality),
            )
        )
    if not rows:
        raise DatasetError(f"{dataset.root}: no picture can be read")
    return PictureFacts(*(np.array(column) for column in zip(*rows, strict=True)))


def write_facts(facts: PictureFacts, path: Path) -> None:
    """Store facts as Parquet.

    Parameters
    ----------
    facts : PictureFacts
        The facts.
    path : Path
        The file; replaced once the new one is complete.
    """
    table = pa.table({name: pa.array(getattr(facts, name)) for name in _COLUMNS})
    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(table, temporary, compression="zstd", compression_level=15)
    temporary.replace(path)


def read_facts(path: Path) -> PictureFacts:
    """Read what `write_facts` stored.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    PictureFacts

    Raises
    ------
    DatasetError
        If the file is missing or is no table of facts.
    """
    try:
        stored = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{path}: the facts cannot be read: {error}") from error
    if set(_COLUMNS) - set(stored.column_names):
        raise DatasetError(f"{path}: this is not a table of picture facts")
    return PictureFacts(*(np.array(stored.column(name).to_pylist()) for name in _COLUMNS))
