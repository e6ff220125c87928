"""An explanation to a file; the format follows the suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from convtrace.batch import OutputError, check_output_file, replacing

if TYPE_CHECKING:
    from convtrace.report.explanation import Explanation

__all__ = ["SUFFIXES", "check_report_file", "write_report"]


def _html(explanation: Explanation) -> bytes:
    from convtrace.report.html import render_html

    return render_html(explanation).encode("utf-8")


def _pdf(explanation: Explanation) -> bytes:
    from convtrace.report.document import render_pdf

    return render_pdf(explanation)


def _png(explanation: Explanation) -> bytes:
    from convtrace.report.document import render_png

    return render_png(explanation)


_WRITERS: dict[str, Callable[[Explanation], bytes]] = {
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".png": _png,
}
SUFFIXES = tuple(_WRITERS)
"""The suffixes that a report may have."""


def check_report_file(path: str | os.PathLike[str]) -> Path:
    """Check, before any work is done, that a report can be written.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    OutputError
        If its suffix is none of `SUFFIXES`, or it cannot be written.
    """
    if Path(path).suffix.lower() not in _WRITERS:
        raise OutputError(
            path,
            "the format of the report is not known by this name",
            "end it in .html, .pdf or .png",
        )
    return check_output_file(path)


def write_report(explanation: Explanation, path: str | os.PathLike[str]) -> None:
    """Write an explanation.

    Parameters
    ----------
    explanation : Explanation
        From `convtrace.report.explain`.
    path : str or os.PathLike
        The file, ending in .html, .pdf or .png; replaced once the new one is complete.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    check_report_file(path)
    data = _WRITERS[Path(path).suffix.lower()](explanation)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
