"""Many planes of one size at once, on a GPU or on PyTorch's CPU build (extra ``gpu``).

The same ascent as `convtrace.traces._optimiser`, with its constants and in its order, so
that the two end in the same maximum; each step is taken for all planes that need it
together, and planes that have converged leave. See that module for why the steps are what
they are.

On CUDA the passes are the kernels of `convtrace.traces._triton`: no design matrix is there. On
PyTorch's CPU build, and where Triton is missing, only a band of it is, so that memory is bounded
by `BAND_BYTES` and the pictures themselves; its products with itself, with the kernel and with
the weighted residual are batched matrix products, nearly all of the arithmetic.

Pixels are float32 and the sums over them float32 within a group of pixels and float64 across
groups; the last passes are float64 altogether.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convtrace.errors import TraceError
from convtrace.traces import _optimiser as scheme
from convtrace.traces._passes import EXPECTED, GRADIENT, LEAST_SQUARES, OBSERVED
from convtrace.traces.extraction import planes as planes_of
from convtrace.traces.model import UNIFORM_DENSITY, check_kernel_size
from convtrace.traces.solver import MAX_PASSES, TOLERANCE, Trace

__all__ = ["BAND_BYTES", "choose_device", "extract_batch", "fit_batch"]

BAND_BYTES = {"cpu": 1 << 25, "cuda": 1 << 31}
"""Most bytes that the bands of the design matrix of all planes take together, by device."""

# Pixels over which a float32 sum runs at most, about; as on the CPU.
_GROUP = 2048
_LOWEST = -60.0
_TRIALS = 4
# Planes that are fitted together, at most; and batches at work at once, so that the last planes
# of one, which keep no GPU busy, go beside the many of the next.
_PLANES = {"cpu": 16, "cuda": 12288}
_WORKERS = {"cpu": 1, "cuda": 3}
# Share of the free memory of a GPU that the batches at work may take.
_SHARE = 0.6
# Matrices of float64 that a plane takes while it is fitted.
_MATRICES = 16


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
) -> Trace:
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

    Returns
    -------
    Trace
        One kernel a plane, as by `convtrace.traces.fit`.

    Raises
    ------
    TraceError
        If PyTorch is missing, the planes are not of one size, are smaller than the kernel
        or hold a value that is not finite, or an option is out of range.

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
    torch = _torch()
    place = choose_device(device)
    stack = np.asarray(planes)
    if stack.ndim != 3 or not len(stack):
        raise TraceError(f"planes of shape {stack.shape}: give an array (planes, rows, columns)")
    if min(stack.shape[1:]) < size:
        raise TraceError(f"{stack.shape[2]} x {stack.shape[1]} pixels are smaller than the kernel")
    each = _planes_at_once(torch, place, stack.shape, size)
    parts = [stack[begin : begin + each] for begin in range(0, len(stack), each)]

    def fitted(part: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        with _stream(torch, place):
            pixels = _upload(torch, part, place)
            return _maximise(_Batch.over(torch, pixels, size), tolerance, max_passes)

    workers = min(_WORKERS[place], len(parts))
    if workers == 1:
        found = [fitted(part) for part in parts]
    else:
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(fitted, parts))
    return Trace(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _planes_at_once(torch: Any, place: str, shape: tuple[int, ...], size: int) -> int:
    """Return how many planes a batch holds."""
    count, height, width = shape
    most = _PLANES[place]
    if place == "cuda":
        free, _ = torch.cuda.mem_get_info()
        # Grey levels as they came and as float32 in wider rows, and what a fit keeps.
        bytes_each = height * (width + 127) * 8 + 8 * _MATRICES * size**4
        most = min(most, int(_SHARE * free) // (bytes_each * _WORKERS[place]))
    return max(1, min(most, count))


def _stream(torch: Any, place: str) -> Any:
    """Return a context in which work of this thread does not wait for that of others."""
    return torch.cuda.stream(torch.cuda.Stream()) if place == "cuda" else contextlib.nullcontext()


def _upload(torch: Any, part: NDArray[Any], place: str) -> Any:
    """Return planes as float32 on a device."""
    part = np.ascontiguousarray(part)
    if part.dtype != np.uint8:
        part = part.astype(np.float32)
    # Grey levels cross the bus as bytes where they are bytes.
    pixels = torch.from_numpy(part).to(place).to(torch.float32)
    if part.dtype != np.uint8 and not bool(torch.isfinite(pixels).all()):
        raise TraceError("a channel holds values that are not finite numbers")
    return pixels


def extract_batch(
    images: Sequence[NDArray[Any]],
    *,
    kernel_size: int = 5,
    channels: str = "rgb",
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
    device: str = "auto",
) -> list[Trace]:
    """Extract the traces of many pictures, those of one size together.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W) or (H, W, 3)
        Grey levels on the 0..255 scale.
    kernel_size : {3, 5, 7, 9}, default 5
        Side N of the kernel in pixels.
    channels : str, default "rgb"
        As for `convtrace.traces.extract`.
    tolerance, max_passes, device
        As for `fit_batch`.

    Returns
    -------
    list of Trace
        One a picture, in order.

    Raises
    ------
    TraceError
        As for `fit_batch`.
    """
    sizes: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        sizes.setdefault(image.shape[:2], []).append(index)
    traces: list[Trace | None] = [None] * len(images)
    for indices in sizes.values():
        parts = [planes_of(images[index], channels) for index in indices]
        together = fit_batch(
            np.stack([plane for part in parts for plane in part]), kernel_size,
            tolerance=tolerance, max_passes=max_passes, device=device,
        )  # fmt: skip
        begin = 0
        for index, part in zip(indices, parts, strict=True):
            rows = slice(begin, begin + len(part))
            traces[index] = Trace(*(getattr(together, name)[rows] for name in _FIELDS))
            begin += len(part)
    return [trace for trace in traces if trace is not None]


_FIELDS = (
    "kernels", "sigma", "weight", "log_likelihood", "iterations", "converged", "regularized",
)  # fmt: skip


def _kernels() -> Any:
    """Return the module of Triton kernels, or None where Triton is missing."""
    try:
        from convtrace.traces import _triton
    except ImportError:
        return None
    return _triton


@dataclass(slots=True)
class _Batch:
    """Planes on a device and how a pass walks over them."""

    torch: Any
    pixels: Any  # (B, H, W) float32
    size: int
    band_bytes: int
    kernels: Any  # the module of Triton kernels, or None
    whole: bool  # whether all pixels are whole numbers, where there are kernels

    @classmethod
    def over(cls, torch: Any, pixels: Any, size: int) -> _Batch:
        """Return the batch of some planes, with kernels where they can run."""
        kernels = _kernels() if pixels.is_cuda else None
        if kernels is None:
            return cls(torch, pixels, size, BAND_BYTES[pixels.device.type], None, False)
        pixels = kernels.pitched(pixels)
        return cls(torch, pixels, size, 0, kernels, kernels.is_whole(pixels))

    @property
    def d(self) -> int:
        return self.size * self.size - 1

    @property
    def count(self) -> int:
        _, height, width = self.pixels.shape
        return int((height - self.size + 1) * (width - self.size + 1))

    def evaluate(
        self, rows: Any, theta: Any, mode: int, *, precise: bool = False
    ) -> tuple[Any, Any, Any]:
        """Walk over some planes once; see `convtrace.traces._passes.evaluate`.

        Parameters
        ----------
        rows : tensor of shape (n,), int64
            Which planes.
        theta : tensor of shape (n, d + 1), float64
            Coefficients and log sigma^2 of each.
        mode : int
            As there.
        precise : bool
            As there.

        Returns
        -------
        sums (n, 3), gradient (n, d + 1), information (n, d + 1, d + 1) : tensors, float64
            The information says nothing if the mode is `GRADIENT`.
        """
        if self.kernels is not None:
            found: tuple[Any, Any, Any] = self.kernels.evaluate(
                self.pixels, rows, theta, self.size, mode, precise=precise, whole=self.whole
            )
            return found
        torch, d = self.torch, self.d
        n, centre = len(rows), d // 2
        double = torch.float64
        kind = double if precise else torch.float32
        device = self.pixels.device
        sigma2 = torch.exp(theta[:, d])
        scale, shift = -0.5 / sigma2, torch.log(256.0 / torch.sqrt(2 * np.pi * sigma2))
        # r = I - k * I in one product: the centre has coefficient 1, the others -k.
        filters = torch.ones((n, d + 1), dtype=double, device=device)
        filters[:, :centre] = -theta[:, :centre]
        filters[:, centre + 1 :] = -theta[:, centre:d]
        filters = filters.to(kind)
        sums = torch.zeros((n, 3), dtype=double, device=device)
        gradient = torch.zeros((n, d + 1), dtype=double, device=device)
        squares = torch.zeros((n, d + 1, d + 1), dtype=double, device=device)
        cross = torch.zeros((n, d + 1), dtype=double, device=device)
        tau = torch.zeros(n, dtype=double, device=device)
        matrix = mode != GRADIENT
        for groups, columns in self._bands(rows, kind):

            def spread(values: Any, groups: int = groups) -> Any:
                return values.to(kind).repeat_interleave(groups, dim=0)

            def total(values: Any, groups: int = groups) -> Any:
                return values.view(n, groups, *values.shape[1:]).sum(1, dtype=double)

            r = (spread(filters)[:, None, :] @ columns)[:, 0, :]
            square = r * r
            if mode == LEAST_SQUARES:
                w = torch.ones_like(r)
            else:
                z = square * spread(scale)[:, None] + spread(shift)[:, None]
                ratio = torch.exp(torch.clamp(z, min=_LOWEST))
                w = ratio / (1.0 + ratio)
                sums[:, 2] += total(torch.log1p(ratio).sum(1))
            sums[:, 0] += total(w.sum(1))
            sums[:, 1] += total((w * square).sum(1))
            gradient += total((columns @ (w * r)[:, :, None])[:, :, 0])
            if not matrix:
                continue
            v = w
            if mode == OBSERVED:
                z = square / spread(sigma2)[:, None]
                doubt = 1.0 - w
                v = w * (1.0 - doubt * z)
                u = w * r * (1.0 - doubt * 0.5 * (z - 1.0))
                part = w * (0.5 * z - doubt * 0.25 * (z - 1.0) * (z - 1.0))
                tau += total(part.sum(1))
                cross += total((columns @ u[:, :, None])[:, :, 0])
            squares += total((columns * v[:, None, :]) @ columns.transpose(1, 2))
        others = [index for index in range(d + 1) if index != centre]
        out = torch.empty_like(gradient)
        out[:, :d] = gradient[:, others] / sigma2[:, None]
        out[:, d] = 0.5 * (sums[:, 1] / sigma2 - sums[:, 0])
        information = torch.zeros((n, d + 1, d + 1), dtype=double, device=device)
        if matrix:
            block = squares[:, others][:, :, others] / sigma2[:, None, None]
            information[:, :d, :d] = 0.5 * (block + block.transpose(1, 2))
            information[:, :d, d] = cross[:, others] / sigma2[:, None]
            information[:, d, :d] = information[:, :d, d]
            information[:, d, d] = tau if mode == OBSERVED else 0.5 * sums[:, 0]
        return sums, out, information

    def invert(self, matrix: Any) -> tuple[Any, Any]:
        """Invert symmetric matrices; tell which are positive definite."""
        if self.kernels is not None:
            found: tuple[Any, Any] = self.kernels.invert(matrix, ridge=False)
            return found
        return _invert(self.torch, matrix, self.torch.zeros_like(matrix[:, 0, 0]))

    def invert_metric(self, matrix: Any) -> tuple[Any, Any]:
        """Invert the information of EM steps; tell which took a ridge."""
        if self.kernels is not None:
            inverse, sound = self.kernels.invert(matrix, ridge=True)
            return inverse, ~sound
        return _expected_inverse(self.torch, matrix)

    def _bands(self, rows: Any, kind: Any) -> Any:
        """Yield the neighbours of the pixels, centres among them: (n * groups, N * N, pixels).

        A group is as many rows as float32 sums may run over: the neighbours of a smooth
        picture are so nearly dependent that longer ones lose what tells them apart.
        """
        size = self.size
        _, height, width = self.pixels.shape
        tall, wide = height - size + 1, width - size + 1
        itemsize = 8 if kind == self.torch.float64 else 4
        fit = self.band_bytes // (len(rows) * size * size * wide * itemsize)
        group = min(tall, max(1, _GROUP // wide))
        step = max(1, fit // group) * group
        chosen = self.pixels[rows]
        top = 0
        while top < tall:
            here = min(step, tall - top)
            # The last rows may be too few for a group: they are a shorter one.
            here = here // group * group or here
            tops = max(1, here // group)
            window = chosen[:, top : top + here + size - 1].to(kind)
            # (n, rows, wide, N, N) as a view; the reshape writes the band.
            view = window.unfold(1, size, 1).unfold(2, size, 1)
            view = view.unflatten(1, (tops, here // tops)).permute(0, 1, 4, 5, 2, 3)
            yield tops, view.reshape(len(rows) * tops, size * size, here // tops * wide)
            top += here


def _invert(torch: Any, matrix: Any, ridge: Any) -> tuple[Any, Any]:
    """Invert symmetric matrices, scaled to a unit diagonal; tell which are positive definite."""
    n = matrix.shape[1]
    diagonal = torch.diagonal(matrix, dim1=1, dim2=2)
    positive = diagonal > 0.0
    scale = torch.where(positive, diagonal.clamp(min=1e-300).rsqrt(), 1.0)
    scaled = matrix * scale[:, :, None] * scale[:, None, :]
    eye = torch.eye(n, dtype=matrix.dtype, device=matrix.device)
    sound = torch.isfinite(scaled).all(2).all(1) & (positive.all(1) | (ridge > 0.0))
    scaled = torch.where(sound[:, None, None], scaled + ridge[:, None, None] * eye, eye)
    factor, info = torch.linalg.cholesky_ex(scaled)
    pivots = torch.diagonal(factor, dim1=1, dim2=2) ** 2
    sound = sound & (info == 0) & (pivots.min(1).values > scheme._DEPENDENT)
    factor = torch.where(sound[:, None, None], factor, eye)
    inverse = torch.cholesky_inverse(factor) * scale[:, :, None] * scale[:, None, :]
    return inverse, sound


def _expected_inverse(torch: Any, matrix: Any) -> tuple[Any, Any]:
    """Invert the information of EM steps, with the least ridge that is enough."""
    ridge = torch.zeros(len(matrix), dtype=matrix.dtype, device=matrix.device)
    inverse, sound = _invert(torch, matrix, ridge)
    ridged = ~sound
    size = scheme._RIDGE
    while not bool(sound.all()):
        rest = (~sound).nonzero()[:, 0]
        again, fine = _invert(torch, matrix[rest], torch.full_like(ridge[rest], size))
        inverse[rest] = again
        sound[rest] = fine
        if size > 1e6:
            raise TraceError("a channel's sums are not finite")
        size *= 2.0
    return inverse, ridged


def _times(matrix: Any, vector: Any) -> Any:
    return (matrix @ vector[:, :, None])[:, :, 0]


def _within(step: Any, reach: float) -> Any:
    return (step[:, :-1].abs().amax(1) <= reach) & (0.1 * step[:, -1].abs() <= reach)


def _stride(batch: _Batch, metric: Any, information: Any, gradient: Any, reach: Any) -> Any:
    """Return the sums of as many EM steps as stay within reach, and the inverses of the metric.

    See `_optimiser._stride`.
    """
    torch = batch.torch
    inverse, _ = batch.invert_metric(metric)
    eye = torch.eye(gradient.shape[1], dtype=metric.dtype, device=metric.device)
    power = eye - inverse @ information
    step = _times(inverse, gradient)
    going = torch.ones_like(reach, dtype=torch.bool)
    count = 1
    while True:
        longer = step + _times(power, step)
        going = going & _within(longer, reach)
        step = torch.where(going[:, None], longer, step)
        count *= 2
        if count >= scheme._MOST_STEPS or not bool(going.any()):
            return step, inverse
        power = power @ power


def _maximise(batch: _Batch, tolerance: float, budget: int) -> tuple[NDArray[Any], ...]:
    """Find the kernels and variances of greatest likelihood; the columns of a Trace."""
    torch, d, size = batch.torch, batch.d, batch.size
    device = batch.pixels.device
    n = len(batch.pixels)
    theta, inverse, metric, passes, ridged = _start(batch, budget // 2)
    sums = torch.zeros((n, 3), dtype=torch.float64, device=device)
    converged = torch.zeros(n, dtype=torch.bool, device=device)
    rows = torch.arange(n, device=device)
    for attempt in range(scheme._ATTEMPTS):
        if attempt > 0:
            _, _, metric[rows] = batch.evaluate(rows, theta[rows], EXPECTED)
            passes[rows] += 1
        free = rows[~ridged[rows]]
        passes += _follow(batch, free, metric, theta, inverse, (budget - passes) // 2)
        single = max(tolerance, scheme._SINGLE_TOLERANCE)
        _, taken, _, again = _climb(
            batch, rows, theta, inverse, single, budget - passes, precise=False
        )
        passes += taken
        ridged |= again
        left = (budget - passes).clamp(min=2)
        last, taken, done, again = _climb(
            batch, rows, theta, inverse, tolerance, left, precise=True
        )
        passes += taken
        ridged |= again
        sums[rows], converged[rows] = last[rows], done[rows]
        rows = rows[~(converged | ridged | (passes >= budget))[rows]]
        if not len(rows):
            break
    kernels = np.insert(theta[:, :d].cpu().numpy(), d // 2, 0.0, axis=1).reshape(-1, size, size)
    host = sums.cpu().numpy()
    return (
        kernels,
        np.exp(0.5 * theta[:, d].cpu().numpy()),
        host[:, 0] / batch.count,
        host[:, 2] / batch.count + np.log(UNIFORM_DENSITY),
        passes.cpu().numpy(),
        converged.cpu().numpy(),
        ridged.cpu().numpy() | (batch.count < d),
    )


def _start(batch: _Batch, budget: int) -> tuple[Any, Any, Any, Any, Any]:
    """Take the least-squares start, then steps of EM while they are long.

    Returns theta, the inverse and the metric of the last step, the passes, and whether a ridge
    was needed; see `_optimiser._start`.
    """
    torch, d = batch.torch, batch.d
    device = batch.pixels.device
    n = len(batch.pixels)
    active = torch.arange(n, device=device)
    theta = torch.full((n, d + 1), 1.0 / d, dtype=torch.float64, device=device)
    theta[:, d] = 0.0
    sums, gradient, metric = batch.evaluate(active, theta, LEAST_SQUARES)
    inverse, ridged = batch.invert_metric(metric)
    correction = _times(inverse[:, :d, :d], gradient[:, :d])
    theta[:, :d] += correction
    spread = sums[:, 1] - (correction * gradient[:, :d]).sum(1)
    spread = spread / sums[:, 0].clamp(min=1.0)
    theta[:, d] = torch.log(spread.clamp(min=1e-300)).clamp(min=scheme._FLOOR)
    passes = torch.ones(n, dtype=torch.int64, device=device)
    while len(active := active[passes[active] < budget]):
        before = theta[active, d]
        sums, gradient, found = batch.evaluate(active, theta[active], EXPECTED)
        passes[active] += 1
        found_inverse, ridged[active] = batch.invert_metric(found)
        metric[active], inverse[active] = found, found_inverse
        step = _times(found_inverse, gradient)
        theta[active, :d] += step[:, :d]
        spread = sums[:, 1] - torch.exp(before) * (step[:, :d] * gradient[:, :d]).sum(1)
        spread = spread.clamp(min=1e-300) / sums[:, 0].clamp(min=1e-300)
        after = torch.log(spread.clamp(min=1e-300)).clamp(min=scheme._FLOOR)
        theta[active, d] = after
        near = torch.where(after > scheme._ROUNDING, scheme._NEAR, scheme._NEAR_FLAT)
        small = (step[:, :d].abs().amax(1) <= near) & ((after - before).abs() <= 10.0 * near)
        active = active[~small]
    return theta, inverse, metric, passes, ridged


def _follow(batch: _Batch, rows: Any, metric: Any, theta: Any, inverse: Any, budget: Any) -> Any:
    """Follow the paths of EM from ``theta`` in place; see `_optimiser._follow`.

    Returns the passes of every plane, those of the others than ``rows`` being 0.
    """
    torch, d = batch.torch, batch.d
    passes, strides = torch.zeros_like(budget), torch.zeros_like(budget)
    reach = torch.full_like(theta[:, 0], scheme._REACH)
    foreseen = torch.zeros_like(theta)
    metric_inverse = torch.zeros_like(metric)
    active = rows
    while len(active := active[passes[active] < budget[active]]):
        _, gradient, information = batch.evaluate(active, theta[active], OBSERVED)
        passes[active] += 1
        # What the quadratic model of the stride says of EM's next step, beside that step.
        near = metric_inverse[active]
        off = _times(near, gradient - foreseen[active])[:, :d].abs().amax(1)
        length = _times(near, gradient)[:, :d].abs().amax(1)
        here, later = reach[active], strides[active] > 0
        sure = later & (off <= scheme._FORESEEN * length)
        astray = later & ~sure & (off > scheme._ASTRAY * length)
        here = torch.where(sure, (2.0 * here).clamp(max=scheme._FARTHEST), here)
        here = torch.where(astray, (0.5 * here).clamp(min=scheme._SHORTEST), here)
        reach[active] = here
        # sigma stays at its floor, and the kernel moves as if it were a constant.
        held = (theta[active, d] <= scheme._FLOOR) & (gradient[:, d] < 0.0)
        gradient[:, d] = torch.where(held, 0.0, gradient[:, d])
        information[:, :d, d] = torch.where(held[:, None], 0.0, information[:, :d, d])
        information[:, d, :d] = information[:, :d, d]
        information[:, d, d] = torch.where(held, metric[active, d, d], information[:, d, d])
        found, sound = batch.invert(information)
        inverse[active] = torch.where(sound[:, None, None], found, inverse[active])
        last = (scheme._LAST_STRIDES * here).clamp(max=scheme._LAST)
        far = ~(sound & _within(_times(found, gradient), last))
        active, gradient, information = active[far], gradient[far], information[far]
        if not len(active):
            break
        step, metric_inverse[active] = _stride(
            batch, metric[active], information, gradient, reach[active]
        )
        foreseen[active] = gradient - _times(information, step)
        theta[active] += step
        theta[active, d] = theta[active, d].clamp(min=scheme._FLOOR)
        strides[active] += 1
        renewed = active[strides[active] % scheme._REUSE == 0]
        if len(renewed):
            _, _, metric[renewed] = batch.evaluate(renewed, theta[renewed], EXPECTED)
            passes[renewed] += 1
    return passes


def _climb(
    batch: _Batch, rows: Any, theta: Any, inverse: Any, tolerance: float, budget: Any, *,
    precise: bool,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """Climb from ``theta`` in place; see `_optimiser._climb`.

    Returns the sums, the passes, whether the steps fell under the tolerance, and whether a ridge
    was needed, of every plane: those of the others than ``rows`` say nothing.

    Each round takes, of every plane still at work, the next trial of its line search, and
    of those whose search failed a step of EM.
    """
    torch, d = batch.torch, batch.d
    device = batch.pixels.device
    n = len(batch.pixels)
    noise = scheme._NOISE * batch.pixels[0].numel()
    sums, gradient = theta.new_zeros((n, 3)), torch.zeros_like(theta)
    sums[rows], gradient[rows], _ = batch.evaluate(rows, theta[rows], GRADIENT, precise=precise)
    passes = torch.zeros(n, dtype=torch.int64, device=device)
    passes[rows] = 1
    converged, ridged, restarted, finished, searching = (
        torch.zeros(n, dtype=torch.bool, device=device) for _ in range(5)
    )
    step, slope = torch.zeros_like(theta), torch.zeros_like(theta[:, 0])
    length, trials = torch.ones_like(slope), torch.zeros_like(passes)
    while True:
        fresh = rows[~(finished | searching)[rows]]
        spent = passes[fresh] >= budget[fresh]
        finished[fresh[spent]] = True
        fresh = fresh[~spent]
        if len(fresh):
            ahead = _times(inverse[fresh], gradient[fresh])
            floored = (theta[fresh, d] <= scheme._FLOOR) & (ahead[:, d] < 0.0)
            ahead[floored, d] = 0.0
            rise = (ahead * gradient[fresh]).sum(1)
            small = (ahead[:, :d].abs().amax(1) < tolerance) & (
                ahead[:, d].abs() < 100.0 * tolerance
            )
            last = small & (rise >= 0.0)
            ends = fresh[last]
            theta[ends] += ahead[last]
            theta[ends, d] = theta[ends, d].clamp(min=scheme._FLOOR)
            converged[ends] = True
            finished[ends] = True
            step[fresh], slope[fresh] = ahead, rise
            length[fresh] = (1.0 / ahead[:, d].abs().clamp(min=1e-300)).clamp(max=1.0)
            trials[fresh] = 0
            searching[fresh] = ~last & (rise > 0.0)
        stuck = rows[~(finished | searching)[rows]]
        trying = rows[(~finished & searching)[rows]]
        if len(trying):
            moved = theta[trying] + length[trying, None] * step[trying]
            moved[:, d] = moved[:, d].clamp(min=scheme._FLOOR)
            new_sums, new_gradient, _ = batch.evaluate(trying, moved, GRADIENT, precise=precise)
            passes[trying] += 1
            trials[trying] += 1
            rise = new_sums[:, 2] - sums[trying, 2]
            enough = (1e-4 * length[trying] * slope[trying]).clamp(min=noise)
            flatter = (new_gradient * step[trying]).sum(1).abs() < 0.9 * slope[trying]
            good = (rise > enough) | ((rise > -noise) & flatter)
            taken = trying[good]
            fall = gradient[taken] - new_gradient[good]
            inverse[taken] = _updated(torch, inverse[taken], moved[good] - theta[taken], fall)
            theta[taken] = moved[good]
            gradient[taken], sums[taken] = new_gradient[good], new_sums[good]
            restarted[taken] = False
            searching[taken] = False
            failed = trying[~good]
            over = (trials[failed] >= _TRIALS) | (passes[failed] >= budget[failed])
            searching[failed[over]] = False
            length[failed] *= 0.3
            stuck = torch.cat([stuck, failed[over]])
        if len(stuck):
            # Not even the step of EM rises: what is left of the gradient is rounding.
            finished[stuck[restarted[stuck]]] = True
            stuck = stuck[~restarted[stuck]]
        if len(stuck):
            sums[stuck], gradient[stuck], expected = batch.evaluate(
                stuck, theta[stuck], EXPECTED, precise=precise
            )
            passes[stuck] += 1
            inverse[stuck], ridged[stuck] = batch.invert_metric(expected)
            restarted[stuck] = True
        if bool(finished[rows].all()):
            return sums, passes, converged, ridged


def _updated(torch: Any, inverse: Any, step: Any, fall: Any) -> Any:
    """Return the BFGS updates of inverse informations; see `_optimiser._update`."""
    curvature = (step * fall).sum(1)
    product = _times(inverse, fall)
    sound = curvature > 0.0
    safe = torch.where(sound, curvature, 1.0)
    factor = (1.0 + (fall * product).sum(1) / safe) / safe
    outer = step[:, :, None] * step[:, None, :]
    mixed = product[:, :, None] * step[:, None, :]
    mixed = (mixed + mixed.transpose(1, 2)) / safe[:, None, None]
    return torch.where(
        sound[:, None, None], inverse + factor[:, None, None] * outer - mixed, inverse
    )
