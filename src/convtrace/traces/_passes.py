"""Passes over the pixels of one plane: what the optimiser of `_optimiser` is fed with.

The plane is one contiguous float32 array, read as one long line of pixels: the
neighbour at offset ``(s, t)`` of pixel ``p`` is pixel ``p + s * W + t``, so that a
pass is a sequence of one-dimensional loops over shifted windows of the same line,
and no design matrix is ever built. The few pixels at the left and right edge that
lack neighbours are walked over too; they are given a residual so large that their
responsibility is nil.

The line is cut into bands that fit the first-level cache. Sums are float32 inside
a band, where LLVM keeps them in vector registers, and float64 across bands.

The numbers of neighbours (8, 24, 48, 80) are all multiples of 8, so every loop
handles 8 neighbours, or 2 by 4 pairs of them, with its sums in registers.
"""

from __future__ import annotations

import numpy as np

from convtrace.traces._compile import compiled
from convtrace.traces._vector import exp32, log32

__all__ = ["BAND", "EXPECTED", "GRADIENT", "LEAST_SQUARES", "OBSERVED", "evaluate"]

BAND = 2048
"""Pixels in a band: the plane's window and the work lines stay in the first-level cache."""

OUTLIER = np.float32(1e6)
"""Residual, in grey levels, of pixels that must not count."""

GRADIENT = 0
"""Evaluate the log-likelihood and its gradient only."""
EXPECTED = 1
"""Also the information matrix of an EM step: never indefinite."""
OBSERVED = 2
"""Also the observed information, minus the Hessian: that of a Newton step."""
LEAST_SQUARES = 3
"""Every pixel counts in full: the ordinary least-squares start."""

# exp(-60) is nothing beside 1, yet far from the subnormal numbers that slow a processor down.
_LOWEST = np.float32(-60.0)
_HALF = np.float32(0.5)
_QUARTER = np.float32(0.25)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)


@compiled(fast=True)
def _residual(line, begin, count, shifts, k, r):  # type: ignore[no-untyped-def]
    """Write ``r = I - k * I`` of the pixels ``begin .. begin + count``."""
    centre = line[begin : begin + count]
    for p in range(count):
        r[p] = centre[p]
    for g in range(0, k.size, 8):
        k0, k1, k2, k3 = k[g], k[g + 1], k[g + 2], k[g + 3]
        k4, k5, k6, k7 = k[g + 4], k[g + 5], k[g + 6], k[g + 7]
        b0 = line[begin + shifts[g] :]
        b1 = line[begin + shifts[g + 1] :]
        b2 = line[begin + shifts[g + 2] :]
        b3 = line[begin + shifts[g + 3] :]
        b4 = line[begin + shifts[g + 4] :]
        b5 = line[begin + shifts[g + 5] :]
        b6 = line[begin + shifts[g + 6] :]
        b7 = line[begin + shifts[g + 7] :]
        for p in range(count):
            r[p] -= (
                (k0 * b0[p] + k1 * b1[p])
                + (k2 * b2[p] + k3 * b3[p])
                + (k4 * b4[p] + k5 * b5[p])
                + (k6 * b6[p] + k7 * b7[p])
            )


@compiled(fast=True)
def _precise_residual(line, begin, count, shifts, k, r):  # type: ignore[no-untyped-def]
    """Write the residual summed in float64: for the last steps of a fit.

    A float32 sum of neighbours errs by the rounding of a grey level, not of the
    residual, which moves the kernels of smooth pictures by up to 1e-5.
    """
    centre = line[begin : begin + count]
    for p in range(count):
        r[p] = centre[p]
    for g in range(0, k.size, 4):
        k0, k1, k2, k3 = k[g], k[g + 1], k[g + 2], k[g + 3]
        b0 = line[begin + shifts[g] :]
        b1 = line[begin + shifts[g + 1] :]
        b2 = line[begin + shifts[g + 2] :]
        b3 = line[begin + shifts[g + 3] :]
        for p in range(count):
            r[p] -= (k0 * b0[p] + k1 * b1[p]) + (k2 * b2[p] + k3 * b3[p])


@compiled
def _exclude_edges(begin, count, width, a, r):  # type: ignore[no-untyped-def]
    """Give the pixels of the left and right edge a residual that counts for nothing."""
    row = begin // width
    last = (begin + count - 1) // width
    for y in range(row, last + 1):
        for edge in range(y * width - a, y * width + a):
            p = edge - begin
            if 0 <= p < count:
                r[p] = OUTLIER


@compiled(fast=True)
def _expect(r, count, sigma2, w, wr):  # type: ignore[no-untyped-def]
    """E step: write w and ``w r``; return the sums of w, ``w r^2`` and ``log(1 + P/p0)``."""
    scale = np.float32(-0.5 / sigma2)
    shift = np.float32(np.log(256.0 / np.sqrt(2 * np.pi * sigma2)))
    total, spread, likelihood = _ZERO, _ZERO, _ZERO
    for p in range(count):
        ratio = exp32(max(r[p] * r[p] * scale + shift, _LOWEST))
        responsibility = ratio / (_ONE + ratio)
        weighted = responsibility * r[p]
        likelihood += log32(_ONE + ratio)
        total += responsibility
        spread += weighted * r[p]
        w[p] = responsibility
        wr[p] = weighted
    return total, spread, likelihood


@compiled(fast=True)
def _precise_expect(r64, count, sigma2, r, w, wr):  # type: ignore[no-untyped-def]
    """E step of a float64 residual: ``w r`` and the sums in float64, r and w rounded.

    The sums over neighbours cancel to a millionth of their terms near the maximum; where
    the picture hardly determines the kernel, float32 sums are off by more than a step.
    """
    scale = -0.5 / sigma2
    shift = np.log(256.0 / np.sqrt(2 * np.pi * sigma2))
    total, spread, likelihood = 0.0, 0.0, 0.0
    for p in range(count):
        square = r64[p] * r64[p]
        ratio = exp32(np.float32(max(square * scale + shift, np.float64(_LOWEST))))
        responsibility = ratio / (_ONE + ratio)
        likelihood += log32(_ONE + ratio)
        total += responsibility
        spread += responsibility * square
        w[p] = responsibility
        r[p] = r64[p]
        wr[p] = responsibility * r64[p]
    return total, spread, likelihood


@compiled(fast=True)
def _observe(r, w, count, sigma2, v, u):  # type: ignore[no-untyped-def]
    """Write the weights of the observed information; return that of log sigma^2.

    ``v`` weighs the outer products of the neighbours and ``u`` their sum, which
    couples the kernel with log sigma^2; both are times sigma^2. They differ from the
    EM weights by what is lost to not knowing the class of a pixel, and may be negative.
    """
    inverse = np.float32(1.0 / sigma2)
    tau = _ZERO
    for p in range(count):
        z = r[p] * r[p] * inverse
        doubt = _ONE - w[p]
        v[p] = w[p] * (_ONE - doubt * z)
        u[p] = w[p] * r[p] * (_ONE - doubt * _HALF * (z - _ONE))
        tau += w[p] * (_HALF * z - doubt * _QUARTER * (z - _ONE) * (z - _ONE))
    return tau


@compiled(fast=True)
def _project(line, begin, count, shifts, weights, out):  # type: ignore[no-untyped-def]
    """Add to ``out[j]`` the sum of ``weights`` times neighbour j."""
    for g in range(0, shifts.size, 8):
        b0 = line[begin + shifts[g] :]
        b1 = line[begin + shifts[g + 1] :]
        b2 = line[begin + shifts[g + 2] :]
        b3 = line[begin + shifts[g + 3] :]
        b4 = line[begin + shifts[g + 4] :]
        b5 = line[begin + shifts[g + 5] :]
        b6 = line[begin + shifts[g + 6] :]
        b7 = line[begin + shifts[g + 7] :]
        s0, s1, s2, s3 = _ZERO, _ZERO, _ZERO, _ZERO
        s4, s5, s6, s7 = _ZERO, _ZERO, _ZERO, _ZERO
        for p in range(count):
            x = weights[p]
            s0 += x * b0[p]
            s1 += x * b1[p]
            s2 += x * b2[p]
            s3 += x * b3[p]
            s4 += x * b4[p]
            s5 += x * b5[p]
            s6 += x * b6[p]
            s7 += x * b7[p]
        out[g] += s0
        out[g + 1] += s1
        out[g + 2] += s2
        out[g + 3] += s3
        out[g + 4] += s4
        out[g + 5] += s5
        out[g + 6] += s6
        out[g + 7] += s7


@compiled(fast=True)
def _outer(line, begin, count, shifts, v, work, out):  # type: ignore[no-untyped-def]
    """Add to the upper triangle of ``out`` the ``v``-weighted outer products of neighbours.

    Two rows by four columns at a time: eight sums and the values they are made of fill the
    sixteen vector registers of AVX2; four by four spill, at twice the time.
    """
    for i in range(0, shifts.size, 2):
        for m in range(2):
            source = line[begin + shifts[i + m] :]
            target = work[m]
            for p in range(count):
                target[p] = v[p] * source[p]
        t0, t1 = work[0], work[1]
        for j in range(i // 4 * 4, shifts.size, 4):
            b0 = line[begin + shifts[j] :]
            b1 = line[begin + shifts[j + 1] :]
            b2 = line[begin + shifts[j + 2] :]
            b3 = line[begin + shifts[j + 3] :]
            s00, s01, s02, s03 = _ZERO, _ZERO, _ZERO, _ZERO
            s10, s11, s12, s13 = _ZERO, _ZERO, _ZERO, _ZERO
            for p in range(count):
                x0, x1 = t0[p], t1[p]
                y0, y1, y2, y3 = b0[p], b1[p], b2[p], b3[p]
                s00 += x0 * y0
                s01 += x0 * y1
                s02 += x0 * y2
                s03 += x0 * y3
                s10 += x1 * y0
                s11 += x1 * y1
                s12 += x1 * y2
                s13 += x1 * y3
            out[i, j] += s00
            out[i, j + 1] += s01
            out[i, j + 2] += s02
            out[i, j + 3] += s03
            out[i + 1, j] += s10
            out[i + 1, j + 1] += s11
            out[i + 1, j + 2] += s12
            out[i + 1, j + 3] += s13


@compiled
def evaluate(line, width, shifts, k, sigma2, mode, precise, lines):  # type: ignore[no-untyped-def]
    """Walk over the plane once: the log-likelihood, its derivatives and the sums of the E step.

    Parameters
    ----------
    line : ndarray of shape (H * W,), float32
        The plane, row by row.
    width : int
        W.
    shifts : ndarray of shape (d,), int64
        Neighbours as distances along the line.
    k : ndarray of shape (d,), float64
        Coefficients.
    sigma2 : float
        Variance of the residual.
    mode : int
        `GRADIENT`, `EXPECTED`, `OBSERVED` or `LEAST_SQUARES`.
    precise : bool
        Whether the residual and the gradient are summed in float64 (not of
        `LEAST_SQUARES`).
    lines : ndarray of shape (7, BAND), float32
        Work space.

    Returns
    -------
    sums : ndarray of shape (3,), float64
        Sums over the pixels of w, ``w r^2`` and ``log(1 + P/p0)``.
    gradient : ndarray of shape (d + 1,), float64
        Derivatives of the log-likelihood by the kernel and by log sigma^2.
    information : ndarray of shape (d + 1, d + 1), float64
        Information matrix for the same parameters; zeros if the mode is `GRADIENT`.
    """
    d = shifts.size
    a = (int(np.sqrt(d + 1.0) + 0.5) - 1) // 2
    r, w, wr, v, u = lines[0], lines[1], lines[2], lines[3], lines[4]
    work = lines[5:7]
    r64 = np.empty(BAND if precise else 0)
    wr64 = np.empty(BAND if precise else 0)
    k32 = k.astype(np.float32)
    sums = np.zeros(3)
    gradient = np.zeros(d + 1)
    information = np.zeros((d + 1, d + 1))
    cross = np.zeros(d)
    tau = 0.0
    first = a * width
    last = line.size - a * width
    # The very first and last pixels of the interior lack a neighbour on the line itself.
    first, last = first + a, last - a
    for begin in range(first, last, BAND):
        count = min(BAND, last - begin)
        if precise:
            _precise_residual(line, begin, count, shifts, k, r64)
            _exclude_edges(begin, count, width, a, r64)
            total, spread, likelihood = _precise_expect(r64, count, sigma2, r, w, wr64)
            _project(line, begin, count, shifts, wr64, gradient)
        else:
            _residual(line, begin, count, shifts, k32, r)
            _exclude_edges(begin, count, width, a, r)
            if mode == LEAST_SQUARES:
                total, spread, likelihood = _keep_all(r, count, w, wr)
            else:
                total, spread, likelihood = _expect(r, count, sigma2, w, wr)
            _project(line, begin, count, shifts, wr, gradient)
        sums[0] += total
        sums[1] += spread
        sums[2] += likelihood
        if mode == OBSERVED:
            tau += _observe(r, w, count, sigma2, v, u)
            _project(line, begin, count, shifts, u, cross)
            _outer(line, begin, count, shifts, v, work, information)
        elif mode != GRADIENT:
            _outer(line, begin, count, shifts, w, work, information)

    gradient[:d] /= sigma2
    gradient[d] = 0.5 * (sums[1] / sigma2 - sums[0])
    if mode != GRADIENT:
        information /= sigma2
        for i in range(d):
            information[i, d] = cross[i] / sigma2
            for j in range(i):
                information[i, j] = information[j, i]
            information[d, i] = information[i, d]
        information[d, d] = tau if mode == OBSERVED else 0.5 * sums[0]
    return sums, gradient, information


@compiled
def _keep_all(r, count, w, wr):  # type: ignore[no-untyped-def]
    """Give weight 1 to every pixel but those of the edges."""
    total, spread = _ZERO, _ZERO
    for p in range(count):
        weight = _ZERO if r[p] == OUTLIER else _ONE
        w[p] = weight
        wr[p] = weight * r[p]
        total += weight
        spread += wr[p] * r[p]
    return total, spread, _ZERO
