"""Many planes of one size at once, on a GPU or on PyTorch's CPU build (extra ``gpu``).

The same ascent as `convtrace.traces._optimiser`, with its constants and in its order, so
that the two end in the same maximum; each step is taken for all planes that need it
together, and planes that have converged leave. See that module for why the steps are what
they are. Where rounding decides between maxima, the CPU solver has the last word.

See `convtrace.traces._batch` for how a pass is taken on a device, `convtrace.traces._ascent`
for what is made of it, and `convtrace.traces._doubt` for the planes that the CPU solver settles.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convtrace.errors import TraceError
from convtrace.traces._ascent import maximise
from convtrace.traces._batch import Batch
from convtrace.traces._doubt import BatchTrace, settled
from convtrace.traces.extraction import FIELDS
from convtrace.traces.extraction import planes as planes_of
from convtrace.traces.model import check_kernel_size, check_levels
from convtrace.traces.solver import MAX_PASSES, TOLERANCE, Trace

__all__ = ["BatchTrace", "choose_device", "extract_batch", "fit_batch"]

# Planes that are fitted together, at most; and batches at work at once, so that the last planes
# of one, which keep no GPU busy, go beside the many of the next.
_PLANES = {"cpu": 16, "cuda": 49152}
_WORKERS = {"cpu": 1, "cuda": 2}
# Share of the free memory of a GPU that the batches at work may take.
_SHARE = 0.6
# Matrices of float64 that a plane takes while it is fitted.
_MATRICES = 14


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise TraceError(
            "fits in batches need PyTorch; install it with pip install 'convtrace[gpu]'"
        ) from error
    return torch


def choose_device(device: str = "auto") -> str:
    """Return the device that a name stands for.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" is CUDA where there is one.

    Returns
    -------
    str
        "cpu" or "cuda".

    Raises
    ------
    TraceError
        If PyTorch is missing, the name is none of these, or there is no CUDA device.
    """
    torch = _torch()
    if device not in ("auto", "cpu", "cuda"):
        raise TraceError(f"device {device!r} is not known; take auto, cpu or cuda")
    there = bool(torch.cuda.is_available())
    if device == "cuda" and not there:
        raise TraceError("there is no CUDA device that PyTorch can use; take device cpu or auto")
    return "cuda" if there and device != "cpu" else "cpu"


def fit_batch(
    planes: ArrayLike,
    kernel_size: int,
    *,
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
    device: str = "auto",
    settle: bool = True,
    threads: int | None = None,
) -> BatchTrace:
    """Fit the kernels of planes of one size together.

    Parameters
    ----------
    planes : array_like of shape (B, H, W)
        Channels with grey levels on the 0..255 scale.
    kernel_size : {3, 5, 7, 9}
        Side N of the kernel in pixels.
    tolerance : float, default 1e-6
        A step that moves no coefficient by more is the last.
    max_passes : int, default 500
        Passes over a plane after which it is given up as not converged.
    device : {"auto", "cpu", "cuda"}, default "auto"
        Where; see `choose_device`.
    settle : bool, default True
        Whether the planes whose maximum is in doubt are fitted once more by the CPU solver; see
        the notes.
    threads : int, optional
        Planes that are so fitted at once; by default one for each core.

    Returns
    -------
    BatchTrace
        One kernel a plane, as by `convtrace.traces.fit`; its ``anew`` tells which planes the CPU
        solver fitted.

    Raises
    ------
    TraceError
        If PyTorch is missing, the planes are not of one size, are smaller than the kernel
        or hold a value that is not finite or is beyond 1e9, or an option is out of range.
    MemoryError
        If the device has not enough memory for a plane, or this machine for its second fit.

    Notes
    -----
    A batch rounds its sums otherwise than the CPU solver. That moves a kernel by some 1e-8, but
    where the likelihood has several maxima it may end in another one. Nearly all such planes are
    flat or saturated for the greater part: their sigma is under that of rounding to whole grey
    levels, ``sqrt(1/12) = 0.29``, or under twice that and they took more than 50 passes; the others
    took more than 100. With ``settle`` these planes, and those that did not converge, have the
    numbers of the CPU solver to the last bit. It costs the CPU's time for them, which on a fast
    card is most of all time (``docs/scaling.md``); flat pictures alone take as long as without.

    Examples
    --------
    >>> import numpy as np
    >>> planes = np.random.default_rng(0).integers(0, 256, size=(4, 32, 32))
    >>> fit_batch(planes, 3, device="cpu").kernels.shape  # doctest: +SKIP
    (4, 3, 3)
    """
    size = check_kernel_size(kernel_size)
    if not tolerance > 0:
        raise TraceError(f"tolerance {tolerance!r} is not a positive number")
    if max_passes < 1:
        raise TraceError("max_passes must be at least 1")
    if threads is not None and threads < 1:
        raise TraceError("threads must be at least 1")
    torch = _torch()
    place = choose_device(device)
    stack = np.asarray(planes)
    if stack.ndim != 3 or not len(stack):
        raise TraceError(f"planes of shape {stack.shape}: give an array (planes, rows, columns)")
    if min(stack.shape[1:]) < size:
        raise TraceError(f"{stack.shape[2]} x {stack.shape[1]} pixels are smaller than the kernel")
    each = _planes_at_once(torch, place, stack.shape, size)
    parts = [stack[begin : begin + each] for begin in range(0, len(stack), each)]

    def fitted(part: NDArray[Any]) -> Trace:
        try:
            with _stream(torch, place):
                pixels = _upload(torch, part, place)
                return Trace(*maximise(Batch.over(torch, pixels, size), tolerance, max_passes))
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryError(f"{place}: not enough memory for the fits") from error

    def finished(part: NDArray[Any], found: Trace) -> BatchTrace:
        if settle:
            return settled(part, found, tolerance=tolerance, max_passes=max_passes, threads=threads)
        return BatchTrace.of(found, np.zeros(len(part), np.bool_))

    workers = min(_WORKERS[place], len(parts))
    if workers == 1:
        done = [finished(part, fitted(part)) for part in parts]
    else:
        with ThreadPoolExecutor(workers) as pool:
            # What one batch left in doubt is settled here while the device is at the next ones.
            done = list(map(finished, parts, pool.map(fitted, parts)))
    return BatchTrace(
        *(np.concatenate([getattr(one, name) for one in done]) for name in (*FIELDS, "anew"))
    )


def _planes_at_once(torch: Any, place: str, shape: tuple[int, ...], size: int) -> int:
    """Return how many planes a batch holds."""
    count, height, width = shape
    most = _PLANES[place]
    if place == "cuda":
        free, _ = torch.cuda.mem_get_info()
        # What earlier batches left with PyTorch, which gives it up where it is short of memory;
        # uncounted, a long run of many sizes would end with batches of single planes.
        free += torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        # Grey levels as they came and as float32 in wider rows, and what a fit keeps.
        bytes_each = height * (width + 127) * 5 + 8 * _MATRICES * size**4
        most = min(most, int(_SHARE * free) // (bytes_each * _WORKERS[place]))
    return max(1, min(most, count))


# Streams that no batch uses. They are kept, since PyTorch keeps freed memory for the stream it was
# used in: a new one would have to allocate all of it anew.
_idle: list[Any] = []


@contextlib.contextmanager
def _stream(torch: Any, place: str) -> Iterator[None]:
    """Work in a stream, so that the work of this thread does not wait for that of others."""
    if place != "cuda":
        yield
        return
    try:
        stream = _idle.pop()
    except IndexError:
        stream = torch.cuda.Stream()
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        _idle.append(stream)


def _upload(torch: Any, part: NDArray[Any], place: str) -> Any:
    """Return planes on a device: bytes where they are bytes, else float32."""
    part = np.ascontiguousarray(part)
    if part.dtype != np.uint8:
        part = part.astype(np.float32)
        check_levels(part)
    return torch.from_numpy(part).to(place)


def extract_batch(
    images: Sequence[NDArray[Any]],
    *,
    kernel_size: int = 5,
    channels: str = "rgb",
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
    device: str = "auto",
    settle: bool = True,
    threads: int | None = None,
) -> list[BatchTrace]:
    """Extract the traces of many pictures, those of one size together.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W) or (H, W, 3)
        Grey levels on the 0..255 scale.
    kernel_size : {3, 5, 7, 9}, default 5
        Side N of the kernel in pixels.
    channels : str, default "rgb"
        As for `convtrace.traces.extract`.
    tolerance, max_passes, device, settle, threads
        As for `fit_batch`.

    Returns
    -------
    list of BatchTrace
        One a picture, in order.

    Raises
    ------
    TraceError
        As for `fit_batch`.
    """
    sizes: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        sizes.setdefault(image.shape[:2], []).append(index)
    traces: list[BatchTrace | None] = [None] * len(images)
    for indices in sizes.values():
        parts, times = [], []
        for index in indices:
            part = planes_of(images[index], channels)
            # A picture of one channel is fitted once and stands for each of its three.
            often = len(part) if images[index].ndim == 2 else 1
            parts.append(part[: len(part) // often])
            times.append(often)
        together = fit_batch(
            np.stack([plane for part in parts for plane in part]), kernel_size,
            tolerance=tolerance, max_passes=max_passes, device=device, settle=settle,
            threads=threads,
        )  # fmt: skip
        begin = 0
        for index, part, often in zip(indices, parts, times, strict=True):
            rows = slice(begin, begin + len(part))
            columns = (getattr(together, name)[rows] for name in (*FIELDS, "anew"))
            traces[index] = BatchTrace(*(np.repeat(column, often, axis=0) for column in columns))
            begin += len(part)
    return [trace for trace in traces if trace is not None]
