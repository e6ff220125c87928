"""Planes of a batch whose maximum is in doubt, and their fit by the CPU solver.

Where sigma falls under what rounding to whole grey levels leaves, flat areas make the fit: each
pixel fits exactly or not at all, and the likelihood has many maxima side by side. In which of
them a fit ends hangs on the rounding of its first steps, and a batch rounds its sums otherwise
than the CPU solver does; so does where a fit stands that is given up as not converged. Smooth
skies, somewhat above that sigma, are at times the same, and then take many passes, and so are
planes of any sigma that take very many. Such planes, few among photographs, take the numbers of
the CPU solver, so that a table does not depend on what it was made on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from convtrace.traces import _optimiser as scheme
from convtrace.traces.extraction import FIELDS
from convtrace.traces.solver import Trace, fit

__all__ = ["BatchTrace", "in_doubt", "settled"]

# The standard deviation that rounding to whole grey levels leaves, sqrt(1/12).
_ROUNDING = np.exp(0.5 * scheme._ROUNDING)
# Up to so many times of it a fit is in doubt too, if it took more passes than these.
_MARGIN = 2.0
_MANY_PASSES = 50
# After more than these it is in doubt whatever its sigma.
_VERY_MANY_PASSES = 100
# Bytes of the copies that the CPU solver makes of planes at work, at most, unless one is larger.
_COPIES = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class BatchTrace(Trace):
    """What a batch knows of its planes: one kernel a plane, and whose it is.

    Attributes
    ----------
    anew : ndarray of shape (C,), bool
        Whether the numbers are those of the CPU solver, since the batch left the maximum in
        doubt.
    """

    anew: NDArray[np.bool_]

    @classmethod
    def of(cls, trace: Trace, anew: NDArray[np.bool_]) -> BatchTrace:
        """Return a trace with what is known of whose it is."""
        return cls(**{name: getattr(trace, name) for name in FIELDS}, anew=anew)


def in_doubt(trace: Trace) -> NDArray[np.bool_]:
    """Tell which planes of a batch the CPU solver may end elsewhere.

    Parameters
    ----------
    trace : Trace
        Of a batch.

    Returns
    -------
    ndarray of shape (C,), bool
        Those that did not converge; whose sigma is under that of rounding to whole grey levels,
        ``sqrt(1/12) = 0.29``, or under twice that after more than 50 passes; and those that took
        more than 100.
    """
    long = trace.iterations > _MANY_PASSES
    limit = np.where(long, _MARGIN * _ROUNDING, _ROUNDING)
    endless = ~trace.converged | (trace.iterations > _VERY_MANY_PASSES)
    found: NDArray[np.bool_] = endless | (trace.sigma < limit)
    return found


def settled(
    planes: NDArray[Any],
    trace: Trace,
    *,
    tolerance: float,
    max_passes: int,
    threads: int | None,
) -> BatchTrace:
    """Fit the planes in doubt by the CPU solver.

    Parameters
    ----------
    planes : ndarray of shape (C, H, W)
        The planes.
    trace : Trace
        What the batch found.
    tolerance, max_passes
        As of the batch.
    threads : int or None
        Planes fitted at once; None for one a core.

    Returns
    -------
    BatchTrace
        To the last bit as by `convtrace.traces.fit` where it was in doubt, else as it was.
    """
    anew = in_doubt(trace)
    if not anew.any():
        return BatchTrace.of(trace, anew)
    # Views: a copy of all of them at once might be as large as the batch.
    chosen = [planes[index] for index in np.flatnonzero(anew)]
    most = max(1, _COPIES // (4 * chosen[0].size))
    again = fit(
        chosen, trace.kernel_size, tolerance=tolerance, max_passes=max_passes,
        # By default as many as this process may use cores.
        threads=min(most, threads or int(numba.config.NUMBA_NUM_THREADS)),
    )  # fmt: skip
    columns = {name: getattr(trace, name).copy() for name in FIELDS}
    for name, column in columns.items():
        column[anew] = getattr(again, name)
    return BatchTrace(**columns, anew=anew)
