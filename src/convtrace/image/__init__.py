"""From bytes to pixels: safe reading, JPEG compression facts, provenance, degradations."""

from __future__ import annotations

from convtrace.image import degradations, jpeg
from convtrace.image.finding import SUFFIXES, find_pictures
from convtrace.image.jpeg import JpegFacts
from convtrace.image.picture import Picture, Pixels, to_uint8
from convtrace.image.provenance import Credentials, Provenance, Statement
from convtrace.image.reading import Limits, Source, read

__all__ = [
    "SUFFIXES",
    "Credentials",
    "JpegFacts",
    "Limits",
    "Picture",
    "Pixels",
    "Provenance",
    "Source",
    "Statement",
    "degradations",
    "find_pictures",
    "jpeg",
    "read",
    "to_uint8",
]
