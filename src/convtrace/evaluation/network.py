"""A small convolutional network on neighbouring-pixel differences, trained from scratch.

What up-sampling leaves between neighbours is all that it is shown: each pixel less the upper
left one of its 2x2 cell. The trunk is the first two stages of a ResNet-18 with a 3x3 stem.
PyTorch is an extra (``pip install 'convtrace[gpu]'``); a GPU is used where there is one.

The recipe was fixed before any held-out picture was scored, and is the same for all pictures:
the central window of at most 128x128 pixels, parts of seven eighths of its side at random even
offsets and mirrored at random, batches half of each class, Adam with one cycle of the rate. The
whole window is scored, once.

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

from convtrace.errors import ConvtraceError

__all__ = ["QUICK_STEPS", "STEPS", "network_scores", "require_torch", "window_of"]

STEPS = 400
QUICK_STEPS = 40
"""Batches that a training takes, whatever the number of pictures."""
SIDE = 128
BATCH = 32
RATE = 1e-3

Pixels = NDArray[np.uint8]
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
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


def window_of(pictures: Sequence[Pixels]) -> int:
    """Return the side of the window that the network is shown of each of some pictures.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (H, W, 3) or (H, W)
        The pixels.

    Returns
    -------
    int
        One for all, even and at most 128: a network that sees sizes would learn them.
    """
    smallest = min(int(min(one.shape[:2])) for one in pictures)
    return min(SIDE, smallest) // 2 * 2


def network_scores(
    pictures: Sequence[Pixels],
    codes: NDArray[np.intp],
    folds: Sequence[Fold],
    *,
    seed: int = 0,
    steps: int = STEPS,
) -> NDArray[np.float64]:
    """Score each picture by a network that was trained on the folds without it.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (H, W, 3) or (H, W)
        The pixels.
    codes : ndarray of int, shape (n,)
        Classes 0 (real) and 1 (generated).
    folds : sequence of (train, test)
        Row indices, those of all methods.
    seed : int, default 0
        Of the first training; each fold's is one higher.
    steps : int, default 400
        Batches that a training takes.

    Returns
    -------
    ndarray of shape (n,), float64
        Log-odds of being generated; NaN for rows that no fold tests.

    Raises
    ------
    ConvtraceError
        Without PyTorch.
    """
    torch = require_torch()
    side = window_of(pictures)
    block = torch.from_numpy(np.stack([_window(one, side) for one in pictures])).to(_device())
    scores = np.full(len(codes), np.nan)
    for number, (train, test) in enumerate(folds):
        with torch.random.fork_rng():
            torch.manual_seed(seed + number)
            model = _trained(block, codes, train, steps)
            scores[test] = _scores(model, block[torch.from_numpy(test).to(block.device)])
    return scores


def _window(pixels: Pixels, side: int) -> Pixels:
    """Return the central window, channels first, at an even offset."""
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    # Even, so that the 2x2 cells are those of the whole picture.
    top, left = ((size - side) // 4 * 2 for size in colour.shape[:2])
    part = colour[top : top + side, left : left + side, :3]
    return np.ascontiguousarray(part.transpose(2, 0, 1))


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


def _trained(block: Tensor, codes: NDArray[np.intp], rows: NDArray[np.intp], steps: int) -> Any:
    torch = require_torch()
    device = block.device
    model = _network().to(device)
    optimiser = torch.optim.Adam(model.parameters(), RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    loss_of = torch.nn.BCEWithLogitsLoss()
    half = BATCH // 2
    real, generated = (_passes(rows[codes[rows] == code], half * steps) for code in (0, 1))
    # Half of each class, however many pictures each has.
    order = torch.cat([real.reshape(steps, half), generated.reshape(steps, half)], dim=1)
    order = order.to(device)
    truth = torch.cat([torch.zeros(half), torch.ones(half)]).to(device)
    model.train()
    for step in range(steps):
        batch = _part(block[order[step]])
        optimiser.zero_grad()
        loss_of(model(_differences(batch)).squeeze(1), truth).backward()
        optimiser.step()
        schedule.step()
    return model


def _passes(rows: NDArray[np.intp], length: int) -> Tensor:
    """Return so many rows: one shuffled pass over all of them after the other."""
    torch = require_torch()
    times = -(-length // len(rows))
    order = torch.cat([torch.randperm(len(rows)) for _ in range(times)])[:length]
    return torch.from_numpy(rows)[order]


def _part(batch: Tensor) -> Tensor:
    """Return a part at a random even offset, the same for the batch, each mirrored or not."""
    torch = require_torch()
    side = batch.shape[-1]
    part = side * 7 // 8 // 2 * 2
    top, left = (2 * int(torch.randint(0, (side - part) // 2 + 1, ()).item()) for _ in range(2))
    cut = batch[:, :, top : top + part, left : left + part]
    mirrored = (torch.rand(len(cut)) < 0.5).to(cut.device)[:, None, None, None]
    return torch.where(mirrored, cut.flip(3), cut)


def _scores(model: Any, block: Tensor) -> NDArray[np.float64]:
    torch = require_torch()
    model.eval()
    with torch.no_grad():
        parts = [model(_differences(part)).squeeze(1).cpu() for part in block.split(BATCH)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)
