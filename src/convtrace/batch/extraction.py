"""Traces of many pictures, to Parquet, taken up where an earlier run ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from convtrace.batch import engines
from convtrace.batch.fitting import Decoded, failure, fit_decoded, measure, solver_device
from convtrace.batch.inputs import FileInput, Input, Stamp, streamed
from convtrace.batch.output import storable
from convtrace.batch.parts import State
from convtrace.batch.schema import ExtractionOptions
from convtrace.batch.tables import Table, shown
from convtrace.descriptors import centre_crop
from convtrace.detection import Detector
from convtrace.errors import ConvtraceError, ImageError, TraceError
from convtrace.image import Picture

__all__ = ["TIME_LIMIT", "ExtractionSummary", "extract_many"]

Progress = Callable[[int, int], None]
_Result = dict[str, Any] | Decoded | None

TIME_LIMIT = 600.0
"""Default seconds after which a picture is given up; 200 megapixels take half of that."""

_SHOWN_FAILURES = 20


@dataclass(frozen=True, slots=True)
class ExtractionSummary:
    """What `extract_many` did.

    Parameters
    ----------
    out : pathlib.Path or str
        The table; a string for an address.
    measured : int
        Pictures measured by this call, failed ones included.
    kept : int
        Pictures that an earlier call had measured.
    failed : int
        Pictures of this call with an error.
    failures : tuple of str
        The first 20 of these errors.
    notes : tuple of str
        What else there is to know, such as damaged parts that were set aside.
    """

    out: Path | str
    measured: int
    kept: int
    failed: int
    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()


class _Task(NamedTuple):
    """An input, and the SHA-256 of what was measured of it before, if that may be kept."""

    input: Input
    known: str | None = None


def extract_many(
    inputs: Iterable[str | os.PathLike[str] | Input],
    out: str | os.PathLike[str],
    *,
    kernel_sizes: Sequence[int] = (3, 5, 7),
    channels: str = "rgb",
    crop: int | None = None,
    detector: Detector | None = None,
    workers: int | None = None,
    engine: str | engines.Engine = "local",
    device: str = "cpu",
    time_limit: float | None = TIME_LIMIT,
    resume: bool = True,
    checksum: bool = False,
    progress: Progress | None = None,
) -> ExtractionSummary:
    """Extract the traces of many pictures to a Parquet table.

    Parameters
    ----------
    inputs : iterable of path or Input
        The pictures, for instance from `convtrace.batch.find_inputs`.
    out : path or address
        A file if it ends in ``.parquet``; otherwise a folder of such files, which
        pyarrow.dataset, pandas, Polars and DuckDB read as one table. See
        `convtrace.batch.schema` for the columns, and the notes for what is there when.
    kernel_sizes : sequence of int, default (3, 5, 7)
        Odd kernel sizes N.
    channels : str, default "rgb"
        As for `convtrace.traces.extract`.
    crop : int, optional
        Measure only the central square of this side, in pixels.
    detector : Detector, optional
        Adds the columns of its verdict.
    workers : int, optional
        Pictures at once; by default one for each core.
    engine : str or Engine, default "local"
        One of `convtrace.batch.engines.names`, or an engine.
    device : {"cpu", "cuda", "auto"}, default "cpu"
        Where the kernels are fitted: in the workers, or for many pictures together on a GPU
        of this machine; "auto" takes a GPU where PyTorch (extra ``gpu``) finds one. Decoding
        and verdicts stay with the workers. See the notes for what differs.
    time_limit : float, optional
        Seconds after which a picture is given up, by default 600; None for no limit. It does
        not count the time of a fit on a GPU, which its number of passes bounds.
    resume : bool, default True
        Whether to measure only what is missing: pictures that are not in the table, have
        changed in size or time of modification since, or could not be measured then. Rows
        of other pictures stay. Otherwise the table is made anew.
    checksum : bool, default False
        Tell by SHA-256 whether a picture has changed, which reads all of them.
    progress : callable, optional
        Called with the number of pictures done and the number of all.

    Returns
    -------
    ExtractionSummary

    Raises
    ------
    ConvtraceError
        Where an option is out of range, or the table was made with other options.
    OutputError
        If the table cannot be written.

    Notes
    -----
    Rows are written in parts of at most 5,000 pictures or one minute, each complete or
    absent. For a file they gather in the folder ``<out>.parts`` and are joined at the end,
    so that the file, too, is complete or absent; for a folder they are the result. After
    Ctrl-C everything measured is in the parts, and after any other end all but the last
    part. The numbers of a row do not depend on workers, interruptions or other pictures;
    the order of the rows may.

    Nearly all kernels of a GPU are within 1e-4 of the CPU's, and passes differ. Where rounding
    decides between maxima of the likelihood, as on flat pictures, the CPU fits once more and its
    numbers are taken; see `convtrace.traces.gpu.fit_batch`. The table does not tell which row is
    whose. What is decoded there and waits for its fit, at most a gigabyte of pixels or half a
    minute and two such parts at work, is measured again after any interruption. The engine
    "threads" lets 64 pictures a worker wait.
    """
    model = None if detector is None else detector.card_.sha256
    options = ExtractionOptions(tuple(kernel_sizes), channels, crop, model)
    if time_limit is not None and not time_limit > 0:
        raise ConvtraceError(f"time_limit={time_limit}: give seconds, or None for no limit")
    run = engines.create(engine) if isinstance(engine, str) else engine
    place = solver_device(device)
    unique: dict[str, Input] = {}
    for one in inputs:
        record = FileInput(os.fspath(one)) if isinstance(one, str | os.PathLike) else one
        unique.setdefault(record.name, record)
    total = len(unique)
    table = Table(out, options, anew=not resume, checksums=checksum)
    rows = table.index.rows
    if checksum:
        tasks = [_Task(one, _known(one, rows)) for one in unique.values()]
    else:
        tasks = [_Task(one) for one in unique.values() if not _is_done(one, rows)]
        table.forget({storable(task.input.name) for task in tasks})
    del unique

    kept = total - len(tasks)
    if progress is not None:
        progress(kept, total)
    # With fewer pictures than workers, those left over share the channels.
    spare = (engines.default_workers() if workers is None else workers) // max(1, len(tasks))
    work: Callable[[_Task], _Result] = partial(
        _row, options=options, detector=detector, threads=max(1, spare), apart=place is not None
    )
    failures: list[str] = []
    anew: set[str] = set()
    failed = measured = 0
    with (
        table.writer() as writer,
        # Closed before the writer, so that Ctrl-C stops the work before the rest is written.
        closing(
            run.map(
                work,
                _streamed(tasks),
                workers=workers,
                time_limit=time_limit,
                lost=_lost,
                ordered=False,
            )
        ) as results,
        closing(_fitted(results, options, place)) as rows_found,
    ):
        for row in rows_found:
            if row is None:
                kept += 1
            else:
                writer.write(row)
                measured += 1
                if checksum:
                    anew.add(row["path"])
                if row["error"] is not None:
                    failed += 1
                    failures += [row["error"]] if failed <= _SHOWN_FAILURES else []
            if progress is not None:
                progress(kept + measured, total)
    table.forget(anew)
    table.finish()
    return ExtractionSummary(
        shown(out), measured, kept, failed, tuple(failures), tuple(table.notes)
    )


def _fitted(
    results: Iterator[_Result],
    options: ExtractionOptions,
    place: str | None,
) -> Generator[dict[str, Any] | None, None, None]:
    """Fit on a device what the workers did not fit."""
    if place is not None:
        yield from fit_decoded(results, options, place)
        return
    for row in results:
        assert not isinstance(row, Decoded)  # noqa: S101, workers fit where there is no device
        yield row


def _is_done(one: Input, rows: dict[str, State]) -> bool:
    state = rows.get(storable(one.name))
    return state is not None and not state.failed and (state.nbytes, state.mtime_ns) == one.stamp()


def _known(one: Input, rows: dict[str, State]) -> str | None:
    state = rows.get(storable(one.name))
    return None if state is None or state.failed else state.sha256


def _streamed(tasks: Iterable[_Task]) -> Iterator[_Task]:
    """Read what can only be read in order, as it is asked for."""
    known: list[str | None] = []

    def inputs() -> Iterator[Input]:
        for task in tasks:
            known.append(task.known)
            yield task.input

    for one in streamed(inputs()):
        yield _Task(one, known.pop())


def _stamped(one: Input, stamp: Stamp) -> dict[str, Any]:
    return {
        "path": storable(one.name),
        "bytes": stamp[0],
        "mtime_ns": stamp[1],
        "video_time": one.time,
    }


def _lost(task: _Task, reason: str) -> _Result:
    """Return the row of a picture that was given up."""
    error = storable(f"{task.input.name}: {reason}")
    return _stamped(task.input, task.input.stamp()) | {"error": error}


def _row(
    task: _Task,
    *,
    options: ExtractionOptions,
    detector: Detector | None,
    threads: int,
    apart: bool,
) -> _Result:
    """Measure one picture; what goes wrong is in the row. None where it is as it was.

    Where the fits are taken apart, it is returned decoded, unless it is too small for a kernel.
    """
    one = task.input
    # Looked at before it is read: a file that changes meanwhile is measured again next time.
    row = _stamped(one, one.stamp())
    decoded: Decoded | None = None
    try:
        picture = one.picture()
        if task.known is not None and picture.sha256 == task.known:
            return None
        row |= _facts(picture)
        pixels = centre_crop(picture.pixels, options.crop)
        # A picture, not an array: a very dark crop of floats would look like the 0..1 scale.
        measured = replace(picture, pixels=pixels)
        if apart and min(pixels.shape[:2]) >= max(options.kernel_sizes):
            # A copy of a crop, so that it does not hold all of its picture.
            decoded = Decoded(row, replace(picture, pixels=np.ascontiguousarray(pixels)))
        else:
            measure(row, measured, options, threads)
        if detector is not None:
            verdict = detector.verdict(picture)
            row |= {
                "label": verdict.label,
                "probability": verdict.probability,
                "generator": verdict.generator,
                "reasons": list(verdict.reasons),
            }
        row["error"] = None
    except ImageError as error:
        row["error"] = storable(str(error))
    except (TraceError, MemoryError) as error:
        row["error"] = failure(one.name, error)
    return row if decoded is None else decoded


def _facts(picture: Picture) -> dict[str, Any]:
    return {
        "sha256": picture.sha256,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "jpeg_quality": None if picture.jpeg is None else float(picture.jpeg.quality),
    }
