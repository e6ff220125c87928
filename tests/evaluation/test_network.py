"""The small network: it learns what up-sampling leaves between neighbours, and nothing else."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

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
    return noise + doubled, np.repeat([0, 1], 24), np.arange(48)


@needs_torch
def test_doubled_pixels_are_told_from_noise_and_the_same_each_time():
    import torch

    pictures, codes, groups = _pictures()
    threads = torch.get_num_threads()
    # Beside other work on the machine, threads that wait for each other take far longer.
    torch.set_num_threads(1)
    try:
        called = network.network_calls(pictures, codes, groups, epochs=12)
        again = network.network_calls(pictures, codes, groups, epochs=12)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(called, again)
    assert np.mean(called == (codes == 1)) > 0.9


@needs_torch
def test_differences_of_doubled_pixels_are_none():
    import torch

    pictures, *_ = _pictures()
    batch = torch.stack([network._as_tensor(one) for one in pictures])
    sizes = network._differences(batch).abs().amax(dim=(1, 2, 3)).numpy()
    assert (sizes[24:] == 0).all()
    assert (sizes[:24] > 0.5).all()


def test_without_pytorch_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConvtraceError, match=r"pip install 'convtrace\[gpu\]'"):
        network.require_torch()
