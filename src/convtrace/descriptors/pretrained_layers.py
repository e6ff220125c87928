"""What a network that was trained to name the subjects of photographs sees in a picture."""

from __future__ import annotations

import os
from functools import cache as remembered
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convtrace.descriptors import _convolutions
from convtrace.descriptors._spectrum import check_side
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.traces.extraction import planes

__all__ = ["BLOCKS", "WEIGHTS", "PretrainedLayers"]

WEIGHTS = Path(__file__).parent / "data" / "efficientnet-lite0.npz"
"""The layers, as ``tools/convert_network.py`` wrote them."""

BLOCKS = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""The stride of each inverted bottleneck."""

# Blocks whose outputs are summed up, the last of their widths. Lower ones carry less over to
# cameras and generators that are not known (docs/detector.md).
_SUMMED = (10, 14, 15)
# Numbers are rounded to this: it is far below what tells pictures apart, and above what other
# orders of summation change.
_STEP = 1 / 16
_LEAST_SIDE = 32

Floats = NDArray[np.float32]


@register("pretrained-layers", aliases=("efficientnet-lite0",))
class PretrainedLayers(Descriptor):
    """Means of the channels of the upper layers of EfficientNet-Lite0.

    Parameters
    ----------
    crop : int or None, default=256
        Only the central `crop` by `crop` pixels are measured, None: all of them.
    cache : str, os.PathLike or None, default=None
        A folder in which measured vectors are kept.
    n_jobs : int or None, default=None
        Threads over pictures.
    on_error : {"raise", "nan"}, default="raise"
        Whether a bad picture ends `transform` or leaves a row of NaN.

    Notes
    -----
    The network was trained by its authors to name the subjects of the photographs of ImageNet,
    and not to tell photographs from images; nothing of it is changed, but that weights are in half
    precision. Pictures are not resized. The numbers are the means over the picture of the outputs
    of the blocks 11, 15 and 16 (112, 192 and 320 channels), rounded to sixteenths.

    Sums are in single precision and always in the same order, so that threads change nothing. The
    weights are under the Apache License 2.0, whose text lies beside them.

    References
    ----------
    M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    ICML 2019, arXiv:1905.11946. That such features generalise to unseen generators: U. Ojha,
    Y. Li, Y. J. Lee, "Towards Universal Fake Image Detectors that Generalize Across Generative
    Models", CVPR 2023, doi:10.1109/CVPR52729.2023.02345.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    >>> PretrainedLayers().describe(picture).shape
    (624,)
    """

    name: ClassVar[str] = "pretrained-layers"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        *,
        crop: int | None = 256,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _feature_names(self) -> list[str]:
        return [
            f"layer_{number + 1}_{channel:03d}"
            for number in _SUMMED
            for channel in range(len(_weights()[f"{number}.project.bias"]))
        ]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        check_side(pixels, _LEAST_SIDE, self.name)
        # On the scale that the network was trained on.
        values = np.stack(planes(pixels)).astype(np.float32)
        outputs = _outputs((values - np.float32(127)) / np.float32(128))
        means = [each.mean(axis=(1, 2), dtype=np.float64) for each in outputs]
        return Description(np.round(np.concatenate(means) / _STEP) * _STEP)


@remembered
def _weights() -> dict[str, Floats]:
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        # Row by row, however they were stored: the loops take nothing else.
        return {n: np.ascontiguousarray(stored[n], dtype=np.float32) for n in stored.files}


def _outputs(values: Floats) -> list[Floats]:
    """Return what the blocks that are summed up make of a picture of shape (3, H, W)."""
    weights = _weights()
    values = _stem(values, weights["stem"], weights["stem.bias"])
    found = []
    for number, stride in enumerate(BLOCKS):
        values = _block(values, number, stride)
        if number in _SUMMED:
            found.append(values)
    return found


def _stem(values: Floats, weights: Floats, bias: Floats) -> Floats:
    """Convolve all channels together, every second row and column: as one mix of shifted ones."""
    size = weights.shape[2]
    (height, top), (width, left) = (_same(side, size, 2) for side in values.shape[1:])
    padded = np.zeros((len(values), 2 * height + size, 2 * width + size), np.float32)
    padded[:, top : top + values.shape[1], left : left + values.shape[2]] = values
    shifted = [
        padded[c, s : s + 2 * height : 2, t : t + 2 * width : 2]
        for c in range(len(values))
        for s in range(size)
        for t in range(size)
    ]
    # Channels come in fours.
    missing = -len(shifted) % 4
    mixed = np.zeros((len(shifted) + missing, height, width), np.float32)
    mixed[: len(shifted)] = shifted
    flat = np.pad(weights.reshape(len(weights), -1), ((0, 0), (0, missing)))
    return _mixed(mixed, flat, bias, 6)


def _block(values: Floats, number: int, stride: int) -> Floats:
    """Apply an inverted bottleneck: widen, convolve each channel, narrow, and add what was."""
    weights = _weights()
    wide = values
    if f"{number}.expand" in weights:
        wide = _mixed(values, weights[f"{number}.expand"], weights[f"{number}.expand.bias"], 6)
    kernels = weights[f"{number}.depth"]
    (height, top), (width, left) = (
        _same(side, kernels.shape[1], stride) for side in values.shape[1:]
    )
    deep = np.empty((len(wide), height, width), np.float32)
    _convolutions.depthwise(
        wide, kernels, weights[f"{number}.depth.bias"], stride, (top, left), deep
    )
    found = _mixed(deep, weights[f"{number}.project"], weights[f"{number}.project.bias"], 0)
    if stride == 1 and found.shape == values.shape:
        found += values
    return found


def _mixed(values: Floats, weights: Floats, bias: Floats, top: float) -> Floats:
    out = np.empty((len(weights), *values.shape[1:]), np.float32)
    _convolutions.pointwise(
        values.reshape(len(values), -1), weights, bias, top, out.reshape(len(out), -1)
    )
    return out


def _same(side: int, size: int, stride: int) -> tuple[int, int]:
    """Return how many outputs a side has, and how many zeros come before it, by "same" padding."""
    count = -(-side // stride)
    return count, max((count - 1) * stride + size - side, 0) // 2
