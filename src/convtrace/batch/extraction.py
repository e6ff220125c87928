"""Traces of many pictures to Parquet, with resume.

Rows are written in parts, each complete or absent; a second call does only what is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from convtrace import traces
from convtrace.batch.engine import map_ordered
from convtrace.errors import ConvtraceError, ImageError, TraceError
from convtrace.image import read

__all__ = ["SCHEMA_VERSION", "ExtractionResult", "extract_many", "schema"]

SCHEMA_VERSION = "1"
_PART_ROWS = 256
_META = b"convtrace"


@dataclass(frozen=True, slots=True)
class ExtractionResult:
    """What a call did.

    Attributes
    ----------
    done, skipped, failed : int
        Pictures measured now, found measured already, and those that could not be read.
    errors : tuple of str
        One line for each failed one.
    """

    done: int
    skipped: int
    failed: int
    errors: tuple[str, ...]


def schema(kernel_sizes: Sequence[int], channels: str = "rgb") -> pa.Schema:
    """Return the columns of the table: one row a picture.

    Parameters
    ----------
    kernel_sizes : sequence of int
        Each has its columns ``trace_N``, ``sigma_N``, ``weight_N``, ``log_likelihood_N``,
        ``iterations_N``, ``converged_N`` and ``regularized_N``.
    channels : str, default "rgb"
        As for `convtrace.traces.extract`.

    Returns
    -------
    pyarrow.Schema
        Its metadata hold the version of the schema and the options.
    """
    columns = [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("jpeg_quality", pa.float64()),
        ("error", pa.string()),
    ]
    for size in kernel_sizes:
        columns += [
            (f"trace_{size}", pa.list_(pa.float64())),
            (f"sigma_{size}", pa.list_(pa.float64())),
            (f"weight_{size}", pa.list_(pa.float64())),
            (f"log_likelihood_{size}", pa.list_(pa.float64())),
            (f"iterations_{size}", pa.list_(pa.int64())),
            (f"converged_{size}", pa.list_(pa.bool_())),
            (f"regularized_{size}", pa.list_(pa.bool_())),
        ]
    options = {
        "version": SCHEMA_VERSION,
        "kernel_sizes": list(kernel_sizes),
        "channels": channels,
    }
    return pa.schema(columns, metadata={_META: json.dumps(options).encode()})


def extract_many(
    paths: Iterable[str | os.PathLike[str]],
    out: Path,
    *,
    kernel_sizes: Sequence[int] = (3, 5, 7),
    channels: str = "rgb",
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExtractionResult:
    """Extract the traces of pictures into a Parquet file or a folder of parts.

    Parameters
    ----------
    paths : iterable of path
        The pictures.
    out : Path
        A file if it ends in ``.parquet``, else a folder of parts. Work on a file is kept in
        ``OUT.parts`` until it is complete.
    kernel_sizes : sequence of int, default (3, 5, 7)
        Kernel sizes.
    channels : str, default "rgb"
        As for `convtrace.traces.extract`.
    workers : int, optional
        Threads; one for each core by default.
    progress : callable, optional
        Called with the number of pictures done.

    Returns
    -------
    ExtractionResult

    Raises
    ------
    ConvtraceError
        If ``out`` holds a table of other options.
    """
    declared = schema(kernel_sizes, channels)
    single = out.suffix == ".parquet" and not out.is_dir()
    folder = out.with_name(out.name + ".parts") if single else out
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.tmp"):
        left.unlink()
    earlier = sorted(folder.glob("part-*.parquet")) + ([out] if single and out.is_file() else [])
    known = _known(earlier, declared)
    todo, skipped = [], 0
    for path in paths:
        if _identity(path) in known:
            skipped += 1
        else:
            todo.append(path)

    number = max((int(p.stem[5:]) for p in folder.glob("part-*.parquet")), default=-1) + 1
    rows: list[dict[str, Any]] = []
    errors: list[str] = []
    done = 0

    def flush() -> None:
        nonlocal number
        if rows:
            _write(
                pa.Table.from_pylist(rows, schema=declared), folder / f"part-{number:05d}.parquet"
            )
            number += 1
            rows.clear()

    def one(path: str | os.PathLike[str]) -> dict[str, Any]:
        return _row(path, kernel_sizes, channels)

    try:
        for row in map_ordered(one, todo, workers=workers):
            rows.append(row)
            done += 1
            if row["error"] is not None:
                errors.append(row["error"])
            if len(rows) >= _PART_ROWS:
                flush()
            if progress is not None:
                progress(done)
    finally:
        flush()
    if single:
        parts = sorted(folder.glob("part-*.parquet"))
        if parts or not out.is_file():
            tables = [pq.read_table(p) for p in ([out] if out.is_file() else []) + parts]
            _write(pa.concat_tables(tables) if tables else declared.empty_table(), out)
        for part in parts:
            part.unlink()
        folder.rmdir()
    return ExtractionResult(done, skipped, len(errors), tuple(errors))


def _identity(path: str | os.PathLike[str]) -> tuple[str, int, int]:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return _text(path), -1, -1
    return _text(path), status.st_size, status.st_mtime_ns


def _text(path: str | os.PathLike[str]) -> str:
    """Return a path as UTF-8 text; bytes that are none are escaped."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def _known(files: Sequence[Path], declared: pa.Schema) -> set[tuple[str, int, int]]:
    known: set[tuple[str, int, int]] = set()
    for file in files:
        try:
            stored = pq.read_schema(file)
            if (stored.metadata or {}).get(_META) != declared.metadata[_META]:
                raise ConvtraceError(
                    f"{file}: holds traces of other options; choose another output or remove it"
                )
            table = pq.read_table(file, columns=["path", "bytes", "mtime_ns", "error"])
        except (OSError, pa.ArrowInvalid) as error:
            raise ConvtraceError(
                f"{file}: cannot be read as Parquet: {error}; remove it"
            ) from error
        known.update((row["path"], row["bytes"], row["mtime_ns"]) for row in table.to_pylist())
    return known


def _row(
    path: str | os.PathLike[str], kernel_sizes: Sequence[int], channels: str
) -> dict[str, Any]:
    name, size, mtime = _identity(path)
    row: dict[str, Any] = {"path": name, "bytes": size, "mtime_ns": mtime, "error": None}
    try:
        picture = read(path)
        row |= {
            "sha256": picture.sha256,
            "width": picture.width,
            "height": picture.height,
            "format": picture.format,
            "jpeg_quality": None if picture.jpeg is None else float(picture.jpeg.quality),
        }
        for n in kernel_sizes:
            trace = traces.extract(picture, kernel_size=n, channels=channels)
            row |= {
                f"trace_{n}": trace.vector.tolist(),
                f"sigma_{n}": trace.sigma.tolist(),
                f"weight_{n}": trace.weight.tolist(),
                f"log_likelihood_{n}": trace.log_likelihood.tolist(),
                f"iterations_{n}": trace.iterations.tolist(),
                f"converged_{n}": trace.converged.tolist(),
                f"regularized_{n}": trace.regularized.tolist(),
            }
    except ImageError as error:
        row["error"] = str(error)
    except TraceError as error:
        row["error"] = f"{name}: {error}"
    return row


def _write(table: pa.Table, path: Path) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
