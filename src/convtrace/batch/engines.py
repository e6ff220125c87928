"""Engines: how a function is applied to many items, in order and in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

from convtrace.descriptors.registry import Registry
from convtrace.errors import ConvtraceError

__all__ = ["ENGINES", "Engine", "LocalEngine", "create", "default_workers", "names", "register"]

T = TypeVar("T")
R = TypeVar("R")

# Submitted and not done, per worker: one at work and one waiting keep every core busy.
_IN_FLIGHT = 2
# Done and not yet handed on, per worker, while an earlier item is still at work. Results are
# small, pictures are not held; without this room one slow picture would stall all workers.
_FINISHED = 64
# Windows does not interrupt a wait without a limit, so Ctrl-C would go unheard.
_LISTEN_SECONDS = 0.5


class Engine(Protocol):
    """What an engine can do."""

    def map(
        self, function: Callable[[T], R], items: Iterable[T], *, workers: int | None = None
    ) -> Generator[R, None, None]:
        """Apply a function to items.

        Parameters
        ----------
        function : callable
            Safe to call from several threads.
        items : iterable
            Taken as they are needed, never all at once.
        workers : int, optional
            How many at once; by default one for each core.

        Yields
        ------
        object
            The results in the order of the items. Closing the iterator drops the rest.
        """
        ...


class LocalEngine:
    """Threads of this process.

    Threads are enough: decoding and the solver release the interpreter's lock. Memory is
    bounded by the number of workers, since each holds one picture and what waits are paths.

    Closing the iterator, or an exception in it (Ctrl-C), drops what has not begun and does
    not wait for what has.

    Examples
    --------
    >>> list(LocalEngine().map(lambda number: number * number, range(5), workers=2))
    [0, 1, 4, 9, 16]
    """

    def map(
        self, function: Callable[[T], R], items: Iterable[T], *, workers: int | None = None
    ) -> Generator[R, None, None]:
        """Apply a function to items; see `Engine.map`.

        Raises
        ------
        ConvtraceError
            Where `workers` is less than 1.
        """
        count = default_workers() if workers is None else workers
        if count < 1:
            raise ConvtraceError(f"workers={workers}: give 1 or more, or leave it out")
        return _ordered(function, iter(items), count)


def _ordered(
    function: Callable[[T], R], items: Iterator[T], workers: int
) -> Generator[R, None, None]:
    window: deque[Future[R]] = deque()
    undone: set[Future[R]] = set()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="convtrace")
    try:
        exhausted = False
        while True:
            undone = {future for future in undone if not future.done()}
            while (
                not exhausted
                and len(undone) < _IN_FLIGHT * workers
                and len(window) < _FINISHED * workers
            ):
                try:
                    item = next(items)
                except StopIteration:
                    exhausted = True
                    break
                future = pool.submit(function, item)
                window.append(future)
                undone.add(future)
            if not window:
                return
            if window[0].done():
                yield window.popleft().result()
            else:
                wait(undone, timeout=_LISTEN_SECONDS, return_when=FIRST_COMPLETED)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def default_workers() -> int:
    """Return the number of cores that this process may use.

    Returns
    -------
    int
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


ENGINES: Registry[Callable[[], Engine]] = Registry("engine", "convtrace.engines")


def register(name: str) -> Callable[[Callable[[], Engine]], Callable[[], Engine]]:
    """Register the decorated class or factory as an engine.

    Parameters
    ----------
    name : str
        The name by which `create` finds it.

    Returns
    -------
    callable
        The decorator; it returns what it was given.
    """

    def decorate(factory: Callable[[], Engine]) -> Callable[[], Engine]:
        ENGINES.add(name, factory)
        return factory

    return decorate


def names() -> list[str]:
    """Return the names of all engines.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "local" in names()
    True
    """
    return ENGINES.names()


def create(name: str) -> Engine:
    """Make an engine by name.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Engine

    Raises
    ------
    UnknownNameError
        Where no engine has the name; the message names the nearest.
    """
    return ENGINES.get(name)()


ENGINES.add("local", LocalEngine)
