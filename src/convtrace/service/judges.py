"""The processes that judge: one a core, each with one picture at a time.

In one process the pictures would share the interpreter's lock, which costs the more the more
cores there are; and a decoder written in C that crashes would take the service with it. Here it
takes its own process, another takes its place, and the picture is refused.

The processes are those of the batch engine (`convtrace.batch.processes`); messages are pickles
between the two halves of one program, never files.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from convtrace.batch._worker import receive, send
from convtrace.batch.processes import start_process
from convtrace.detection import Detector
from convtrace.service.logs import log
from convtrace.service.settings import Settings

__all__ = ["Ended", "Fault", "Job", "Judges", "warm"]

_ATTEMPTS = 2
_LISTEN_SECONDS = 1.0
# One at work for twice as long ends itself, so that none is left where this process was killed.
# Much longer than a picture takes, since at the first the solver may have to be compiled.
_ORPHAN_SECONDS = 600.0


class Ended(Exception):  # noqa: N818  # what it was given is at fault, mostly
    """The process ended while it was at work, twice."""


class Fault(RuntimeError):  # noqa: N818  # the word that its log line has
    """A fault of the program in the process.

    Parameters
    ----------
    where : str
        Its type and place; never its words, which may quote what was uploaded.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


@dataclass(slots=True)
class Job:
    """Something to be done in one of the processes.

    Parameters
    ----------
    function : callable
        Of a module; called with the detector, the arguments, the settings, and the options.
    arguments : tuple
        Its arguments.
    options : dict
        Its keyword arguments.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _is_over: bool = field(default=False, init=False, repr=False)

    def stop(self) -> None:
        """End the process that is at it, if one is; it is not tried again."""
        self._is_over = True
        if self._process is not None:
            self._process.kill()


def warm(detector: Detector, settings: Settings) -> None:  # noqa: ARG001, as all jobs are called
    """Judge a picture of noise, in a process or here.

    Parameters
    ----------
    detector : Detector
        What judges it.
    settings : Settings
        Not used.
    """
    noise = np.random.default_rng(0).integers(0, 256, size=(128, 128, 3), dtype=np.uint8)
    detector.verdict(noise)


def _do(detector: Detector, settings: Settings, task: tuple[Any, ...]) -> Any:
    # A manager of services may tell all processes of one to stop; what is in hand is finished
    # all the same, and the end of the other half ends this one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    function, arguments, options = task
    return function(detector, *arguments, settings, **options)


class Judges:
    """Processes with a detector each.

    Parameters
    ----------
    detector : Detector
        Sent to each of them.
    settings : Settings
        How many there are; and what their jobs are called with.
    """

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self._count = settings.at_once
        # The token is of no use to them.
        function = partial(_do, detector, replace(settings, token=None))
        self._first = cloudpickle.dumps(
            (function, max(_ORPHAN_SECONDS, settings.request_seconds)),
            protocol=pickle.HIGHEST_PROTOCOL,
        )
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._all: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def start(self) -> None:
        """Start the first, and wait until it has judged a picture.

        What is compiled at the first picture is then there for the others.

        Raises
        ------
        Ended
            Where it cannot be started, or ends at its first picture.
        """
        self._start(1)

    def start_others(self) -> None:
        """Start the others, and wait until each has judged a picture.

        Raises
        ------
        Ended
            Where one cannot be started, or ends at its first picture.
        """
        self._start(self._count - 1)

    def _start(self, count: int) -> None:
        found = [self._begin() for _ in range(count)]
        task = pickle.dumps((warm, (), {}))
        for process in found:
            self._greet(process)
            _send(process, task)
        for process in found:
            _outcome(_receive(process))
            self._idle.put(process)

    def do(self, job: Job) -> Any:
        """Do a job in a process that has nothing to do; waits for one.

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
            Where the process ended at it, and another one too.
        Fault
            Where its function raised what nobody expected.
        """
        message = pickle.dumps(
            (job.function, job.arguments, job.options), protocol=pickle.HIGHEST_PROTOCOL
        )
        process = self._free()
        try:
            for _ in range(_ATTEMPTS):
                job._process = process
                try:
                    _send(process, message)
                    return _outcome(_receive(process))
                except Ended:
                    # The first death may have been another's doing: of who frees memory, say.
                    process = self._another(process)
                    if job._is_over:
                        break
            raise Ended
        finally:
            job._process = None
            self._idle.put(process)

    def _free(self) -> subprocess.Popen[bytes]:
        while True:
            try:
                return self._idle.get(timeout=_LISTEN_SECONDS)
            except queue.Empty:
                if self._is_closed:
                    raise Ended from None

    def _another(self, dead: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        dead.kill()
        _end(dead)
        log("process ended", code=dead.returncode)
        with self._lock:
            self._all.discard(dead)
        process = self._begin()
        self._greet(process)
        return process

    def _begin(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_closed:
                raise Ended
            process = start_process()
            self._all.add(process)
        return process

    def _greet(self, process: subprocess.Popen[bytes]) -> None:
        _send(process, self._first)
        _receive(process)

    def resident_bytes(self) -> float:
        """Return the memory that they take together; 0 where the system does not tell it.

        Returns
        -------
        float
        """
        total = 0
        with self._lock:
            processes = list(self._all)
        for process in processes:
            try:
                pages = Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]
            except (OSError, IndexError):
                continue  # It has just gone, or there is no such thing here.
            total += int(pages) * os.sysconf("SC_PAGE_SIZE")
        return float(total)

    def close(self) -> None:
        """End them, whatever they are at."""
        with self._lock:
            self._is_closed = True
            processes = list(self._all)
            self._all.clear()
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _send(process: subprocess.Popen[bytes], message: bytes) -> None:
    assert process.stdin is not None  # noqa: S101
    try:
        send(process.stdin, message)
    except (OSError, ValueError) as error:
        raise Ended from error


def _receive(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None  # noqa: S101
    try:
        message = receive(process.stdout)
    except (OSError, ValueError) as error:
        raise Ended from error
    if message is None:
        raise Ended
    return message


def _outcome(message: bytes) -> Any:
    well, outcome = pickle.loads(message)  # noqa: S301, from a process of ours
    if not well:
        raise Fault(str(outcome).partition(": ")[0])
    return outcome


def _end(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                continue  # What was still buffered has no reader any more.
