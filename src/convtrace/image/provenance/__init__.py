"""What files say of their own origin: evidence beside the pixels, never instead of them."""

from __future__ import annotations

from convtrace.image.provenance.reading import provenance_of
from convtrace.image.provenance.record import (
    KINDS,
    Credentials,
    Provenance,
    Statement,
    fit_to_read,
)

__all__ = [
    "KINDS",
    "Credentials",
    "Provenance",
    "Statement",
    "fit_to_read",
    "provenance_of",
]
