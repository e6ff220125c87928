"""Around every request: its id, its line in the log, its headers; and who is refused at once."""

from __future__ import annotations

import hmac
import re
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convtrace.service.logs import log
from convtrace.service.metrics import Metrics
from convtrace.service.problems import Problem
from convtrace.service.settings import Settings

__all__ = ["Facts", "Guard", "Observer", "facts_of"]

CLIENT_GONE = 499
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OPEN_PATHS = ("/healthz", "/readyz", "/openapi.json")
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(slots=True)
class Facts:
    """What is known of a request for its line in the log.

    Parameters
    ----------
    request_id : str
        Its id.
    pictures : int
        How many it brought.
    outcomes : list of str
        Of each picture: real, generated, unsure or error.
    """

    request_id: str
    pictures: int = 0
    outcomes: list[str] = field(default_factory=list)


def facts_of(scope: Scope) -> Facts:
    """Return the facts of a request.

    Parameters
    ----------
    scope : mapping
        Of the request, as `Observer` handed it on.

    Returns
    -------
    Facts
    """
    found = scope["convtrace.facts"]
    if not isinstance(found, Facts):
        raise TypeError("the request did not come through Observer")
    return found


class Observer:
    """Gives each request an id, security headers, a line in the log, and counts it.

    Parameters
    ----------
    app : ASGI application
        What answers.
    metrics : Metrics
        What counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        facts = Facts(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)
        scope["convtrace.facts"] = facts
        start = time.perf_counter()
        status = 500
        nbytes = 0

        async def counting() -> Message:
            nonlocal nbytes
            message = await receive()
            nbytes += len(message.get("body", b""))
            return message

        async def marking(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = facts.request_id
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, counting, marking)
        finally:
            seconds = time.perf_counter() - start
            # The template, never the path itself: a visitor may write anything there.
            route = getattr(scope.get("route"), "path", "") or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            self.metrics.uploaded.inc(nbytes)
            for outcome in facts.outcomes:
                self.metrics.pictures.labels(outcome).inc()
            log(
                "request",
                request_id=facts.request_id,
                method=method,
                route=route,
                status=status,
                seconds=round(seconds, 4),
                bytes=nbytes,
                pictures=facts.pictures,
            )


_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"))


class Guard:
    """Refuses requests for other hosts, from pages of other sites, and without the token.

    Parameters
    ----------
    app : ASGI application
        What answers the rest.
    settings : Settings
        Hosts and token.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._hosts = settings.answered_hosts
        self._token = settings.token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] == "http":
            problem = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
            if problem is not None:
                problem.members["request_id"] = facts_of(scope).request_id
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, method: str, path: str, headers: Headers) -> Problem | None:
        if self._hosts is not None and _host_name(headers.get("host", "")) not in self._hosts:
            return Problem(
                421,
                "This service does not answer under that host name; use the address that it "
                "printed at its start, or start it with --allow-host NAME.",
            )
        # Without cookies a foreign page can do nothing in the user's name, but it could keep
        # the service busy.
        if method not in ("GET", "HEAD") and headers.get("sec-fetch-site") == "cross-site":
            return Problem(403, "Requests from pages of other sites are not answered.")
        if self._token is not None and not _is_open(path) and not self._has_token(headers):
            return Problem(
                401,
                "This service asks for a token: Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return None

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        wanted = (self._token or "").encode()
        # Compared in constant time, so that it cannot be guessed letter by letter.
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), wanted)
        return same and scheme.lower() == "bearer"


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_open(path: str) -> bool:
    return path == "/" or path in _OPEN_PATHS or path.startswith("/static/")
