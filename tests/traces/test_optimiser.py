"""The parts of the ascent, where their answer is known."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from convtrace import image, traces
from convtrace.traces import reference
from convtrace.traces._optimiser import _MOST_STEPS, _REACH, _invert, _multiply, _stride


def definite(n, rng, least=0.5):
    """Return a symmetric matrix with eigenvalues from `least` to 1."""
    turn, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return (turn * np.linspace(least, 1.0, n)) @ turn.T


def em_steps(metric, information, gradient, count):
    """Return the sum of EM steps of the quadratic model, one by one."""
    total = np.zeros(len(gradient))
    for _ in range(count):
        total += np.linalg.solve(metric, gradient - information @ total)
    return total


def test_products_and_inverses():
    rng = np.random.default_rng(0)
    a, b, out = rng.normal(size=(7, 7)), rng.normal(size=(7, 7)), np.empty((7, 7))
    _multiply(a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=1e-12, atol=1e-12)
    matrix = definite(7, rng)
    assert _invert(matrix, 0.0, out)
    np.testing.assert_allclose(out @ matrix, np.eye(7), atol=1e-12)
    assert not _invert(-matrix, 0.0, out)


def test_a_short_way_to_the_maximum_is_taken_at_once():
    rng = np.random.default_rng(1)
    metric = definite(9, rng)
    information = 0.1 * definite(9, rng)
    gradient = rng.normal(size=9)
    newton = np.linalg.solve(information, gradient)
    gradient *= 0.5 * _REACH / np.max(np.abs(newton))
    step = _stride(metric, information, gradient, _REACH, np.empty((9, 9)))
    np.testing.assert_allclose(step, np.linalg.solve(information, gradient), rtol=1e-8)


@pytest.mark.parametrize("least", [0.02, -0.02])
def test_a_stride_is_a_power_of_two_of_em_steps_within_reach(least):
    """Also where the likelihood curves upwards, so that there is no maximum nearby."""
    rng = np.random.default_rng(2)
    metric = np.eye(9)
    information = definite(9, rng, least)
    gradient = rng.normal(size=9)
    gradient *= 0.2 * _REACH / np.max(np.abs(gradient))
    step = _stride(metric, information, gradient, _REACH, np.empty((9, 9)))
    counts = 2 ** np.arange(int(np.log2(_MOST_STEPS)) + 1)
    sums = [em_steps(metric, information, gradient, count) for count in counts[:10]]
    taken = int(np.argmin([np.abs(each - step).max() for each in sums]))
    np.testing.assert_allclose(step, sums[taken], rtol=1e-9, atol=1e-15)
    assert 0 < taken < 9
    longer = sums[taken + 1]
    assert max(np.abs(longer[:-1]).max(), 0.1 * abs(longer[-1])) > _REACH


@pytest.mark.parametrize(
    "name",
    [
        "real-horse2zebra-jpeg/0076.jpg",  # saturated: sigma at its floor
        "ldm-txt2img256/0049.png",  # smooth: EM takes 1,000 passes, and float32 sums mislead
        "real-horse2zebra-jpeg/0071.jpg",  # the ascent ends in rounding and is taken up again
    ],
)
def test_hard_pictures_end_where_em_does(corpus, name):
    plane = image.read(corpus / name).pixels[:, :, 1]
    top, left = ((side - 256) // 2 for side in plane.shape)
    plane = plane[top : top + 256, left : left + 256]
    oracle = reference.fit(plane, 3, tolerance=1e-9, max_iterations=2000)
    found = traces.fit([plane], 3)
    assert oracle.converged
    assert found.converged[0]
    assert np.abs(found.kernels[0] - oracle.kernel).max() < 2e-5


def test_the_path_of_em_is_taken_up_again_from_where_it_was_left(corpus):
    """With the metric of another sigma the first stride left for a sigma of a million."""
    picture = Image.open(corpus / "real-pix2pix-targets/0067.png").convert("RGB")
    width, height = picture.size
    small = picture.resize((width // 2, height // 2), Image.Resampling.BOX)
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.NEAREST).save(buffer, "JPEG", quality=95)
    plane = np.asarray(Image.open(buffer))[:256, :256, 2]
    found = traces.fit([plane], 7)
    few = reference.fit(plane, 7, tolerance=1e-9, max_iterations=100)
    assert found.sigma[0] < 1.0
    assert found.log_likelihood[0] >= few.log_likelihood - 1e-3
