"""Training rows from degraded pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from convtrace.descriptors import ConvolutionalTraces
from convtrace.detection.training import training_table
from convtrace.errors import ConvtraceError
from convtrace.image import degradations

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
DESCRIPTOR = ConvolutionalTraces(kernel_size=3, channels="g")


def test_a_row_for_each_picture_and_degradation() -> None:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", quality=90)
    names = ["none", "noise-4", "jpeg-75"]
    table = training_table([PIXELS, buffer.getvalue()], DESCRIPTOR, names, seed=5)
    assert table.source.tolist() == [0, 0, 0, 1, 1, 1]
    assert table.degradations.tolist() == names * 2
    assert table.conditions.tolist() == [
        "lossless",
        "lossless",
        "jpeg-70-84",
        "jpeg-85-94",
        "lossless",
        "jpeg-70-84",
    ]
    assert table.formats.tolist() == ["array"] * 3 + ["JPEG"] * 3
    assert table.sides.tolist() == [64] * 6
    np.testing.assert_array_equal(table.features[0], DESCRIPTOR.describe(PIXELS))
    np.testing.assert_array_equal(
        table.features[1], DESCRIPTOR.describe(degradations.apply("noise-4", PIXELS, seed=5))
    )


def test_more_pictures_than_are_held_at_once_keep_their_order() -> None:
    pictures = [np.roll(PIXELS, index, axis=0) ^ np.uint8(index) for index in range(40)]
    table = training_table(iter(pictures), DESCRIPTOR)
    np.testing.assert_array_equal(table.features[37], DESCRIPTOR.describe(pictures[37]))
    assert len(table.features) == 40


def test_sides_are_of_what_was_measured() -> None:
    wide = np.concatenate([PIXELS, PIXELS], axis=1)
    table = training_table([wide], DESCRIPTOR, ["none", "rescale-0.5", "crop-80"])
    assert table.sides.tolist() == [64, 32, 64]


def test_no_pictures_make_no_rows() -> None:
    assert training_table([], DESCRIPTOR).features.shape == (0, 11)


def test_an_unknown_degradation_is_told_before_any_work() -> None:
    with pytest.raises(ConvtraceError, match="jepg-75"):
        training_table([b"never read"], DESCRIPTOR, ["jepg-75"])
