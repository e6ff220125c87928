"""The local engine: worker processes, so that a picture can cost no more than itself.

A decoder written in C may crash or never come back, and nothing inside its process can
help that. So each picture is at work in a process that can be ended: one that runs over the
time limit is killed, one that dies takes its picture with it, and a new one takes its place.
A picture whose worker died is tried once more, since it may have been another's fault (the
out-of-memory killer's, a person's); a second death is held to be the picture's doing.

The workers are programs of their own, not forks and not copies of ``__main__``: they start
alike on every system, whatever threads this process runs, from scripts without a guard.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cloudpickle

from convtrace.batch._worker import receive, send
from convtrace.batch.tasks import Lost, WorkerError, check_workers

__all__ = ["LocalEngine", "start_process"]

T = TypeVar("T")
R = TypeVar("R")

# Sent and not answered, per worker: one at work and one waiting keep every core busy.
_IN_FLIGHT = 2
# Answered and not yet handed on, per worker, while an earlier item is still at work.
_FINISHED = 64
# A waiting message must fit the pipe: this process must never wait for a worker that hangs.
# Larger ones go only to a worker that has nothing to do and listens.
_FITS_PIPE = 4096
_LISTEN_SECONDS = 0.5
# A worker that has not begun to listen by then is taken for one that cannot.
_START_SECONDS = 300.0
_FAILED_STARTS = 3
_PROGRAM = "from convtrace.batch._worker import main; main()"


class LocalEngine:
    """Processes of this machine; a crashing or hanging item costs only itself.

    Memory is bounded by the number of workers, since each holds one picture, and what
    waits are their names.

    Examples
    --------
    >>> import math
    >>> list(LocalEngine().map(math.sqrt, [0, 1, 4], workers=2))
    [0.0, 1.0, 2.0]
    """

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
        """Apply a function to items; see `convtrace.batch.engines.Engine.map`.

        Raises
        ------
        ConvtraceError
            Where `workers` is less than 1, or `function` cannot be sent to a process.
        WorkerError
            Where workers cannot be started, or an item is lost and `lost` is not given.
        """
        count = check_workers(workers)
        try:
            # By value where it is of ``__main__``, which workers do not have.
            first = cloudpickle.dumps((function, time_limit), protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise WorkerError(
                f"{function!r} cannot be sent to another process ({error}); take the engine "
                "'threads'"
            ) from error
        return _run(iter(items), count, first, time_limit, lost, ordered)


@dataclass(slots=True, eq=False)
class _Ticket:
    """One item on its way."""

    item: Any
    message: bytes
    attempts: int = 0
    done: bool = False
    result: Any = None


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    begun: float
    ready: bool = False
    tickets: deque[_Ticket] = field(default_factory=deque)

    @property
    def load(self) -> int:
        return len(self.tickets)


_Event = tuple[_Worker, float, bytes | None]


def start_process() -> subprocess.Popen[bytes]:
    """Start a process that does what `convtrace.batch._worker` says.

    Returns
    -------
    subprocess.Popen
        With pipes as its standard input and output.

    Raises
    ------
    WorkerError
        Where there is no program to start it with.
    """
    if not sys.executable:
        raise WorkerError("there is no Python program to start workers with; use engine 'threads'")
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109
    environment = os.environ | {"PYTHONPATH": path}
    # The workers are what runs side by side; threads of BLAS below them would only compete.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = "1"
    # A group of its own keeps a terminal's Ctrl-C from it; this process ends it instead.
    group = None if sys.platform == "win32" else 0
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=group,
    )


def _start(first: bytes, events: queue.SimpleQueue[_Event]) -> _Worker:
    worker = _Worker(start_process(), time.monotonic())
    threading.Thread(target=_listen, args=(worker, first, events), daemon=True).start()
    return worker


def _listen(worker: _Worker, first: bytes, events: queue.SimpleQueue[_Event]) -> None:
    """Hand on what a worker says; None when it has gone."""
    assert worker.process.stdin is not None  # noqa: S101
    assert worker.process.stdout is not None  # noqa: S101
    try:
        send(worker.process.stdin, first)
        while (message := receive(worker.process.stdout)) is not None:
            events.put((worker, time.monotonic(), message))
    except (OSError, ValueError):
        pass  # It has gone; told below.
    events.put((worker, time.monotonic(), None))


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.wait()
    for stream in (worker.process.stdin, worker.process.stdout):
        if stream is not None:
            # What was still buffered has no reader any more.
            with contextlib.suppress(OSError):
                stream.close()


def _run(
    items: Iterator[Any],
    count: int,
    first: bytes,
    time_limit: float | None,
    lost: Lost[Any, Any] | None,
    ordered: bool,
) -> Generator[Any, None, None]:
    pool = _Pool(count, first, time_limit, lost)
    window: deque[_Ticket] = deque()
    try:
        exhausted = False
        while True:
            while not exhausted and pool.has_room() and len(window) < _FINISHED * count:
                try:
                    item = next(items)
                except StopIteration:
                    exhausted = True
                    break
                ticket = _Ticket(item, pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL))
                window.append(ticket)
                pool.waiting.append(ticket)
                pool.dispatch()
            if not window:
                return
            if ordered:
                while window and window[0].done:
                    yield window.popleft().result
            else:
                done = [ticket for ticket in window if ticket.done]
                window = deque(ticket for ticket in window if not ticket.done)
                for ticket in done:
                    yield ticket.result
            if pool.outstanding():
                pool.listen(block=not window or not window[0].done)
            pool.dispatch()
    finally:
        pool.close()


class _Pool:
    """Workers, what they have to do, and what waits for one of them."""

    def __init__(
        self, count: int, first: bytes, limit: float | None, lost: Lost[Any, Any] | None
    ) -> None:
        self._count = count
        self._first = first
        self._limit = limit
        self._lost = lost
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self.waiting: deque[_Ticket] = deque()

    def has_room(self) -> bool:
        """Return whether another item would be at work or next soon."""
        return self.outstanding() < _IN_FLIGHT * self._count

    def outstanding(self) -> int:
        """Return how many items are waiting or at work."""
        return len(self.waiting) + sum(worker.load for worker in self._workers)

    def dispatch(self) -> None:
        """Send what waits to whom has least to do."""
        while self.waiting:
            idle = any(worker.load == 0 for worker in self._workers)
            if not idle and len(self._workers) < self._count:
                self._workers.append(_start(self._first, self._events))
            worker = min(self._workers, key=lambda one: (one.load, not one.ready))
            ticket = self.waiting[0]
            most = _IN_FLIGHT if len(ticket.message) <= _FITS_PIPE and worker.ready else 1
            if worker.load >= most:
                return
            self.waiting.popleft()
            worker.tickets.append(ticket)
            if worker.ready:
                self._send(worker, ticket)

    def _send(self, worker: _Worker, ticket: _Ticket) -> None:
        if worker.load == 1:
            worker.begun = time.monotonic()
        assert worker.process.stdin is not None  # noqa: S101
        # The death of one that has gone is told by its listener; the item goes to another.
        with contextlib.suppress(OSError):
            send(worker.process.stdin, ticket.message)

    def listen(self, *, block: bool) -> None:
        """Take in what the workers say, and end those that are over their time."""
        wait = _LISTEN_SECONDS if block else 0.0
        if self._limit is not None and block:
            now = time.monotonic()
            ends = [one.begun + self._limit - now for one in self._workers if one.load]
            wait = max(0.0, min([wait, *ends]))
        try:
            event = self._events.get(timeout=wait) if wait else self._events.get_nowait()
            while True:
                self._take(*event)
                event = self._events.get_nowait()
        except queue.Empty:
            pass
        now = time.monotonic()
        for worker in list(self._workers):
            limit = self._limit if worker.ready else _START_SECONDS
            if limit is not None and worker.load and now - worker.begun > limit:
                self._stop(worker)

    def _take(self, worker: _Worker, at: float, message: bytes | None) -> None:
        if worker not in self._workers:
            return
        if message is None:
            self._bury(worker)
        elif not worker.ready:
            worker.ready = True
            self._failed_starts = 0
            worker.begun = time.monotonic()
            for ticket in worker.tickets:
                self._send(worker, ticket)
        else:
            ticket = worker.tickets.popleft()
            worker.begun = at
            well, outcome = pickle.loads(message)  # noqa: S301, from a process of ours
            if well:
                self._finish(ticket, outcome)
            else:
                self._lose(ticket, outcome)

    def _finish(self, ticket: _Ticket, result: Any) -> None:
        ticket.done, ticket.result, ticket.message = True, result, b""

    def _lose(self, ticket: _Ticket, reason: str) -> None:
        if self._lost is None:
            raise WorkerError(f"{ticket.item}: {reason}")
        self._finish(ticket, self._lost(ticket.item, reason))

    def _stop(self, worker: _Worker) -> None:
        """End a worker that is over its time."""
        if not worker.ready:
            raise WorkerError(f"a worker process did not start within {_START_SECONDS:g} s")
        head = worker.tickets.popleft()
        self._remove(worker)
        reason = f"took longer than {self._limit:g} s; raise the time limit to measure it"
        self._lose(head, reason)

    def _bury(self, worker: _Worker) -> None:
        """Say what a dead worker's items come to."""
        head = worker.tickets.popleft() if worker.tickets and worker.ready else None
        # Its pipe is closed a moment before it has ended and can say how.
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(timeout=5.0)
        self._remove(worker)
        code = worker.process.returncode
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                raise WorkerError(f"worker processes cannot be started ({_ending(code)})")
        if head is None:
            return
        head.attempts += 1
        if head.attempts >= 2:
            self._lose(head, f"crashed its worker twice ({_ending(code)}); it may be malformed")
        else:
            self.waiting.appendleft(head)

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        _end(worker)
        self.waiting.extendleft(reversed(worker.tickets))
        worker.tickets.clear()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            _end(worker)
        self._workers.clear()


def _ending(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, perhaps out of memory" if name == "SIGKILL" else name
