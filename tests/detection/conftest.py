"""Synthetic features and pictures that the tests of the detection room share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from convtrace.detection import Detector


@dataclass(frozen=True)
class Rows:
    """Feature rows whose classes overlap, of three generators and two compressions."""

    X: NDArray[np.float64]
    y: NDArray[np.str_]
    groups: NDArray[np.str_]
    generators: NDArray[np.str_]
    conditions: NDArray[np.str_]


def make_rows(n: int = 600, *, seed: int = 0, shift: float = 0.8) -> Rows:
    """Draw rows; "jpeg-70-84" ones are harder to tell apart."""
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(n) % 2 == 0, "real", "fake")
    fake = y == "fake"
    generators = np.where(fake, np.array(["alpha", "beta", "gamma"])[np.arange(n) // 2 % 3], "")
    conditions = np.where(np.arange(n) // 4 % 2 == 0, "lossless", "jpeg-70-84")
    X = rng.normal(size=(n, 8))
    X[:, :4] += (shift * np.where(conditions == "lossless", 1.5, 0.7) * fake)[:, None]
    for index, name in enumerate(("alpha", "beta", "gamma")):
        X[generators == name, 4 + index] += 3.0
    groups = np.array([f"scene {index // 4}" for index in range(n)])
    return Rows(X, y, groups, generators, conditions)


@pytest.fixture(scope="session")
def rows() -> Rows:
    return make_rows()


@pytest.fixture(scope="session")
def fitted(rows: Rows) -> Detector:
    """Return a detector of features; do not change it."""
    return Detector("lda", n_splits=4).fit(
        rows.X, rows.y, groups=rows.groups, generators=rows.generators, conditions=rows.conditions
    )


def draw_pictures(kind: str, count: int, *, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Draw textures, "real" ones smoothed in another way than "fake" ones."""
    rng = np.random.default_rng([seed, kind == "fake"])
    out = []
    for _ in range(count):
        noise = rng.normal(size=(72, 72, 3))
        sigma = (0.9, 0.9, 0) if kind == "real" else (0.3, 1.6, 0)
        grey = 128 + 120 * gaussian_filter(noise, sigma) + rng.normal(scale=3, size=noise.shape)
        out.append(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    return out


@pytest.fixture(scope="session")
def make_pictures() -> Callable[..., list[NDArray[np.uint8]]]:
    return draw_pictures


@pytest.fixture(scope="session")
def picture_detector() -> Detector:
    """Return a detector trained on pictures; do not change it."""
    pictures = draw_pictures("real", 12) + draw_pictures("fake", 12)
    detector = Detector(
        "lda", descriptor_params={"kernel_size": 3, "crop": 64}, degradations=("none", "jpeg-90")
    )
    return detector.fit(pictures, ["real"] * 12 + ["fake"] * 12)
