"""Parquet files of a table in parts: each complete or absent, and an index of their rows."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from convtrace.batch.output import OutputError
from convtrace.batch.schema import ExtractionOptions, options_of, schema
from convtrace.batch.stores import Store
from convtrace.errors import ConvtraceError

__all__ = ["DamagedPartError", "Index", "Part", "PartWriter", "State", "merge", "remove_rows"]

# Rows of pictures, or seconds, after which a part is closed: what a killed run can lose.
_ROWS = 5000
_SECONDS = 60.0
_BATCH = 8192
# Rows of a table with all its columns, of which some are long.
_WIDE_BATCH = 512
_KEY_COLUMNS = ["path", "bytes", "mtime_ns", "error"]


class DamagedPartError(ConvtraceError):
    """A file is no Parquet, or not all of it is there."""


class Part(NamedTuple):
    """One file of a table.

    Parameters
    ----------
    store : Store
        Where it lies.
    name : str
        Its name there.
    """

    store: Store
    name: str

    @property
    def address(self) -> str:
        """Path or address, for people."""
        return self.store.where(self.name)


class State(NamedTuple):
    """Which state of a picture a row describes, and where the row is.

    Parameters
    ----------
    source : int
        Index of the file that holds the row.
    nbytes, mtime_ns : int or None
        Of the picture when it was measured; None where there was none.
    failed : bool
        The row has an error.
    sha256 : str or None
        Of the picture, where it was asked for.
    """

    source: int
    nbytes: int | None
    mtime_ns: int | None
    failed: bool
    sha256: str | None = None


@dataclass(slots=True)
class Index:
    """The rows of several files; of two rows for one path the later file's counts.

    Parameters
    ----------
    files : list of Part
        The files, oldest first.
    rows : dict of str to State
        By path.
    repeated : dict of int to set of str
        Of each file the paths that a later file has, too.
    """

    files: list[Part] = field(default_factory=list)
    rows: dict[str, State] = field(default_factory=dict)
    repeated: dict[int, set[str]] = field(default_factory=dict)

    @classmethod
    def read(
        cls, files: Iterable[Part], options: ExtractionOptions, *, checksums: bool = False
    ) -> Index:
        """Read the index of files.

        Parameters
        ----------
        files : iterable of Part
            Written by this package, oldest first.
        options : ExtractionOptions
            With which they must have been made.
        checksums : bool, default False
            Whether to read the SHA-256 of the pictures, too.

        Returns
        -------
        Index

        Raises
        ------
        DamagedPartError
            Where a file is damaged.
        ConvtraceError
            Where a file was made with other options or by another version.
        """
        index = cls()
        for part in files:
            index.add(part, options, checksums=checksums)
        return index

    def add(self, part: Part, options: ExtractionOptions, *, checksums: bool = False) -> None:
        """Read the index of one more file; see `read`. A damaged one changes nothing.

        Parameters
        ----------
        part : Part
            The file.
        options : ExtractionOptions
            With which it must have been made.
        checksums : bool, default False
            Whether to read the SHA-256 of the pictures, too.
        """
        columns = [*_KEY_COLUMNS, "sha256"] if checksums else _KEY_COLUMNS
        batches = list(_batches(part, options, columns, _BATCH))
        source = len(self.files)
        self.files.append(part)
        for batch in batches:
            # The text of errors is long; whether there is one is enough.
            failed = batch.column("error").is_valid().to_pylist()
            keys = (batch.column(name).to_pylist() for name in _KEY_COLUMNS[:3])
            digests = batch.column("sha256").to_pylist() if checksums else [None] * len(failed)
            for name, nbytes, mtime_ns, bad, digest in zip(*keys, failed, digests, strict=True):
                before = self.rows.get(name)
                if before is not None and before.source != source:
                    self.repeated.setdefault(before.source, set()).add(name)
                self.rows[name] = State(source, nbytes, mtime_ns, bad, digest)


class PartWriter:
    """Collects rows and writes them to a store, part by part.

    Leaving the context writes what is left, after an exception too: rows that were measured
    are kept.

    Parameters
    ----------
    store : Store
        Where.
    options : ExtractionOptions
        They give the columns.
    """

    def __init__(self, store: Store, options: ExtractionOptions) -> None:
        self._store = store
        self._schema = schema(options)
        self._rows: list[dict[str, Any]] = []
        self._since = time.monotonic()
        self._failed = False
        self._last: int | None = None

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
            with self._store.writing(self._next_name()) as file:
                pq.write_table(table, file, compression="zstd")
        except OSError as error:
            self._failed = True
            raise OutputError.of(self._store.where(), error) from error
        except OutputError:
            self._failed = True
            raise
        self._rows.clear()

    def _next_name(self) -> str:
        if self._last is None:
            numbers = (name.split("-")[1] for name in self._store.parts())
            self._last = max((int(one) for one in numbers if one.isdigit()), default=0)
        self._last += 1
        # The token keeps two runs at once from replacing each other's parts.
        return f"part-{self._last:06d}-{secrets.token_hex(4)}.parquet"

    def __enter__(self) -> Self:
        self._store.tidy()
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


def merge(index: Index, options: ExtractionOptions, target: Part) -> int:
    """Write the rows of an index to one file, which appears when it is complete.

    Parameters
    ----------
    index : Index
        Where the rows are.
    options : ExtractionOptions
        With which they were made.
    target : Part
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
        target.store.writing(target.name) as file,
        pq.ParquetWriter(file, declared, compression="zstd") as writer,
    ):
        for source, part in enumerate(index.files):
            for batch in _batches(part, options, None, _WIDE_BATCH):
                names = batch.column("path").to_pylist()
                wanted = [index.rows[name].source == source for name in names]
                kept = batch.filter(pa.array(wanted))
                if kept.num_rows:
                    writer.write_table(pa.Table.from_batches([kept]).cast(declared))
                count += kept.num_rows
    return count


def remove_rows(part: Part, names: set[str], options: ExtractionOptions) -> None:
    """Rewrite a part without the rows of some pictures.

    Parameters
    ----------
    part : Part
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
    for batch in _batches(part, options, None, _WIDE_BATCH):
        wanted = [name not in names for name in batch.column("path").to_pylist()]
        tables.append(pa.Table.from_batches([batch.filter(pa.array(wanted))]))
    left = pa.concat_tables(tables)
    if left.num_rows == 0:
        part.store.remove(part.name)
        return
    with part.store.writing(part.name) as file:
        pq.write_table(left.cast(schema(options)), file, compression="zstd")


def _batches(
    part: Part, options: ExtractionOptions, columns: list[str] | None, size: int
) -> Iterator[Any]:
    try:
        with part.store.open(part.name) as stream, pq.ParquetFile(stream) as file:
            found = options_of(file.schema_arrow.metadata)
            if found is None:
                raise ConvtraceError(
                    f"{part.address}: is no table of this version's extract; name another output"
                )
            if found != options:
                raise ConvtraceError(
                    f"{part.address}: was made with {found.describe()}, not "
                    f"{options.describe()}; name another output, or start anew without resuming"
                )
            yield from file.iter_batches(batch_size=size, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        reason = " ".join(str(error).split())
        raise DamagedPartError(
            f"{part.address}: cannot be read as Parquet ({reason}); move it away and run again"
        ) from error
