"""The ascent of `convtrace.traces._optimiser`, for all planes of a batch at once.

The same steps with the same constants in the same order, so that the two end in the same
maximum; see that module for why the steps are what they are. Here every plane is in some state
(`EM` and so on), which says what pass over its pixels it waits for. A round takes all passes that
planes wait for, those of one kind together, and moves every plane to its next state, with one
wait for the device in all; planes that are done leave. So the few planes that take hundreds of
passes, each of them too little for a GPU, take them beside each other, whatever they are at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.traces import _optimiser as scheme
from convtrace.traces._batch import Batch
from convtrace.traces._passes import EXPECTED, GRADIENT, LEAST_SQUARES, OBSERVED
from convtrace.traces.model import UNIFORM_DENSITY

__all__ = ["maximise"]

# What a plane waits for. States that wait for the same pass stand side by side.
EM = 0
"""The pass of an EM step, which follows."""
RENEW = 1
"""The matrix of EM for the next strides."""
AGAIN = 2
"""The same, since the ascent did not converge and is taken up again."""
RESTART = 3
"""The pass of the EM step that a climb takes where no step rises."""
PRECISE_RESTART = 4
FOLLOW = 5
"""The observed information, for a stride along the path of EM or the Newton step at its end."""
BEGIN = 6
"""The gradient with which a climb begins."""
TRY = 7
"""The gradient at the next point of a line search."""
PRECISE_BEGIN = 8
PRECISE_TRY = 9
DONE = 10

# Points of a line search, at most.
_TRIALS = 4


def maximise(batch: Batch, tolerance: float, budget: int) -> tuple[NDArray[Any], ...]:
    """Find the kernels and variances of greatest likelihood.

    Parameters
    ----------
    batch : Batch
        The planes.
    tolerance : float
        A step that moves no coefficient by more is the last.
    budget : int
        Passes over a plane allowed.

    Returns
    -------
    tuple of ndarray
        The columns of a `convtrace.traces.Trace`.
    """
    ascent = _Ascent.start(batch, tolerance, budget)
    torch, device = batch.torch, batch.pixels.device
    active = np.arange(len(batch.pixels))
    rows = torch.arange(len(active), device=device)
    while True:
        states = ascent.state[rows].cpu().numpy()
        order = np.argsort(states, kind="stable")
        counts = np.bincount(states, minlength=DONE + 1)
        active = active[order][: len(active) - counts[DONE]]
        if not len(active):
            return ascent.columns()
        rows = torch.from_numpy(active).to(device)
        ends = np.cumsum(counts)
        ascent.round([rows[end - count : end] for end, count in zip(ends, counts, strict=True)])


def _times(matrix: Any, vector: Any) -> Any:
    return (matrix @ vector[:, :, None])[:, :, 0]


def _within(step: Any, reach: Any) -> Any:
    return (step[:, :-1].abs().amax(1) <= reach) & (0.1 * step[:, -1].abs() <= reach)


@dataclass(slots=True)
class _Ascent:
    """What is known of every plane; tensors with one row a plane."""

    batch: Batch
    tolerance: float
    budget: int
    state: Any
    theta: Any
    passes: Any
    limit: Any  # passes at which the present part of the ascent ends
    attempt: Any
    corner: Any  # what the information of the last EM step says of log sigma^2
    metric: Any  # the inverse of that information
    inverse: Any  # the present guess of the inverse of the observed information
    ridged: Any
    # Of the strides:
    strode: Any  # the metric that the last one took
    foreseen: Any
    reach: Any
    strides: Any
    # Of a climb:
    sums: Any
    gradient: Any
    step: Any
    slope: Any
    length: Any
    trials: Any
    restarted: Any
    climb_ridged: Any
    converged: Any

    @classmethod
    def start(cls, batch: Batch, tolerance: float, budget: int) -> _Ascent:
        """Take the least-squares start, a correction of the mean filter."""
        torch, d = batch.torch, batch.d
        n, device = len(batch.pixels), batch.pixels.device
        double = {"dtype": torch.float64, "device": device}
        integer = {"dtype": torch.int64, "device": device}
        theta = torch.full((n, d + 1), 1.0 / d, **double)
        theta[:, d] = 0.0
        everyone = torch.arange(n, **integer)
        sums, gradient, information = batch.evaluate(everyone, theta, LEAST_SQUARES)
        inverse, ridged = batch.invert_metric(information)
        correction = _times(inverse[:, :d, :d], gradient[:, :d])
        theta[:, :d] += correction
        spread = sums[:, 1] - (correction * gradient[:, :d]).sum(1)
        spread = spread / sums[:, 0].clamp(min=1.0)
        theta[:, d] = torch.log(spread.clamp(min=1e-300)).clamp(min=scheme._FLOOR)
        flags = [torch.zeros(n, dtype=torch.bool, device=device) for _ in range(3)]
        ascent = cls(
            batch=batch,
            tolerance=tolerance,
            budget=budget,
            state=torch.full((n,), EM, **integer),
            theta=theta,
            passes=torch.ones(n, **integer),
            limit=torch.full((n,), budget // 2, **integer),
            attempt=torch.zeros(n, **integer),
            corner=information[:, d, d].clone(),
            metric=inverse.clone(),
            inverse=inverse,
            ridged=ridged,
            strode=torch.zeros_like(inverse),
            foreseen=torch.zeros_like(theta),
            reach=torch.zeros(n, **double),
            strides=torch.zeros(n, **integer),
            sums=torch.zeros((n, 3), **double),
            gradient=torch.zeros_like(theta),
            step=torch.zeros_like(theta),
            slope=torch.zeros(n, **double),
            length=torch.ones(n, **double),
            trials=torch.zeros(n, **integer),
            restarted=flags[0],
            climb_ridged=flags[1],
            converged=flags[2],
        )
        if budget // 2 <= 1:
            ascent.state[:] = ascent._follow_or_climb(everyone)
        return ascent

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Return what a Trace holds."""
        d, size, count = self.batch.d, self.batch.size, self.batch.count
        theta, sums = self.theta.cpu().numpy(), self.sums.cpu().numpy()
        return (
            np.insert(theta[:, :d], d // 2, 0.0, axis=1).reshape(-1, size, size),
            np.exp(0.5 * theta[:, d]),
            sums[:, 0] / count,
            sums[:, 2] / count + np.log(UNIFORM_DENSITY),
            self.passes.cpu().numpy(),
            self.converged.cpu().numpy(),
            # With fewer pixels than coefficients rounding alone may hide the dependence.
            self.ridged.cpu().numpy() | (count < d),
        )

    def round(self, waiting: list[Any]) -> None:
        """Take the passes that planes wait for: ``waiting`` holds the planes of every state."""
        torch, batch, theta = self.batch.torch, self.batch, self.theta
        ends = np.cumsum([len(rows) for rows in waiting[: RESTART + 1]])
        at = torch.cat(waiting[: RESTART + 1])
        if len(at):
            found = batch.evaluate(at, theta[at], EXPECTED)
            self.passes[at] += 1
            first, second, third = (int(end) for end in ends[:3])
            if first:
                self._em(at[:first], *(values[:first] for values in found))
            if third > first:
                renewed, information = at[first:third], found[2][first:third]
                self.corner[renewed] = information[:, -1, -1]
                self.metric[renewed], _ = batch.invert_metric(information)
            if second > first:
                self._leave_or_follow(at[first:second])
            if third > second:
                self.state[at[second:third]] = self._follow_or_climb(at[second:third])
            if len(at) > third:
                self._restart(at[third:], *(values[third:] for values in found))
        at = waiting[PRECISE_RESTART]
        if len(at):
            found = batch.evaluate(at, theta[at], EXPECTED, precise=True)
            self.passes[at] += 1
            self._restart(at, *found)
        at = waiting[FOLLOW]
        if len(at):
            found = batch.evaluate(at, theta[at], OBSERVED)
            self.passes[at] += 1
            self._follow(at, *found[1:])
        tried = []
        for precise in (False, True):
            begin = waiting[PRECISE_BEGIN if precise else BEGIN]
            trying = waiting[PRECISE_TRY if precise else TRY]
            at = torch.cat([begin, trying])
            if not len(at):
                continue
            points = theta[at]
            points[len(begin) :] += self.length[trying, None] * self.step[trying]
            points[:, -1] = points[:, -1].clamp(min=scheme._FLOOR)
            sums, gradient, _ = batch.evaluate(at, points, GRADIENT, precise=precise)
            self.passes[at] += 1
            many = len(begin)
            if many:
                self.sums[begin], self.gradient[begin] = sums[:many], gradient[:many]
                self.restarted[begin] = False
                self.climb_ridged[begin] = False
            if len(trying):
                tried.append((trying, points[many:], sums[many:], gradient[many:]))
        # All that climb find their next steps together.
        standing = [*waiting[RESTART : PRECISE_RESTART + 1], waiting[BEGIN], waiting[PRECISE_BEGIN]]
        rows = torch.cat(standing)
        failed = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        if tried:
            more, vain = self._try(*(torch.cat(parts) for parts in zip(*tried, strict=True)))
            rows, failed = torch.cat([rows, more]), torch.cat([failed, vain])
        if len(rows):
            self.state[rows] = self._next(rows, failed)

    # Expectation-Maximization.

    def _em(self, at: Any, sums: Any, gradient: Any, information: Any) -> None:
        """Take a step of EM; see `_optimiser._start`."""
        torch, d = self.batch.torch, self.batch.d
        inverse, ridged = self.batch.invert_metric(information)
        self.corner[at], self.metric[at] = information[:, d, d], inverse
        self.inverse[at], self.ridged[at] = inverse, ridged
        step = _times(inverse, gradient)[:, :d]
        leap = ~(step.abs().amax(1) <= scheme._LEAP)
        step = torch.where(leap[:, None], 0.0, step)
        theta = self.theta[at]
        before = theta[:, d].clone()
        theta[:, :d] += step
        # What the new kernel leaves of the weighted squares follows without another pass.
        spread = sums[:, 1] - torch.exp(before) * (step * gradient[:, :d]).sum(1)
        spread = spread.clamp(min=1e-300) / sums[:, 0].clamp(min=1e-300)
        after = torch.log(spread.clamp(min=1e-300)).clamp(min=scheme._FLOOR)
        after = torch.where(leap, before, after)
        theta[:, d] = after
        self.theta[at] = theta
        near = torch.where(after > scheme._ROUNDING, scheme._NEAR, scheme._NEAR_FLAT)
        small = (step.abs().amax(1) <= near) & ((after - before).abs() <= 10.0 * near)
        over = leap | small | (self.passes[at] >= self.limit[at])
        following = self._follow_or_climb(at, over)
        self.state[at] = torch.where(over, following, EM)

    # Strides along the path of EM.

    def _follow_or_climb(self, at: Any, mask: Any = None) -> Any:
        """Return the state after the steps of EM, and prepare it, where the mask says so."""
        torch, passes = self.batch.torch, self.passes[at]
        free = ~self.ridged[at] & (passes < self.budget - 1)
        limit = torch.where(free, passes + (self.budget - passes) // 2, self.budget)
        if mask is not None:
            limit = torch.where(mask, limit, self.limit[at])
        self.limit[at] = limit
        self.reach[at] = scheme._REACH
        self.strides[at] = 0
        return torch.where(free, FOLLOW, BEGIN)

    def _leave_or_follow(self, at: Any) -> None:
        """Go on with strides, or climb if they took too many passes."""
        torch = self.batch.torch
        over = self.passes[at] >= self.limit[at]
        self.limit[at] = torch.where(over, self.budget, self.limit[at])
        self.state[at] = torch.where(over, BEGIN, FOLLOW)

    def _follow(self, at: Any, gradient: Any, information: Any) -> None:
        """Take a stride, or end where a Newton step stays close by; see `_optimiser._follow`."""
        torch, d = self.batch.torch, self.batch.d
        theta, strides = self.theta[at], self.strides[at]
        # What the quadratic model of the stride says of EM's next step, beside that step.
        near = self.strode[at]
        off = _times(near, gradient - self.foreseen[at])[:, :d].abs().amax(1)
        length = _times(near, gradient)[:, :d].abs().amax(1)
        reach, later = self.reach[at], strides > 0
        sure = later & (off <= scheme._FORESEEN * length)
        astray = later & ~sure & (off > scheme._ASTRAY * length)
        reach = torch.where(sure, (2.0 * reach).clamp(max=scheme._FARTHEST), reach)
        reach = torch.where(astray, (0.5 * reach).clamp(min=scheme._SHORTEST), reach)
        # sigma stays at its floor, and the kernel moves as if it were a constant.
        held = (theta[:, d] <= scheme._FLOOR) & (gradient[:, d] < 0.0)
        gradient[:, d] = torch.where(held, 0.0, gradient[:, d])
        information[:, :d, d] = torch.where(held[:, None], 0.0, information[:, :d, d])
        information[:, d, :d] = information[:, :d, d]
        information[:, d, d] = torch.where(held, self.corner[at], information[:, d, d])
        inverse, sound = self.batch.invert(information)
        self.inverse[at] = torch.where(sound[:, None, None], inverse, self.inverse[at])
        last = (scheme._LAST_STRIDES * reach).clamp(max=scheme._LAST)
        far = ~(sound & _within(_times(inverse, gradient), last))
        metric = self.metric[at]
        self.strode[at] = metric
        step = self._stride(metric, information, gradient, reach)
        far = far & (step[:, :d].abs().amax(1) <= scheme._LEAP)
        step = torch.where(far[:, None], step, 0.0)
        self.foreseen[at] = gradient - _times(information, step)
        theta += step
        theta[:, d] = theta[:, d].clamp(min=scheme._FLOOR)
        strides = strides + 1
        self.theta[at], self.reach[at], self.strides[at] = theta, reach, strides
        renew = far & (strides % scheme._REUSE == 0)
        over = ~far | (~renew & (self.passes[at] >= self.limit[at]))
        self.limit[at] = torch.where(over, self.budget, self.limit[at])
        self.state[at] = torch.where(over, BEGIN, torch.where(renew, RENEW, FOLLOW))

    def _stride(self, metric: Any, information: Any, gradient: Any, reach: Any) -> Any:
        """Return the sums of as many EM steps as stay within reach; see `_optimiser._stride`."""
        torch = self.batch.torch
        n, side = gradient.shape
        # One product squares the power and sums the steps: [A s; 0 1]^2 = [A^2 s + A s; 0 1].
        # All planes take all doublings, rather than wait for the device to tell which need not.
        affine = torch.zeros((n, side + 1, side + 1), dtype=metric.dtype, device=metric.device)
        affine[:, :side, :side] = metric @ information
        affine *= -1.0
        torch.diagonal(affine, dim1=1, dim2=2).add_(1.0)
        affine[:, :side, side] = _times(metric, gradient)
        steps = [affine[:, :side, side]]
        for _ in range(scheme._MOST_STEPS.bit_length() - 1):
            affine = affine @ affine
            steps.append(affine[:, :side, side])
        longer = torch.stack(steps, dim=1)
        fine = _within(longer[:, 1:].reshape(-1, side), reach.repeat_interleave(len(steps) - 1))
        taken = fine.view(n, -1).long().cumprod(1).sum(1)
        step, first = longer[torch.arange(n, device=taken.device), taken], longer[:, 0]
        change = first[:, -1:].abs()
        return torch.where(change > 1.0, first / change, step)

    # The climb; see `_optimiser._climb`.

    def _next(self, at: Any, failed: Any) -> Any:
        """Find the next steps from where climbs stand; return their states.

        Where a search has ``failed``, no step rises.
        """
        torch, d = self.batch.torch, self.batch.d
        state = self.state[at]
        precise = (state == PRECISE_RESTART) | (state >= PRECISE_BEGIN)
        single = max(self.tolerance, scheme._SINGLE_TOLERANCE)
        tolerance = torch.where(precise, self.tolerance, single)
        theta, gradient = self.theta[at], self.gradient[at]
        ahead = _times(self.inverse[at], gradient)
        floored = (theta[:, d] <= scheme._FLOOR) & (ahead[:, d] < 0.0)
        ahead[:, d] = torch.where(floored, 0.0, ahead[:, d])
        rise = (ahead * gradient).sum(1)
        size = ahead.abs()
        spent = self.passes[at] >= self.limit[at]
        small = (size[:, :d].amax(1) < tolerance) & (size[:, d] < 100.0 * tolerance)
        last = ~failed & ~spent & small & (rise >= 0.0)
        theta = torch.where(last[:, None], theta + ahead, theta)
        theta[:, d] = theta[:, d].clamp(min=scheme._FLOOR)
        self.theta[at] = theta
        self.step[at], self.slope[at] = ahead, rise
        self.length[at] = (1.0 / size[:, d].clamp(min=1e-300)).clamp(max=1.0)
        self.trials[at] = 0
        over = ~failed & (spent | last)
        leap = ~(size[:, :d].amax(1) <= scheme._LEAP)
        stuck = ~over & (failed | leap | ~(rise > 0.0))
        # Where not even the step of EM rises, what is left of the gradient is rounding.
        over = over | (stuck & self.restarted[at])
        going = torch.where(stuck, RESTART, TRY)
        going = torch.where(precise, torch.where(stuck, PRECISE_RESTART, PRECISE_TRY), going)
        return torch.where(over, self._end(at, over, last, precise), going)

    def _end(self, at: Any, over: Any, last: Any, precise: Any) -> Any:
        """End the climbs that are over; return their states."""
        torch, passes = self.batch.torch, self.passes[at]
        ridged = self.ridged[at] | (over & self.climb_ridged[at])
        self.ridged[at] = ridged
        limit = (passes + 2).clamp(min=self.budget)
        self.limit[at] = torch.where(over & ~precise, limit, self.limit[at])
        final = over & precise
        self.converged[at] = torch.where(final, last, self.converged[at])
        attempt = self.attempt[at] + final
        self.attempt[at] = attempt
        done = last | ridged | (passes >= self.budget) | (attempt >= scheme._ATTEMPTS)
        return torch.where(precise, torch.where(done, DONE, AGAIN), PRECISE_BEGIN)

    def _try(self, at: Any, moved: Any, sums: Any, gradient: Any) -> tuple[Any, Any]:
        """Take the steps that rise, or shorten them.

        Returns the planes whose search is over, and in which of them it failed.
        """
        torch = self.batch.torch
        noise = scheme._NOISE * self.batch.pixels[0].numel()
        trials = self.trials[at] + 1
        self.trials[at] = trials
        length, slope, step = self.length[at], self.slope[at], self.step[at]
        rise = sums[:, 2] - self.sums[at, 2]
        enough = (1e-4 * length * slope).clamp(min=noise)
        flatter = (gradient * step).sum(1).abs() < 0.9 * slope
        good = (rise > enough) | ((rise > -noise) & flatter)
        self.length[at] = 0.3 * length
        over = good | (trials >= _TRIALS) | (self.passes[at] >= self.limit[at])
        taken = at[good]
        if len(taken):
            moved, sums, gradient = moved[good], sums[good], gradient[good]
            fall = self.gradient[taken] - gradient
            step = moved - self.theta[taken]
            self.inverse[taken] = _updated(torch, self.inverse[taken], step, fall)
            self.theta[taken], self.gradient[taken], self.sums[taken] = moved, gradient, sums
            self.restarted[taken] = False
        return at[over], ~good[over]

    def _restart(self, at: Any, sums: Any, gradient: Any, information: Any) -> None:
        """Climb on with the metric of EM."""
        self.sums[at], self.gradient[at] = sums, gradient
        self.inverse[at], self.climb_ridged[at] = self.batch.invert_metric(information)
        self.restarted[at] = True


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
