"""The local engine: threads over pictures, results in order, memory bounded by the workers.

Threads suffice, since decoding and the solver let go of the interpreter lock.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_ordered"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ordered(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Iterator[Result]:
    """Apply a function to items on several threads.

    Parameters
    ----------
    work : callable
        The function.
    items : iterable
        Taken one by one, no more than four for each worker ahead of the results.
    workers : int, optional
        Threads; one for each core by default.

    Yields
    ------
    object
        The results, in the order of the items.
    """
    count = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(count)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 4 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Also where the caller stops early or is interrupted: what has not begun is dropped.
        pool.shutdown(wait=True, cancel_futures=True)
