"""Verdicts on many pictures."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from itertools import chain, islice

from convtrace.batch import engines
from convtrace.batch.inputs import FileInput, Input, streamed
from convtrace.detection import Detector, Verdict
from convtrace.errors import ConvtraceError, ImageError

__all__ = ["scan_many"]


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
    records = _records(inputs)
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
        lost=_lost,
        ordered=True,
    )


def _records(inputs: Iterable[str | os.PathLike[str] | Input]) -> Iterator[Input]:
    for one in inputs:
        yield FileInput(os.fspath(one)) if isinstance(one, str | os.PathLike) else one


def _verdict(detector: Detector, one: Input) -> Verdict:
    try:
        return detector.verdict(one.name if isinstance(one, FileInput) else one.picture())
    except ImageError as error:
        return Verdict.failed(one.name, str(error))
    except MemoryError:
        reason = "not enough memory to judge it; use fewer workers"
        return Verdict.failed(one.name, f"{one.name}: {reason}")
    except ConvtraceError as error:
        return Verdict.failed(one.name, f"{one.name}: {error}")


def _lost(one: Input, reason: str) -> Verdict:
    return Verdict.failed(one.name, f"{one.name}: {reason}")
