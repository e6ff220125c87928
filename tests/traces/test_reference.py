"""The reference is judged by pictures whose kernel is known."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace.errors import TraceError
from convtrace.traces import reference


def _predicted(seed: int, share: float, noise: float) -> np.ndarray:
    """Return rows in which ``share`` of every third pixel is the mean of its neighbours."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, size=(96, 192))
    kept = rng.random((96, 64)) < share
    mean = (image[:, 0::3] + image[:, 2::3]) / 2 + noise * rng.standard_normal((96, 64))
    image[:, 1::3] = np.where(kept, mean, image[:, 1::3])
    return image


def test_finds_the_predicting_kernel_among_unpredicted_pixels():
    found = reference.fit(_predicted(0, 0.9, 1.0), 3, tolerance=1e-8)
    expected = np.zeros((3, 3))
    expected[1, 0] = expected[1, 2] = 0.5
    assert found.converged
    np.testing.assert_allclose(found.kernel, expected, atol=0.02)
    assert found.sigma == pytest.approx(1.0, abs=0.1)
    # One pixel in three, nine in ten of them.
    assert found.weight == pytest.approx(0.3, abs=0.05)


def test_unit_scale_collapses_to_least_squares():
    image = _predicted(1, 0.9, 1.0)
    neighbours, pixels = reference.design(image / 255, 3)
    ordinary = np.linalg.lstsq(neighbours, pixels, rcond=None)[0]
    scaled = reference.fit(image / 255, 3, tolerance=1e-8)
    right = reference.fit(image, 3, tolerance=1e-8)
    assert scaled.weight > 0.95
    assert np.max(np.abs(np.delete(scaled.kernel.ravel(), 4) - ordinary)) < 0.01
    assert np.max(np.abs(np.delete(right.kernel.ravel(), 4) - ordinary)) > 0.05


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_log_likelihood_never_falls(kernel_size):
    image = _predicted(2, 0.5, 3.0)
    values = [
        reference.fit(image, kernel_size, tolerance=1e-12, max_iterations=n).log_likelihood
        for n in range(1, 12)
    ]
    assert np.all(np.diff(values) > -1e-12)


def test_fixed_point_does_not_depend_on_the_start(corpus):
    from convtrace.image import read

    path = sorted((corpus / "real-ffhq1024").glob("*.png"))[0]
    image = read(path).pixels[:128, :128, 1]
    fits = [reference.fit(image, 3, tolerance=1e-9, max_iterations=3000)]
    fits += [
        reference.fit(image, 3, tolerance=1e-9, max_iterations=3000, start="random", seed=seed)
        for seed in range(4)
    ]
    for other in fits[1:]:
        np.testing.assert_allclose(other.kernel, fits[0].kernel, atol=1e-5)


def test_expectation_is_the_posterior_of_two_classes():
    density, responsibility = reference.expectation(np.array([0.0, 1.0, 1e3]), 2.0)
    assert density[0] == pytest.approx(1 / (2 * np.sqrt(2 * np.pi)))
    assert responsibility[0] == pytest.approx(density[0] / (density[0] + 1 / 256))
    assert responsibility[2] == 0


def test_channel_smaller_than_the_kernel_is_refused():
    with pytest.raises(TraceError, match="4x9 pixels is smaller than the 5x5 kernel"):
        reference.fit(np.zeros((9, 4)), 5)
