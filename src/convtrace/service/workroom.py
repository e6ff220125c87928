"""The room where pictures are judged: as many at once as there are cores, warm beforehand."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from convtrace import traces
from convtrace.detection import Detector
from convtrace.errors import ConvtraceError
from convtrace.service.judges import Ended, Job, Judges, warm
from convtrace.service.problems import Problem
from convtrace.service.settings import Settings

__all__ = ["Workroom"]

# Beyond the time after which nobody waits for a verdict any more.
_GRACE_SECONDS = 5.0


class Workroom:
    """Does jobs in processes, or in threads of this process; see `Settings.isolated`.

    Parameters
    ----------
    detector : Detector
        Each process has a copy; threads share it.
    settings : Settings
        How many at once, and for how long.
    """

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self.detector = detector
        self._settings = settings
        # One thread waits for each process.
        self._pool = ThreadPoolExecutor(settings.at_once, thread_name_prefix="convtrace")
        self._judges = Judges(detector, settings) if settings.isolated else None
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
            # Not in the pool: the first pictures are judged while the last processes start.
            await asyncio.to_thread(self._warm_up)
        except (ConvtraceError, OSError, RuntimeError, MemoryError) as error:
            self.failure = f"the warm-up failed: {type(error).__name__}: {error}"
        except Ended:
            self.failure = "the warm-up failed: a process that judges ended at its start"

    def _warm_up(self) -> None:
        # Before any process is started, so that they need not all compile it.
        traces.warm_up()
        if self._judges is None:
            warm(self.detector, self._settings)
            self._ready.set()
        else:
            self._judges.start()
            self._ready.set()
            self._judges.start_others()

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

    async def run(self, job: Job) -> Any:
        """Do a job; cancelled before it began, it never begins.

        Parameters
        ----------
        job : Job
            What to do.

        Returns
        -------
        object
            What its function returned.

        Raises
        ------
        Ended
            Where its process ended at it, or was ended long after the time for a verdict.
        """
        loop = asyncio.get_running_loop()
        doing = self._pool.submit(self._do, job)
        # A thread cannot be ended, a process can: it must not keep a place for ever.
        overdue = loop.call_later(self._settings.request_seconds + _GRACE_SECONDS, job.stop)

        def forget(_: object) -> None:
            # The clock holds the job and with it the upload. A loop that has ended holds nothing.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(overdue.cancel)

        doing.add_done_callback(forget)
        return await asyncio.wrap_future(doing)

    def _do(self, job: Job) -> Any:
        if self._judges is not None:
            return self._judges.do(job)
        return job.function(self.detector, *job.arguments, self._settings, **job.options)

    def resident_bytes(self) -> float:
        """Return the memory of the processes; 0 where there are none.

        Returns
        -------
        float
        """
        return 0.0 if self._judges is None else self._judges.resident_bytes()

    def close(self) -> None:
        """Drop what has not begun; what has is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._judges is not None:
            self._judges.close()
