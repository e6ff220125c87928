"""The audit's tables: which values the files of each class have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from convtrace.datasets import audit_facts
from convtrace.datasets.dataset import FAKE, REAL, Dataset
from convtrace.datasets.headers import Header

__all__ = ["Table", "audit_tables"]

Table = dict[str, dict[str, int]]

_MAX_ROWS = 8


def audit_tables(dataset: Dataset, headers: Sequence[Header]) -> dict[str, Table]:
    """Count, for each fact, how many files of each class have each value.

    Parameters
    ----------
    dataset : Dataset
        Of ``n`` pictures.
    headers : sequence of Header
        Theirs, ``n`` of them.

    Returns
    -------
    dict
        ``tables["format"]["PNG"]["real"]`` is a number of files. The commonest
        values come first, the rarest are joined as "others"; facts that no file
        has are left out.
    """
    tables = {
        "format": _table(dataset, [one.format for one in headers]),
        "colour mode": _table(dataset, [one.mode for one in headers]),
        "size": _table(dataset, [f"{one.width}x{one.height}" for one in headers]),
        "JPEG quality": _table(dataset, [_quality_range(one) for one in headers]),
        "JPEG subsampling": _table(
            dataset, [one.jpeg.subsampling if one.jpeg else "" for one in headers]
        ),
        "metadata": _metadata_table(dataset, headers),
    }
    if np.any(dataset.published_format != ""):
        families = [audit_facts.published_parts(one)[0] for one in dataset.published_format]
        tables["format as published"] = _table(dataset, families)
    return {name: table for name, table in tables.items() if table}


def _quality_range(header: Header) -> str:
    if header.jpeg is None:
        return ""
    low = min(header.jpeg.quality // 5 * 5, 95)
    return f"{low} to {100 if low == 95 else low + 4}"


def _table(dataset: Dataset, values: Sequence[str]) -> Table:
    """Count values per class; empty ones are left out, rare ones joined as "others"."""
    totals = Counter(value for value in values if value)
    kept = [value for value, _ in sorted(totals.items(), key=lambda one: (-one[1], one[0]))]
    shown = set(kept[:_MAX_ROWS])
    table = {value: {REAL: 0, FAKE: 0} for value in kept[:_MAX_ROWS]}
    if len(kept) > _MAX_ROWS:
        table["others"] = {REAL: 0, FAKE: 0}
    for value, label in zip(values, dataset.labels.tolist(), strict=True):
        if value:
            table[value if value in shown else "others"][label] += 1
    return table


def _metadata_table(dataset: Dataset, headers: Sequence[Header]) -> Table:
    kinds: dict[str, Callable[[Header], bool]] = {
        "EXIF": lambda one: one.exif,
        "camera maker": lambda one: bool(one.make),
        "software": lambda one: bool(one.software),
        "ICC profile": lambda one: one.icc,
        "XMP": lambda one: one.xmp,
        "content credentials": lambda one: one.c2pa,
        "comment": lambda one: one.comment,
        "PNG text": lambda one: bool(one.text_keys),
        "none of these": lambda one: (
            not (
                one.exif
                or one.make
                or one.software
                or one.icc
                or one.xmp
                or one.c2pa
                or one.comment
                or one.text_keys
            )
        ),
    }
    table: Table = {}
    for name, has in kinds.items():
        marks = np.array([has(one) for one in headers], dtype=np.bool_)
        if marks.any():
            table[name] = {
                label: int(np.count_nonzero(marks & (dataset.labels == label)))
                for label in (REAL, FAKE)
            }
    return table
