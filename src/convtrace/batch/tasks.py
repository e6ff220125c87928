"""What the engines share: how many workers, and what becomes of an item that is lost."""

from __future__ import annotations

import os
from typing import Protocol, TypeVar

from convtrace.errors import ConvtraceError

__all__ = ["Lost", "WorkerError", "check_workers", "default_workers"]

_T_contra = TypeVar("_T_contra", contravariant=True)
_R_co = TypeVar("_R_co", covariant=True)


class WorkerError(ConvtraceError):
    """Workers cannot be started, or lost an item that nothing stands in for."""


class Lost(Protocol[_T_contra, _R_co]):
    """Makes the result of an item that crashed its worker or ran over its time."""

    def __call__(self, item: _T_contra, reason: str, /) -> _R_co:
        """Return what stands for the item."""
        ...


def default_workers() -> int:
    """Return the number of cores that this process may use.

    Returns
    -------
    int
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers(workers: int | None) -> int:
    """Return the number of workers.

    Parameters
    ----------
    workers : int or None
        None for one a core.

    Returns
    -------
    int

    Raises
    ------
    ConvtraceError
        Where it is less than 1.
    """
    if workers is None:
        return default_workers()
    if workers < 1:
        raise ConvtraceError(f"workers={workers}: give 1 or more, or leave it out")
    return workers
