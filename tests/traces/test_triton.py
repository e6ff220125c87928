"""The kernels of the GPU return what the passes of the CPU return.

Without a CUDA device Triton's interpreter runs them, on small planes.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'gpu' is not installed")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and "triton" not in sys.modules:
    # Triton decides when it is imported whether kernels are compiled or interpreted.
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton", reason="Triton is not installed")
if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("Triton was imported as a compiler, and there is no CUDA", allow_module_level=True)

from convtrace import traces  # noqa: E402
from convtrace.traces import _ascent, _batch, _optimiser, _passes, _triton  # noqa: E402
from convtrace.traces.model import offsets  # noqa: E402

MODES = {
    "gradient": _passes.GRADIENT,
    "expected": _passes.EXPECTED,
    "observed": _passes.OBSERVED,
    "least squares": _passes.LEAST_SQUARES,
}


def _planes(shape, seed, *, whole=True):
    """Return noise that is smooth to several degrees."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape)
    for index in range(1, len(noise)):
        for _ in range(index):
            noise[index] = 0.5 * noise[index] + 0.25 * (
                np.roll(noise[index], 1, 0) + np.roll(noise[index], 1, 1)
            )
    planes = np.clip(128 + 50 * noise / noise.std(axis=(1, 2), keepdims=True), 0, 255)
    return (np.rint(planes) if whole else planes).astype(np.float32)


def _thetas(count, size, seed):
    rng = np.random.default_rng(seed)
    d = size * size - 1
    theta = np.full((count, d + 1), 1.0 / d) + 0.02 * rng.normal(size=(count, d + 1))
    theta[:, d] = 2.0 * np.log(rng.uniform(1.0, 20.0, size=count))
    return theta


def _expected(plane, theta, size, mode, precise):
    steps = offsets(size)
    shifts = (steps[:, 0] * plane.shape[1] + steps[:, 1]).astype(np.int64)
    lines = np.zeros((7, _passes.BAND), np.float32)
    return _passes.evaluate(
        plane.reshape(-1), plane.shape[1], shifts, theta[:-1], np.exp(theta[-1]), mode, precise,
        lines,
    )  # fmt: skip


def _compare(planes, rows, theta, size, mode, *, precise, rtol):
    stack = _triton.Planes.of(torch.from_numpy(planes).to(DEVICE))
    sums, gradient, information = _triton.evaluate(
        stack, torch.tensor(rows, device=DEVICE), torch.from_numpy(theta).to(DEVICE), size, mode,
        precise=precise,
    )  # fmt: skip
    for index, row in enumerate(rows):
        wanted = _expected(planes[row], theta[index], size, mode, precise)
        scale = np.abs(planes[row]).sum() * np.sqrt(wanted[0][1] / max(wanted[0][0], 1.0))
        scale /= np.exp(theta[index, -1])
        np.testing.assert_allclose(sums[index].cpu(), wanted[0], rtol=rtol, atol=1e-3)
        np.testing.assert_allclose(gradient[index].cpu(), wanted[1], atol=rtol * scale)
        if mode == _passes.GRADIENT:
            assert information is None
        else:
            found = information[index].cpu().numpy()
            np.testing.assert_array_equal(found, found.T)
            # The terms of the observed information have both signs.
            terms = _expected(planes[row], theta[index], size, _passes.EXPECTED, False)[2]
            largest = max(np.abs(wanted[2]).max(), np.abs(terms).max())
            np.testing.assert_allclose(found, wanted[2], atol=rtol * largest, rtol=0.0)


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "fractions"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [3, 5, 7, 9])
def test_same_as_the_passes_of_the_cpu(size, mode, whole):
    planes = _planes((3, 19, 31), seed=size, whole=whole)
    _compare(planes, [2, 0], _thetas(2, size, 1), size, MODES[mode], precise=False, rtol=2e-6)


@pytest.mark.parametrize("mode", ["gradient", "expected"])
@pytest.mark.parametrize("size", [3, 7])
def test_same_in_double_precision(size, mode):
    planes = _planes((2, 19, 31), seed=size)
    # The matrix stays in single precision.
    rtol = 3e-7 if mode == "gradient" else 2e-6
    _compare(planes, [0, 1], _thetas(2, size, 2), size, MODES[mode], precise=True, rtol=rtol)


def test_several_programs_a_plane_and_several_parts(monkeypatch):
    monkeypatch.setattr(_triton, "PARTIAL_BYTES", 1)
    planes = _planes((3, 100, 140), seed=3)
    _compare(
        planes, [0, 1, 2], _thetas(3, 5, 3), 5, _passes.OBSERVED, precise=False, rtol=2e-6
    )  # fmt: skip


def test_weights_of_the_observed_information_fit_into_float16():
    """The largest there are, at the least sigma, times the largest whole number."""
    planes = np.full((1, 12, 12), 1024, np.float32)
    planes[0, ::2, ::3] = 1023
    theta = np.zeros((1, 9))
    theta[0, :8] = 1.0 / 8
    theta[0, 8] = _optimiser._FLOOR
    _compare(planes, [0], theta, 3, _passes.OBSERVED, precise=False, rtol=1e-4)


@pytest.mark.parametrize("side", [9, 25, 49])
def test_inverses(side):
    rng = np.random.default_rng(side)
    root = rng.normal(size=(4, side, 2 * side))
    matrix = root @ root.transpose(0, 2, 1)
    matrix[0] *= np.outer(np.logspace(-3, 3, side), np.logspace(-3, 3, side))
    # Dependent rows, an indefinite matrix, and one of zeros need a ridge.
    matrix[2, -1] = matrix[2, 0]
    matrix[2, :, -1] = matrix[2, :, 0]
    matrix[2, -1, -1] = matrix[2, 0, 0]
    matrix[3] = 0.0
    found, sound = _triton.invert(torch.from_numpy(matrix).to(DEVICE), ridge=True)
    assert sound.tolist() == [True, True, False, False]
    for index in range(4):
        wanted = np.empty((side, side))
        ridged = _optimiser._expected_inverse(matrix[index], wanted)
        assert ridged == (index >= 2)
        scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
        np.testing.assert_allclose(found[index].cpu().numpy() / scale, wanted / scale, atol=1e-7)
    _, sound = _triton.invert(torch.from_numpy(-matrix).to(DEVICE), ridge=False)
    assert not sound.any()


def test_inverses_of_sums_that_overflowed_are_no_numbers():
    matrix = torch.eye(9, dtype=torch.float64, device=DEVICE).repeat(2, 1, 1)
    matrix[1, 3, 3] = float("nan")
    for invert in (
        lambda: _triton.invert(matrix, ridge=True)[0],
        lambda: _batch._expected_inverse(torch, matrix)[0],
    ):
        found = invert().cpu().numpy()
        np.testing.assert_allclose(found[0], np.eye(9), atol=1e-12)
        assert np.isnan(found[1]).all()


def test_fits_with_kernels_end_where_the_cpu_ends():
    planes = _planes((3, 22, 26), seed=9)
    stack = _triton.Planes.of(torch.from_numpy(planes).to(DEVICE))
    batch = _batch.Batch(torch, stack.pixels, 3, _triton, stack)
    kernels, sigma, weight, _, passes, converged, _ = _ascent.maximise(batch, 1e-6, 500)
    expected = traces.fit(list(planes), 3)
    assert converged.all()
    np.testing.assert_allclose(kernels, expected.kernels, atol=1e-5)
    np.testing.assert_allclose(sigma, expected.sigma, rtol=1e-5)
    np.testing.assert_allclose(weight, expected.weight, atol=1e-5)
    np.testing.assert_array_equal(passes, expected.iterations)
