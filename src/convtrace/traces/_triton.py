"""Passes over the pixels of many planes on a CUDA device, as Triton kernels.

What `convtrace.traces._passes.evaluate` does for one plane on a processor, for all planes of a
batch at once. One program walks over some thousand pixels of one plane, a block at a time: it
loads the neighbours of the block straight from the picture, so that no design matrix is ever
there, finds residuals and responsibilities in registers, and keeps sums of its own. A second
kernel adds the sums of a plane's programs in float64, always in the same order: no atomics, so
two runs give the same bits.

The weighted normal matrix is made on the tensor cores. Grey levels that are whole numbers are
exact in float16; the weighted ones go in as two float16 numbers, which hold 22 bits. The
gradient takes two of the columns that the padding of the matrix leaves free. Other pixels take
products of float32 in three parts of TensorFloat-32.

A third kernel inverts the information matrices, by sweeping: its pivots are the squares of
Cholesky's, so that it tells dependent neighbours as `convtrace.traces._optimiser` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl

from convtrace.traces import _optimiser as scheme
from convtrace.traces._passes import GRADIENT, LEAST_SQUARES, OBSERVED

__all__ = ["PARTIAL_BYTES", "evaluate", "invert", "is_whole", "pitched"]

PARTIAL_BYTES = 1 << 31
"""Most bytes that the sums of all programs take before they are added."""

# Pixels of a program. A thread adds 64 blocks of 128 one by one in float32, no longer a chain
# than on the CPU.
_GROUP = 8192
_BLOCK = 128
# Whole numbers up to here are exact in float16, and so are their differences from it.
_WHOLE = 2048.0
# Ridges double from `_optimiser._RIDGE` until they are enough; sums that are not finite never do.
_MOST_RIDGE = 1e6

_PITCH = 128
_SUMS = 4


@triton.jit  # type: ignore[untyped-decorator]
def _walk(  # type: ignore[no-untyped-def]
    pixels, rows, filters, constants, sums, columns,
    stride, wide, count, groups,
    PITCH: tl.constexpr, SIDE: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr,
    GROUP: tl.constexpr, MATRIX: tl.constexpr, OBSERVE: tl.constexpr, ALL: tl.constexpr,
    PRECISE: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """Write one program's sums, and its gradient or its matrix with the gradient beside it."""
    program = tl.program_id(0)
    plane = program // groups
    group = program - plane * groups
    image = pixels + tl.load(rows + plane).to(tl.int64) * stride
    n = tl.arange(0, PADDED)
    used = n < SIDE * SIDE
    steps = n // SIDE * PITCH + n % SIDE
    taps = tl.load(filters + plane * PADDED + n)
    scale = tl.load(constants + plane * 3)
    shift = tl.load(constants + plane * 3 + 1)
    precision = tl.load(constants + plane * 3 + 2)
    kind = tl.float64 if PRECISE else tl.float32
    if not PRECISE:
        scale = scale.to(tl.float32)
        shift = shift.to(tl.float32)
        precision = precision.to(tl.float32)
    weight = tl.zeros((BLOCK,), kind)
    spread = tl.zeros((BLOCK,), kind)
    likelihood = tl.zeros((BLOCK,), kind)
    tau = tl.zeros((BLOCK,), kind)
    if MATRIX:  # noqa: SIM108, the two have different types
        found = tl.zeros((PADDED, PADDED), tl.float32)
    else:
        found = tl.zeros((BLOCK, PADDED), kind)
    first = group * GROUP
    last = tl.minimum(first + GROUP, count)
    for begin in range(first, last, BLOCK):
        p = begin + tl.arange(0, BLOCK)
        inside = p < last
        # Pixels beyond the end are read as the last one, and weigh nothing.
        p = tl.minimum(p, last - 1)
        at = p + p // wide * (PITCH - wide)
        x = tl.load((image + at)[:, None] + steps[None, :], mask=used[None, :], other=0.0)
        r = tl.sum(taps[None, :] * x.to(kind), axis=1)
        square = r * r
        if ALL:
            w = tl.where(inside, 1.0, 0.0)
        else:
            # exp(-60) is nothing beside 1.
            z = tl.maximum((square * scale + shift).to(tl.float32), -60.0)
            ratio = tl.where(inside, tl.exp(z), 0.0)
            w = ratio / (1.0 + ratio)
            likelihood += tl.log(1.0 + ratio).to(kind)
        weighted = w.to(kind) * r
        weight += w.to(kind)
        spread += weighted * r
        if MATRIX:
            if OBSERVE:
                z = square * precision
                doubt = 1.0 - w
                v = w * (1.0 - doubt * z)
                u = weighted * (1.0 - doubt * 0.5 * (z - 1.0))
                tau += w * (0.5 * z - doubt * 0.25 * (z - 1.0) * (z - 1.0))
            else:
                v = w
                u = weighted
            # The gradient's weights and those of its derivative by log sigma^2 stand in the
            # first two columns after the neighbours.
            y = tl.where(
                n[None, :] == SIDE * SIDE, weighted[:, None],
                tl.where(n[None, :] == SIDE * SIDE + 1, u[:, None], v[:, None] * x),
            )  # fmt: skip
            if WHOLE:
                high = y.to(tl.float16)
                low = (y - high.to(tl.float32)).to(tl.float16)
                exact = tl.trans(x.to(tl.float16))
                # Each block starts from nothing, since tensor cores cut off what they add to
                # a long sum instead of rounding it.
                part = tl.dot(exact, low)
                found += tl.dot(exact, high, part)
            else:
                found += tl.dot(tl.trans(x), y, input_precision="tf32x3")
        else:
            found += weighted[:, None] * x.to(kind)
    out = sums + program * 4
    tl.store(out, tl.sum(weight, axis=0))
    tl.store(out + 1, tl.sum(spread, axis=0))
    tl.store(out + 2, tl.sum(likelihood, axis=0))
    tl.store(out + 3, tl.sum(tau, axis=0))
    if MATRIX:
        m = tl.arange(0, PADDED)
        base = columns + program.to(tl.int64) * PADDED * PADDED
        tl.store(base + n[:, None] * PADDED + m[None, :], found)
    else:
        tl.store(columns + program.to(tl.int64) * PADDED + n, tl.sum(found, axis=0))


@triton.jit  # type: ignore[untyped-decorator]
def _collect(  # type: ignore[no-untyped-def]
    sums, columns, constants, total, gradient, information, groups,
    SIDE: tl.constexpr, PADDED: tl.constexpr, MATRIX: tl.constexpr, OBSERVE: tl.constexpr,
):  # fmt: skip
    """Add the sums of one plane's programs in float64, and write what `evaluate` returns."""
    plane = tl.program_id(0).to(tl.int64)
    d: tl.constexpr = SIDE * SIDE - 1
    precision = tl.load(constants + plane * 3 + 2)
    # The centre is no neighbour.
    i = tl.arange(0, PADDED)
    source = tl.where(i >= d // 2, i + 1, i)
    within = i < d
    four = tl.arange(0, 4)
    whole = tl.zeros((4,), tl.float64)
    slope = tl.zeros((PADDED,), tl.float64)
    if MATRIX:
        cross = tl.zeros((PADDED,), tl.float64)
        matrix = tl.zeros((PADDED, PADDED), tl.float64)
        both = within[:, None] & within[None, :]
    for group in range(groups):
        program = plane * groups + group
        whole += tl.load(sums + program * 4 + four).to(tl.float64)
        if MATRIX:
            base = columns + program * PADDED * PADDED
            line = base + source * PADDED
            slope += tl.load(line + (d + 1), mask=within, other=0.0).to(tl.float64)
            if OBSERVE:
                cross += tl.load(line + (d + 2), mask=within, other=0.0).to(tl.float64)
            one = source[:, None] * PADDED + source[None, :]
            other = source[None, :] * PADDED + source[:, None]
            matrix += tl.load(base + one, mask=both, other=0.0).to(tl.float64)
            matrix += tl.load(base + other, mask=both, other=0.0).to(tl.float64)
        else:
            slope += tl.load(
                columns + program * PADDED + source, mask=within, other=0.0
            ).to(tl.float64)  # fmt: skip
    w = tl.sum(tl.where(four == 0, whole, 0.0), axis=0)
    squares = tl.sum(tl.where(four == 1, whole, 0.0), axis=0)
    tl.store(total + plane * 3 + four, whole, mask=four < 3)
    tl.store(gradient + plane * (d + 1) + i, slope * precision, mask=within)
    tl.store(gradient + plane * (d + 1) + d, 0.5 * (squares * precision - w))
    if MATRIX:
        side: tl.constexpr = d + 1
        out = information + plane * side * side
        tl.store(out + i[:, None] * side + i[None, :], 0.5 * precision * matrix, mask=both)
        tl.store(out + i * side + d, cross * precision, mask=within)
        tl.store(out + d * side + i, cross * precision, mask=within)
        corner = 0.5 * w
        if OBSERVE:
            corner = tl.sum(tl.where(four == 3, whole, 0.0), axis=0)
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
    tl.store(
        inverses + plane * SIDE * SIDE + at, -swept * down[:, None] * across[None, :], mask=inside
    )
    tl.store(sound + plane, status)


def pitched(pixels: Any) -> Any:
    """Return planes as float32 whose rows begin a multiple of 128 pixels apart.

    The distance is a constant of the kernels: the fewer, the less often they are compiled.

    Parameters
    ----------
    pixels : tensor of shape (B, H, W)
        Grey levels.

    Returns
    -------
    tensor of shape (B, H, W), float32
        A view of wider rows.
    """
    count, height, width = pixels.shape
    pitch = -(-width // _PITCH) * _PITCH
    out = torch.zeros((count, height, pitch), dtype=torch.float32, device=pixels.device)
    view = out[:, :, :width]
    view.copy_(pixels)
    return view


def is_whole(pixels: Any) -> bool:
    """Return whether all pixels are whole numbers that float16 holds exactly."""
    return bool(((pixels == pixels.round()) & (pixels.abs() <= _WHOLE)).all())


def _padded(side: int) -> int:
    """Return the side of the matrix that holds all neighbours and two columns more."""
    return max(16, int(triton.next_power_of_2(side * side + 2)))


def evaluate(
    pixels: Any, rows: Any, theta: Any, size: int, mode: int, *, precise: bool, whole: bool
) -> tuple[Any, Any, Any]:
    """Walk over some planes once; see `convtrace.traces.gpu`.

    Parameters
    ----------
    pixels : tensor of shape (B, H, W), float32
        Grey levels, as `pitched` lays them out.
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
    whole : bool
        What `is_whole` says of the pixels.

    Returns
    -------
    sums (n, 3), gradient (n, d + 1), information (n, d + 1, d + 1) : tensors, float64
        The information is None if the mode is `GRADIENT`.
    """
    matrix = mode != GRADIENT
    if precise and matrix:
        # The matrix is a metric only, for which float32 does.
        sums, gradient, _ = evaluate(
            pixels, rows, theta, size, GRADIENT, precise=True, whole=whole
        )  # fmt: skip
        _, _, information = evaluate(pixels, rows, theta, size, mode, precise=False, whole=whole)
        return sums, gradient, information
    d, n = size * size - 1, len(rows)
    device = pixels.device
    double = torch.float64
    padded = _padded(size)
    _, height, width = pixels.shape
    stride, pitch, _ = pixels.stride()
    wide = width - size + 1
    count = (height - size + 1) * wide
    groups = -(-count // _GROUP)
    filters, constants = _constants(theta, padded, precise)
    total = torch.empty((n, 3), dtype=double, device=device)
    gradient = torch.empty((n, d + 1), dtype=double, device=device)
    information = torch.empty((n, d + 1, d + 1), dtype=double, device=device) if matrix else None
    kind = double if precise else torch.float32
    cells = padded * (padded if matrix else 1)
    most = max(1, PARTIAL_BYTES // (groups * (cells + _SUMS) * kind.itemsize))
    for begin in range(0, n, most):
        here = slice(begin, min(begin + most, n))
        programs = (here.stop - here.start) * groups
        sums = torch.empty((programs, _SUMS), dtype=kind, device=device)
        columns = torch.empty((programs, cells), dtype=kind, device=device)
        observe = mode == OBSERVED
        _walk[(programs,)](
            pixels, rows[here], filters[here], constants[here], sums, columns,
            stride, wide, count, groups, PITCH=pitch, SIDE=size, PADDED=padded, BLOCK=_BLOCK,
            GROUP=_GROUP, MATRIX=matrix, OBSERVE=observe, ALL=mode == LEAST_SQUARES,
            PRECISE=precise, WHOLE=whole, num_stages=1,
            num_warps=8 if precise or padded > 64 else 4,
        )  # fmt: skip
        _collect[(here.stop - here.start,)](
            sums, columns, constants[here], total[here], gradient[here],
            information[here] if information is not None else gradient[here], groups,
            SIDE=size, PADDED=padded, MATRIX=matrix, OBSERVE=observe,
            num_warps=8 if padded > 64 else 4,
        )  # fmt: skip
    return total, gradient, information


def _constants(theta: Any, padded: int, precise: bool) -> tuple[Any, Any]:
    """Return the filters of the residual, and what turns its square into responsibilities."""
    d = theta.shape[1] - 1
    centre = d // 2
    filters = torch.zeros((len(theta), padded), dtype=torch.float64, device=theta.device)
    filters[:, :centre] = -theta[:, :centre]
    filters[:, centre] = 1.0
    filters[:, centre + 1 : d + 1] = -theta[:, centre:d]
    if not precise:
        filters = filters.to(torch.float32)
    precision = torch.exp(-theta[:, d])
    shift = np.log(256.0 / np.sqrt(2 * np.pi)) - 0.5 * theta[:, d]
    return filters, torch.stack([-0.5 * precision, shift, precision], dim=1)


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
            matrix, inverse, status, scheme._RIDGE, _MOST_RIDGE if ridge else 0.0,
            scheme._DEPENDENT, SIDE=side, PADDED=padded, num_warps=max(4, padded // 8),
        )  # fmt: skip
    return inverse, status == 1
