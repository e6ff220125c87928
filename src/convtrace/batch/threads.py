"""The engine of threads: for functions that cannot leave this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from convtrace.batch._worker import describe
from convtrace.batch.tasks import Lost, check_workers

__all__ = ["ThreadEngine"]

T = TypeVar("T")
R = TypeVar("R")

# Submitted and not done, per worker: one at work and one waiting keep every core busy.
_IN_FLIGHT = 2
# Done and not yet handed on, per worker, while an earlier item is still at work. Results are
# small, pictures are not held; without this room one slow picture would stall all workers.
_FINISHED = 64
# Windows does not interrupt a wait without a limit, so Ctrl-C would go unheard.
_LISTEN_SECONDS = 0.5


class ThreadEngine:
    """Threads of this process: ready at once, but a crash takes everything with it.

    Decoding and the solver release the interpreter's lock. A thread cannot be ended, so
    `time_limit` is not kept here.

    Examples
    --------
    >>> list(ThreadEngine().map(lambda number: number * number, range(5), workers=2))
    [0, 1, 4, 9, 16]
    """

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        workers: int | None = None,
        time_limit: float | None = None,  # noqa: ARG002, see the class
        lost: Lost[T, R] | None = None,
        ordered: bool = True,  # noqa: ARG002, ordered anyway
    ) -> Generator[R, None, None]:
        """Apply a function to items; see `convtrace.batch.engines.Engine.map`.

        Raises
        ------
        ConvtraceError
            Where `workers` is less than 1.
        """
        count = check_workers(workers)

        def work(item: T) -> R:
            try:
                return function(item)
            except Exception as error:
                if lost is None:
                    raise
                return lost(item, describe(error))

        return _ordered(work, iter(items), count)


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
