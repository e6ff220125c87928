"""Pictures that cannot be judged."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace.detection.usability import problems, usable_share

NOISE = np.random.default_rng(0).integers(1, 255, (80, 90, 3), dtype=np.uint8)


def say(pixels, *, regularized=False, converged=True):  # type: ignore[no-untyped-def]
    height, width = pixels.shape[:2]
    return problems(
        pixels, width=width, height=height, regularized=regularized, converged=converged
    )


def test_an_ordinary_picture_has_no_problem() -> None:
    assert usable_share(NOISE) > 0.95
    assert say(NOISE) == ()


def test_half_a_picture_counts_half() -> None:
    half = NOISE.copy()
    half[:, 45:] = 100
    assert usable_share(half) == pytest.approx(0.5, abs=0.03)
    clipped = np.where(NOISE > 127, 255, 0).astype(np.uint8)
    assert usable_share(clipped) == 0.0
    assert usable_share(NOISE[..., 0]) > 0.95
    assert usable_share(NOISE[:1]) == 0.0


def test_each_problem_is_said_in_words() -> None:
    assert "63x80" in say(NOISE[:80, :63])[0]
    assert "too small" in say(NOISE[:80, :63])[0]
    assert "nearly flat" in say(np.full((80, 80), 9, np.uint8), regularized=True)[0]
    assert "not determined" in say(NOISE, regularized=True)[0]
    assert "did not come to an end" in say(NOISE, converged=False)[0]
    assert len(say(np.zeros((20, 20), np.uint8), regularized=True)) == 2
