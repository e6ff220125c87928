from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from convtrace.errors import TraceError
from convtrace.traces import misfit_map, posterior_map

SIDE, PART = 192, slice(70, 120)


def textured(rng: np.random.Generator, width: float) -> np.ndarray:
    """Noise of one width, on which the kernel depends; neighbours differ by as much."""
    noise = gaussian_filter(rng.normal(size=(SIDE, SIDE)), width)
    return noise / np.diff(noise).std() * 8 + 128


def rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def test_a_part_with_another_trace_stands_out_and_contrast_alone_does_not():
    rng = np.random.default_rng(0)
    pixels = textured(rng, 2.0)
    pasted, stretched = pixels.copy(), pixels.copy()
    pasted[PART, PART] = textured(rng, 0.6)[PART, PART]
    stretched[:, : SIDE // 2] = (stretched[:, : SIDE // 2] - 128) * 2 + 128
    found = misfit_map(posterior_map(rounded(pasted), channels="g"), rounded(pasted))
    assert found.shape == (SIDE - 4, SIDE - 4)
    assert found[PART, PART].mean() > found.mean() + found.std()
    found = misfit_map(posterior_map(rounded(stretched), channels="g"), rounded(stretched))
    halves = found[:, 20 : SIDE // 2 - 20].mean(), found[:, SIDE // 2 + 20 : -20].mean()
    assert abs(halves[0] - halves[1]) < 0.5


def test_a_flat_picture_has_nothing_to_compare():
    pixels = np.full((64, 80, 3), 128, dtype=np.uint8)
    found = misfit_map(np.ones((3, 58, 74), dtype=np.float32), pixels)
    assert found.shape == (58, 74)
    assert not found.any()


@pytest.mark.parametrize("shape", [(64, 63), (60, 58), (50, 50), (59, 59)])
def test_a_map_of_another_picture_is_refused(shape):
    with pytest.raises(TraceError, match="does not belong"):
        misfit_map(np.ones((1, 58, 58), dtype=np.float32), np.zeros(shape, dtype=np.uint8))
