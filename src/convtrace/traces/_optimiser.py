"""Maximum likelihood of one plane: a safeguarded quasi-Newton ascent in (k, log sigma^2).

Expectation-Maximization climbs the likelihood in 20 to 200 passes, each of which
needs the weighted normal matrix, nearly all of the arithmetic. The same likelihood
is taken here to the same fixed point with that matrix in about five passes, and in more
where EM is slow:

1. ordinary least squares, then EM steps while they are long, then strides of many EM steps
   at once along the same path, until a Newton step stays close by;
2. the inverse of the observed information there starts a BFGS
   ascent, whose passes need the gradient alone;
3. the last passes sum the residual and the gradient in float64.

A step of the ascent is kept only if the log-likelihood rises; where none does, an EM step,
which cannot lower it, is taken in its place.
"""

from __future__ import annotations

import numpy as np

from convtrace.traces._compile import compiled
from convtrace.traces._passes import BAND, EXPECTED, GRADIENT, LEAST_SQUARES, OBSERVED, evaluate
from convtrace.traces.model import SIGMA_FLOOR

__all__ = ["maximise"]

_FLOOR = 2.0 * np.log(SIGMA_FLOOR)
# EM is slow once a step moves no coefficient by more.
_NEAR = 0.01
# The variance that rounding to whole grey levels leaves, 1/12. A fit below it is made by flat
# areas, where each pixel fits exactly or not at all: there EM itself is followed to its end.
_ROUNDING = np.log(1.0 / 12.0)
_NEAR_FLAT = 1e-5
# How far a coefficient may move in the first stride along the path of EM, and at least and at
# most in the later ones.
_REACH = 0.003
_SHORTEST = 0.0005
_FARTHEST = 0.02
# The reach doubles where the EM step after a stride was foreseen to within the first share of
# its length, and halves where it was off by more than the second.
_FORESEEN = 0.05
_ASTRAY = 0.2
# How far a coefficient may move in the Newton step that ends the strides: at most, and in units
# of the reach. Larger ones save passes, and end in another maximum on one picture in a hundred.
_LAST = 0.01
_LAST_STRIDES = 3.0
# A step that moves a coefficient farther is not taken: next to no pixel says anything of it. So it
# is where a pixel or two of a saturated plane differ from the rest.
_LEAP = 1.0
# How often the path of EM is taken up again.
_ATTEMPTS = 3
# EM steps in one stride, after which they have converged or never will.
_MOST_STEPS = 2**14
# Strides that one matrix of EM serves for.
_REUSE = 3
# Largest step of a coefficient after which the residual is summed in float64.
_SINGLE_TOLERANCE = 3e-5
# What float32 rounding does to the mean log-likelihood: differences under it say nothing.
_NOISE = 2e-6
# A scaled pivot under this means that the neighbours are linearly dependent. The rounding
# of grey levels alone gives a picture of mean 255 a pivot of 1/12/255^2 = 1.3e-6.
_DEPENDENT = 1e-7
_RIDGE = 1e-6
# The ridges of a matrix that is finite end long before.
_MOST_RIDGE = 1e6


@compiled
def _invert(matrix, ridge, out):  # type: ignore[no-untyped-def]
    """Write the inverse of a symmetric matrix; return False if it is not positive definite.

    The matrix is scaled to a unit diagonal first, since the coefficients and log sigma^2
    have different units; the ridge is added to that diagonal.
    """
    n = matrix.shape[0]
    scale = np.empty(n)
    for i in range(n):
        if not matrix[i, i] > 0.0:
            if ridge == 0.0:
                return False
            scale[i] = 1.0
        else:
            scale[i] = 1.0 / np.sqrt(matrix[i, i])
    factor = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j] * scale[i] * scale[j]
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i == j:
                total += ridge
                if not total > _DEPENDENT:
                    return False
                factor[i, i] = np.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    # Invert the triangle in place, then multiply its transpose with it.
    for j in range(n):
        factor[j, j] = 1.0 / factor[j, j]
        for i in range(j + 1, n):
            total = 0.0
            for m in range(j, i):
                total -= factor[i, m] * factor[m, j]
            factor[i, j] = total / factor[i, i]
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for m in range(i, n):
                total += factor[m, i] * factor[m, j]
            out[i, j] = total * scale[i] * scale[j]
            out[j, i] = out[i, j]
    return True


@compiled
def _expected_inverse(matrix, out):  # type: ignore[no-untyped-def]
    """Write the inverse of an EM step's information; return whether it took a ridge.

    The ridge doubles until it is enough, which it is at the size of the diagonal. Where a sum
    overflowed none is: then the inverse is not a number, and no step is taken by it.
    """
    if _invert(matrix, 0.0, out):
        return False
    ridge = _RIDGE
    while not _invert(matrix, ridge, out):
        ridge *= 2.0
        if ridge > _MOST_RIDGE:
            out[:] = np.nan
            break
    return True


@compiled
def _update(inverse, step, fall):  # type: ignore[no-untyped-def]
    """BFGS update of the inverse information by a step and the fall of the gradient on it."""
    curvature = np.dot(step, fall)
    if not curvature > 0.0:
        return
    product = np.dot(inverse, fall)
    factor = (1.0 + np.dot(fall, product) / curvature) / curvature
    for i in range(step.size):
        for j in range(step.size):
            inverse[i, j] += (
                factor * step[i] * step[j]
                - (product[i] * step[j] + step[i] * product[j]) / curvature
            )


@compiled
def _climb(line, width, shifts, theta, inverse, tolerance, budget, precise, lines):  # type: ignore[no-untyped-def]
    """Climb from ``theta`` in place, with ``inverse`` as the first guess of the curvature.

    Returns the sums of the last pass, the passes taken, whether the steps fell under
    the tolerance, and whether an information matrix took a ridge.
    """
    d = shifts.size
    noise = _NOISE * line.size
    sums, gradient, _ = evaluate(
        line, width, shifts, theta[:d], np.exp(theta[d]), GRADIENT, precise, lines
    )
    passes = 1
    ridged = False
    restarted = False
    while passes < budget:
        step = np.dot(inverse, gradient)
        if theta[d] <= _FLOOR and step[d] < 0.0:
            step[d] = 0.0
        slope = np.dot(step, gradient)
        # log sigma^2 is held to a looser bound: its error is the square of its last step.
        small = np.max(np.abs(step[:d])) < tolerance and np.abs(step[d]) < 100.0 * tolerance
        if small and slope >= 0.0:
            theta += step
            theta[d] = max(theta[d], _FLOOR)
            return sums, passes, True, ridged
        # A change of log sigma^2 by more than 1 leaves the region in which the model of
        # the likelihood holds.
        length = min(1.0, 1.0 / max(np.abs(step[d]), 1e-300))
        accepted = False
        if slope > 0.0 and np.max(np.abs(step[:d])) <= _LEAP:
            for _ in range(4):
                moved = theta + length * step
                moved[d] = max(moved[d], _FLOOR)
                new_sums, new_gradient, _ = evaluate(
                    line, width, shifts, moved[:d], np.exp(moved[d]), GRADIENT, precise,
                    lines,
                )  # fmt: skip
                passes += 1
                rise = new_sums[2] - sums[2]
                # Where rounding hides the rise, the slope along the step must shrink.
                accepted = rise > max(1e-4 * length * slope, noise) or (
                    rise > -noise and np.abs(np.dot(new_gradient, step)) < 0.9 * slope
                )
                if accepted or passes >= budget:
                    break
                length *= 0.3
        if accepted:
            _update(inverse, moved - theta, gradient - new_gradient)
            theta[:] = moved
            gradient = new_gradient
            sums = new_sums
            restarted = False
            continue
        if restarted:
            # Not even the step of EM rises: what is left of the gradient is rounding.
            return sums, passes, False, ridged
        sums, gradient, expected = evaluate(
            line, width, shifts, theta[:d], np.exp(theta[d]), EXPECTED, precise, lines
        )
        passes += 1
        ridged = _expected_inverse(expected, inverse)
        restarted = True
    return sums, passes, False, ridged


@compiled(fast=True)
def _multiply(a, b, out):  # type: ignore[no-untyped-def]
    """Write the product of two square matrices, the same for any number of BLAS threads."""
    n = a.shape[0]
    for i in range(n):
        row = out[i]
        for j in range(n):
            row[j] = 0.0
        for m in range(n):
            factor = a[i, m]
            other = b[m]
            for j in range(n):
                row[j] += factor * other[j]


@compiled
def _within(step, reach):  # type: ignore[no-untyped-def]
    """Return whether a step moves no coefficient by more, nor log sigma^2 by ten times more."""
    d = step.size - 1
    # A step that is not finite is not within.
    return max(np.max(np.abs(step[:d])), 0.1 * np.abs(step[d])) <= reach


@compiled
def _stride(metric, information, gradient, reach, inverse):  # type: ignore[no-untyped-def]
    """Return the sum of as many EM steps as stay within reach; ``inverse`` is of the metric.

    Near a point EM moves by ``s, A s, A^2 s, ...`` with ``s = metric^-1 gradient`` and
    ``A = 1 - metric^-1 information``. Their sum over 2^m steps takes m doublings, each a
    product of small matrices, where EM itself takes 2^m passes over the picture.
    """
    n = gradient.size
    _expected_inverse(metric, inverse)
    power = np.empty((n, n))
    _multiply(inverse, information, power)
    power *= -1.0
    for i in range(n):
        power[i, i] += 1.0
    step = np.dot(inverse, gradient)
    # A change of log sigma^2 by more than 1 leaves the region in which the model holds.
    if np.abs(step[n - 1]) > 1.0:
        return step / np.abs(step[n - 1])
    squared = np.empty((n, n))
    count = 1
    while count < _MOST_STEPS:
        longer = step + np.dot(power, step)
        if not _within(longer, reach):
            break
        step = longer
        count *= 2
        _multiply(power, power, squared)
        power, squared = squared, power
    return step


@compiled
def _start(line, width, shifts, lines, theta, inverse, budget):  # type: ignore[no-untyped-def]
    """Take the least-squares start, then steps of EM while they are long.

    Returns the passes, whether a ridge was needed, and the information of the last EM step,
    of which ``inverse`` holds the inverse.
    """
    d = shifts.size
    # Least squares as a correction of the mean filter: the residual is small, so float32
    # sums do. Where neighbours are dependent, the solution stays the nearest to it.
    theta[:d] = 1.0 / d
    theta[d] = 0.0
    sums, gradient, information = evaluate(
        line, width, shifts, theta[:d], 1.0, LEAST_SQUARES, False, lines
    )
    ridged = _expected_inverse(information, inverse)
    correction = np.dot(np.ascontiguousarray(inverse[:d, :d]), gradient[:d])
    theta[:d] += correction
    spread = (sums[1] - np.dot(correction, gradient[:d])) / max(sums[0], 1.0)
    theta[d] = max(np.log(max(spread, 1e-300)), _FLOOR)
    passes = 1
    # Steps of EM while they are long.
    metric = information
    while passes < budget:
        before = theta[d]
        sums, gradient, metric = evaluate(
            line, width, shifts, theta[:d], np.exp(before), EXPECTED, False, lines
        )
        passes += 1
        ridged = _expected_inverse(metric, inverse)
        step = np.dot(inverse, gradient)
        if not np.max(np.abs(step[:d])) <= _LEAP:
            break
        theta[:d] += step[:d]
        # What the new kernel leaves of the weighted squares follows without another pass.
        spread = sums[1] - np.exp(before) * np.dot(step[:d], gradient[:d])
        theta[d] = max(np.log(max(spread, 1e-300) / max(sums[0], 1e-300)), _FLOOR)
        near = _NEAR if theta[d] > _ROUNDING else _NEAR_FLAT
        if np.max(np.abs(step[:d])) <= near and np.abs(theta[d] - before) <= 10.0 * near:
            break
    return passes, ridged, metric


@compiled
def _follow(line, width, shifts, metric, lines, theta, inverse, budget):  # type: ignore[no-untyped-def]
    """Follow the path of EM with longer strides until Newton's method ends nearby.

    A likelihood with outliers has several maxima on some pictures, and a Newton step from
    afar may leave the one that Expectation-Maximization climbs. ``inverse`` holds that of
    the observed information at the end. Returns the passes.
    """
    d = shifts.size
    passes = 0
    strides = 0
    reach = _REACH
    foreseen = np.zeros(d + 1)
    metric_inverse = np.empty((d + 1, d + 1))
    while passes < budget:
        _, gradient, information = evaluate(
            line, width, shifts, theta[:d], np.exp(theta[d]), OBSERVED, False, lines
        )
        passes += 1
        if strides > 0:
            # What the quadratic model of the stride says of EM's next step, beside that step.
            off = np.max(np.abs(np.dot(metric_inverse, gradient - foreseen)[:d]))
            length = np.max(np.abs(np.dot(metric_inverse, gradient)[:d]))
            if off <= _FORESEEN * length:
                reach = min(2.0 * reach, _FARTHEST)
            elif off > _ASTRAY * length:
                reach = max(0.5 * reach, _SHORTEST)
        if theta[d] <= _FLOOR and gradient[d] < 0.0:
            # sigma stays at its floor, and the kernel moves as if it were a constant.
            gradient[d] = 0.0
            information[d, :d] = 0.0
            information[:d, d] = 0.0
            information[d, d] = metric[d, d]
        if _invert(information, 0.0, inverse) and _within(
            np.dot(inverse, gradient), min(_LAST, _LAST_STRIDES * reach)
        ):
            break
        step = _stride(metric, information, gradient, reach, metric_inverse)
        # True of what is not finite, too.
        if not np.max(np.abs(step[:d])) <= _LEAP:
            break
        foreseen = gradient - np.dot(information, step)
        theta += step
        theta[d] = max(theta[d], _FLOOR)
        strides += 1
        if strides % _REUSE == 0:
            _, _, metric = evaluate(
                line, width, shifts, theta[:d], np.exp(theta[d]), EXPECTED, False, lines
            )
            passes += 1
    return passes


@compiled
def maximise(line, width, shifts, tolerance, budget):  # type: ignore[no-untyped-def]
    """Find the kernel and the variance of greatest likelihood.

    Parameters
    ----------
    line : ndarray of shape (H * W,), float32
        The plane, row by row, grey levels on the 0..255 scale, all finite.
    width : int
        W.
    shifts : ndarray of shape (d,), int64
        Neighbours as distances along the line.
    tolerance : float
        A step that moves no coefficient by more is the last.
    budget : int
        Passes over the whole plane allowed.

    Returns
    -------
    theta : ndarray of shape (d + 1,), float64
        Coefficients and log sigma^2.
    sums : ndarray of shape (3,), float64
        Sums over the pixels of w, ``w r^2`` and ``log(1 + P/p0)``.
    passes : int
        Passes over the whole plane taken.
    converged : bool
        Whether the last step was within the tolerance.
    regularized : bool
        Whether the neighbours were linearly dependent, so that a ridge chose among kernels.
    """
    d = shifts.size
    lines = np.zeros((7, BAND), np.float32)
    theta = np.empty(d + 1)
    inverse = np.empty((d + 1, d + 1))
    passes, regularized, metric = _start(line, width, shifts, lines, theta, inverse, budget // 2)
    converged = False
    sums = np.zeros(3)
    # Where no step rises for rounding, but the maximum is not there yet, EM is followed on.
    for attempt in range(_ATTEMPTS):
        if attempt > 0:
            # An EM step by the metric of another sigma would leave for nowhere.
            _, _, metric = evaluate(
                line, width, shifts, theta[:d], np.exp(theta[d]), EXPECTED, False, lines
            )
            passes += 1
        if not regularized:
            passes += _follow(
                line, width, shifts, metric, lines, theta, inverse, (budget - passes) // 2
            )
        _, taken, _, ridged = _climb(
            line, width, shifts, theta, inverse, max(tolerance, _SINGLE_TOLERANCE),
            budget - passes, False, lines,
        )  # fmt: skip
        passes += taken
        regularized = regularized or ridged
        sums, taken, converged, ridged = _climb(
            line, width, shifts, theta, inverse, tolerance, max(budget - passes, 2), True, lines
        )
        passes += taken
        regularized = regularized or ridged
        if converged or regularized or passes >= budget:
            break
    return theta, sums, passes, converged, regularized
