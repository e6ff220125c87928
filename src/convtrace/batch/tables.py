"""A table on disk or elsewhere: one file with a folder of parts beside it, or such a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq

from convtrace._version import __version__
from convtrace.batch.inputs.remote import is_remote
from convtrace.batch.output import check_output_file
from convtrace.batch.parts import DamagedPartError, Index, Part, PartWriter, merge, remove_rows
from convtrace.batch.schema import SCHEMA_VERSION, ExtractionOptions
from convtrace.batch.stores import Store, check_folder, open_store, split_file

__all__ = ["MANIFEST", "Table", "shown"]

MANIFEST = "_manifest.json"
"""In a folder of parts: which parts there are, and how they were made."""

_SUFFIX = ".parquet"


class Table:
    """What extraction writes to, and takes up again.

    Parameters
    ----------
    out : path
        A file in ``.parquet``, or a folder; of this machine, or an address.
    options : ExtractionOptions
        With which it is made.
    anew : bool
        Whether rows that are there are dropped.
    checksums : bool
        Whether the index holds the SHA-256 of the pictures.

    Raises
    ------
    OutputError
        If it cannot be written.
    ConvtraceError
        If what is there is another table, or a damaged file.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        options: ExtractionOptions,
        *,
        anew: bool,
        checksums: bool = False,
    ) -> None:
        self._options = options
        self._checksums = checksums
        # A file that is made anew stays until the new one replaces it, but is not looked at.
        self._anew = anew
        self.notes: list[str] = []
        name = os.fspath(out)
        self._file: Part | None = None
        if name.lower().endswith(_SUFFIX):
            if not is_remote(name):
                name = os.fspath(check_output_file(out))
            folder, base = split_file(name)
            self._file = Part(open_store(folder), base)
            self._store: Store = open_store(f"{name}.parts")
        else:
            self._store = open_store(name if is_remote(name) else os.fspath(check_folder(out)))
        if anew:
            for part in self._store.parts():
                self._store.remove(part)
        self.index = self._read_index()
        if self._file is None:
            for source, names in self.index.repeated.items():
                remove_rows(self.index.files[source], names, options)
            self.index.repeated.clear()

    def _read_index(self) -> Index:
        index = Index()
        if self._file is not None and not self._anew and self._file.store.exists(self._file.name):
            index.add(self._file, self._options, checksums=self._checksums)
        for name in self._store.parts():
            try:
                index.add(Part(self._store, name), self._options, checksums=self._checksums)
            except DamagedPartError as error:
                aside = self._store.where(self._store.set_aside(name))
                self.notes.append(f"{error}".partition(";")[0] + f"; set aside as {aside}")
        return index

    def forget(self, names: set[str]) -> None:
        """Take rows out of a folder of parts that are, or will be, written anew.

        In a file the later row counts when the parts are joined.

        Parameters
        ----------
        names : set of str
            Paths of pictures.
        """
        if self._file is not None:
            return
        stale: dict[int, set[str]] = {}
        for name in names & self.index.rows.keys():
            stale.setdefault(self.index.rows[name].source, set()).add(name)
        for source, gone in stale.items():
            remove_rows(self.index.files[source], gone, self._options)

    def writer(self) -> PartWriter:
        """Return what writes further parts.

        Returns
        -------
        PartWriter
        """
        return PartWriter(self._store, self._options)

    def finish(self) -> None:
        """Join the parts to the file, or write the list of parts."""
        if self._file is None:
            self._write_manifest()
            return
        fresh = self._anew or not self._file.store.exists(self._file.name)
        if fresh or self._store.parts():
            merge(self._read_index(), self._options, self._file)
        # If this is cut short, the parts repeat rows of the file, which the next run joins.
        self._store.remove_all()

    def _write_manifest(self) -> None:
        parts = []
        for name in self._store.parts():
            with self._store.open(name) as stream, pq.ParquetFile(stream) as file:
                parts.append({"name": name, "rows": file.metadata.num_rows})
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "convtrace_version": __version__,
            "options": json.loads(self._options.to_json()),
            "rows": sum(int(str(part["rows"])) for part in parts),
            "parts": parts,
        }
        with self._store.writing(MANIFEST) as file:
            file.write(json.dumps(manifest, indent=1).encode() + b"\n")


def shown(out: str | os.PathLike[str]) -> Path | str:
    """Return an output as the caller would name it.

    Parameters
    ----------
    out : path or address
        The output.

    Returns
    -------
    pathlib.Path or str
        Addresses are no paths.
    """
    return os.fspath(out) if is_remote(os.fspath(out)) else Path(out)
