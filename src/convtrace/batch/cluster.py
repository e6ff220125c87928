"""The engine of a cluster: one Ray task an item, on as many machines as there are.

Ray keeps what is sent and returned, spills it to disk where memory is short, and runs the
tasks of a lost worker or machine again elsewhere. What is added here: only so many tasks are
handed in that every core has one at work and one next, so that a hundred million pictures
cost the driver no memory; and an item that is lost for good gets its row.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from convtrace.batch._worker import describe
from convtrace.batch.tasks import Lost, WorkerError, check_workers

__all__ = ["RayEngine"]

T = TypeVar("T")
R = TypeVar("R")

_IN_FLIGHT = 2
_FINISHED = 64
_LISTEN_SECONDS = 0.5
# Machines come and go.
_COUNT_SECONDS = 5.0
_KNOCK_SECONDS = 10.0
# How often Ray runs a task again whose worker or machine was lost.
_RETRIES = 3


@dataclass(slots=True, eq=False)
class _Ticket:
    item: Any
    done: bool = False
    result: Any = None


class RayEngine:
    """Tasks of a Ray cluster.

    Parameters
    ----------
    address : str, optional
        Of the cluster's head, such as ``"10.0.0.1:6379"`` or ``"auto"``; without it the
        cluster that this process is connected to, or a Ray of this machine that is started.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address

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

        A task that runs over the time limit ends its worker, as a crash does, and Ray tries
        it thrice again, since it cannot tell either from a lost machine.

        Raises
        ------
        ConvtraceError
            Where `workers` is less than 1.
        WorkerError
            Where Ray is missing or the cluster cannot be reached, or an item is lost and
            `lost` is not given.
        """
        most = None if workers is None else check_workers(workers)
        return _run(self._connect(most), function, iter(items), most, time_limit, lost, ordered)

    def _connect(self, workers: int | None) -> Any:
        try:
            import ray
        except ImportError as error:
            raise WorkerError(
                "the engine 'ray' needs Ray; install it with pip install 'convtrace[cluster]'"
            ) from error
        if ray.is_initialized():
            return ray
        self._check_reachable()
        try:
            # A cluster has the cores that it has; a Ray of one's own gets what is asked for.
            own = {} if self._address else {"num_cpus": workers, "include_dashboard": False}
            ray.init(
                address=self._address or "local",
                configure_logging=False,
                log_to_driver=False,
                runtime_env={"env_vars": {"PYTHONPATH": _python_path()}} if own else None,
                **own,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise WorkerError(f"Ray at {self._address or 'local'}: {reason}") from error
        return ray

    def _check_reachable(self) -> None:
        """Knock at the head before Ray does, which would wait for minutes."""
        host, mark, port = (self._address or "").rpartition(":")
        if not mark or not port.isdigit():
            return
        host = host.rpartition("/")[2]
        try:
            socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
        except OSError as error:
            reason = error.strerror or str(error)
            raise WorkerError(f"Ray at {self._address}: nobody answers there ({reason})") from error


def _python_path() -> str:
    """Return where this process finds modules, so that workers of this machine do too."""
    return os.pathsep.join(entry for entry in sys.path if entry)


def _task(function: Callable[[Any], Any], item: Any, limit: float | None) -> tuple[bool, Any]:
    """Do one item in a worker of the cluster."""
    if limit is not None:
        # By number: Ray has put something else in the place of sys.stderr.
        faulthandler.dump_traceback_later(limit, exit=True, file=2)
    try:
        return True, function(item)
    except Exception as error:  # noqa: BLE001, whatever it is, it costs this item alone
        return False, describe(error)
    finally:
        if limit is not None:
            faulthandler.cancel_dump_traceback_later()


def _run(
    ray: Any,
    function: Callable[[Any], Any],
    items: Iterator[Any],
    workers: int | None,
    limit: float | None,
    lost: Lost[Any, Any] | None,
    ordered: bool,
) -> Generator[Any, None, None]:
    work = ray.remote(_task).options(num_cpus=1, max_retries=_RETRIES)
    # Sent to each machine once, not with each item: it may hold a detector.
    shared = ray.put(function)
    window: deque[_Ticket] = deque()
    running: dict[Any, _Ticket] = {}
    counted, cores = -_COUNT_SECONDS, 1
    exhausted = False
    try:
        while True:
            if time.monotonic() - counted > _COUNT_SECONDS:
                available = int(ray.cluster_resources().get("CPU", 1))
                cores = max(1, available if workers is None else min(workers, available))
                counted = time.monotonic()
            while (
                not exhausted
                and len(running) < _IN_FLIGHT * cores
                and len(window) < _FINISHED * cores
            ):
                try:
                    ticket = _Ticket(next(items))
                except StopIteration:
                    exhausted = True
                    break
                window.append(ticket)
                running[work.remote(shared, ticket.item, limit)] = ticket
            if not window:
                return
            if running:
                references = list(running)
                done, _ = ray.wait(
                    references, num_returns=1, timeout=_LISTEN_SECONDS, fetch_local=True
                )
                if done:
                    # Whatever else has ended meanwhile, without another wait.
                    done, _ = ray.wait(references, num_returns=len(references), timeout=0)
                for reference in done:
                    ticket = running.pop(reference)
                    ticket.result = _outcome(ray, reference, ticket.item, lost, limit)
                    ticket.done = True
            if ordered:
                while window and window[0].done:
                    yield window.popleft().result
            else:
                ready = [ticket for ticket in window if ticket.done]
                window = deque(ticket for ticket in window if not ticket.done)
                for ticket in ready:
                    yield ticket.result
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _outcome(
    ray: Any, reference: Any, item: Any, lost: Lost[Any, Any] | None, limit: float | None
) -> Any:
    try:
        well, outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        well = False
        kind = type(error).__name__
        over = "" if limit is None else f" or took longer than {limit:g} s"
        outcome = f"crashed its worker{over}, {_RETRIES + 1} times ({kind}); it may be malformed"
    if well:
        return outcome
    if lost is None:
        raise WorkerError(f"{item}: {outcome}")
    return lost(item, outcome)
