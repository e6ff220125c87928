"""The production solver is judged by the reference, and by pictures that break solvers."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convtrace.errors import TraceError
from convtrace.traces import _optimiser, fit, reference, solver
from convtrace.traces.model import KERNEL_SIZES


def smooth(seed: int, shape: tuple[int, int] = (96, 112)) -> np.ndarray:
    """Return a picture-like random field of whole grey levels."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[1]), np.fft.fftfreq(shape[0])))
    spectrum = np.fft.fft2(rng.standard_normal(shape)) / (frequency + 0.02) ** 1.5
    field = np.real(np.fft.ifft2(spectrum))
    field = 128 + 50 * (field - field.mean()) / field.std()
    return np.clip(np.rint(field + rng.standard_normal(shape)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kernel_size", KERNEL_SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_the_reference(kernel_size, seed):
    image = smooth(seed)
    expected = reference.fit(image, kernel_size, tolerance=1e-9, max_iterations=3000)
    found = fit([image], kernel_size)
    assert expected.converged
    assert found.converged[0]
    assert not found.regularized[0]
    np.testing.assert_allclose(found.kernels[0], expected.kernel, atol=2e-6)
    assert found.sigma[0] == pytest.approx(expected.sigma, rel=1e-5)
    assert found.weight[0] == pytest.approx(expected.weight, abs=1e-5)
    assert found.log_likelihood[0] == pytest.approx(expected.log_likelihood, abs=1e-5)


def test_agrees_with_the_reference_on_real_pictures(corpus):
    from convtrace.image import read

    for folder in ("real-imagenet256", "ldm-txt2img256", "dcgan-lfw64", "real-ffpp-original-c40"):
        path = sorted((corpus / folder).iterdir())[3]
        plane = read(path).pixels[:128, :128, 0]
        expected = reference.fit(plane, 5, tolerance=1e-9, max_iterations=3000)
        found = fit([plane], 5)
        np.testing.assert_allclose(found.kernels[0], expected.kernel, atol=1e-5, err_msg=folder)


def test_the_random_start_of_the_reference_leads_to_the_same_kernel():
    image = smooth(3)
    found = fit([image], 3)
    for seed in range(3):
        other = reference.fit(
            image, 3, tolerance=1e-9, max_iterations=5000, start="random", seed=seed
        )
        np.testing.assert_allclose(found.kernels[0], other.kernel, atol=1e-5)


def test_same_numbers_for_any_number_of_threads():
    planes = [smooth(seed) for seed in range(5)]
    one = fit(planes, 5, threads=1)
    three = fit(planes, 5, threads=3)
    np.testing.assert_array_equal(one.kernels, three.kernels)
    np.testing.assert_array_equal(one.sigma, three.sigma)
    np.testing.assert_array_equal(one.iterations, three.iterations)


def test_lets_go_of_the_interpreter_lock():
    """A thread of Python code must advance while a fit runs."""
    image = np.tile(smooth(0), (16, 16))
    fit([image[:64, :64]], 3)
    turns, done = 0, threading.Event()

    def count() -> None:
        nonlocal turns
        while not done.wait(0.0005):
            turns += 1

    other = threading.Thread(target=count)
    other.start()
    before = turns
    fit([image], 7)
    during = turns - before
    done.set()
    other.join()
    assert during > 10


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_dtype_and_strides_do_not_matter(dtype):
    colour = np.stack([smooth(0), smooth(1), smooth(2)], axis=-1).astype(dtype)
    expected = fit([np.ascontiguousarray(smooth(1))], 3)
    np.testing.assert_array_equal(fit([colour[..., 1]], 3).kernels, expected.kernels)
    flipped = np.asfortranarray(colour[..., 1])
    np.testing.assert_array_equal(fit([flipped], 3).kernels, expected.kernels)


def test_mirrored_picture_has_the_mirrored_kernel():
    image = smooth(4)
    kernel = fit([image], 5).kernels[0]
    mirrored = fit([image[:, ::-1]], 5).kernels[0]
    np.testing.assert_allclose(mirrored[:, ::-1], kernel, atol=1e-5)
    turned = fit([image.T], 5).kernels[0]
    np.testing.assert_allclose(turned.T, kernel, atol=1e-5)


@pytest.mark.parametrize("level", [0, 7, 255])
@pytest.mark.parametrize("kernel_size", [3, 7])
def test_constant_picture_gives_the_mean_filter_and_says_so(level, kernel_size):
    trace = fit([np.full((40, 50), level)], kernel_size)
    d = kernel_size**2 - 1
    assert trace.regularized[0]
    assert trace.sigma[0] == pytest.approx(0.05, rel=0.2)
    assert trace.weight[0] > 0.9
    expected = np.full(d, 1 / d)
    np.testing.assert_allclose(trace.vector, expected, atol=1e-6)


def _hard(name: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    if name == "two-valued":
        return np.where(rng.random((64, 64)) < 0.5, 0, 255)
    if name == "text":
        page = np.full((64, 96), 255)
        page[8::12, 5:90] = 0
        page[9::12, 5:90:3] = 0
        return page
    if name == "saturated":
        return np.where(np.arange(64)[:, None] < 40, 255, smooth(1, (64, 80)))
    if name == "black with one dot":
        dot = np.zeros((48, 48))
        dot[20, 30] = 255
        return dot
    if name == "ramp":
        return np.tile(np.arange(80) * 3.0, (64, 1))
    if name == "checkerboard":
        return np.indices((64, 64)).sum(axis=0) % 2 * 255
    if name == "noise":
        return rng.integers(0, 256, size=(64, 64))
    if name == "out of range":
        return rng.normal(0, 1e4, size=(64, 64))
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    [
        "two-valued",
        "text",
        "saturated",
        "black with one dot",
        "ramp",
        "checkerboard",
        "noise",
        "out of range",
    ],
)
@pytest.mark.parametrize("kernel_size", [3, 5, 7])
def test_hard_pictures_have_a_finite_result(name, kernel_size):
    trace = fit([_hard(name)], kernel_size)
    assert np.all(np.isfinite(trace.kernels))
    assert 0.05 * (1 - 1e-9) <= trace.sigma[0] < 1e6
    assert 0 <= trace.weight[0] <= 1
    assert np.isfinite(trace.log_likelihood[0])
    assert 1 <= trace.iterations[0] <= solver.MAX_PASSES + 5


@pytest.mark.parametrize(("side", "seed"), [(16, 21), (16, 22), (16, 33), (24, 0)])
def test_a_long_step_of_sigma_does_not_run_away(side, seed):
    """The first stride along the path of EM is a linear guess of a change of log sigma^2."""
    noise = np.random.default_rng(seed).integers(0, 256, size=(side, side))
    rows, columns = np.indices(noise.shape)
    doubled = noise[rows // 2, columns // 2]
    found = fit([doubled], 3)
    expected = reference.fit(doubled, 3, tolerance=1e-9, max_iterations=3000)
    assert found.converged[0]
    assert found.log_likelihood[0] > expected.log_likelihood - 1e-6


@pytest.mark.parametrize("name", ["text", "ramp", "checkerboard"])
def test_dependent_neighbours_are_flagged(name):
    assert fit([_hard(name)], 5).regularized[0]


@given(
    st.integers(3, 24),
    st.integers(3, 24),
    st.sampled_from([1, 2, 5, 256]),
    st.integers(0, 2**31 - 1),
)
@settings(max_examples=60, deadline=None)
def test_any_small_picture_has_a_finite_result(height, width, levels, seed):
    rng = np.random.default_rng(seed)
    plane = rng.integers(0, levels, size=(height, width)) * (255 // levels)
    trace = fit([plane], 3)
    assert np.all(np.isfinite(trace.vector))
    assert np.isfinite(trace.log_likelihood[0])
    if (height - 2) * (width - 2) < 8:
        assert trace.regularized[0]


def test_two_pixels_of_a_black_plane_do_not_keep_the_solver_forever():
    """A coefficient that two pixels alone speak for went so far that sums overflowed.

    Then no ridge was enough for the matrix, and ever larger ones were tried.
    """
    image = np.zeros((64, 64), np.uint8)
    image[8, 13:15] = 1
    found = fit([image], 5)
    assert found.converged[0]
    assert np.isfinite(found.vector).all()
    assert np.abs(found.kernels).max() <= 1.0


def test_no_step_is_taken_by_a_matrix_whose_sums_overflowed():
    inverse = np.zeros((3, 3))
    assert _optimiser._expected_inverse(np.full((3, 3), np.inf), inverse)
    assert np.isnan(inverse).all()


def test_the_largest_levels_have_a_finite_result():
    plane = np.random.default_rng(0).normal(size=(32, 32)) * 1e8
    found = fit([plane], 3)
    assert np.isfinite(found.vector).all()
    assert np.isfinite(found.sigma).all()


@pytest.mark.parametrize("level", [0, 1, 128, 255])
@pytest.mark.parametrize("kernel_size", [3, 5, 7])
def test_a_few_pixels_of_a_flat_plane_make_no_huge_coefficient(level, kernel_size):
    rng = np.random.default_rng(level)
    planes = np.full((24, 40, 40), level)
    for plane in planes:
        for row, column in rng.integers(0, 39, size=(rng.integers(1, 7), 2)):
            plane[row, column : column + 2] += rng.choice([-30, -2, -1, 1, 2, 30])
    found = fit(list(planes.clip(0, 255).astype(np.uint8)), kernel_size)
    assert np.isfinite(found.kernels).all()
    assert np.isfinite(found.log_likelihood).all()
    # Steps are of 1 at most, and few.
    assert np.abs(found.kernels).max() < 100.0


def test_smallest_picture_is_as_large_as_the_kernel():
    assert np.isfinite(fit([smooth(0, (7, 7))], 7).vector).all()
    with pytest.raises(TraceError, match="8x6 pixels is smaller than the 7x7 kernel"):
        fit([np.zeros((6, 8))], 7)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2e9, -1e18])
def test_values_that_cannot_be_summed_over_are_refused(value):
    plane = smooth(0).astype(float)
    plane[3, 4] = value
    with pytest.raises(TraceError, match="not finite"):
        fit([plane], 3)


@pytest.mark.parametrize("kernel_size", [0, 1, 2, 4, 11, -3, "5", True, 3.5])
def test_other_kernel_sizes_are_refused(kernel_size):
    with pytest.raises(TraceError, match="choose one of 3, 5, 7, 9"):
        fit([smooth(0)], kernel_size)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tolerance": 0.0}, "not a positive number"),
        ({"tolerance": float("nan")}, "not a positive number"),
        ({"max_passes": 0}, "at least 1"),
        ({"threads": 0}, "at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options, reason):
    with pytest.raises(TraceError, match=reason):
        fit([smooth(0)], 3, **options)


def test_shape_and_number_of_planes_are_checked():
    with pytest.raises(TraceError, match="2 dimensions, not 3"):
        fit([np.zeros((5, 5, 3))], 3)
    with pytest.raises(TraceError, match="no channel"):
        fit([], 3)


def test_few_passes_are_reported_as_not_converged():
    trace = fit([smooth(0)], 5, max_passes=2)
    assert not trace.converged[0]
    assert np.all(np.isfinite(trace.kernels))


def test_vector_leaves_the_centres_out():
    trace = fit([smooth(0), smooth(1)], 3)
    assert trace.vector.shape == (16,)
    assert trace.kernel_size == 3
    np.testing.assert_array_equal(trace.kernels[:, 1, 1], 0)
    np.testing.assert_array_equal(trace.vector[:4], trace.kernels[0].ravel()[:4])


def test_compiled_after_the_first_fit():
    solver.warm_up()
    assert solver.is_compiled()
