"""Where results go: files that are complete or absent."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from convtrace.detection import Verdict

__all__ = ["COLUMNS", "csv_sink"]

COLUMNS = ("path", "label", "probability", "generator", "reasons", "error")
"""Columns of the CSV, in order; reasons are joined by a semicolon."""


@contextmanager
def csv_sink(path: Path) -> Iterator[Callable[[Verdict], None]]:
    """Write verdicts to a CSV file.

    The rows go to a temporary file beside it, which takes its name at the end, also where
    the work is interrupted: what was done is kept.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    callable
        Takes a verdict.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)

            def write(verdict: Verdict) -> None:
                row = verdict.to_dict()
                row["reasons"] = "; ".join(row["reasons"] or ())
                writer.writerow(["" if row[name] is None else row[name] for name in COLUMNS])

            try:
                yield write
            finally:
                file.flush()
                temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
