"""A picture of each kind, explained once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from convtrace.datasets import examples
from convtrace.report import explain

HOSTILE = '<script>alert(1)</script> & "q" $x$ \u202egnp.png'


def scene(height: int, width: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, size=(height // 8, width // 8, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    noisy = large + rng.normal(scale=4, size=large.shape)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def hostile():
    """Return the explanation of a small PNG whose name and metadata are markup."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "<img src=x onerror=alert(2)>")
    chunks.add_text("<b>key</b>", "</pre><script>alert(3)</script>")
    return explain(encoded(scene(120, 144), pnginfo=chunks), name=HOSTILE)


@pytest.fixture(scope="session")
def photograph():
    """Return the explanation of a photograph in JPEG, large enough for windows."""
    return explain(examples.pictures()[0].path, most_windows=6)
