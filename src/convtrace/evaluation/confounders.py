"""What facts about the files alone tell of the classes that a result is measured on.

Photographs in JPEG against images in PNG are told apart by anything. Whoever trains on such
pictures, or measures on them, is to know it without having asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from convtrace.datasets import Dataset, Finding, audit
from convtrace.detection import Table
from convtrace.errors import DatasetError

__all__ = ["IN_TRAINING", "confounders", "confounders_table", "in_training"]

# Names and metadata tell the classes apart, too, but no detector sees them.
_SEEN = MappingProxyType(
    {
        "format": "file format",
        "colour mode": "colour mode",
        "size": "picture size",
        "bytes per pixel": "file size per pixel",
        "JPEG compression": "JPEG quality and subsampling",
    }
)
_TELLING = ("strong", "clear")

IN_TRAINING = "The classes of the training data are told apart by facts of the files alone:"
"""How the limit of a detector begins that `in_training` wrote."""


def confounders(dataset: Dataset, *, n_jobs: int | None = None) -> tuple[tuple[Finding, ...], str]:
    """Try to tell the classes apart by facts about the files that pixels carry on.

    Parameters
    ----------
    dataset : Dataset
        The pictures, as `convtrace.datasets.audit` takes them; of these only headers are read.
    n_jobs : int, optional
        Threads that read headers; by default one for each core.

    Returns
    -------
    findings : tuple of Finding
        For file format, colour mode, size, bytes per pixel and JPEG compression.
    reason : str
        Why there are none, such as too few pictures of a class; otherwise empty.
    """
    try:
        report = audit(dataset, n_jobs=n_jobs if n_jobs is not None and n_jobs > 0 else None)
    except DatasetError as error:
        return (), str(error)
    return tuple(one for one in report.findings if one.name in _SEEN), ""


def confounders_table(findings: Sequence[Finding], reason: str = "") -> Table:
    """Lay findings out for a report.

    Parameters
    ----------
    findings : sequence of Finding
        From `confounders`.
    reason : str, default ""
        Why there are none.

    Returns
    -------
    Table
        With warnings in its note.
    """
    rows = tuple(
        (
            _SEEN[one.name],
            one.pictures,
            None if one.auc is None else (one.auc.value, one.auc.low, one.auc.high),
        )
        for one in findings
    )
    note = f"Not tested: {reason}."
    if findings:
        note = (
            "How well facts about the files alone tell real from generated, without a look at a "
            "pixel: grouped 5-fold AUC with 95% interval, 0.5 is a coin's toss. All of it: "
            "`convtrace audit`."
        )
        if telling := _telling(findings):
            note += (
                f" What tells the classes apart by itself: {telling}. Part of the results without "
                "a common attack may be of that, and of no trace."
            )
    return Table("What the files alone tell", ("fact", "pictures", "AUC"), rows, note)


def in_training(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Say what a detector may have learnt instead of traces.

    Parameters
    ----------
    findings : sequence of Finding
        From `confounders`, of its training data.

    Returns
    -------
    tuple of str
        A sentence for its card; empty where nothing tells the classes apart.
    """
    telling = _telling(findings)
    if not telling:
        return ()
    return (
        f"{IN_TRAINING} {telling}. Part of what was learnt and measured may be that, and no trace.",
    )


def _telling(findings: Sequence[Finding]) -> str:
    return ", ".join(
        f"{_SEEN[one.name]} (AUC {one.auc.value:.2f})"
        for one in findings
        if one.auc is not None and one.level in _TELLING
    )
