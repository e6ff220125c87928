"""Who is let in: bounded in requests, in bytes, and in pictures a minute."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from convtrace.service.problems import Problem
from convtrace.service.settings import Settings

__all__ = ["Admission", "Budget", "RateLimit"]


class Budget:
    """Bytes of uploads that are in memory.

    Parameters
    ----------
    most : int
        The limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    @contextmanager
    def account(self) -> Iterator[Callable[[int], None]]:
        """Keep the account of one request; what it took is given back at the end.

        Yields
        ------
        callable
            Takes a number of bytes; raises `Problem` 503 where too many are held already.
        """
        mine = 0

        def take(nbytes: int) -> None:
            nonlocal mine
            if self.held + nbytes > self._most:
                raise Problem(
                    503,
                    "The service holds as many uploads as it may; try again in a moment.",
                    retry_after=5,
                )
            self.held += nbytes
            mine += nbytes

        try:
            yield take
        finally:
            self.held -= mine


class RateLimit:
    """A bucket of tokens for each client: a minute's worth, filled at a steady rate.

    Parameters
    ----------
    per_minute : float or None
        Pictures a minute; None for no limit.
    clock : callable
        Seconds.

    Examples
    --------
    >>> limit = RateLimit(2, clock=lambda: 0.0)
    >>> [limit.wait_of("a", 1) for _ in range(3)]
    [0.0, 0.0, 30.0]
    """

    _MOST_CLIENTS = 10_000

    def __init__(
        self, per_minute: float | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        # Client to (tokens, when). Dropped once full again, so it does not grow.
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_of(self, client: str, pictures: int) -> float:
        """Take tokens, or say how long to wait for them.

        Parameters
        ----------
        client : str
            Its address.
        pictures : int
            How many; more than a minute's worth cost a full bucket.

        Returns
        -------
        float
            Seconds to wait; 0 where the tokens were taken.
        """
        if self._per_minute is None:
            return 0.0
        now = self._clock()
        if len(self._buckets) >= self._MOST_CLIENTS:
            self._buckets = {
                name: (tokens, at)
                for name, (tokens, at) in self._buckets.items()
                if tokens + (now - at) * self._per_minute / 60 < self._per_minute
            }
        tokens, at = self._buckets.get(client, (self._per_minute, now))
        tokens = min(self._per_minute, tokens + (now - at) * self._per_minute / 60)
        cost = min(float(pictures), self._per_minute)
        # A hair of rounding must not cost a second more of waiting.
        if tokens + 1e-9 < cost:
            self._buckets[client] = (tokens, now)
            return (cost - tokens) * 60 / self._per_minute
        self._buckets[client] = (tokens - cost, now)
        return 0.0


class Admission:
    """Counts requests in hand.

    Parameters
    ----------
    settings : Settings
        The limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._capacity = settings.at_once + settings.queue
        self._of_client: Counter[str] = Counter()
        self._rate = RateLimit(settings.rate)
        self.in_hand = 0
        self._seconds_each = 0.5

    @contextmanager
    def client(self, client: str) -> Iterator[None]:
        """Count a request of a client from its head on.

        Parameters
        ----------
        client : str
            Its address.

        Raises
        ------
        Problem
            429 where it has too many; 503 where the queue is full, so that nothing is
            uploaded in vain.
        """
        if self._of_client[client] >= self._settings.per_client:
            raise Problem(
                429,
                f"More than {self._settings.per_client} requests at once from one address; wait "
                "for the answers to the first.",
                retry_after=self._expected_wait(),
            )
        self._check_queue()
        self._of_client[client] += 1
        try:
            yield
        finally:
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]

    @contextmanager
    def work(self, client: str, pictures: int) -> Iterator[None]:
        """Count a request whose upload is complete.

        Parameters
        ----------
        client : str
            Its address.
        pictures : int
            How many it brings.

        Raises
        ------
        Problem
            429 where the client sends more pictures than it may; 503 where the queue is full.
        """
        self._check_queue()
        wait = self._rate.wait_of(client, pictures)
        if wait:
            raise Problem(
                429,
                f"More than {self._settings.rate:g} pictures a minute from one address.",
                retry_after=wait,
            )
        self.in_hand += 1
        start = time.monotonic()
        try:
            yield
        finally:
            took = (time.monotonic() - start) / max(1, min(self.in_hand, self._settings.at_once))
            self.in_hand -= 1
            self._seconds_each += 0.1 * (took - self._seconds_each)

    def _check_queue(self) -> None:
        if self.in_hand >= self._capacity:
            raise Problem(
                503,
                "The service has as many requests in hand as it may; try again in a moment.",
                retry_after=self._expected_wait(),
            )

    def _expected_wait(self) -> float:
        # Until about half of the queue has gone; never so long that nobody would wait.
        waiting = self.in_hand / self._settings.at_once
        return min(60.0, waiting * self._seconds_each / 2)
