"""Co-occurrences of pixel differences, against counts done by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from convtrace.descriptors import CoOccurrence, create
from convtrace.errors import ConvtraceError, ImageError


@pytest.fixture
def picture():
    """Return a picture with small differences."""
    rng = np.random.default_rng(4)
    return (100 + rng.integers(-1, 2, (20, 24, 3)).cumsum(axis=1)).astype(np.uint8)


def _level(value, truncation):
    return int(np.sign(value) * min(int(abs(value) + 0.5), truncation))


def test_shares_are_those_of_counting_one_by_one(picture):
    truncation = 2
    red, green, _ = (picture[..., c].astype(int) for c in range(3))
    plane = red - green
    counts: Counter[tuple[int, ...]] = Counter()
    for lines in (plane, plane.T):
        for line in lines:
            steps = [_level(step, truncation) for step in np.diff(line)]
            for triple in zip(steps, steps[1:], steps[2:], strict=False):
                negative = tuple(-value for value in triple)
                counts[min(triple, negative, triple[::-1], negative[::-1])] += 1
    total = sum(counts.values())
    descriptor = CoOccurrence(truncation=truncation)
    names = descriptor.get_feature_names_out().tolist()
    row = dict(zip(names, descriptor.describe(picture), strict=True))
    shares = {name: row[name] ** 2 for name in names if name.startswith("co_rg_first_along_")}
    assert len(shares) == 39
    for triple, count in counts.items():
        name = "co_rg_first_along_" + "".join(f"{value:+d}" for value in triple)
        assert shares[name] == pytest.approx(count / total)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_across_and_channels_of_a_ramp_are_one_triple():
    ramp = np.tile(np.arange(0, 40, 2, dtype=np.uint8)[None, :, None], (20, 1, 3))
    descriptor = CoOccurrence(truncation=3)
    row = dict(zip(descriptor.get_feature_names_out(), descriptor.describe(ramp), strict=True))
    # Half of the triples are of the rows, where all differences are 2, half of the columns.
    for name in ("co_y_first_along_-2-2-2", "co_y_first_along_+0+0+0"):
        assert row[name] ** 2 == pytest.approx(0.5, abs=0.03)
    assert row["co_rg_first_across_+0+0+0"] == 1.0
    assert row["co_rgb_second_+0+0+0"] == 1.0


def test_mirror_turn_and_negative_change_nothing(picture):
    descriptor = CoOccurrence()
    row = descriptor.describe(picture)
    for other in (picture[:, ::-1], picture[::-1], picture.transpose(1, 0, 2), 255 - picture):
        np.testing.assert_allclose(descriptor.describe(np.ascontiguousarray(other)), row, atol=1e-6)


def test_grey_picture_has_equal_channels(picture):
    descriptor = CoOccurrence()
    grey = picture[..., 0]
    np.testing.assert_array_equal(
        descriptor.describe(grey), descriptor.describe(np.stack([grey] * 3, axis=-1))
    )


def test_flat_picture_is_finite():
    row = CoOccurrence().describe(np.full((32, 32, 3), 7, np.uint8))
    assert np.isfinite(row).all()


def test_bad_options_and_tiny_pictures_are_refused(picture):
    with pytest.raises(ConvtraceError, match="truncation"):
        CoOccurrence(truncation=9).describe(picture)
    with pytest.raises(ImageError, match="at least 8x8"):
        CoOccurrence().describe(picture[:5])


def test_joined_is_one_after_the_other(picture):
    parts = {"ct": {"kernel_size": 3, "crop": 16}, "co-occurrence": {"truncation": 1}}
    joined = create("joined", parts=parts)
    alone = [create(name, **options) for name, options in parts.items()]
    np.testing.assert_array_equal(
        joined.describe(picture), np.concatenate([each.describe(picture) for each in alone])
    )
    assert joined.get_feature_names_out().tolist() == [
        name for each in alone for name in each.get_feature_names_out()
    ]
    for wrong in ({}, {"joined": {}}):
        with pytest.raises(ConvtraceError):
            create("joined", parts=wrong).describe(picture)
    with pytest.raises(ConvtraceError, match="same numbers"):
        create("joined", parts={"ct": {}, "trace": {}}).describe(picture)
