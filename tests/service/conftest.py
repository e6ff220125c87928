"""Fixtures of the tests of the service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convtrace.detection import Detector, bundled
from service_support import Running, Slow, picture_bytes, running


@pytest.fixture(scope="session")
def detector() -> Detector:
    return bundled()


@pytest.fixture(scope="session")
def png() -> bytes:
    return picture_bytes()


@pytest.fixture(scope="session")
def service(detector) -> Iterator[Running]:
    """Return a service with the usual limits, in processes as its users have it."""
    with running(detector, isolated=True) as found:
        yield found


@pytest.fixture
def slow(detector) -> Iterator[Slow]:
    found = Slow(detector)
    yield found
    found.go.set()
