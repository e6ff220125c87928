"""The posterior map against the reference's own E step, and its options."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace import traces
from convtrace.errors import TraceError
from convtrace.traces import reference


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(3)
    smooth = rng.normal(size=(60, 70, 3)).cumsum(axis=0).cumsum(axis=1)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    return np.clip(np.rint(smooth + rng.normal(scale=2, size=smooth.shape)), 0, 255).astype(
        np.uint8
    )


@pytest.mark.parametrize("size", [3, 7])
def test_equals_the_e_step_of_the_reference(pixels, size):
    trace = traces.extract(pixels, kernel_size=size)
    found = traces.posterior_map(pixels, trace=trace)
    side = size // 2
    assert found.shape == (3, 60 - 2 * side, 70 - 2 * side)
    for channel in range(3):
        neighbours, grey = reference.design(pixels[..., channel], size)
        flat = trace.kernels[channel].ravel()
        residual = grey - neighbours @ np.delete(flat, flat.size // 2)
        _, expected = reference.expectation(residual, float(trace.sigma[channel]))
        # float32 residuals: far out in the tail of the density tiny numbers differ a little.
        np.testing.assert_allclose(found[channel].ravel(), expected, atol=2e-3)
        assert found[channel].mean() == pytest.approx(trace.weight[channel], abs=1e-3)


def test_fits_where_no_trace_is_given(pixels):
    trace = traces.extract(pixels, kernel_size=5)
    np.testing.assert_array_equal(
        traces.posterior_map(pixels), traces.posterior_map(pixels, trace=trace)
    )


def test_greyscale_stands_for_each_channel(pixels):
    found = traces.posterior_map(pixels[..., 0], kernel_size=3)
    assert found.shape[0] == 3
    np.testing.assert_array_equal(found[0], found[2])


def test_says_what_does_not_fit(pixels):
    trace = traces.extract(pixels, kernel_size=3)
    with pytest.raises(TraceError, match="channels"):
        traces.posterior_map(pixels, trace=trace, channels="g")
    with pytest.raises(TraceError, match="smaller"):
        traces.posterior_map(pixels[:2], trace=trace)
