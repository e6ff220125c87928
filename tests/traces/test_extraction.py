"""Which channels of a picture are fitted."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convtrace import traces
from convtrace.errors import ImageError, TraceError


@pytest.fixture(scope="module")
def colour() -> np.ndarray:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, size=(12, 14, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(blocks).resize((56, 48), Image.Resampling.BICUBIC))
    return np.clip(image + rng.integers(-3, 4, size=image.shape), 0, 255).astype(np.uint8)


def test_one_kernel_a_channel(colour):
    trace = traces.extract(colour, kernel_size=3)
    assert trace.kernels.shape == (3, 3, 3)
    assert trace.vector.shape == (24,)
    for channel in range(3):
        alone = traces.fit([colour[..., channel]], 3)
        np.testing.assert_array_equal(trace.kernels[channel], alone.kernels[0])


def test_subset_keeps_the_order_of_the_letters(colour):
    full = traces.extract(colour, kernel_size=3)
    some = traces.extract(colour, kernel_size=3, channels="br")
    np.testing.assert_array_equal(some.kernels, full.kernels[[2, 0]])


def test_luminance_is_the_luma_of_jpeg(colour):
    trace = traces.extract(colour, kernel_size=3, channels="luminance")
    luma = colour.astype(float) @ [0.299, 0.587, 0.114]
    expected = traces.fit([luma], 3)
    np.testing.assert_allclose(trace.kernels, expected.kernels, atol=1e-5)


def test_greyscale_stands_for_each_channel(colour):
    grey = colour[..., 0]
    trace = traces.extract(grey, kernel_size=3)
    assert trace.kernels.shape == (3, 3, 3)
    assert trace.sigma.shape == trace.converged.shape == (3,)
    np.testing.assert_array_equal(trace.kernels[0], trace.kernels[2])
    single = traces.extract(grey, kernel_size=3, channels="luminance")
    np.testing.assert_array_equal(single.kernels[0], trace.kernels[0])


def test_path_bytes_and_pillow_agree(colour, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(colour).save(path)
    expected = traces.extract(colour, kernel_size=3).kernels
    for source in (path, str(path), path.read_bytes(), Image.fromarray(colour)):
        np.testing.assert_array_equal(traces.extract(source, kernel_size=3).kernels, expected)


@pytest.mark.parametrize("channels", ["", "rr", "x", "cmyk"])
def test_unknown_channels_are_refused(colour, channels):
    with pytest.raises(TraceError, match="take 'rgb', letters out of it, or 'luminance'"):
        traces.extract(colour, channels=channels)


def test_missing_file_is_an_image_error(tmp_path):
    with pytest.raises(ImageError, match=r"none\.png"):
        traces.extract(tmp_path / "none.png")
