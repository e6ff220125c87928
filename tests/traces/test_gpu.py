"""The solver of batches ends where the CPU solver ends, on PyTorch's CPU build."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from convtrace import datasets, image, traces
from convtrace.errors import TraceError

pytest.importorskip("torch", reason="the extra 'gpu' is not installed")

from convtrace.traces import _ascent, _batch, _doubt, gpu
from convtrace.traces.extraction import FIELDS
from convtrace.traces.solver import Trace


def _planes(count, side, seed=0):
    """Return noise of several colours, clipped, with some pixels that no neighbour predicts."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        noise = rng.normal(size=(side + 8, side + 8))
        for _ in range(index % 4):
            noise = 0.5 * noise + 0.25 * np.roll(noise, 1, 0) + 0.25 * np.roll(noise, 1, 1)
        plane = 128 + 60 * noise[4:-4, 4:-4] / noise.std()
        lone = rng.random(plane.shape) < 0.02 * (index % 3)
        plane[lone] = rng.uniform(0, 255, size=int(lone.sum()))
        found.append(np.clip(np.rint(plane), 0, 255))
    return np.stack(found).astype(np.uint8)


def _flat_planes(side, seed=0):
    """Return planes that flat areas make the fit of: the likelihood has many maxima."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, size=(side, side)).astype(np.uint8)
    rows, columns = np.indices(noise.shape)
    doubled = noise[rows // 2, columns // 2]
    saturated = np.where(columns < side // 2, 255, noise)
    wave = np.rint(128 + 100 * np.sin(columns / 5.3))
    return np.stack([doubled, saturated, wave, np.full_like(noise, 77)]).astype(np.uint8)


def _assert_same(found, at, expected):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name)[at], getattr(expected, name), name)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_flat_planes_are_those_of_the_cpu_solver_to_the_last_bit(monkeypatch, size):
    flat, textured = _flat_planes(48), _planes(3, 48)
    planes = np.concatenate([textured[:2], flat, textured[2:]])
    expected = traces.fit(list(flat), size)
    real = gpu.maximise

    def elsewhere(*given):
        # The rounding of some device ends in another maximum.
        kernels, sigma, *others = real(*given)
        kernels[sigma < 0.2] += 0.1
        return kernels, sigma, *others

    monkeypatch.setattr(gpu, "maximise", elsewhere)
    found = gpu.fit_batch(planes, size, device="cpu")
    assert found.anew.tolist() == [False] * 2 + [True] * 4 + [False]
    _assert_same(found, slice(2, 6), expected)
    alone = gpu.fit_batch(planes, size, device="cpu", settle=False)
    assert not alone.anew.any()
    assert _doubt.in_doubt(alone).tolist() == found.anew.tolist()
    _assert_same(found, ~found.anew, Trace(*(getattr(alone, n)[~found.anew] for n in FIELDS)))
    assert np.abs(alone.kernels - found.kernels)[found.anew].max() > 1e-4


def test_which_planes_are_in_doubt():
    cases = [  # sigma, passes, converged, in doubt
        (0.05, 5, True, True),
        (0.28, 5, True, True),
        (0.30, 50, True, False),
        (0.30, 51, True, True),
        (0.57, 51, True, True),
        (0.59, 100, True, False),
        (9.00, 101, True, True),
        (9.00, 500, False, True),
    ]
    sigma, passes, converged, doubt = map(np.array, zip(*cases, strict=True))
    trace = SimpleNamespace(sigma=sigma, iterations=passes, converged=converged)
    assert _doubt.in_doubt(trace).tolist() == doubt.tolist()


def test_planes_that_did_not_converge_are_those_of_the_cpu_solver():
    planes = _planes(4, 40, seed=5)
    found = gpu.fit_batch(planes, 5, device="cpu", max_passes=6)
    assert found.anew.any()
    expected = traces.fit(list(planes[found.anew]), 5, max_passes=6)
    _assert_same(found, found.anew, expected)


def test_settled_beside_the_batches_of_a_device(monkeypatch):
    planes = np.concatenate([_planes(5, 40), _flat_planes(40), _planes(2, 40, seed=1)])
    expected = gpu.fit_batch(planes, 3, device="cpu")
    monkeypatch.setitem(gpu._PLANES, "cpu", 3)
    monkeypatch.setitem(gpu._WORKERS, "cpu", 2)
    found = gpu.fit_batch(planes, 3, device="cpu", threads=2)
    np.testing.assert_array_equal(found.anew, expected.anew)
    np.testing.assert_allclose(found.kernels, expected.kernels, atol=1e-6)
    _assert_same(found, found.anew, traces.fit(list(planes[found.anew]), 3))


@pytest.mark.parametrize(("bytes_", "threads"), [(4 * 32 * 32 * 2, 2), (1, 1), (1 << 30, 3)])
def test_copies_of_planes_in_doubt_are_bounded(monkeypatch, bytes_, threads):
    planes, asked = _flat_planes(32), []
    real = _doubt.fit

    def fit(planes, size, **given):
        asked.append(given["threads"])
        return real(planes, size, **given)

    monkeypatch.setattr(_doubt, "fit", fit)
    monkeypatch.setattr(_doubt, "_COPIES", bytes_)
    gpu.fit_batch(planes, 3, device="cpu", threads=3)
    assert asked == [threads]


def test_greyscale_in_doubt_stands_for_its_channels():
    picture = _flat_planes(32)[0]
    (found,) = gpu.extract_batch([picture], kernel_size=3, device="cpu")
    assert found.anew.tolist() == [True] * 3
    _assert_same(found, slice(None), traces.extract(picture, kernel_size=3))


@pytest.mark.parametrize("size", [3, 5, 7])
def test_same_as_the_cpu_solver(size):
    planes = _planes(24, 48)
    expected = traces.fit(list(planes), size)
    found = gpu.fit_batch(planes, size, device="cpu")
    sure = ~expected.regularized & expected.converged
    assert sure.sum() >= 15
    distance = np.abs(found.kernels - expected.kernels).max(axis=(1, 2))
    assert distance[sure].max() < 1e-4
    np.testing.assert_allclose(found.sigma[sure], expected.sigma[sure], rtol=1e-4)
    np.testing.assert_allclose(found.weight[sure], expected.weight[sure], atol=1e-4)
    np.testing.assert_allclose(found.log_likelihood[sure], expected.log_likelihood[sure], atol=1e-4)
    np.testing.assert_array_equal(found.regularized, expected.regularized)
    assert found.converged[sure].all()


def test_bands_and_companions_do_not_matter(monkeypatch):
    planes = _planes(6, 40, seed=1)
    whole = gpu.fit_batch(planes, 5, device="cpu")
    monkeypatch.setitem(_batch.BAND_BYTES, "cpu", 1)
    narrow = gpu.fit_batch(planes, 5, device="cpu")
    np.testing.assert_allclose(narrow.kernels, whole.kernels, atol=1e-5)
    alone = gpu.fit_batch(planes[2:3], 5, device="cpu")
    np.testing.assert_allclose(alone.kernels[0], whole.kernels[2], atol=1e-5)


def test_few_pixels_of_a_black_plane_spoil_no_batch():
    plain = np.random.default_rng(0).integers(0, 256, size=(2, 64, 64), dtype=np.uint8)
    odd = np.zeros((3, 64, 64), np.uint8)
    odd[0, 8, 13:15] = 1
    odd[1, 20, 30] = 255
    together = gpu.fit_batch(np.concatenate([plain, odd]), 5, device="cpu", settle=False)
    assert np.isfinite(together.kernels).all()
    assert np.abs(together.kernels).max() < 100.0
    alone = gpu.fit_batch(plain, 5, device="cpu", settle=False)
    np.testing.assert_allclose(together.kernels[:2], alone.kernels, atol=1e-9)


def test_pictures_of_many_sizes(monkeypatch):
    monkeypatch.setitem(gpu._PLANES, "cpu", 4)
    rng = np.random.default_rng(2)
    pictures = [
        rng.integers(0, 256, size=shape, dtype=np.uint8)
        for shape in [(20, 24, 3), (16, 16, 3), (20, 24, 3), (16, 16)]
    ]
    found = gpu.extract_batch(pictures, kernel_size=3, device="cpu")
    for picture, trace in zip(pictures, found, strict=True):
        expected = traces.extract(picture, kernel_size=3)
        np.testing.assert_allclose(trace.kernels, expected.kernels, atol=1e-5)


def test_memory_that_pytorch_keeps_counts_as_free():
    def planes(free, reserved, allocated):
        cuda = SimpleNamespace(
            mem_get_info=lambda: (free, 1 << 40),
            memory_reserved=lambda: reserved,
            memory_allocated=lambda: allocated,
        )
        return gpu._planes_at_once(SimpleNamespace(cuda=cuda), "cuda", (10**6, 256, 256), 7)

    assert planes(1 << 33, 0, 0) == planes(1 << 30, (1 << 33) - (1 << 30), 0) > 1000
    assert planes(1 << 33, 1 << 32, 1 << 32) == planes(1 << 33, 0, 0)
    assert planes(0, 0, 0) == 1


def test_wrong_use_is_told():
    with pytest.raises(TraceError, match="auto, cpu or cuda"):
        gpu.choose_device("tpu")
    with pytest.raises(TraceError, match="smaller than the kernel"):
        gpu.fit_batch(np.zeros((1, 4, 4)), 5, device="cpu")
    with pytest.raises(TraceError, match="not finite"):
        gpu.fit_batch(np.full((1, 9, 9), np.nan), 3, device="cpu")
    with pytest.raises(TraceError, match="planes, rows, columns"):
        gpu.fit_batch(np.zeros((9, 9)), 3, device="cpu")
    with pytest.raises(TraceError, match="threads must be"):
        gpu.fit_batch(np.zeros((1, 9, 9)), 3, device="cpu", threads=0)


def test_same_as_the_cpu_solver_on_the_corpus(corpus):
    table = datasets.load(corpus)
    chosen = np.random.default_rng(0).permutation(len(table))[:40]
    planes = []
    for index in chosen:
        pixels = image.read(table.paths[int(index)]).pixels
        plane = pixels if pixels.ndim == 2 else pixels[..., 1]
        planes.append(plane[:64, :64])
    stack = np.stack(planes)
    expected = traces.fit(planes, 5)
    found = gpu.fit_batch(stack, 5, device="cpu")
    np.testing.assert_allclose(found.kernels, expected.kernels, atol=1e-4)


def test_planes_that_do_not_converge_are_taken_up_again(monkeypatch):
    planes = _planes(5, 40, seed=4)
    expected = gpu.fit_batch(planes, 3, device="cpu")
    end, refused = _ascent._Ascent._end, set()

    def end_in_vain(ascent, at, over, last, precise):
        for place, plane in enumerate(at.tolist()):
            if plane in (1, 3) and plane not in refused and last[place] and precise[place]:
                last[place] = False
                refused.add(plane)
        return end(ascent, at, over, last, precise)

    monkeypatch.setattr(_ascent._Ascent, "_end", end_in_vain)
    found = gpu.fit_batch(planes, 3, device="cpu")
    assert refused
    assert found.converged.all()
    np.testing.assert_allclose(found.kernels, expected.kernels, atol=1e-6)
    np.testing.assert_allclose(found.sigma, expected.sigma, rtol=1e-6)
    np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-6)
    more = found.iterations > expected.iterations
    assert more.tolist() == [False, True, False, True, False]
