"""Fits of decoded pictures, many together on a device, beside the workers that decode.

The workers of an engine read, decode and judge, each picture at its own risk; what they return
is fitted in this process, on the device. Pictures gather until they take `_BYTES` or have waited
for `_SECONDS`, and are then fitted, those of one size together. Two such parts are at work at
once, since the last planes of one keep no GPU busy, and the CPU settles what was in doubt in one
while the device fits the other; so memory is bounded by three parts and the copies that the fits
make, and by what the engine lets run ahead.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from convtrace import traces
from convtrace.batch.output import storable
from convtrace.batch.schema import ExtractionOptions, columns_of
from convtrace.errors import ConvtraceError, TraceError
from convtrace.image import Picture

__all__ = [
    "DEVICES",
    "Decoded",
    "DeviceError",
    "failure",
    "fit_decoded",
    "measure",
    "solver_device",
]

DEVICES = ("auto", "cpu", "cuda")
"""What `solver_device` takes."""

# Pixels of the pictures of a part; with its copies a part at work takes twice that.
_BYTES = 1 << 30
# After which a part is fitted however small it is: what waits is lost where this process is killed.
_SECONDS = 30.0
_AT_WORK = 2

Row = dict[str, Any]


class DeviceError(ConvtraceError):
    """The device failed, which is no picture's doing."""

    failed_device = True


class Decoded(NamedTuple):
    """A picture that is still to be fitted, and its row without the fit.

    Parameters
    ----------
    row : dict
        What is known of it.
    picture : Picture
        What is measured: it may be a part of the file's.
    """

    row: Row
    picture: Picture


def solver_device(device: str) -> str | None:
    """Return where pictures are fitted together.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" is CUDA where PyTorch is installed and finds one.

    Returns
    -------
    str or None
        A device of `convtrace.traces.gpu`; None where each worker fits its own pictures.

    Raises
    ------
    ConvtraceError
        If the name is none of these.
    TraceError
        If CUDA is asked for and PyTorch is missing or finds none.
    """
    if device not in DEVICES:
        raise ConvtraceError(f"device {device!r} is not known; take {', '.join(DEVICES)}")
    if device == "cpu":
        return None
    from convtrace.traces import gpu

    if device == "cuda":
        return gpu.choose_device("cuda")
    try:
        found = gpu.choose_device("auto")
    except TraceError:
        return None  # Without PyTorch there is no CUDA for it.
    return None if found == "cpu" else found


def measure(row: Row, picture: Picture, options: ExtractionOptions, threads: int = 1) -> None:
    """Fit one picture by the CPU solver.

    Parameters
    ----------
    row : dict
        Takes the columns of the fit; after an error those of the smaller kernels.
    picture : Picture
        The picture.
    options : ExtractionOptions
        Kernel sizes and channels.
    threads : int, default 1
        Channels fitted at once.

    Raises
    ------
    TraceError
        If it cannot be fitted.
    """
    for size in options.kernel_sizes:
        row |= columns_of(
            traces.extract(picture, kernel_size=size, channels=options.channels, threads=threads)
        )


def failure(name: str, error: TraceError | MemoryError) -> str:
    """Return what a row says of a picture that cannot be fitted.

    Parameters
    ----------
    name : str
        Of the picture.
    error : TraceError or MemoryError
        What was raised.

    Returns
    -------
    str
    """
    if isinstance(error, TraceError):
        return storable(f"{name}: {error}")
    return storable(f"{name}: not enough memory to measure it; use fewer workers")


def fit_decoded(
    results: Iterable[Row | Decoded | None], options: ExtractionOptions, device: str
) -> Generator[Row | None, None, None]:
    """Fit what was decoded, many pictures together, and pass on all else.

    Parameters
    ----------
    results : iterable of dict, Decoded or None
        From an engine.
    options : ExtractionOptions
        Kernel sizes and channels.
    device : str
        From `solver_device`.

    Yields
    ------
    dict or None
        Rows, in another order; each as soon as the next result is there.

    Raises
    ------
    DeviceError
        If the device fails.
    """
    held: list[Decoded] = []
    nbytes, since = 0, 0.0
    jobs: deque[Future[list[Row]]] = deque()
    with ThreadPoolExecutor(_AT_WORK, thread_name_prefix="convtrace-fit") as pool:

        def finished(most: int) -> Iterator[Row]:
            """Take the rows of what is done; wait until so many parts are at work at most."""
            while jobs and (len(jobs) > most or jobs[0].done()):
                yield from jobs.popleft().result()

        try:
            for result in results:
                if isinstance(result, Decoded):
                    since = since if held else time.monotonic()
                    held.append(result)
                    nbytes += result.picture.pixels.nbytes
                else:
                    yield result
                yield from finished(_AT_WORK)
                if held and (nbytes >= _BYTES or time.monotonic() - since >= _SECONDS):
                    yield from finished(_AT_WORK - 1)
                    jobs.append(pool.submit(_fit_part, held, options, device))
                    held, nbytes = [], 0
            if held:
                yield from finished(_AT_WORK - 1)
                jobs.append(pool.submit(_fit_part, held, options, device))
            yield from finished(0)
        finally:
            for job in jobs:
                job.cancel()


def _fit_part(part: list[Decoded], options: ExtractionOptions, device: str) -> list[Row]:
    sizes: dict[tuple[Any, ...], list[Decoded]] = {}
    for one in part:
        pixels = one.picture.pixels
        sizes.setdefault((pixels.shape, pixels.dtype.str), []).append(one)
    rows: list[Row] = []
    for alike in sizes.values():
        rows += _fit_together(alike, options, device)
    return rows


def _fit_together(alike: list[Decoded], options: ExtractionOptions, device: str) -> list[Row]:
    """Fit pictures of one size; where that cannot be done, fewer of them, at last each alone."""
    from convtrace.traces import gpu

    images = [one.picture.pixels for one in alike]
    rows = [dict(one.row) for one in alike]
    try:
        for size in options.kernel_sizes:
            found = gpu.extract_batch(
                images, kernel_size=size, channels=options.channels, device=device
            )
            for row, trace in zip(rows, found, strict=True):
                row |= columns_of(trace)
    except (TraceError, MemoryError):
        # One of them, or so many, cannot be fitted: below, where the error holds nothing any more.
        rows = []
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise DeviceError(
            f"fits on {device} failed ({reason}); what was measured is kept, "
            "go on with the same command"
        ) from error
    if rows:
        return rows
    if len(alike) == 1:
        row, picture = alike[0]
        try:
            measure(row, picture, options)
        except (TraceError, MemoryError) as error:
            row["error"] = failure(row["path"], error)
        return [row]
    middle = len(alike) // 2
    return [
        row
        for half in (alike[:middle], alike[middle:])
        for row in _fit_together(half, options, device)
    ]
