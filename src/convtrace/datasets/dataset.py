"""The labelled table that every layout and manifest is turned into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from convtrace.errors import DatasetError

__all__ = ["FAKE", "REAL", "Counts", "Dataset", "Strings"]

REAL = "real"
FAKE = "fake"

Strings = npt.NDArray[np.str_]

_COLUMNS = ("labels", "generators", "groups", "split", "subset", "sources", "published_format")


class Counts(TypedDict):
    """What a data set holds, as numbers that can be written as JSON."""

    pictures: int
    real: int
    fake: int
    groups: int
    generators: dict[str, int]
    split: dict[str, int]
    subset: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Pictures with their labels, one row each.

    Parameters
    ----------
    root : Path
        The folder that the data set was read from.
    layout : str
        Name of the layout, or ``"manifest"``.
    paths : tuple of Path
        The picture files, ``n`` of them.
    labels : ndarray of str, shape (n,)
        ``"real"`` or ``"fake"``.
    generators : ndarray of str, shape (n,)
        Name of the generator; empty for real pictures and where it is unknown.
    groups : ndarray of str, shape (n,)
        Pictures that share a group must stay on one side of any split. Never
        empty: a picture with no known relative has its own path as group.
    split : ndarray of str, shape (n,)
        ``"train"``, ``"val"``, ``"test"`` as published; empty if there is none.
    subset : ndarray of str, shape (n,)
        Named part of the set (a corpus' ``set``, a benchmark's folder, a
        platform); empty if there is none.
    sources : ndarray of str, shape (n,)
        Where the picture came from; empty if not told.
    published_format : ndarray of str, shape (n,)
        The format in which the picture was first published, where a manifest
        tells it (it can differ from the stored file); empty otherwise.
    notes : tuple of str
        Plain sentences about what was skipped or guessed while reading.

    Raises
    ------
    DatasetError
        If the columns differ in length, a label is unknown or a group is empty.

    Examples
    --------
    >>> from pathlib import Path
    >>> data = Dataset.build(Path("d"), "example", [Path("d/a.png"), Path("d/b.png")],
    ...                      ["real", "fake"], generators=["", "ProGAN"])
    >>> len(data), data.counts()["generators"]
    (2, {'ProGAN': 1})
    >>> data.select(data.labels == "fake").paths[0].name
    'b.png'
    """

    root: Path
    layout: str
    paths: tuple[Path, ...]
    labels: Strings
    generators: Strings
    groups: Strings
    split: Strings
    subset: Strings
    sources: Strings
    published_format: Strings
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            column = np.asarray(getattr(self, name), dtype=np.str_)
            if column.shape != (len(self.paths),):
                raise DatasetError(
                    f"{self.root}: column {name} has {column.size} entries "
                    f"for {len(self.paths)} pictures"
                )
            column = column.copy()
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        unknown = set(np.unique(self.labels)) - {REAL, FAKE}
        if unknown:
            raise DatasetError(
                f"{self.root}: label {str(min(unknown))!r} is neither {REAL!r} nor {FAKE!r}"
            )
        if len(self.paths) and not np.all(self.groups != ""):
            raise DatasetError(f"{self.root}: a picture has an empty group")

    @classmethod
    def build(
        cls,
        root: Path,
        layout: str,
        paths: Iterable[Path],
        labels: Sequence[str],
        *,
        generators: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        split: Sequence[str] | None = None,
        subset: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        published_format: Sequence[str] | None = None,
        notes: Iterable[str] = (),
    ) -> Dataset:
        """Make a data set from plain sequences; what is left out is filled in.

        An empty or missing group becomes the path of the picture, relative to
        ``root`` where it lies below it.

        Returns
        -------
        Dataset
        """
        paths = tuple(paths)
        given = groups if groups is not None else [""] * len(paths)
        full_groups = [
            group or relative_name(path, root) for group, path in zip(given, paths, strict=True)
        ]

        def column(values: Sequence[str] | None) -> Strings:
            return np.array(values if values is not None else [""] * len(paths), dtype=np.str_)

        return cls(
            root=root,
            layout=layout,
            paths=paths,
            labels=column(labels),
            generators=column(generators),
            groups=np.array(full_groups, dtype=np.str_),
            split=column(split),
            subset=column(subset),
            sources=column(sources),
            published_format=column(published_format),
            notes=tuple(notes),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, rows: npt.ArrayLike) -> Dataset:
        """Return the rows that a boolean mask or a list of indices names.

        Parameters
        ----------
        rows : array_like of bool, shape (n,), or of int
            Mask, or row numbers in the order wanted.

        Returns
        -------
        Dataset

        Raises
        ------
        DatasetError
            If a mask has another length, or an index is out of range.
        """
        wanted = np.asarray(rows)
        if wanted.size == 0 and wanted.dtype != np.bool_:
            wanted = wanted.astype(np.int64)
        if wanted.dtype == np.bool_:
            if wanted.shape != (len(self),):
                raise DatasetError(f"{self.root}: a mask of {wanted.size} for {len(self)} pictures")
            wanted = np.flatnonzero(wanted)
        elif not np.issubdtype(wanted.dtype, np.integer):
            raise DatasetError(f"{self.root}: rows are chosen by a mask or by whole numbers")
        elif wanted.size and (wanted.min() < -len(self) or wanted.max() >= len(self)):
            raise DatasetError(f"{self.root}: a row number is outside 0..{len(self) - 1}")
        columns: dict[str, Any] = {name: getattr(self, name)[wanted] for name in _COLUMNS}
        return replace(self, paths=tuple(self.paths[i] for i in wanted), **columns)

    def counts(self) -> Counts:
        """Count pictures per label, generator, split and subset, and the groups.

        Returns
        -------
        Counts
            Dictionaries are sorted by count, then name; empty names are left out
            of all but ``generators``, where ``""`` is a fake of unknown generator.
        """
        fakes = self.labels == FAKE
        return Counts(
            pictures=len(self),
            real=int(np.count_nonzero(~fakes)),
            fake=int(np.count_nonzero(fakes)),
            groups=len(np.unique(self.groups)),
            generators=_tally(self.generators[fakes]),
            split=_tally(self.split[self.split != ""]),
            subset=_tally(self.subset[self.subset != ""]),
        )

    def to_table(self) -> pa.Table:
        """Return the rows as an Arrow table.

        Returns
        -------
        pyarrow.Table
            Columns path (relative to ``root`` where possible, ``/`` as separator),
            label, generator, group, split, subset, source, format: all strings.
            Written to a file next to the pictures it is a manifest that
            `convtrace.datasets.load` reads.
        """
        return pa.table(
            {
                "path": pa.array([relative_name(p, self.root) for p in self.paths], pa.string()),
                "label": pa.array(self.labels.tolist(), pa.string()),
                "generator": pa.array(self.generators.tolist(), pa.string()),
                "group": pa.array(self.groups.tolist(), pa.string()),
                "split": pa.array(self.split.tolist(), pa.string()),
                "subset": pa.array(self.subset.tolist(), pa.string()),
                "source": pa.array(self.sources.tolist(), pa.string()),
                "format": pa.array(self.published_format.tolist(), pa.string()),
            }
        )


def relative_name(path: Path, root: Path) -> str:
    """Return ``path`` relative to ``root`` with ``/``, or whole if it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _tally(values: Strings) -> dict[str, int]:
    counted = Counter(values.tolist())
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
