"""Verdicts on many pictures."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from dataclasses import replace
from functools import partial
from itertools import chain, islice

from convtrace.batch import engines
from convtrace.batch.inputs import FileInput, Input, streamed
from convtrace.detection import Detector, Verdict
from convtrace.errors import ConvtraceError, ImageError
from convtrace.image import Picture

__all__ = ["judged", "lost", "record_of", "scan_many"]


def scan_many(
    inputs: Iterable[str | os.PathLike[str] | Input],
    detector: Detector,
    *,
    workers: int | None = None,
    engine: str | engines.Engine = "local",
    time_limit: float | None = 600.0,
) -> Generator[Verdict, None, None]:
    """Judge many pictures.

    Parameters
    ----------
    inputs : iterable of path or Input
        The pictures, for instance from `convtrace.batch.find_inputs`.
    detector : Detector
        What judges them.
    workers : int, optional
        Pictures at once; by default one for each core.
    engine : str or Engine, default "local"
        One of `convtrace.batch.engines.names`, or an engine.
    time_limit : float, optional
        Seconds after which a picture is given up; None for no limit.

    Returns
    -------
    generator of Verdict
        In the order of the inputs, each as soon as it and all before it are done. A picture
        that cannot be read has a verdict with an error. Closing the iterator drops the rest.

    Raises
    ------
    UnknownNameError
        Where no engine has the name.
    """
    run = engines.create(engine) if isinstance(engine, str) else engine
    records = map(record_of, inputs)
    judge = partial(_verdict, detector)
    first = list(islice(records, 2))
    if len(first) < 2 and isinstance(run, engines.LocalEngine):
        # Nothing else can be lost with a single picture, and it need not wait for a process.
        run = engines.ThreadEngine()
    return run.map(
        judge,
        streamed(chain(first, records)),
        workers=workers,
        time_limit=time_limit,
        lost=lost,
        ordered=True,
    )


def judged(
    one: str | os.PathLike[str] | Input, detector: Detector
) -> tuple[Verdict, Picture | None]:
    """Judge one picture, and hand its pixels on.

    Parameters
    ----------
    one : path or Input
        The picture.
    detector : Detector
        What judges it.

    Returns
    -------
    verdict : Verdict
        With an error where it cannot be judged.
    picture : Picture or None
        What was read; None where it could not be.
    """
    record = record_of(one)
    picture: Picture | None = None
    try:
        picture = record.picture(provenance=True)
        # Put beside the verdict, after it: the detector is not told.
        return replace(detector.verdict(picture), provenance=picture.provenance), picture
    except ImageError as error:
        return Verdict.failed(record.name, str(error)), picture
    except MemoryError:
        reason = "not enough memory to judge it; use fewer workers"
        return Verdict.failed(record.name, f"{record.name}: {reason}"), None
    except ConvtraceError as error:
        return Verdict.failed(record.name, f"{record.name}: {error}"), picture


def record_of(one: str | os.PathLike[str] | Input) -> Input:
    """Return the input that a path, or an input, stands for.

    Parameters
    ----------
    one : path or Input
        What was named.

    Returns
    -------
    Input
    """
    return FileInput(os.fspath(one)) if isinstance(one, str | os.PathLike) else one


def lost(one: Input, reason: str) -> Verdict:
    """Return the verdict on a picture whose worker was lost.

    Parameters
    ----------
    one : Input
        The picture.
    reason : str
        Why, in words.

    Returns
    -------
    Verdict
        With an error.
    """
    return Verdict.failed(one.name, f"{one.name}: {reason}")


def _verdict(detector: Detector, one: Input) -> Verdict:
    return judged(one, detector)[0]
