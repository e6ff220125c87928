"""Manifests: a table of paths and labels in CSV, TSV, JSON, JSON lines or Parquet.

Required columns are ``path`` (relative to the manifest, or absolute) and
``label`` (``real`` or ``fake``); ``generator``, ``split``, ``group``, ``subset``
(or ``set``), ``source`` and ``format`` (as published) are read where present.
Other columns are ignored.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from convtrace.datasets.catalogue import canonical
from convtrace.datasets.dataset import FAKE, REAL, Dataset
from convtrace.errors import DatasetError

__all__ = ["MANIFEST_NAMES", "find_manifest", "is_manifest", "picture_paths", "read_manifest"]

_SUFFIXES = (".tsv", ".csv", ".json", ".jsonl", ".parquet")
MANIFEST_NAMES = tuple(f"manifest{suffix}" for suffix in _SUFFIXES)
_REQUIRED = ("path", "label")
_COLUMNS = (*_REQUIRED, "generator", "split", "group", "subset", "set", "source", "format")


@dataclass(frozen=True, slots=True)
class _Row:
    """One record and where it stands in its file, in words."""

    place: str
    values: Mapping[str, Any]

    def text(self, column: str) -> str:
        value = self.values.get(column)
        return "" if value is None else str(value).strip()


def is_manifest(path: Path) -> bool:
    """Return whether the file's suffix is that of a manifest."""
    return path.suffix.lower() in _SUFFIXES


def find_manifest(folder: Path) -> Path | None:
    """Return the folder's ``manifest.*``, in the order of `MANIFEST_NAMES`, or None."""
    return next((folder / name for name in MANIFEST_NAMES if (folder / name).is_file()), None)


def read_manifest(path: Path) -> Dataset:
    """Read a manifest.

    Rows whose file does not exist are kept and told in ``notes``, so that one
    lost picture does not stop an evaluation; if no file at all exists the paths
    are relative to something else, which is an error.

    Parameters
    ----------
    path : Path
        The manifest; its suffix tells the format.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If the file cannot be parsed, a required column is missing, a label is
        neither ``real`` nor ``fake``, a picture is listed twice, there is no row,
        or none of the files exists.
    """
    rows = _rows(path)
    if not rows:
        raise DatasetError(f"{path}: the manifest has no rows; write one row per picture")
    _check_columns(path, rows)
    paths = _paths(path, rows)
    labels = [_label(path, row) for row in rows]
    notes = _missing_files(path, paths)
    generators = []
    renamed_reals = 0
    for row, label in zip(rows, labels, strict=True):
        generator = canonical(row.text("generator"))
        renamed_reals += label == REAL and generator != ""
        generators.append(generator if label == FAKE else "")
    if renamed_reals:
        notes.append(f"{renamed_reals} real pictures name a generator; it was left out")
    return Dataset.build(
        path.parent,
        "manifest",
        paths,
        labels,
        generators=generators,
        groups=_column(rows, "group"),
        split=_column(rows, "split"),
        subset=_column(rows, "subset", "set"),
        sources=_column(rows, "source"),
        published_format=_column(rows, "format"),
        notes=notes,
    )


def picture_paths(path: Path) -> Iterator[str]:
    """List the pictures of a manifest, whatever else it says of them.

    Parameters
    ----------
    path : Path
        The manifest; its suffix tells the format. It needs no column but ``path``.

    Yields
    ------
    str
        As written, in the order of the rows, one at a time.

    Raises
    ------
    DatasetError
        If the file cannot be parsed, or a row has no path.
    """
    for row in _stream(path):
        name = row.text("path")
        if not name:
            raise DatasetError(f"{path}: {row.place} has no path; a manifest needs a column 'path'")
        yield name


def _rows(path: Path) -> list[_Row]:
    return list(_stream(path))


def _stream(path: Path) -> Iterator[_Row]:
    readers = {
        ".csv": _read_delimited,
        ".tsv": _read_delimited,
        ".json": _read_json,
        ".jsonl": _read_json_lines,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(
            f"{path}: {path.suffix or 'no suffix'} is not a manifest format; "
            f"use one of {', '.join(_SUFFIXES)}"
        )
    try:
        yield from reader(path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error, pa.ArrowInvalid) as error:
        first_line = str(error).splitlines()[0]
        raise DatasetError(
            f"{path}: is not valid {path.suffix[1:].upper()} in UTF-8 ({first_line})"
        ) from error


def _read_delimited(path: Path) -> Iterator[_Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        for record in reader:
            yield _Row(f"line {reader.line_num}", record)


def _read_json(path: Path) -> Iterator[_Row]:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(content, list):
        raise DatasetError(
            f"{path}: holds a JSON {type(content).__name__}; write a list of objects, "
            "one per picture, or one object per line in a .jsonl file"
        )
    yield from _objects(path, ((f"record {i}", item) for i, item in enumerate(content, 1)))


def _read_json_lines(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8-sig") as file:
        lines = ((i, line) for i, line in enumerate(file, 1) if line.strip())
        yield from _objects(path, ((f"line {i}", json.loads(line)) for i, line in lines))


def _objects(path: Path, items: Iterable[tuple[str, Any]]) -> Iterator[_Row]:
    for place, item in items:
        if not isinstance(item, dict):
            raise DatasetError(
                f'{path}: {place} is not an object such as {{"path": "a.png", "label": "real"}}'
            )
        yield _Row(place, item)


def _read_parquet(path: Path) -> Iterator[_Row]:
    with pq.ParquetFile(path) as file:
        wanted = [name for name in file.schema_arrow.names if name in _COLUMNS]
        i = 0
        for batch in file.iter_batches(columns=wanted):
            for record in batch.to_pylist():
                i += 1
                yield _Row(f"record {i}", record)


def _check_columns(path: Path, rows: Sequence[_Row]) -> None:
    present = {str(name) for row in rows for name in row.values if name is not None}
    missing = [name for name in _REQUIRED if name not in present]
    if missing:
        raise DatasetError(
            f"{path}: column {' and '.join(missing)} is missing (found: "
            f"{', '.join(sorted(present)) or 'none'}); a manifest needs path and label"
        )


def _label(path: Path, row: _Row) -> str:
    label = row.text("label").casefold()
    if label not in (REAL, FAKE):
        raise DatasetError(
            f"{path}: {row.place}: label {row.text('label')!r} is neither real nor fake; "
            "write one of the two words"
        )
    return label


def _paths(path: Path, rows: Sequence[_Row]) -> list[Path]:
    base = path.parent
    seen: dict[str, str] = {}
    found = []
    for row in rows:
        name = row.text("path")
        if not name:
            raise DatasetError(f"{path}: {row.place}: the path is empty")
        # Not resolve(): a link may be listed beside its target on purpose.
        full = os.path.normpath(base / name)
        if full in seen:
            raise DatasetError(
                f"{path}: {row.place}: {name} was listed before in {seen[full]}; "
                "list every picture once"
            )
        seen[full] = row.place
        found.append(Path(full))
    return found


def _missing_files(path: Path, paths: Sequence[Path]) -> list[str]:
    missing = [picture for picture in paths if not picture.exists()]
    if len(missing) == len(paths):
        raise DatasetError(
            f"{path}: none of its {len(paths)} files exists (the first: {missing[0]}); "
            "paths are relative to the manifest's folder"
        )
    if not missing:
        return []
    return [f"{len(missing)} of {len(paths)} files do not exist (the first: {missing[0]})"]


def _column(rows: Sequence[_Row], *names: str) -> list[str]:
    return [next((row.text(name) for name in names if row.text(name)), "") for row in rows]
