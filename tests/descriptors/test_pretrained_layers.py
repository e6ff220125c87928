"""The pretrained network: the same numbers as its authors' and as convolutions written out."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numba.core.errors import TypingError
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convtrace.descriptors import _convolutions, create, pretrained_layers
from convtrace.descriptors.pretrained_layers import PretrainedLayers
from convtrace.errors import ImageError

Floats = NDArray[np.float32]


def pattern(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    planes = ((37 * x + 11 * y) % 256, (x * y) % 256, (255 - 2 * x - y) % 256)
    return np.stack(planes, axis=-1).astype(np.uint8)


def written_out(values: Floats, kernels: Floats, bias: Floats, stride: int) -> NDArray[np.float64]:
    """Convolve with "same" padding: `kernels` of shape (D, C, K, K)."""
    size = kernels.shape[-1]
    pads = [(0, 0)]
    for side in values.shape[1:]:
        whole = max((-(-side // stride) - 1) * stride + size - side, 0)
        pads.append((whole // 2, whole - whole // 2))
    padded = np.pad(values.astype(np.float64), pads)
    windows = sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("cyxst,dcst->dyx", windows, kernels) + bias[:, None, None]


def network(picture: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Apply the whole network, as its paper has it, in double precision."""
    weights = pretrained_layers._weights()

    def cut(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(values, 0.0, 6.0)

    def mix(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        kernels = weights[name][:, :, None, None]
        return written_out(values, kernels, weights[f"{name}.bias"], 1)

    values = (picture.transpose(2, 0, 1).astype(np.float64) - 127) / 128
    values = cut(written_out(values, weights["stem"], weights["stem.bias"], 2))
    found = []
    for number, stride in enumerate(pretrained_layers.BLOCKS):
        before = values
        if number:
            values = cut(mix(values, f"{number}.expand"))
        kernels, bias = weights[f"{number}.depth"], weights[f"{number}.depth.bias"]
        values = cut(
            np.concatenate(
                [
                    written_out(values[c : c + 1], kernels[c, None, None], bias[c : c + 1], stride)
                    for c in range(len(values))
                ]
            )
        )
        values = mix(values, f"{number}.project")
        if before.shape == values.shape:
            values = values + before
        found.append(values)
    return found


@pytest.mark.parametrize("shape", [(64, 96), (45, 33)])
def test_it_is_the_network_written_out(shape: tuple[int, int]) -> None:
    picture = pattern(*shape)
    outputs = network(picture)
    expected = np.concatenate([outputs[number].mean(axis=(1, 2)) for number in (10, 14, 15)])
    measured = PretrainedLayers().describe(picture)
    assert np.abs(measured - expected).max() < 1 / 32 + 1e-3
    assert np.unique(measured * 16 % 1).tolist() == [0.0]


def test_it_is_the_network_of_the_authors() -> None:
    """Numbers that the PyTorch package of ``tools/convert_network.py`` gives for the pattern.

    Its weights are in single precision, ours in half.
    """
    scaled = (pattern(64, 96).transpose(2, 0, 1).astype(np.float32) - 127) / 128
    found = pretrained_layers._outputs(scaled)
    assert [each.shape for each in found] == [(112, 4, 6), (192, 2, 3), (320, 2, 3)]
    numbers = [[float(v) for v in (e.mean(), e[0].mean(), e[-1].std())] for e in found]
    expected = [[0.988, 5.596, 5.394], [0.323, -0.408, 7.433], [-0.013, -0.033, 1.608]]
    np.testing.assert_allclose(numbers, expected, atol=0.05)


def test_names_are_those_of_blocks_and_channels() -> None:
    names = create("efficientnet-lite0").get_feature_names_out().tolist()
    assert len(set(names)) == len(names) == 112 + 192 + 320
    assert names[0] == "layer_11_000"
    assert names[-1] == "layer_16_319"


def test_tiny_pictures_are_refused_and_the_smallest_is_not() -> None:
    with pytest.raises(ImageError, match="too few"):
        PretrainedLayers().describe(pattern(31, 64))
    assert np.isfinite(PretrainedLayers().describe(pattern(32, 32))).all()


def test_grey_is_three_equal_channels_and_the_crop_is_the_centre() -> None:
    grey = pattern(64, 72)[..., 0]
    descriptor = PretrainedLayers()
    np.testing.assert_array_equal(
        descriptor.describe(grey), descriptor.describe(np.dstack([grey] * 3))
    )
    picture = pattern(200, 150)
    np.testing.assert_array_equal(
        PretrainedLayers(crop=96).describe(picture), descriptor.describe(picture[52:148, 27:123])
    )


def test_threads_change_nothing() -> None:
    pictures = [pattern(64 + size, 80) for size in range(8)]
    alone = PretrainedLayers().transform(pictures)
    np.testing.assert_array_equal(PretrainedLayers(n_jobs=4).transform(pictures), alone)


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(7, 9), (8, 6), (1, 1), (2, 17)])
def test_depthwise_is_a_convolution(size: int, stride: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(size)
    values = rng.normal(size=(3, *shape)).astype(np.float32)
    kernels = rng.normal(size=(3, size, size)).astype(np.float32)
    bias = rng.normal(size=3).astype(np.float32)
    (rows, top), (columns, left) = (pretrained_layers._same(s, size, stride) for s in shape)
    out = np.full((3, rows, columns), np.nan, np.float32)
    _convolutions.depthwise(values, kernels, bias, stride, (top, left), out)
    for c in range(3):
        expected = written_out(values[c : c + 1], kernels[c, None, None], bias[c : c + 1], stride)
        np.testing.assert_allclose(out[c], np.clip(expected[0], 0, 6), atol=1e-5)


@pytest.mark.parametrize("pixels", [1, 23, 24, 25, 600])
@pytest.mark.parametrize("top", [0, 6])
def test_pointwise_is_a_product(pixels: int, top: int) -> None:
    rng = np.random.default_rng(pixels)
    values = rng.normal(size=(12, pixels)).astype(np.float32)
    weights = rng.normal(size=(8, 12)).astype(np.float32)
    bias = rng.normal(size=8).astype(np.float32)
    out = np.full((8, pixels), np.nan, np.float32)
    _convolutions.pointwise(values, weights, bias, top, out)
    expected = weights @ values + bias[:, None]
    np.testing.assert_allclose(out, np.clip(expected, 0, 6) if top else expected, atol=1e-5)


def test_weights_that_lie_otherwise_in_memory_are_refused() -> None:
    values = np.ones((4, 24), np.float32)
    weights = np.asfortranarray(np.ones((8, 4), np.float32))
    bias, out = np.zeros(8, np.float32), np.empty((8, 24), np.float32)
    with pytest.raises(TypingError, match="row by row"):
        _convolutions.pointwise(values, weights, bias, 6, out)


def test_many_threads_may_read_the_weights_at_once() -> None:
    pretrained_layers._weights.cache_clear()
    found: list[NDArray[np.float64]] = []
    threads = [
        threading.Thread(target=lambda: found.append(PretrainedLayers().describe(pattern(40, 40))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(each, found[0]) for each in found)
