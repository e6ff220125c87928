"""The small network: it learns what up-sampling leaves between neighbours, and nothing else."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from convtrace.detection.held_out import folds_by_group
from convtrace.errors import ConvtraceError
from convtrace.evaluation import network

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch: the extra gpu"
)


def _pictures():
    """Return noise, and noise of half the size with every pixel doubled."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (16, 20, 3), dtype=np.uint8) for _ in range(24)]
    doubled = [one[::2, ::2].repeat(2, axis=0).repeat(2, axis=1) for one in noise]
    codes = np.repeat([0, 1], 24)
    return noise + doubled, codes, folds_by_group(codes, np.arange(48), seed=0)


@pytest.fixture
def one_thread():
    import torch

    threads = torch.get_num_threads()
    # Beside other work on the machine, threads that wait for each other take far longer.
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@needs_torch
@pytest.mark.usefixtures("one_thread")
def test_doubled_pixels_are_told_from_noise_and_the_same_each_time():
    pictures, codes, folds = _pictures()
    scores = network.network_scores(pictures, codes, folds, steps=40)
    again = network.network_scores(pictures, codes, folds, steps=40)
    np.testing.assert_array_equal(scores, again)
    assert np.mean((scores > 0) == (codes == 1)) > 0.9


@needs_torch
@pytest.mark.usefixtures("one_thread")
def test_a_row_that_no_fold_tests_has_no_score():
    pictures, codes, folds = _pictures()
    scores = network.network_scores(pictures, codes, folds[:1], steps=2)
    _, test = folds[0]
    assert np.isfinite(scores[test]).all()
    assert np.isnan(np.delete(scores, test)).all()


@needs_torch
def test_differences_of_doubled_pixels_are_none():
    import torch

    pictures, *_ = _pictures()
    batch = torch.stack([torch.from_numpy(network._window(one, 16)) for one in pictures])
    sizes = network._differences(batch).abs().amax(dim=(1, 2, 3)).numpy()
    assert (sizes[24:] == 0).all()
    assert (sizes[:24] > 0.5).all()


def test_the_window_is_even_central_and_one_for_all():
    pictures = [np.zeros((300, 131, 3), np.uint8), np.zeros((101, 200), np.uint8)]
    assert network.window_of(pictures[:1]) == 128
    assert network.window_of(pictures) == 100
    rows = np.arange(200, dtype=np.uint8)[:, None, None].repeat(200, axis=1).repeat(3, axis=2)
    part = network._window(rows, 100)
    assert part.shape == (3, 100, 100)
    assert part[0, 0, 0] == 50
    assert network._window(rows[:, :, 0], 100).shape == (3, 100, 100)


@needs_torch
def test_batches_are_passes_over_all_rows():
    rows = np.array([3, 5, 8])
    order = network._passes(rows, 7).numpy()
    assert sorted(order[:3]) == sorted(order[3:6]) == rows.tolist()
    assert len(order) == 7


def test_without_pytorch_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConvtraceError, match=r"pip install 'convtrace\[gpu\]'"):
        network.require_torch()
