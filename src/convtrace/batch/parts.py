"""Parquet files of a table in parts: each complete or absent, and an index of their rows."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from convtrace.batch.output import OutputError, replacing
from convtrace.batch.schema import ExtractionOptions, options_of, schema
from convtrace.errors import ConvtraceError

__all__ = ["Index", "PartWriter", "State", "merge", "part_files", "remove_rows"]

_PATTERN = "part-*.parquet"
_TEMPORARY = ".part-*.tmp"
# Rows of pictures, or seconds, after which a part is closed: what a killed run can lose.
_ROWS = 1000
_SECONDS = 60.0
_BATCH = 512
_KEY_COLUMNS = ["path", "bytes", "mtime_ns", "error"]


@dataclass(frozen=True, slots=True)
class State:
    """Which state of a picture a row describes, and where the row is.

    Parameters
    ----------
    source : int
        Index of the file that holds the row.
    nbytes, mtime_ns : int or None
        Of the picture when it was measured; None where there was none.
    failed : bool
        The row has an error.
    """

    source: int
    nbytes: int | None
    mtime_ns: int | None
    failed: bool


@dataclass(slots=True)
class Index:
    """The rows of several files; of two rows for one path the later file's counts.

    Parameters
    ----------
    files : list of pathlib.Path
        The files, oldest first.
    rows : dict of str to State
        By path.
    """

    files: list[Path] = field(default_factory=list)
    rows: dict[str, State] = field(default_factory=dict)

    @classmethod
    def read(cls, files: Iterable[Path], options: ExtractionOptions) -> Index:
        """Read the index of files.

        Parameters
        ----------
        files : iterable of pathlib.Path
            Written by this package, oldest first.
        options : ExtractionOptions
            With which they must have been made.

        Returns
        -------
        Index

        Raises
        ------
        ConvtraceError
            Where a file was made with other options, by another version, or is damaged.
        """
        index = cls()
        for path in files:
            source = len(index.files)
            index.files.append(path)
            for batch in _batches(path, options, _KEY_COLUMNS):
                columns = (batch.column(name).to_pylist() for name in _KEY_COLUMNS)
                for name, nbytes, mtime_ns, error in zip(*columns, strict=True):
                    index.rows[name] = State(source, nbytes, mtime_ns, error is not None)
        return index


def part_files(folder: Path) -> list[Path]:
    """List the parts in a folder, oldest first.

    Parameters
    ----------
    folder : pathlib.Path
        It may be missing.

    Returns
    -------
    list of pathlib.Path
    """
    return sorted(folder.glob(_PATTERN))


class PartWriter:
    """Collects rows and writes them to a folder, part by part.

    Leaving the context writes what is left, after an exception too: rows that were measured
    are kept.

    Parameters
    ----------
    folder : pathlib.Path
        Made when the first part is written.
    options : ExtractionOptions
        They give the columns.
    """

    def __init__(self, folder: Path, options: ExtractionOptions) -> None:
        self._folder = folder
        self._schema = schema(options)
        self._rows: list[dict[str, Any]] = []
        self._since = time.monotonic()
        self._failed = False

    def write(self, row: dict[str, Any]) -> None:
        """Take one row.

        Parameters
        ----------
        row : dict
            A value for each column; absent ones are null.

        Raises
        ------
        OutputError
            If a part cannot be written.
        """
        self._rows.append(row)
        if len(self._rows) >= _ROWS or time.monotonic() - self._since >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows collected so far as one part.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self._since = time.monotonic()
        if not self._rows:
            return
        table = pa.Table.from_pylist(self._rows, schema=self._schema)
        try:
            self._folder.mkdir(exist_ok=True)
            with replacing(self._folder / self._next_name()) as temporary:
                pq.write_table(table, temporary, compression="zstd")
        except OSError as error:
            self._failed = True
            raise OutputError.of(self._folder, error) from error
        except OutputError:
            self._failed = True
            raise
        self._rows.clear()

    def _next_name(self) -> str:
        last = max((int(path.name.split("-")[1]) for path in part_files(self._folder)), default=0)
        # The token keeps two runs at once from replacing each other's parts.
        return f"part-{last + 1:06d}-{secrets.token_hex(4)}.parquet"

    def __enter__(self) -> Self:
        # What a killed run left half-written.
        for path in self._folder.glob(_TEMPORARY):
            path.unlink(missing_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what is left, unless writing is what failed."""
        if not self._failed:
            self.flush()


def merge(index: Index, options: ExtractionOptions, target: Path) -> int:
    """Write the rows of an index to one file, which appears when it is complete.

    Parameters
    ----------
    index : Index
        Where the rows are.
    options : ExtractionOptions
        With which they were made.
    target : pathlib.Path
        The file; it may be one of the index's.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    count = 0
    declared = schema(options)
    with (
        replacing(target) as temporary,
        pq.ParquetWriter(temporary, declared, compression="zstd") as writer,
    ):
        for source, path in enumerate(index.files):
            for batch in _batches(path, options):
                names = batch.column("path").to_pylist()
                wanted = [index.rows[name].source == source for name in names]
                kept = batch.filter(pa.array(wanted))
                if kept.num_rows:
                    writer.write_table(pa.Table.from_batches([kept]).cast(declared))
                count += kept.num_rows
    return count


def remove_rows(path: Path, names: set[str], options: ExtractionOptions) -> None:
    """Rewrite a part without the rows of some pictures.

    Parameters
    ----------
    path : pathlib.Path
        The part; it goes where no row is left.
    names : set of str
        The paths of those pictures.
    options : ExtractionOptions
        With which it was made.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    tables = []
    for batch in _batches(path, options):
        wanted = [name not in names for name in batch.column("path").to_pylist()]
        tables.append(pa.Table.from_batches([batch.filter(pa.array(wanted))]))
    left = pa.concat_tables(tables)
    if left.num_rows == 0:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary:
        pq.write_table(left.cast(schema(options)), temporary, compression="zstd")


def _batches(
    path: Path, options: ExtractionOptions, columns: list[str] | None = None
) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path) as file:
            found = options_of(file.schema_arrow.metadata)
            if found is None:
                raise ConvtraceError(
                    f"{path}: is no table of this version's extract; name another output"
                )
            if found != options:
                raise ConvtraceError(
                    f"{path}: was made with {found.describe()}, not {options.describe()}; name "
                    "another output, or start anew without resuming"
                )
            yield from file.iter_batches(batch_size=_BATCH, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        reason = " ".join(str(error).split())
        raise ConvtraceError(
            f"{path}: cannot be read as Parquet ({reason}); move it away and run again"
        ) from error
