"""The threads that judge: as many as there are cores, warm before the first request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from convtrace import traces
from convtrace.detection import Detector
from convtrace.errors import ConvtraceError
from convtrace.service.problems import Problem
from convtrace.service.settings import Settings

__all__ = ["Workroom"]

T = TypeVar("T")


class Workroom:
    """Runs functions of the detector in threads.

    Threads are enough to use all cores: decoding and the solver release the interpreter's
    lock.

    Parameters
    ----------
    detector : Detector
        Shared by the threads.
    settings : Settings
        How many threads, and for how long.
    """

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self.detector = detector
        self._settings = settings
        self._pool = ThreadPoolExecutor(settings.at_once, thread_name_prefix="convtrace")
        self._ready = threading.Event()
        self.failure: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the solver is compiled and the detector has judged a picture."""
        return self._ready.is_set()

    async def warm_up(self) -> None:
        """Compile the solver, and judge one picture of noise.

        A failure is kept in `failure`.
        """
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._warm_up)
        except (ConvtraceError, OSError, RuntimeError, MemoryError) as error:
            self.failure = f"the warm-up failed: {type(error).__name__}: {error}"

    def _warm_up(self) -> None:
        traces.warm_up()
        noise = np.random.default_rng(0).integers(0, 256, size=(128, 128, 3), dtype=np.uint8)
        self.detector.verdict(noise)
        self._ready.set()

    def check_ready(self) -> None:
        """Refuse work before the warm-up is done.

        Raises
        ------
        Problem
            503.
        """
        if self.failure is not None:
            raise Problem(503, f"The service cannot work: {self.failure}.")
        if not self.is_ready:
            raise Problem(
                503,
                "The service is starting: the solver is being compiled, which takes about half a "
                "minute.",
                retry_after=5,
            )

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in a thread; cancelled before it began, it never begins.

        Parameters
        ----------
        function : callable
            What to run.

        Returns
        -------
        object
            What it returned.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    def close(self) -> None:
        """Drop what has not begun; what has is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
