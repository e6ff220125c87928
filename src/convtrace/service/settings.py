"""What a service may spend, and whom it answers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from convtrace.batch import engines
from convtrace.errors import ConvtraceError

__all__ = ["Settings", "is_loopback"]

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Tell whether a host can be reached from this machine only.

    Parameters
    ----------
    host : str
        A name or an address.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Settings:
    """How a service runs, and its limits.

    Parameters
    ----------
    host : str, default "127.0.0.1"
        Address to listen on.
    port : int, default 8000
        0 lets the system choose.
    workers : int, optional
        Pictures judged at once; one a core by default.
    isolated : bool, default True
        Whether each is judged in a process of its own: on all cores at once, and a decoder that
        crashes takes only its picture with it. Without, in threads of this process, which is
        for detectors that cannot be sent to another.
    token : str, optional
        Where given, all but the page and the health checks asks for it as a bearer token.
    allowed_hosts : tuple of str
        Names in the header ``Host`` that are answered, without port. Empty: on a loopback
        address the names of this machine, elsewhere any.
    max_upload_bytes : int
        Of one picture.
    max_request_bytes : int
        Of all pictures of one request.
    max_held_bytes : int
        Of all uploads that are in memory at once.
    max_files : int
        Pictures in one request.
    max_pixels : int
        Width times height of one picture; while it is decoded, a picture takes 7 bytes a pixel.
    decode_seconds : float
        For decoding one picture.
    queue : int
        Requests that may wait besides those at work.
    per_client : int
        Requests that one address may have in hand.
    rate : float, optional
        Pictures a minute that one address may send; no limit by default.
    request_seconds : float
        From the end of the upload to the verdict.
    header_seconds : float
        For the head of a request, and for what is left of a body that was refused.
    body_grace_seconds : float
        After that many seconds a body must have come at `body_bytes_per_second`.
    body_bytes_per_second : float
        See `body_grace_seconds`.
    write_seconds : float
        How long a client may not take any more of an answer.
    shutdown_seconds : float
        For what is in hand when the service is told to stop.
    max_connections : int
        Further ones are closed at once.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int | None = None
    isolated: bool = True
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_upload_bytes: int = 50_000_000
    max_request_bytes: int = 200_000_000
    max_held_bytes: int = 512_000_000
    max_files: int = 100
    max_pixels: int = 100_000_000
    decode_seconds: float = 20.0
    queue: int = 64
    per_client: int = 32
    rate: float | None = None
    request_seconds: float = 120.0
    header_seconds: float = 10.0
    body_grace_seconds: float = 20.0
    body_bytes_per_second: float = 20_000.0
    write_seconds: float = 30.0
    shutdown_seconds: float = 60.0
    max_connections: int = 500

    def __post_init__(self) -> None:
        if self.token is not None and (not self.token or not self.token.isascii()):
            raise ConvtraceError(
                "CONVTRACE_TOKEN is empty or holds characters outside ASCII; give for instance "
                "the output of: openssl rand -hex 32"
            )
        if self.workers is not None and self.workers < 1:
            raise ConvtraceError(f"workers={self.workers}: give 1 or more, or leave it out")

    @property
    def at_once(self) -> int:
        """Pictures judged at once."""
        return engines.default_workers() if self.workers is None else self.workers

    @property
    def is_local(self) -> bool:
        """Whether it can be reached from this machine only."""
        return is_loopback(self.host)

    @property
    def answered_hosts(self) -> frozenset[str] | None:
        """Names in ``Host`` that are answered, in lower case; None for any.

        A page of another site can make a browser ask this service under that site's name
        (DNS rebinding) and read the answer; so on loopback only our own names are answered.
        """
        if self.allowed_hosts:
            mine = (*self.allowed_hosts, *(_LOOPBACK_NAMES if self.is_local else ()))
        elif self.is_local:
            mine = (*_LOOPBACK_NAMES, self.host)
        else:
            return None
        return frozenset(name.lower().strip("[]") for name in mine)
