"""The descriptors of the peers: what they say of pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from convtrace import descriptors
from convtrace.descriptors._spectrum import log_power, pool
from convtrace.errors import ConvtraceError, ImageError

PEERS = (
    "radial-spectrum",
    "dct",
    "autogan-spectrum",
    "p-map-spectrum",
    "local-binary-patterns",
    "colour-co-occurrence",
)


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("shape", [(64, 64, 3), (65, 91, 3), (300, 280, 3), (64, 70)])
def test_any_size_and_colour_gives_the_same_numbers_of_numbers(name, shape):
    descriptor = descriptors.create(name)
    vector = descriptor.describe(noise(*shape))
    names = descriptor.get_feature_names_out()
    assert vector.shape == names.shape
    assert len(set(names.tolist())) == len(names) < 1500
    assert np.isfinite(vector).all()
    assert np.ptp(vector) > 0


@pytest.mark.parametrize("name", PEERS)
def test_flat_pictures_are_finite(name):
    vector = descriptors.create(name).describe(np.full((64, 64, 3), 255, dtype=np.uint8))
    assert np.isfinite(vector).all()


@pytest.mark.parametrize("name", PEERS)
def test_crop_is_the_centre(name):
    picture = noise(200, 150, 3)
    middle = picture[52:148, 27:123]
    cropped = descriptors.create(name, crop=96).describe(picture)
    whole = descriptors.create(name, crop=None)
    np.testing.assert_array_equal(cropped, whole.describe(middle))
    assert not np.array_equal(cropped, whole.describe(picture))


@pytest.mark.parametrize("name", PEERS)
def test_grey_equals_three_equal_channels(name):
    grey = noise(64, 72)
    descriptor = descriptors.create(name)
    np.testing.assert_allclose(
        descriptor.describe(grey), descriptor.describe(np.dstack([grey] * 3)), atol=1e-3
    )


@pytest.mark.parametrize("name", PEERS)
def test_float_pixels_measure_as_the_same_bytes(name):
    picture = noise(64, 72, 3)
    descriptor = clone(descriptors.create(name))
    np.testing.assert_allclose(
        descriptor.describe(picture), descriptor.describe(picture.astype(np.float32)), atol=1e-9
    )


@pytest.mark.parametrize("name", [n for n in PEERS if n not in PEERS[4:]])
def test_too_small_is_named(name):
    with pytest.raises(ImageError, match="too few"):
        descriptors.create(name).describe(noise(15, 100, 3))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("radial-spectrum", {"length": 1}),
        ("dct", {"block": 1}),
        ("dct", {"channels": "xy"}),
        ("autogan-spectrum", {"size": 7}),
        ("p-map-spectrum", {"size": 0}),
        ("local-binary-patterns", {"channels": "rr"}),
        ("colour-co-occurrence", {"levels": 1}),
        ("colour-co-occurrence", {"levels": 257}),
    ],
)
def test_options_out_of_range(name, options):
    with pytest.raises(ConvtraceError):
        descriptors.create(name, **options).describe(noise(64, 64, 3))


def wave(period: int, side: int = 128) -> NDArray[np.uint8]:
    row = 128 + 60 * np.cos(2 * np.pi * np.arange(side) / period)
    return np.tile(np.rint(row).astype(np.uint8), (side, 1))


@pytest.mark.parametrize("period", [4, 8])
def test_radial_spectrum_peaks_at_the_frequency_of_a_wave(period):
    profile = descriptors.create("radial-spectrum", length=91).describe(wave(period))
    # 90 rings of 1/128 cycles a pixel, and 91 numbers: about one a ring.
    assert abs(int(profile.argmax()) - 128 / period) <= 1


def test_radial_spectrum_is_flat_for_white_noise_and_falls_for_smooth_pictures():
    descriptor = descriptors.create("radial-spectrum")
    white = descriptor.describe(noise(256, 256))
    assert np.ptp(white[20:100]) < 1
    coarse = np.kron(noise(32, 32), np.ones((8, 8), dtype=np.uint8))
    profile = descriptor.describe(coarse)
    assert profile[10:20].mean() - profile[90:].mean() > 3


def test_dct_peaks_at_the_basis_function():
    block = 16
    position = np.arange(block) + 0.5
    basis = np.cos(np.pi * 5 * position / block)[:, None] * np.cos(np.pi * 3 * position / block)
    picture = np.tile(128 + 100 * basis, (6, 6))
    vector = descriptors.create("dct").describe(picture.astype(np.float32)).reshape(block, block)
    vector[0, 0] = -np.inf
    assert np.unravel_index(vector.argmax(), vector.shape) == (5, 3)


@pytest.mark.parametrize("period", [2, 4, 8])
def test_pooled_spectrum_puts_a_wave_in_its_cell(period):
    pooled = descriptors.create("autogan-spectrum").describe(wave(period)).reshape(24, 13)
    assert np.unravel_index(pooled.argmax(), pooled.shape) == (0, 24 // period)


@pytest.mark.parametrize("shape", [(64, 64), (65, 71), (256, 100)])
@pytest.mark.parametrize("peaks", [False, True])
def test_pooling_a_constant_gives_the_constant(shape, peaks):
    half = np.full((shape[0], shape[1] // 2 + 1), 3.5)
    np.testing.assert_allclose(pool(half, shape[1], 16, peaks=peaks), np.full(16 * 9, 3.5))


def test_log_power_keeps_the_energy():
    plane = noise(64, 64).astype(np.float64)
    power = np.exp(log_power(plane)) - 1e-4
    both_halves = power.sum() + power[:, 1:-1].sum()
    assert np.isclose(both_halves / plane.size, plane.var())


def test_p_map_spectrum_finds_doubling():
    smooth = np.kron(noise(80, 80), np.ones((4, 4)))
    small = smooth[1::2, 1::2] * 0.2 + noise(160, 160) * 0.02 + 100
    doubled = np.zeros((159, 159))
    doubled[::2, ::2] = small[:80, :80]
    doubled[1::2, ::2] = (small[:79, :80] + small[1:80, :80]) / 2
    doubled[:, 1::2] = (doubled[:, :-1:2] + doubled[:, 2::2]) / 2
    descriptor = descriptors.create("p-map-spectrum")

    def peak(picture):
        vector = descriptor.describe(picture.astype(np.float32)).reshape(16, 9)
        return vector[0, 8] - np.median(vector)

    assert peak(doubled) > peak(small) + 2


def test_patterns_of_a_single_bright_pixel_and_of_a_ramp():
    picture = np.zeros((9, 9), dtype=np.uint8)
    shares = descriptors.create("local-binary-patterns", channels="g").describe(picture)
    # All neighbours are as bright: the pattern of eight ones, last of the uniform ones.
    assert shares[57] == 1
    ramp = np.tile(np.arange(9, dtype=np.uint8), (9, 1))
    shares = descriptors.create("local-binary-patterns", channels="g").describe(ramp)
    assert np.count_nonzero(shares) == 1
    assert shares[58] == 0


def test_patterns_that_are_not_uniform_share_the_last_bin():
    rng_shares = descriptors.create("local-binary-patterns", channels="g").describe(noise(256, 256))
    # Of random patterns far more than the 198 of 256 rare ones' fair share are uniform.
    assert 0.4 < rng_shares[58] < 0.8
    board = (np.indices((20, 20)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shares = descriptors.create("local-binary-patterns", channels="g").describe(board)
    assert shares[58] == pytest.approx(0.5)


def test_co_occurrence_of_stripes():
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))
    names = descriptors.create("colour-co-occurrence").get_feature_names_out().tolist()
    vector = descriptors.create("colour-co-occurrence").describe(stripes)
    pairs = 64 * 63
    expected = {
        "pairs_r_0_15": pairs / (2 * pairs),
        "pairs_r_0_0": pairs / 2 / (2 * pairs),
        "pairs_r_15_15": pairs / 2 / (2 * pairs),
    }
    for name, share in expected.items():
        assert vector[names.index(name)] ** 2 == pytest.approx(share)
    assert (vector**2).sum() == pytest.approx(3)
