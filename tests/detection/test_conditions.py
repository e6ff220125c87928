"""Classes of compression."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from convtrace.detection.conditions import (
    CONDITIONS,
    in_words,
    is_small,
    is_window,
    of_degradation,
    of_picture,
    of_quality,
    of_small,
    of_whole,
    of_window,
    related,
)
from convtrace.image import degradations, read


@pytest.mark.parametrize(
    ("quality", "condition"),
    [
        (100, "jpeg-95-100"),
        (95, "jpeg-95-100"),
        (94, "jpeg-85-94"),
        (85, "jpeg-85-94"),
        (84.4, "jpeg-70-84"),
        (70, "jpeg-70-84"),
        (69, "jpeg-1-69"),
        (1, "jpeg-1-69"),
        (None, "lossless"),
    ],
)
def test_qualities(quality: float | None, condition: str) -> None:
    assert of_quality(quality) == condition


@pytest.mark.parametrize(
    ("degradation", "before", "condition"),
    [
        ("none", "jpeg-85-94", "jpeg-85-94"),
        ("jpeg-75", "lossless", "jpeg-70-84"),
        ("jpeg-50-420", "lossless", "jpeg-1-69"),
        ("rescale-0.8+jpeg-90", "jpeg-1-69", "jpeg-85-94"),
        ("jpeg-75+mirror", "lossless", "lossless"),
        ("blur-3", "jpeg-1-69", "lossless"),
        ("mirror+web", "lossless", "jpeg-1-69"),
        ("window-128", "jpeg-1-69", "window-of-jpeg-1-69"),
        ("jpeg-75+window-128", "lossless", "window-of-jpeg-70-84"),
        ("window-128+jpeg-75", "lossless", "jpeg-70-84"),
    ],
)
def test_degradations(degradation: str, before: str, condition: str) -> None:
    assert degradations.check(degradation) == degradation
    assert of_degradation(degradation, before) == condition


@pytest.mark.parametrize(
    ("kind", "options", "condition"),
    [
        ("PNG", {}, "lossless"),
        ("JPEG", {"quality": 75}, "jpeg-70-84"),
        ("JPEG", {"quality": 97}, "jpeg-95-100"),
        ("WEBP", {"quality": 80}, "other-lossy"),
    ],
)
def test_pictures(kind: str, options: dict[str, int], condition: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    assert of_picture(read(buffer.getvalue())) == condition


def test_every_condition_has_words() -> None:
    assert len({in_words(name) for name in CONDITIONS}) == len(CONDITIONS)
    assert all(in_words(name) != name for name in CONDITIONS)
    assert in_words("my own") == "my own"


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_window_has_the_condition_of_its_picture(name: str) -> None:
    window = of_window(name)
    assert is_window(window)
    assert not is_window(name)
    assert of_window(window) == window
    assert of_whole(window) == name
    assert in_words(window) == in_words(name)
    assert related(window) == (window, of_window(""), name)
    assert related(name) == (name,)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_small_picture_has_a_condition_beside_its_compression(name: str) -> None:
    small = of_small(name)
    assert is_small(small)
    assert not is_small(name)
    assert of_small(small) == small
    assert of_whole(small) == name
    assert in_words(small) == in_words(name)
    assert related(small) == (small, of_small(""), name)
    # All windows are small: their condition says it already.
    window = of_window(name)
    assert of_small(window) == window
    assert not is_small(window)
    assert not is_window(small)
