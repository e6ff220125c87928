"""The production solver: planes in, traces out.

Same likelihood and same fixed point as `convtrace.traces.reference`, reached with a
tenth of the passes; see `convtrace.traces._optimiser` for how.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from convtrace.errors import TraceError
from convtrace.traces import _optimiser
from convtrace.traces.model import UNIFORM_DENSITY, check_kernel_size, check_levels, offsets

__all__ = ["MAX_PASSES", "TOLERANCE", "Trace", "fit", "is_compiled", "warm_up"]

TOLERANCE = 1e-6
"""Default largest last step of a coefficient."""

MAX_PASSES = 500
"""Default number of passes over a plane after which a fit is given up as not converged."""

_COMPILED = ("_compile", "_optimiser", "_passes", "_vector", "model")
# Beside Numba's files: the digest of the sources that they were compiled from.
_MARK = "convtrace-solver"
_preparing = threading.Lock()
_prepared = False


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The convolutional trace of a picture: one kernel a channel, and how well it fits.

    Attributes
    ----------
    kernels : ndarray of shape (C, N, N), float64
        Coefficients ``k[s, t]`` by which a pixel is predicted from the pixel ``s`` rows
        below and ``t`` columns to the right of it; the centre is 0.
    sigma : ndarray of shape (C,), float64
        Standard deviation of the residual of predicted pixels, in grey levels.
    weight : ndarray of shape (C,), float64
        Mean responsibility, 0..1: the share of pixels that the neighbours predict.
    log_likelihood : ndarray of shape (C,), float64
        Mean over the pixels of ``log(P + p0)``, in nats.
    iterations : ndarray of shape (C,), int64
        Passes over the whole channel.
    converged : ndarray of shape (C,), bool
        Whether the last step was within the tolerance.
    regularized : ndarray of shape (C,), bool
        Whether the neighbours were linearly dependent (constant or two-valued areas, or
        fewer pixels than coefficients), so that many kernels fit alike and the one
        nearest to the mean filter was taken.
    """

    kernels: NDArray[np.float64]
    sigma: NDArray[np.float64]
    weight: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    iterations: NDArray[np.int64]
    converged: NDArray[np.bool_]
    regularized: NDArray[np.bool_]

    @property
    def kernel_size(self) -> int:
        """Side N of the kernels in pixels."""
        return int(self.kernels.shape[1])

    @property
    def vector(self) -> NDArray[np.float64]:
        """Coefficients without the centres, channel after channel: (C * (N * N - 1),)."""
        flat = self.kernels.reshape(len(self.kernels), -1)
        return np.delete(flat, flat.shape[1] // 2, axis=1).ravel()


def fit(
    planes: Sequence[ArrayLike],
    kernel_size: int,
    *,
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
    threads: int = 1,
) -> Trace:
    """Fit the kernel of every plane.

    Parameters
    ----------
    planes : sequence of array_like of shape (H, W)
        Channels with grey levels on the 0..255 scale, of any real dtype and strides. A
        contiguous float32 copy of each plane at work is held, 4 bytes a pixel.
    kernel_size : {3, 5, 7, 9}
        Side N of the kernel in pixels.
    tolerance : float, default 1e-6
        A step that moves no coefficient by more is the last.
    max_passes : int, default 500
        Passes over a plane after which it is given up as not converged.
    threads : int, default 1
        Planes fitted at once. The result is the same for any number.

    Returns
    -------
    Trace
        One kernel a plane.

    Raises
    ------
    TraceError
        If a plane is not two-dimensional, is smaller than the kernel or holds a value
        that is not finite or is beyond 1e9, or an option is out of range.

    Notes
    -----
    The maximum of the likelihood of [1]_ by a quasi-Newton ascent. Where the neighbours
    are linearly dependent, the steps are damped by a ridge, so that the solution stays
    the one nearest to the mean filter; `Trace.regularized` tells.

    References
    ----------
    .. [1] L. Guarnera, O. Giudice, S. Battiato, "Fighting Deepfake by Exposing the
       Convolutional Traces on Images", IEEE Access 8, 2020.
       :doi:`10.1109/ACCESS.2020.3023037`

    Examples
    --------
    >>> import numpy as np
    >>> plane = np.random.default_rng(0).integers(0, 256, size=(64, 64))
    >>> trace = fit([plane], 3)
    >>> trace.kernels.shape, bool(trace.converged[0])
    ((1, 3, 3), True)
    """
    if not _prepared:
        _prepare()
    size = check_kernel_size(kernel_size)
    if not tolerance > 0:
        raise TraceError(f"tolerance {tolerance!r} is not a positive number")
    if max_passes < 1 or threads < 1:
        raise TraceError("max_passes and threads must be at least 1")

    def one(plane: ArrayLike) -> tuple[NDArray[np.float64], float, float, float, int, bool, bool]:
        return _fit_plane(plane, size, tolerance, max_passes)

    if threads == 1 or len(planes) == 1:
        found = [one(plane) for plane in planes]
    else:
        with ThreadPoolExecutor(min(threads, len(planes))) as pool:
            found = list(pool.map(one, planes))
    if not found:
        raise TraceError("there is no channel to fit")
    kernels, sigma, weight, likelihood, passes, converged, regularized = zip(*found, strict=True)
    return Trace(
        np.stack(kernels),
        np.array(sigma),
        np.array(weight),
        np.array(likelihood),
        np.array(passes, dtype=np.int64),
        np.array(converged),
        np.array(regularized),
    )


def _fit_plane(
    plane: ArrayLike, size: int, tolerance: float, max_passes: int
) -> tuple[NDArray[np.float64], float, float, float, int, bool, bool]:
    line = np.asarray(plane)
    if line.ndim != 2:
        raise TraceError(f"a channel has 2 dimensions, not {line.ndim}")
    height, width = line.shape
    if height < size or width < size:
        raise TraceError(
            f"a channel of {width}x{height} pixels is smaller than the {size}x{size} kernel; "
            "use a larger picture or a smaller kernel"
        )
    line = np.ascontiguousarray(line, dtype=np.float32)
    if not line.flags.writeable:
        # Another type to Numba, which would compile the solver a second time.
        line = line.copy()
    check_levels(line)
    steps = offsets(size)
    shifts = (steps[:, 0] * width + steps[:, 1]).astype(np.int64)
    theta, sums, passes, converged, regularized = _optimiser.maximise(
        line.reshape(-1), width, shifts, float(tolerance), int(max_passes)
    )
    kernel = np.insert(theta[:-1], shifts.size // 2, 0.0).reshape(size, size)
    count = (height - size + 1) * (width - size + 1)
    return (
        kernel,
        float(np.exp(0.5 * theta[-1])),
        float(sums[0] / count),
        float(sums[2] / count + np.log(UNIFORM_DENSITY)),
        int(passes),
        bool(converged),
        # With fewer pixels than coefficients rounding alone may hide the dependence.
        bool(regularized) or count < shifts.size,
    )


def is_compiled() -> bool:
    """Return whether the compiled solver lies in Numba's cache on disk.

    If not, the first fit compiles it, which takes half a minute and more.
    """
    if _optimiser.maximise.signatures:
        return True
    folder = _cache_folder()
    if folder is None or not any(folder.glob(f"{Path(_optimiser.__file__).stem}.maximise-*.nbi")):
        return False
    with contextlib.suppress(OSError):
        return (folder / _MARK).read_bytes() == _sources().encode()
    return False


def warm_up() -> None:
    """Compile the solver, or load it from the cache on disk."""
    fit([np.zeros((8, 8))], 3)
    folder = _cache_folder()
    if folder is not None:
        # Should it fail, the next process finds out for itself.
        with contextlib.suppress(OSError):
            temporary = folder / f"{_MARK}.{os.getpid()}"
            temporary.write_text(_sources(), encoding="ascii")
            temporary.replace(folder / _MARK)


def _cache_folder() -> Path | None:
    """Return where Numba keeps the compiled solver; None where it cannot."""
    folder = getattr(_optimiser.maximise.stats, "cache_path", None)
    return None if folder is None or not Path(_optimiser.__file__).is_file() else Path(folder)


def _sources() -> str:
    """Return a digest of what is compiled.

    Numba looks at the file of a function and not at those of the functions that it calls: after
    an update of the package it would take the old ones, since its cache survives the update.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for name in _COMPILED:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()


def _prepare() -> None:
    """Let a process of its own compile the solver, if nobody has, so that this one loads it.

    In the process that compiles, a function that is called by another one is there twice: as
    compiled by itself, and as compiled anew within its caller. The linker takes the first; a
    process that loads the caller from the cache has the second alone. LLVM may order the sums
    of the two differently (``fast`` in `_compile`), so the process that compiled would differ
    from all later ones in the last digits.
    """
    global _prepared
    with _preparing:
        if _prepared:
            return
        tried = _compile_elsewhere()
        # Not before: a thread that finds it set goes on, and would compile here.
        _prepared = True
    if tried and not is_compiled():
        # That process failed: here, and kept for the next.
        warm_up()


def _compile_elsewhere() -> bool:
    """Compile in a process of its own where that is needed; return whether it was begun."""
    folder = _cache_folder()
    if folder is None or is_compiled():
        return False
    for name in _COMPILED:
        for stale in folder.glob(f"{name}.*.nbi"):
            with contextlib.suppress(OSError):
                stale.unlink()
    if not sys.executable:
        return False
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109
    # Should it fail, the solver is compiled here, and says why.
    with contextlib.suppress(OSError):
        subprocess.run(  # noqa: S603, this very program
            [sys.executable, "-P", "-c", f"from {__name__} import _compile; _compile()"],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    return True


def _compile() -> None:
    """Compile in this process, by a fit."""
    global _prepared
    _prepared = True
    warm_up()
