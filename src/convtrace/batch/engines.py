"""Engines: how a function is applied to many items in bounded memory.

``local``
    Processes of this machine; a crashing or hanging item costs only itself.
``threads``
    Threads of this process.
``ray``
    A Ray cluster, or a Ray of this machine (extra ``cluster``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable
from typing import Protocol, TypeVar

from convtrace.batch.cluster import RayEngine
from convtrace.batch.processes import LocalEngine
from convtrace.batch.tasks import Lost, WorkerError, default_workers
from convtrace.batch.threads import ThreadEngine
from convtrace.descriptors.registry import Registry
from convtrace.errors import ConvtraceError

__all__ = [
    "ENGINES",
    "Engine",
    "LocalEngine",
    "Lost",
    "RayEngine",
    "ThreadEngine",
    "WorkerError",
    "create",
    "default_workers",
    "names",
    "register",
]

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """What an engine can do."""

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        workers: int | None = None,
        time_limit: float | None = None,
        lost: Lost[T, R] | None = None,
        ordered: bool = True,
    ) -> Generator[R, None, None]:
        """Apply a function to items.

        Parameters
        ----------
        function : callable
            Of a module, or a `functools.partial` of one: it may be sent to other processes
            and machines. It may be called twice for an item whose worker was lost.
        items : iterable
            Taken as they are needed, never all at once.
        workers : int, optional
            How many at once; by default one for each core.
        time_limit : float, optional
            Seconds after which an item is given up, where the engine can end it.
        lost : callable, optional
            Called in this process with an item that crashed its worker, ran over its time
            or raised what nobody expected, and with the reason in words; what it returns is
            the item's result. Without it a lost item ends the run.
        ordered : bool, default True
            Whether results come in the order of the items, or as they are done, so that a
            slow item holds nobody up.

        Yields
        ------
        object
            The results. Closing the iterator drops the rest.
        """
        ...


ENGINES: Registry[Callable[..., Engine]] = Registry("engine", "convtrace.engines")


def register(name: str) -> Callable[[Callable[..., Engine]], Callable[..., Engine]]:
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

    def decorate(factory: Callable[..., Engine]) -> Callable[..., Engine]:
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


def create(name: str, *, address: str | None = None) -> Engine:
    """Make an engine by name.

    Parameters
    ----------
    name : str
        One of `names`.
    address : str, optional
        Of the cluster, for engines that have one.

    Returns
    -------
    Engine

    Raises
    ------
    UnknownNameError
        Where no engine has the name; the message names the nearest.
    ConvtraceError
        Where an address is given to an engine that takes none.
    """
    factory = ENGINES.get(name)
    if address is None:
        return factory()
    if "address" not in inspect.signature(factory).parameters:
        raise ConvtraceError(f"engine {name!r} has no address; take --engine ray, or leave it out")
    return factory(address=address)


ENGINES.add("local", LocalEngine)
ENGINES.add("threads", ThreadEngine)
ENGINES.add("ray", RayEngine)
