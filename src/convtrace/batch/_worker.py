"""What a worker process of the local engine runs; see `convtrace.batch.processes`.

Messages are pickles between the two halves of one program, never files: what arrives on
the standard input was written by the parent process a moment ago.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from typing import IO, Any

__all__ = ["main", "receive", "send"]

_LENGTH = struct.Struct("!Q")


def send(stream: IO[bytes], data: bytes) -> None:
    """Write one message.

    Parameters
    ----------
    stream : binary stream
        Flushed.
    data : bytes
        The message.
    """
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """Read one message.

    Parameters
    ----------
    stream : binary stream
        What `send` wrote to.

    Returns
    -------
    bytes or None
        None where the other side has gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    data = stream.read(size)
    return data if len(data) == size else None


def main() -> None:
    """Apply a function to what comes in, until nothing comes any more."""
    inbox = sys.stdin.buffer
    # A library in C that prints must not speak between the messages.
    outbox = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = receive(inbox)
    if first is None:
        return
    function, limit = pickle.loads(first)  # noqa: S301, from the parent process
    send(outbox, pickle.dumps(None))
    while (message := receive(inbox)) is not None:
        item = pickle.loads(message)  # noqa: S301, from the parent process
        if limit is not None:
            # The parent ends a worker in time; this ends one whose parent was killed.
            faulthandler.dump_traceback_later(2.0 * limit + 10.0, exit=True)
        answer = _answer(function, item)
        if limit is not None:
            faulthandler.cancel_dump_traceback_later()
        try:
            send(outbox, answer)
        except BrokenPipeError:
            os._exit(1)


def _answer(function: Callable[[Any], Any], item: Any) -> bytes:
    """Return the pickled outcome: whether it went well, and the result or the reason."""
    try:
        return pickle.dumps((True, function(item)), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001, whatever it is, it costs this item alone
        return pickle.dumps((False, describe(error)))


def describe(error: Exception) -> str:
    """Return an unexpected error in one line, with the place where it came from.

    Parameters
    ----------
    error : Exception
        What was raised.

    Returns
    -------
    str
    """
    words = " ".join(str(error).split())[:300]
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {os.path.basename(at.filename)}:{at.lineno}" for at in last)  # noqa: PTH119
    return f"unexpected {type(error).__name__}{place}: {words}; please report it"
