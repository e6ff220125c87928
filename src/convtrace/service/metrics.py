"""Prometheus metrics: counts and times, never names or addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from convtrace._version import __version__

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """The metrics of one service.

    Parameters
    ----------
    in_hand, held_bytes, ready, judges_bytes : callable
        Asked for their values when the metrics are read.
    """

    def __init__(
        self,
        *,
        in_hand: Callable[[], float],
        held_bytes: Callable[[], float],
        ready: Callable[[], float],
        judges_bytes: Callable[[], float],
    ) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "convtrace_requests",
            "Requests by route and status; 499 is a client that hung up.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "convtrace_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.pictures = Counter(
            "convtrace_pictures",
            "Pictures by outcome: real, generated, unsure, error.",
            ("outcome",),
            registry=self.registry,
        )
        self.uploaded = Counter(
            "convtrace_uploaded_bytes", "Bytes of bodies received.", registry=self.registry
        )
        for name, text, function in (
            ("requests_in_hand", "Requests whose pictures wait or are judged.", in_hand),
            ("held_bytes", "Bytes of uploads in memory.", held_bytes),
            ("ready", "1 once the solver is warm.", ready),
            ("judges_resident_bytes", "Memory of the processes that judge.", judges_bytes),
        ):
            gauge = Gauge(f"convtrace_{name}", text, registry=self.registry)
            gauge.set_function(function)
        info = Gauge("convtrace_info", "Its version.", ("version",), registry=self.registry)
        info.labels(__version__).set(1)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus.

        Returns
        -------
        bytes
        """
        return generate_latest(self.registry)
