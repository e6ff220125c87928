"""Uvicorn's HTTP protocol with time-outs where it has none.

Uvicorn waits without end for the head of a first request, for a client that does not take
its answer, and for the rest of a body that nobody reads any more.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from convtrace.service.problems import MEDIA_TYPE, Problem
from convtrace.service.settings import Settings

__all__ = ["GuardedProtocol", "guarded"]


class GuardedProtocol(H11Protocol):
    """A connection that is closed where the client does not go on.

    Parameters
    ----------
    *arguments, **options
        Of Uvicorn's protocol.
    settings : Settings
        The limits.
    """

    def __init__(self, *arguments: Any, settings: Settings, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._settings = settings
        self._head_due: asyncio.TimerHandle | None = None
        self._write_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the head; refuse a connection too many."""
        super().connection_made(transport)
        if len(self.connections) > self._settings.max_connections:
            transport.abort()
            return
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._head_due = _stopped(self._head_due)
        self._write_due = _stopped(self._write_due)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Stop the clock once a head is complete."""
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Start the clock for the next head, or for what is left of this body."""
        super().on_response_complete()
        self._head_due = _stopped(self._head_due)
        self._watch_head()

    def pause_writing(self) -> None:
        """Start the clock for the client to take something of the answer."""
        super().pause_writing()
        if self._write_due is None:
            self._write_due = self.loop.call_later(
                self._settings.write_seconds, self.transport.abort
            )

    def resume_writing(self) -> None:
        """Stop that clock."""
        self._write_due = _stopped(self._write_due)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        body = json.dumps(Problem(400, msg).to_dict()).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            events = (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            )
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()

    def _watch_head(self) -> None:
        awaited = self.cycle is None or self.cycle.response_complete
        if not awaited or self.transport.is_closing():
            self._head_due = _stopped(self._head_due)
        elif self._head_due is None:
            self._head_due = self.loop.call_later(
                self._settings.header_seconds, self.transport.abort
            )


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Stop a clock; the absence of one is what is left."""
    if timer is not None:
        timer.cancel()
    return None


def guarded(settings: Settings) -> Any:
    """Return the protocol with its settings, for Uvicorn's option ``http``.

    Parameters
    ----------
    settings : Settings
        The limits.

    Returns
    -------
    type
        A subclass of `GuardedProtocol`.
    """
    return type("Protocol", (GuardedProtocol,), {"__init__": _init_with(settings)})


def _init_with(settings: Settings) -> Any:
    return lambda self, *arguments, **options: GuardedProtocol.__init__(
        self, *arguments, settings=settings, **options
    )
