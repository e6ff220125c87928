"""Whether a document still says what the command would print.

Running everything takes minutes. The document therefore records digests of the code and the
data of each experiment, of its own text and figures, and the numbers of some quick runs, which
are run again: digests find what was changed, the runs what changed by itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convtrace.errors import DatasetError
from convtrace.evaluation.experiments import EXPERIMENTS, IN_ORDER, Context, Result
from convtrace.evaluation.reproduction.document import read_record
from convtrace.evaluation.reproduction.fingerprints import code_digest
from convtrace.evaluation.reproduction.outcome import Outcome
from convtrace.evaluation.store import BundledStore

__all__ = ["check_document", "record_of"]

RUN_AGAIN = ("subjects", "kernel-size")
"""Their quick runs take seconds."""

TOLERANCE = 0.03
"""Another version of a library may call a picture or two of fifty otherwise."""


def record_of(
    outcomes: Sequence[Outcome], context: Context, body: str, figures: Mapping[str, bytes]
) -> dict[str, Any]:
    """Return what a document is to record.

    Parameters
    ----------
    outcomes : sequence of Outcome
        What it tells of.
    context : Context
        What they were run with.
    body : str
        The document without the record.
    figures : mapping of str to bytes
        Its figures, by file name.

    Returns
    -------
    dict
        JSON values.
    """
    store = context.store
    packaged = store.dataset() is None
    return {
        "body": _digest(body.rstrip("\n").encode()),
        "figures": {name: _digest(data) for name, data in sorted(figures.items())},
        "experiments": {
            one.experiment.name: {
                "code": code_digest(one.experiment),
                "data": store.fingerprint(one.experiment.descriptors)[:16],
            }
            for one in outcomes
        },
        "packaged tables": packaged,
        "quick runs": _quick_numbers(context.n_jobs) if packaged else {},
    }


def check_document(
    path: str | os.PathLike[str], *, numbers: bool = True, n_jobs: int | None = None
) -> list[str]:
    """Compare a document with the code and the packaged tables.

    Parameters
    ----------
    path : path-like
        Written by `reproduce` as ``markdown``.
    numbers : bool, default True
        Run the quick runs again.
    n_jobs : int, optional
        Processes; all cores by default.

    Returns
    -------
    list of str
        What is not current; empty if all is.

    Raises
    ------
    DatasetError
        If it cannot be read, has no record, or is of other pictures.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: the document cannot be read: {error}") from error
    found = read_record(text)
    if found is None:
        raise DatasetError(
            f"{path}: records nothing to check; write it by convtrace reproduce --markdown {path}"
        )
    record, body = found
    if not record["packaged tables"]:
        raise DatasetError(f"{path}: was made from pictures, which cannot be checked")
    wrong = []
    if record["body"] != _digest(body.rstrip("\n").encode()):
        wrong.append("its text was changed by hand")
    for name, digest in record["figures"].items():
        figure = source.with_suffix("") / name
        if not figure.is_file():
            wrong.append(f"the figure {figure.name} is missing")
        elif digest != _digest(figure.read_bytes()):
            wrong.append(f"the figure {figure.name} is another")
    store = BundledStore()
    for experiment in IN_ORDER:
        stored = record["experiments"].get(experiment.name)
        if stored is None:
            wrong.append(f"experiment {experiment.name} is not in it")
            continue
        if stored["code"] != code_digest(experiment):
            wrong.append(f"the code of experiment {experiment.name} has changed")
        if stored["data"] != store.fingerprint(experiment.descriptors)[:16]:
            wrong.append(f"the feature tables of experiment {experiment.name} have changed")
    if numbers:
        wrong += _changed(record["quick runs"], _quick_numbers(n_jobs))
    return wrong


def _changed(
    recorded: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]
) -> list[str]:
    wrong = []
    for name, values in now.items():
        before = recorded.get(name, ())
        far = [(a, b) for a, b in zip(before, values, strict=False) if not abs(a - b) <= TOLERANCE]
        if len(before) != len(values):
            wrong.append(f"the quick run of {name} has {len(values)} numbers, not {len(before)}")
        elif far:
            wrong.append(
                f"the quick run of {name} gives {far[0][1]:.3f} where it gave {far[0][0]:.3f}"
            )
    return wrong


def _quick_numbers(n_jobs: int | None) -> dict[str, list[float]]:
    context = Context(BundledStore(), quick=True, n_jobs=n_jobs)
    return {name: _numbers(EXPERIMENTS.get(name).run(context)) for name in RUN_AGAIN}


def _numbers(result: Result) -> list[float]:
    """Return the values of a result's tables that have an interval."""
    return [
        round(cell[0], 4)
        for table in result.tables
        for row in table.rows
        for cell in row
        if isinstance(cell, tuple)
    ]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
