"""Traces of many pictures, to Parquet, taken up where an earlier run ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from convtrace import traces
from convtrace.batch import engines
from convtrace.batch.output import OutputError, check_output_file, storable
from convtrace.batch.parts import Index, PartWriter, State, merge, part_files, remove_rows
from convtrace.batch.schema import ExtractionOptions, columns_of
from convtrace.descriptors import centre_crop
from convtrace.errors import ImageError, TraceError
from convtrace.image import Picture, read

__all__ = ["ExtractionSummary", "extract_many"]

Progress = Callable[[int, int], None]

_SUFFIX = ".parquet"
_SHOWN_FAILURES = 20


@dataclass(frozen=True, slots=True)
class ExtractionSummary:
    """What `extract_many` did.

    Parameters
    ----------
    out : pathlib.Path
        The table.
    measured : int
        Pictures measured by this call, failed ones included.
    kept : int
        Pictures that an earlier call had measured.
    failed : int
        Pictures of this call with an error.
    failures : tuple of str
        The first 20 of these errors.
    """

    out: Path
    measured: int
    kept: int
    failed: int
    failures: tuple[str, ...]


def extract_many(
    paths: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    kernel_sizes: Sequence[int] = (3, 5, 7),
    channels: str = "rgb",
    crop: int | None = None,
    workers: int | None = None,
    engine: str = "local",
    resume: bool = True,
    progress: Progress | None = None,
) -> ExtractionSummary:
    """Extract the traces of many pictures to a Parquet table.

    Parameters
    ----------
    paths : iterable of path
        The pictures, for instance from `convtrace.image.find_pictures`.
    out : path
        A file if it ends in ``.parquet``; otherwise a folder of such files, which
        pyarrow.dataset and pandas read as one table. See `convtrace.batch.schema` for the
        columns, and the notes for what is there at which time.
    kernel_sizes : sequence of int, default (3, 5, 7)
        Odd kernel sizes N.
    channels : str, default "rgb"
        As for `convtrace.traces.extract`.
    crop : int, optional
        Measure only the central square of this side, in pixels.
    workers : int, optional
        Pictures at once; by default one for each core.
    engine : str, default "local"
        One of `convtrace.batch.engines.names`.
    resume : bool, default True
        Whether to measure only what is missing: pictures that are not in the table, have
        changed in size or time of modification since, or could not be measured then. Rows
        of other pictures stay. Otherwise the table is made anew.
    progress : callable, optional
        Called with the number of pictures done and the number of all.

    Returns
    -------
    ExtractionSummary

    Raises
    ------
    ConvtraceError
        Where an option is out of range, or the table was made with other options.
    OutputError
        If the table cannot be written.

    Notes
    -----
    Rows are written in parts of at most 1,000 pictures or one minute, each complete or
    absent. For a file they gather in the folder ``<out>.parts`` and are joined at the end,
    so that the file, too, is complete or absent; for a folder they are the result. After
    Ctrl-C everything measured is in the parts, and after any other end all but the last
    part. The numbers of a row do not depend on workers, interruptions or other pictures;
    the order of the rows may.
    """
    options = ExtractionOptions(tuple(kernel_sizes), channels, crop)
    run = engines.create(engine)
    unique = list(dict.fromkeys(os.fspath(path) for path in paths))
    table = _Table.at(out, options, anew=not resume)
    missing = [path for path in unique if not _is_done(path, table.index.rows)]
    table.forget({storable(path) for path in missing})

    kept = len(unique) - len(missing)
    if progress is not None:
        progress(kept, len(unique))
    # With fewer pictures than workers, those left over share the channels.
    spare = (engines.default_workers() if workers is None else workers) // max(1, len(missing))
    measure = partial(_row, options=options, threads=max(1, spare))
    failures: list[str] = []
    failed = 0
    with (
        table.writer() as writer,
        # Closed before the writer, so that Ctrl-C stops the work before the rest is written.
        closing(run.map(measure, missing, workers=workers)) as rows,
    ):
        for count, row in enumerate(rows, start=kept + 1):
            writer.write(row)
            if row["error"] is not None:
                failed += 1
                failures += [row["error"]] if failed <= _SHOWN_FAILURES else []
            if progress is not None:
                progress(count, len(unique))
    table.finish()
    return ExtractionSummary(Path(out), len(missing), kept, failed, tuple(failures))


def _is_done(path: str, rows: dict[str, State]) -> bool:
    state = rows.get(storable(path))
    return (
        state is not None
        and not state.failed
        and (state.nbytes, state.mtime_ns) == _size_and_time(path)
    )


def _size_and_time(path: str) -> tuple[int | None, int | None]:
    try:
        status = os.stat(path)  # noqa: PTH116, Path turns "" into "."
    except (OSError, ValueError):
        return None, None
    return status.st_size, status.st_mtime_ns


def _row(path: str, *, options: ExtractionOptions, threads: int) -> dict[str, Any]:
    """Measure one picture; what goes wrong is in the row."""
    # Looked at before it is read: a file that changes meanwhile is measured again next time.
    nbytes, mtime_ns = _size_and_time(path)
    row: dict[str, Any] = {"path": storable(path), "bytes": nbytes, "mtime_ns": mtime_ns}
    try:
        picture = read(path)
        row |= _facts(picture)
        # A picture, not an array: a very dark crop of floats would look like the 0..1 scale.
        measured = replace(picture, pixels=centre_crop(picture.pixels, options.crop))
        for size in options.kernel_sizes:
            trace = traces.extract(
                measured, kernel_size=size, channels=options.channels, threads=threads
            )
            row |= columns_of(trace)
    except ImageError as error:
        return row | {"error": storable(str(error))}
    except TraceError as error:
        return row | {"error": storable(f"{path}: {error}")}
    except MemoryError:
        reason = "not enough memory to measure it; use fewer workers"
        return row | {"error": storable(f"{path}: {reason}")}
    return row | {"error": None}


def _facts(picture: Picture) -> dict[str, Any]:
    return {
        "sha256": picture.sha256,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "jpeg_quality": None if picture.jpeg is None else float(picture.jpeg.quality),
    }


class _Table:
    """A table on disk: one file with a folder of parts beside it, or a folder of parts."""

    def __init__(
        self, file: Path | None, folder: Path, options: ExtractionOptions, *, anew: bool
    ) -> None:
        self._file = file
        self._folder = folder
        self._options = options
        # A file that is made anew stays until the new one replaces it, but is not looked at.
        self._anew = anew
        if anew:
            for part in part_files(folder):
                part.unlink()
        self.index = self._read_index()

    @classmethod
    def at(cls, out: str | os.PathLike[str], options: ExtractionOptions, *, anew: bool) -> _Table:
        """Find out what kind of table a path names, and whether it can be written."""
        if Path(out).suffix.lower() == _SUFFIX:
            file = check_output_file(out)
            return cls(file, file.with_name(file.name + ".parts"), options, anew=anew)
        folder = Path(os.path.realpath(out))
        if folder.exists() and not folder.is_dir():
            raise OutputError(out, "is not a folder", f"name a folder, or a file in {_SUFFIX}")
        if not folder.parent.is_dir():
            raise OutputError(out, f"there is no folder {folder.parent}", "create it first")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError.of(out, error) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(out, "may not be written to", "choose another place")
        return cls(None, folder, options, anew=anew)

    def _read_index(self) -> Index:
        files = part_files(self._folder)
        if self._file is not None and self._file.is_file() and not self._anew:
            files.insert(0, self._file)
        return Index.read(files, self._options)

    def forget(self, names: set[str]) -> None:
        """Take rows out of a folder of parts before they are written anew.

        In a file the later row counts when the parts are joined.
        """
        if self._file is not None:
            return
        stale: dict[int, set[str]] = {}
        for name in names & self.index.rows.keys():
            stale.setdefault(self.index.rows[name].source, set()).add(name)
        for source, gone in stale.items():
            remove_rows(self.index.files[source], gone, self._options)

    def writer(self) -> PartWriter:
        """Return what writes further parts."""
        return PartWriter(self._folder, self._options)

    def finish(self) -> None:
        """Join the parts to the file."""
        if self._file is None:
            return
        if part_files(self._folder) or self._anew or not self._file.is_file():
            merge(self._read_index(), self._options, self._file)
        # If this is cut short, the parts repeat rows of the file, which the next run joins.
        shutil.rmtree(self._folder, ignore_errors=True)
