"""A small convolutional network on neighbouring-pixel differences, trained from scratch.

What up-sampling leaves between neighbours is all that it is shown: each pixel less the upper
left one of its 2x2 cell. The trunk is the first two stages of a ResNet-18 with a 3x3 stem.
PyTorch is an extra (``pip install 'convtrace[gpu]'``); a GPU is used where there is one.

References
----------
C. Tan, Y. Zhao, S. Wei, G. Gu, P. Liu, Y. Wei, "Rethinking the Up-Sampling Operations in
CNN-based Generative Network for Generalizable Deepfake Detection", CVPR 2024,
arXiv:2312.10461.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.detection.held_out import folds_by_group
from convtrace.errors import ConvtraceError

__all__ = ["EPOCHS", "QUICK_EPOCHS", "network_calls", "require_torch"]

EPOCHS = 16
QUICK_EPOCHS = 2
SIDE = 128
BATCH = 16
RATE = 1e-3

Pixels = NDArray[np.uint8]
# PyTorch's, which may not be there.
Tensor = Any


def require_torch() -> Any:
    """Return PyTorch.

    Returns
    -------
    module

    Raises
    ------
    ConvtraceError
        If it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ConvtraceError(
            "the network needs PyTorch, which is not installed: pip install 'convtrace[gpu]'"
        ) from error
    return torch


def network_calls(
    pictures: Sequence[Pixels],
    codes: NDArray[np.intp],
    groups: NDArray[Any],
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
) -> NDArray[np.bool_]:
    """Return what the network calls generated, trained on the other folds.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (H, W, 3)
        The pixels.
    codes, groups : ndarray of shape (n,)
        Classes 0 (real) and 1, and groups.
    seed : int, default 0
        Of the folds, which are those of all methods, and of the training.
    epochs : int, default 16
        How often each picture is seen.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ConvtraceError
        Without PyTorch.
    """
    torch = require_torch()
    # One size for all: a batch is a block, and a network that sees sizes would learn them.
    side = min(SIDE, *(min(one.shape[:2]) for one in pictures)) // 4 * 4
    blocks = [_as_tensor(one) for one in pictures]
    called = np.zeros(len(codes), dtype=bool)
    for number, (train, test) in enumerate(folds_by_group(codes, groups, seed=seed)):
        with torch.random.fork_rng():
            torch.manual_seed(seed + number)
            model = _trained(blocks, codes, train, side, epochs)
            called[test] = _scores(model, [blocks[i] for i in test], side) > 0
    return called


def _as_tensor(pixels: Pixels) -> Tensor:
    torch = require_torch()
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    return torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1)))


def _device() -> Any:
    torch = require_torch()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _differences(batch: Tensor) -> Tensor:
    """Return each pixel less the upper left one of its 2x2 cell, in units of a byte's range."""
    values = batch.float() / 255
    corner = values[:, :, ::2, ::2]
    return values - corner.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def _block(inner: int, outer: int, stride: int) -> Any:
    torch = require_torch()
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[name-defined, misc]
        """Two convolutions and a way around them."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outer),
                nn.ReLU(inplace=True),
                nn.Conv2d(outer, outer, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outer),
            )
            same = stride == 1 and inner == outer
            self.around = nn.Identity() if same else nn.Conv2d(inner, outer, 1, stride, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            """Add both ways."""
            return torch.relu(self.body(x) + self.around(x))

    return Block()


def _network() -> Any:
    nn = require_torch().nn
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        _block(64, 64, 1),
        _block(64, 64, 1),
        _block(64, 128, 2),
        _block(128, 128, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 1),
    )


def _trained(
    blocks: Sequence[Tensor],
    codes: NDArray[np.intp],
    rows: NDArray[np.intp],
    side: int,
    epochs: int,
) -> Any:
    torch = require_torch()
    device = _device()
    model = _network().to(device)
    optimiser = torch.optim.Adam(model.parameters(), RATE, weight_decay=1e-4)
    steps = epochs * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    generated = float((codes[rows] == 1).sum())
    # Both classes of equal weight, however many pictures each has.
    weight = torch.tensor((len(rows) - generated) / generated, device=device)
    loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=weight)
    model.train()
    for _ in range(epochs):
        order = rows[torch.randperm(len(rows)).numpy()]
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = torch.stack([_random_part(blocks[i], side) for i in chosen])
            truth = torch.from_numpy((codes[chosen] == 1).astype(np.float32)).to(device)
            optimiser.zero_grad()
            loss_of(model(_differences(batch.to(device))).squeeze(1), truth).backward()
            optimiser.step()
            schedule.step()
    return model


def _random_part(block: Tensor, side: int) -> Tensor:
    torch = require_torch()
    # Even offsets, so that the cells are those of the whole picture.
    top, left = (
        2 * int(torch.randint(0, (size - side) // 2 + 1, ()).item()) for size in block.shape[1:]
    )
    part = block[:, top : top + side, left : left + side]
    return part.flip(2) if torch.rand(()) < 0.5 else part


def _scores(model: Any, blocks: Sequence[Tensor], side: int) -> NDArray[np.float64]:
    torch = require_torch()
    model.eval()
    scores = []
    with torch.no_grad():
        for start in range(0, len(blocks), BATCH):
            batch = torch.stack([_centre(one, side) for one in blocks[start : start + BATCH]])
            scores.append(model(_differences(batch.to(_device()))).squeeze(1).cpu().numpy())
    return np.concatenate(scores).astype(np.float64)


def _centre(block: Tensor, side: int) -> Tensor:
    top, left = ((size - side) // 4 * 2 for size in block.shape[1:])
    return block[:, top : top + side, left : left + side]
