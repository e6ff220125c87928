"""Where verdicts go: JSON lines, CSV."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Protocol, Self

from convtrace.batch.output import OutputError, check_output_file, storable, temporary_beside
from convtrace.detection import Verdict

__all__ = ["CSV_COLUMNS", "CsvSink", "JsonLinesSink", "VerdictSink"]

CSV_COLUMNS: Final = ("path", "label", "probability", "generator", "reasons", "error")
"""The columns of a CSV file of verdicts, in order."""


class VerdictSink(Protocol):
    """A context manager that takes verdicts."""

    def write(self, verdict: Verdict) -> None:
        """Take one verdict."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class JsonLinesSink:
    """One JSON object a line, written through at once.

    Parameters
    ----------
    stream : text stream
        Stays open. The text is ASCII: other characters, and bytes of file names that are no
        characters at all, are escaped as JSON provides.

    Examples
    --------
    >>> import sys
    >>> with JsonLinesSink(sys.stdout) as sink:
    ...     sink.write(Verdict.failed("a.jpg", "a.jpg: the file is empty"))
    {"path": "a.jpg", "label": null, "probability": null, "generator": null, "reasons": null, \
"error": "a.jpg: the file is empty", "provenance": null}
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, verdict: Verdict) -> None:
        """Write a verdict with the keys of `Verdict.to_dict`.

        Parameters
        ----------
        verdict : Verdict
            What to write.
        """
        self._stream.write(json.dumps(verdict.to_dict()) + "\n")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the stream open: it is the caller's."""


class CsvSink:
    r"""A CSV file with the columns `CSV_COLUMNS`, complete or absent.

    Cells without a value are empty; the reasons are joined by "; "; the probability has six
    decimals. UTF-8, lines end in ``\n``; bytes of file names that are not UTF-8 are written
    as ``\udcXX``.

    The file appears when the context ends, and also when it ends by an exception such as
    Ctrl-C: with the rows until then. Only where writing itself fails, nothing is left.

    Parameters
    ----------
    path : str or os.PathLike
        The file; replaced where it exists.

    Raises
    ------
    OutputError
        If it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name = os.fspath(path)
        self._target = check_output_file(path)
        self._temporary: Path = temporary_beside(self._target)
        self._sound = True
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        try:
            self._file = self._temporary.open("x", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow(CSV_COLUMNS)
        except OSError as error:
            self._drop()
            raise OutputError.of(self._name, error) from error
        return self

    def write(self, verdict: Verdict) -> None:
        """Write a row.

        Parameters
        ----------
        verdict : Verdict
            What to write.

        Raises
        ------
        OutputError
            If the disk is full or broken.
        """
        probability = "" if verdict.probability is None else f"{verdict.probability:.6f}"
        cells = (
            verdict.path,
            verdict.label or "",
            probability,
            verdict.generator or "",
            "; ".join(verdict.reasons),
            verdict.error or "",
        )
        try:
            self._writer.writerow([storable(cell) for cell in cells])
        except OSError as error:
            self._sound = False
            raise OutputError.of(self._name, error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the file in place.

        Raises
        ------
        OutputError
            If the disk is full or broken.
        """
        if self._file is None or not self._sound:
            self._drop()
            return
        try:
            self._file.close()
            self._temporary.replace(self._target)
        except OSError as failure:
            self._drop()
            raise OutputError.of(self._name, failure) from failure

    def _drop(self) -> None:
        if self._file is not None:
            # A full disk refuses the last rows again; the file goes anyway.
            with contextlib.suppress(OSError):
                self._file.close()
        self._temporary.unlink(missing_ok=True)
