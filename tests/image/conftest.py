"""Small synthetic pictures, encoded in every format that is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image


def make_pixels(height: int = 75, width: int = 93, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return a textured RGB picture with sides that no block size divides."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    ramps = np.stack([x * 2 % 256, y * 3 % 256, (x + y) % 256], axis=-1)
    return np.clip(ramps + rng.normal(0, 6, ramps.shape), 0, 255).astype(np.uint8)


def _encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the bytes of an encoded picture."""
    stream = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(image).save(stream, **options)
    else:
        image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Return the function (PIL image, Pillow's format name, **options) to bytes."""
    return _encode


@pytest.fixture(scope="session")
def rgb() -> NDArray[np.uint8]:
    return make_pixels()


@pytest.fixture(scope="session")
def encoded(rgb: NDArray[np.uint8]) -> dict[str, bytes]:
    """Return valid files of all formats and their common variants."""
    image = Image.fromarray(rgb)
    deep = Image.fromarray(rgb[..., 0].astype(np.uint16) * 257)
    palette = image.quantize(64)
    return {
        "jpeg": _encode(image, "JPEG"),
        "jpeg-progressive": _encode(image, "JPEG", progressive=True),
        "png": _encode(image, "PNG"),
        "png-16": _encode(deep, "PNG"),
        "png-palette": _encode(palette, "PNG"),
        "webp": _encode(image, "WEBP"),
        "webp-lossless": _encode(image, "WEBP", lossless=True),
        "tiff": _encode(image, "TIFF"),
        "tiff-lzw": _encode(image, "TIFF", compression="tiff_lzw"),
        "tiff-deflate": _encode(image, "TIFF", compression="tiff_adobe_deflate"),
        "tiff-jpeg": _encode(image, "TIFF", compression="jpeg"),
        "bmp": _encode(image, "BMP"),
        "bmp-palette": _encode(palette, "BMP"),
        "gif": _encode(palette, "GIF"),
        "heif": _encode(image, "HEIF", quality=80),
        "avif": _encode(image, "AVIF", speed=10),
        "ppm": _encode(image, "PPM"),
        "pgm": _encode(image.convert("L"), "PPM"),
    }
