"""Compilation of the inner loops: cached on disk where a cache can be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["compiled"]

# All but "afn": the approximate functions are our own. Pixels are finite by contract.
_FAST = {"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}


def compiled(function: Callable[..., Any] | None = None, *, fast: bool | set[str] = False) -> Any:
    """Compile a function with Numba, without the interpreter lock.

    Numba refuses to import a cached function where no folder for its cache can be
    written (a read-only container without a home); there it is compiled anew in each
    process instead.

    Parameters
    ----------
    function : callable, optional
        The function; without it a decorator is returned.
    fast : bool or set of str, default False
        Whether sums may be reordered, or the very LLVM flags.

    Returns
    -------
    callable
        The compiled function.
    """
    if function is None:
        return lambda inner: compiled(inner, fast=fast)
    flags = _FAST if fast is True else fast
    options = {"nogil": True, "error_model": "numpy", "fastmath": flags}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)
