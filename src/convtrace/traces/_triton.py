"""Passes over the pixels of many planes on a CUDA device, as Triton kernels.

What `convtrace.traces._passes.evaluate` does for one plane on a processor, for all planes of a
batch at once. One program walks over some thousand pixels of one plane, a block at a time: it
loads the neighbours of the block straight from the picture, so that no design matrix is ever
there, finds residuals and responsibilities in registers, and keeps sums of its own. A second
kernel adds the sums of a plane's programs in float64, always in the same order: no atomics, so
two runs give the same bits.

The weighted normal matrix is made on the tensor cores. Grey levels that are whole numbers are
exact in float16; the weighted ones go in as two float16 numbers, which hold 22 bits. The
gradient takes some of the columns that the padding of the matrix leaves free. Other pixels take
products of float32 in three parts of TensorFloat-32.

A third kernel inverts the information matrices, by sweeping: its pivots are the squares of
Cholesky's, so that it tells dependent neighbours as `convtrace.traces._optimiser` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl

from convtrace.traces import _optimiser as scheme
from convtrace.traces._passes import GRADIENT, LEAST_SQUARES, OBSERVED

__all__ = ["PARTIAL_BYTES", "Planes", "evaluate", "invert"]

PARTIAL_BYTES = 1 << 31
"""Most bytes that the sums of all programs take before they are added."""

# Pixels of a program. A thread adds them block by block in float32, no longer a chain than on
# the CPU.
_GROUP = 8192
# Pixels of a block and warps of a program, by kind of pass: of those tried on an H200 the fastest
# (blocks of 64 pixels, and fewer registers for more programs beside each other, took longer).
_SHAPES = {"matrix": (128, 4), "gradient": (128, 4), "precise": (128, 8)}
# The same where there are more neighbours, as for N = 9.
_LARGE = (64, 8)
# Side of the matrix, that of N = 7, for which two blocks go into each product. There it is faster
# by a fifth on an H200, since what tensor cores read is stored two numbers at a time; with fewer
# neighbours it is slower.
_PAIRED = 64
# Whole numbers up to twice this are exact in float16.
_WHOLE = 1024.0

_PITCH = 128
_SUMS = 8
# Planes that are prepared at once.
_CHUNK = 1024


@triton.jit  # type: ignore[untyped-decorator]
def _pixels(  # type: ignore[no-untyped-def]
    image, p, last, wide, steps, used, taps, whole, level, scale, shift, precision,
    PITCH: tl.constexpr, OBSERVE: tl.constexpr, ALL: tl.constexpr, PRECISE: tl.constexpr,
):  # fmt: skip
    """Return the neighbours of some pixels, and what their residuals say.

    Neighbours are less the level, a row for every pixel. Then come sums of a pixel: w, ``w r``,
    ``w r^2`` and ``log(1 + P/p0)``; its weight in the matrix; and for the observed information
    its weight in the derivative by log sigma^2, twice.
    """
    kind = tl.float64 if PRECISE else tl.float32
    inside = p < last
    # Pixels beyond the end are read as the last one, and weigh nothing.
    p = tl.minimum(p, last - 1)
    # Most pixels lie beside each other: then a thread takes all neighbours of a pixel, and sums
    # over them stay within it. That is what the hint is for; Triton 3.8 without it spreads a pixel
    # over 64 threads, at ten times the instructions. (Nothing is read in pairs by it, since the
    # addresses are multiples of nothing.)
    at = tl.max_contiguous(p + p // wide * (PITCH - wide), 2)
    x = tl.load((image + at)[:, None] + steps[None, :], mask=used[None, :], other=0.0)
    if not PRECISE:
        x = tl.where(used[None, :], x - level, 0.0)
    r = tl.sum(taps[None, :] * x.to(kind), axis=1) + level * whole
    square = r * r
    if ALL:
        w = tl.where(inside, 1.0, 0.0)
        likelihood = tl.zeros_like(w)
    else:
        # What is nothing beside 1 may be nothing.
        z = square * scale + shift
        if PRECISE:  # noqa: SIM108, the shorter form is no Triton
            ratio = tl.exp(tl.maximum(z, -60.0))
        else:
            ratio = tl.exp2(tl.maximum(z, -86.0))
        ratio = tl.where(inside, ratio, 0.0)
        w = ratio / (1.0 + ratio)
        likelihood = tl.log(1.0 + ratio)
    weighted = w.to(kind) * r
    if OBSERVE:
        z = square * precision
        doubt = 1.0 - w
        v = w * (1.0 - doubt * z)
        u = weighted * (1.0 - doubt * 0.5 * (z - 1.0))
        tau = w * (0.5 * z - doubt * 0.25 * (z - 1.0) * (z - 1.0))
    else:
        v = w
        u = weighted
        tau = likelihood
    return x, w, weighted, weighted * r, likelihood, v, u, tau


@triton.jit  # type: ignore[untyped-decorator]
def _weighed(x, v, weighted, u, level, n, d: tl.constexpr, OBSERVE: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return what the neighbours are multiplied with for the matrix.

    Three columns after the neighbours: the weights of the gradient, those of its derivative by
    log sigma^2, and those that bring the level back.
    """
    y = tl.where(n[None, :] == d + 1, weighted[:, None], v[:, None] * x)
    if OBSERVE:
        y = tl.where(n[None, :] == d + 2, u[:, None], y)
    return tl.where(n[None, :] == d + 3, (v * level)[:, None], y)


@triton.jit
def _halved(y):  # type: ignore[no-untyped-def]
    """Return two float16 numbers that hold 22 bits together."""
    high = y.to(tl.float16)
    return high, (y - high.to(tl.float32)).to(tl.float16)


@triton.jit  # type: ignore[untyped-decorator]
def _paired(one, other, BLOCK: tl.constexpr, PADDED: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the rows of two blocks in turn, so that a thread stores two of a column at once."""
    return tl.reshape(tl.permute(tl.join(one, other), (0, 2, 1)), (2 * BLOCK, PADDED))


@triton.jit  # type: ignore[untyped-decorator]
def _walk(  # type: ignore[no-untyped-def]
    pixels, rows, theta, sums, columns,
    stride, wide, count, groups,
    PITCH: tl.constexpr, SIDE: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr,
    GROUP: tl.constexpr, MATRIX: tl.constexpr, OBSERVE: tl.constexpr, ALL: tl.constexpr,
    PRECISE: tl.constexpr, WHOLE: tl.constexpr, PAIR: tl.constexpr,
):  # fmt: skip
    """Write one program's sums, and its gradient or its matrix with the gradient beside it."""
    program = tl.program_id(0)
    plane = program // groups
    group = program - plane * groups
    image = pixels + tl.load(rows + plane).to(tl.int64) * stride
    d: tl.constexpr = SIDE * SIDE - 1
    kind = tl.float64 if PRECISE else tl.float32
    # r = I - k * I: the centre has coefficient 1, the others -k.
    n = tl.arange(0, PADDED)
    used = n <= d
    steps = n // SIDE * PITCH + n % SIDE
    own = theta + plane * (d + 1)
    k = tl.load(own + tl.where(n > d // 2, n - 1, n), mask=used & (n != d // 2), other=0.0)
    taps = tl.where(n == d // 2, 1.0, -k)
    whole = tl.sum(taps, axis=0).to(kind)
    taps = taps.to(kind)
    logs = tl.load(own + d)
    precision = tl.exp(-logs)
    scale = -0.5 * precision
    # log(256 / sqrt(2 pi sigma^2))
    shift = 4.626238910916437 - 0.5 * logs
    if not PRECISE:
        # Powers of 2 are what the device has.
        scale = (scale * 1.4426950408889634).to(tl.float32)
        shift = (shift * 1.4426950408889634).to(tl.float32)
        precision = precision.to(tl.float32)
    weight = tl.zeros((BLOCK,), kind)
    spread = tl.zeros((BLOCK,), kind)
    likelihood = tl.zeros((BLOCK,), kind)
    slope = tl.zeros((BLOCK,), kind)
    tau = tl.zeros((BLOCK,), kind)
    mass = tl.zeros((BLOCK,), kind)
    bent = tl.zeros((BLOCK,), kind)
    if MATRIX:  # noqa: SIM108, the two have different types
        found = tl.zeros((PADDED, PADDED), tl.float32)
    else:
        found = tl.zeros((BLOCK, PADDED), kind)
    first = group * GROUP
    last = tl.minimum(first + GROUP, count)
    for begin in range(first, last, 2 * BLOCK if PAIR else BLOCK):
        p = begin + tl.arange(0, BLOCK)
        # Less the level of the block: neighbours in a smooth part are so nearly dependent that
        # sums over them lose what tells them apart; less their level they do not.
        if PRECISE:
            level = tl.zeros((), tl.float32)
        else:
            level = tl.load(
                image + begin + begin // wide * (PITCH - wide) + SIDE // 2 * (PITCH + 1)
            )  # fmt: skip
        x, w, weighted, square, likely, v, u, part = _pixels(
            image, p, last, wide, steps, used, taps, whole, level, scale, shift, precision,
            PITCH=PITCH, OBSERVE=OBSERVE, ALL=ALL, PRECISE=PRECISE,
        )  # fmt: skip
        weight += w.to(kind)
        spread += square
        likelihood += likely
        slope += weighted * level
        if MATRIX:
            mass += v * level * level
            if OBSERVE:
                tau += part
                bent += u * level
            y = _weighed(x, v, weighted, u, level, n, d, OBSERVE)
            if WHOLE:
                neighbours = x.to(tl.float16)
                high, low = _halved(y)
                if PAIR:
                    x, w, weighted, square, likely, v, u, part = _pixels(
                        image, p + BLOCK, last, wide, steps, used, taps, whole, level, scale,
                        shift, precision, PITCH=PITCH, OBSERVE=OBSERVE, ALL=ALL, PRECISE=PRECISE,
                    )  # fmt: skip
                    weight += w
                    spread += square
                    likelihood += likely
                    slope += weighted * level
                    mass += v * level * level
                    if OBSERVE:
                        tau += part
                        bent += u * level
                    y = _weighed(x, v, weighted, u, level, n, d, OBSERVE)
                    other_high, other_low = _halved(y)
                    neighbours = tl.trans(_paired(neighbours, x.to(tl.float16), BLOCK, PADDED))
                    block = tl.dot(neighbours, _paired(low, other_low, BLOCK, PADDED))
                    high = _paired(high, other_high, BLOCK, PADDED)
                else:
                    neighbours = tl.trans(neighbours)
                    block = tl.dot(neighbours, low)
                # Each block starts from nothing, since tensor cores cut off what they add to
                # a long sum instead of rounding it.
                found += tl.dot(neighbours, high, block)
            else:
                found += tl.dot(tl.trans(x), y, input_precision="tf32x3")
        else:
            found += weighted[:, None] * x.to(kind)
    out = sums + program * 8
    tl.store(out, tl.sum(weight, axis=0))
    tl.store(out + 1, tl.sum(spread, axis=0))
    tl.store(out + 2, tl.sum(likelihood, axis=0))
    tl.store(out + 3, tl.sum(slope, axis=0))
    tl.store(out + 4, tl.sum(tau, axis=0))
    tl.store(out + 5, tl.sum(mass, axis=0))
    tl.store(out + 6, tl.sum(bent, axis=0))
    tl.store(out + 7, 0.0)
    if MATRIX:
        m = tl.arange(0, PADDED)
        base = columns + program.to(tl.int64) * PADDED * PADDED
        tl.store(base + n[:, None] * PADDED + m[None, :], found)
    else:
        tl.store(columns + program.to(tl.int64) * PADDED + n, tl.sum(found, axis=0))


@triton.jit  # type: ignore[untyped-decorator]
def _collect(  # type: ignore[no-untyped-def]
    sums, columns, theta, total, gradient, information, groups,
    SIDE: tl.constexpr, PADDED: tl.constexpr, MATRIX: tl.constexpr, OBSERVE: tl.constexpr,
):  # fmt: skip
    """Add the sums of one plane's programs in float64, and write what `evaluate` returns.

    The pixels were less the level of their block, which comes back here.
    """
    plane = tl.program_id(0).to(tl.int64)
    d: tl.constexpr = SIDE * SIDE - 1
    precision = tl.exp(-tl.load(theta + plane * (d + 1) + d))
    # The centre is no neighbour.
    i = tl.arange(0, PADDED)
    source = tl.where(i >= d // 2, i + 1, i)
    within = i < d
    eight = tl.arange(0, 8)
    whole = tl.zeros((8,), tl.float64)
    slope = tl.zeros((PADDED,), tl.float64)
    if MATRIX:
        cross = tl.zeros((PADDED,), tl.float64)
        down = tl.zeros((PADDED,), tl.float64)
        across = tl.zeros((PADDED,), tl.float64)
        j = tl.arange(0, PADDED)
        target = tl.where(j >= d // 2, j + 1, j)
        matrix = tl.zeros((PADDED, PADDED), tl.float64)
        both = within[:, None] & (j < d)[None, :]
    for group in range(groups):
        program = plane * groups + group
        whole += tl.load(sums + program * 8 + eight).to(tl.float64)
        if MATRIX:
            base = columns + program * PADDED * PADDED
            line = base + source * PADDED
            slope += tl.load(line + (d + 1), mask=within, other=0.0).to(tl.float64)
            if OBSERVE:
                cross += tl.load(line + (d + 2), mask=within, other=0.0).to(tl.float64)
            down += tl.load(line + (d + 3), mask=within, other=0.0).to(tl.float64)
            across += tl.load(
                base + target * PADDED + (d + 3), mask=j < d, other=0.0
            ).to(tl.float64)  # fmt: skip
            one = source[:, None] * PADDED + target[None, :]
            other = target[None, :] * PADDED + source[:, None]
            matrix += tl.load(base + one, mask=both, other=0.0).to(tl.float64)
            matrix += tl.load(base + other, mask=both, other=0.0).to(tl.float64)
        else:
            slope += tl.load(
                columns + program * PADDED + source, mask=within, other=0.0
            ).to(tl.float64)  # fmt: skip
    w = tl.sum(tl.where(eight == 0, whole, 0.0), axis=0)
    squares = tl.sum(tl.where(eight == 1, whole, 0.0), axis=0)
    slope += tl.sum(tl.where(eight == 3, whole, 0.0), axis=0)
    tl.store(total + plane * 3 + eight, whole, mask=eight < 3)
    tl.store(gradient + plane * (d + 1) + i, slope * precision, mask=within)
    tl.store(gradient + plane * (d + 1) + d, 0.5 * (squares * precision - w))
    if MATRIX:
        mass = tl.sum(tl.where(eight == 5, whole, 0.0), axis=0)
        corner = 0.5 * w
        if OBSERVE:
            corner = tl.sum(tl.where(eight == 4, whole, 0.0), axis=0)
            cross += tl.sum(tl.where(eight == 6, whole, 0.0), axis=0)
        matrix = 0.5 * matrix + (down[:, None] + across[None, :]) + mass
        side: tl.constexpr = d + 1
        out = information + plane * side * side
        tl.store(out + i[:, None] * side + j[None, :], precision * matrix, mask=both)
        tl.store(out + i * side + d, cross * precision, mask=within)
        tl.store(out + d * side + i, cross * precision, mask=within)
        tl.store(out + d * side + d, corner)


@triton.jit  # type: ignore[untyped-decorator]
def _sweep(  # type: ignore[no-untyped-def]
    matrices, inverses, sound, ridge, most, dependent,
    SIDE: tl.constexpr, PADDED: tl.constexpr,
):  # fmt: skip
    """Invert one matrix, with the least ridge up to ``most`` that is enough."""
    plane = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, PADDED)
    j = tl.arange(0, PADDED)
    at = i[:, None] * SIDE + j[None, :]
    inside = (i[:, None] < SIDE) & (j[None, :] < SIDE)
    base = matrices + plane * SIDE * SIDE
    matrix = tl.load(base + at, mask=inside, other=0.0)
    down = tl.load(base + i * (SIDE + 1), mask=i < SIDE, other=1.0)
    across = tl.load(base + j * (SIDE + 1), mask=j < SIDE, other=1.0)
    down = tl.where(down > 0.0, 1.0 / tl.sqrt(tl.where(down > 0.0, down, 1.0)), 1.0)
    across_positive = across > 0.0
    across = tl.where(across_positive, 1.0 / tl.sqrt(tl.where(across_positive, across, 1.0)), 1.0)
    positive = tl.min(across_positive.to(tl.int32), axis=0)
    matrix = matrix * down[:, None] * across[None, :]
    diagonal = i[:, None] == j[None, :]
    added = tl.zeros((), tl.float64)
    swept = matrix
    status = 0
    while status == 0:
        swept = matrix + tl.where(diagonal & inside, added, 0.0)
        fine = tl.where(added > 0.0, 1, positive)
        for k in range(SIDE):
            column = tl.sum(tl.where(j[None, :] == k, swept, 0.0), axis=1)
            row = tl.sum(tl.where(i[:, None] == k, swept, 0.0), axis=0)
            pivot = tl.sum(tl.where(j == k, row, 0.0), axis=0)
            good = pivot > dependent
            fine = tl.where(good, fine, 0)
            over = 1.0 / tl.where(good, pivot, 1.0)
            hit = (i[:, None] == k) | (j[None, :] == k)
            rest = tl.where(hit, 0.0, swept - column[:, None] * (row * over)[None, :])
            edge = tl.where(i[:, None] == k, row[None, :], column[:, None]) * over
            edge = tl.where(diagonal, -over, edge)
            swept = tl.where(hit, edge, rest)
        if fine == 1:
            status = tl.where(added > 0.0, 2, 1)
        else:
            added = tl.maximum(2.0 * added, ridge)
            if added > most:
                status = 3
    # No ridge is enough where a sum overflowed.
    inverse = tl.where(status == 3, float("nan"), -swept * down[:, None] * across[None, :])
    tl.store(inverses + plane * SIDE * SIDE + at, inverse, mask=inside)
    tl.store(sound + plane, status)


@dataclass(frozen=True, slots=True)
class Planes:
    """Planes as the kernels read them.

    Attributes
    ----------
    pixels : tensor of shape (B, H, W), float32
        Grey levels; rows begin a multiple of 128 pixels apart. That distance is a constant of
        the kernels: the fewer, the less often they are compiled.
    whole : bool
        Whether all pixels, and so their differences, are whole numbers that float16 holds.
    """

    pixels: Any
    whole: bool

    @classmethod
    def of(cls, pixels: Any) -> Planes:
        """Return planes of shape (B, H, W), tensors of any type."""
        count, height, width = pixels.shape
        pitch = -(-width // _PITCH) * _PITCH
        device = pixels.device
        out = torch.empty((count, height, pitch), dtype=torch.float32, device=device)
        view = out[:, :, :width]
        whole = torch.ones((), dtype=torch.bool, device=device)
        for begin in range(0, count, _CHUNK):
            part = view[begin : begin + _CHUNK]
            part.copy_(pixels[begin : begin + _CHUNK])
            whole &= ((part == part.round()) & (part.abs() <= _WHOLE)).all()
        return cls(view, bool(whole))


def _padded(side: int) -> int:
    """Return the side of the matrix that holds all neighbours and three columns more."""
    return max(16, int(triton.next_power_of_2(side * side + 3)))


def evaluate(
    planes: Planes, rows: Any, theta: Any, size: int, mode: int, *, precise: bool
) -> tuple[Any, Any, Any]:
    """Walk over some planes once; see `convtrace.traces._batch`.

    Parameters
    ----------
    planes : Planes
        The pixels.
    rows : tensor of shape (n,), int64
        Which planes.
    theta : tensor of shape (n, d + 1), float64
        Coefficients and log sigma^2 of each.
    size : int
        Side of the kernel.
    mode : int
        As of `convtrace.traces._passes.evaluate`.
    precise : bool
        Whether the residual and the gradient are summed in float64.

    Returns
    -------
    sums (n, 3), gradient (n, d + 1), information (n, d + 1, d + 1) : tensors, float64
        The information is None if the mode is `GRADIENT`.
    """
    matrix = mode != GRADIENT
    if precise and matrix:
        # The matrix is a metric only, for which float32 does.
        sums, gradient, _ = evaluate(planes, rows, theta, size, GRADIENT, precise=True)
        _, _, information = evaluate(planes, rows, theta, size, mode, precise=False)
        return sums, gradient, information
    d, n = size * size - 1, len(rows)
    pixels = planes.pixels
    device = pixels.device
    double = torch.float64
    padded = _padded(size)
    _, height, width = pixels.shape
    stride, pitch, _ = pixels.stride()
    wide = width - size + 1
    count = (height - size + 1) * wide
    groups = -(-count // _GROUP)
    theta = theta.contiguous()
    total = torch.empty((n, 3), dtype=double, device=device)
    gradient = torch.empty((n, d + 1), dtype=double, device=device)
    information = torch.empty((n, d + 1, d + 1), dtype=double, device=device) if matrix else None
    kind = double if precise else torch.float32
    cells = padded * (padded if matrix else 1)
    most = max(1, PARTIAL_BYTES // (groups * (cells + _SUMS) * kind.itemsize))
    observe = mode == OBSERVED
    shape = _SHAPES["matrix" if matrix else "precise" if precise else "gradient"]
    block, warps = _LARGE if padded > 64 else shape
    for begin in range(0, n, most):
        here = slice(begin, min(begin + most, n))
        many = here.stop - here.start
        sums = torch.empty((many * groups, _SUMS), dtype=kind, device=device)
        columns = torch.empty((many * groups, cells), dtype=kind, device=device)
        _walk[(many * groups,)](
            pixels, rows[here], theta[here], sums, columns,
            stride, wide, count, groups, PITCH=pitch, SIDE=size, PADDED=padded, BLOCK=block,
            GROUP=_GROUP, MATRIX=matrix, OBSERVE=observe, ALL=mode == LEAST_SQUARES,
            PRECISE=precise, WHOLE=planes.whole, PAIR=matrix and planes.whole and padded == _PAIRED,
            num_stages=1, num_warps=warps,
        )  # fmt: skip
        _collect[(many,)](
            sums, columns, theta[here], total[here], gradient[here],
            gradient[here] if information is None else information[here], groups,
            SIDE=size, PADDED=padded, MATRIX=matrix, OBSERVE=observe,
            num_warps=max(4, padded // 8),
        )  # fmt: skip
    return total, gradient, information


def invert(matrix: Any, *, ridge: bool) -> tuple[Any, Any]:
    """Invert symmetric matrices, scaled to a unit diagonal.

    Parameters
    ----------
    matrix : tensor of shape (n, side, side), float64
        Information matrices.
    ridge : bool
        Whether matrices that are not positive definite get the least ridge that is enough.

    Returns
    -------
    inverse : tensor like ``matrix``
        Undefined where the matrix is not positive definite.
    sound : tensor of shape (n,), bool
        Whether it is, without a ridge.
    """
    n, side, _ = matrix.shape
    matrix = matrix.contiguous()
    inverse = torch.empty_like(matrix)
    status = torch.empty(n, dtype=torch.int32, device=matrix.device)
    if n:
        padded = max(16, int(triton.next_power_of_2(side)))
        _sweep[(n,)](
            matrix, inverse, status, scheme._RIDGE, scheme._MOST_RIDGE if ridge else 0.0,
            scheme._DEPENDENT, SIDE=side, PADDED=padded, num_warps=max(4, padded // 8),
        )  # fmt: skip
    return inverse, status == 1
