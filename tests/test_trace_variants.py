"""The relatives of the trace in tools/trace_variants.py find what was planted."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def variants() -> ModuleType:
    path = ROOT / "tools" / "trace_variants.py"
    if not path.is_file():
        pytest.skip("the tools are not here: these are the tests of an installed package")
    specification = importlib.util.spec_from_file_location("trace_variants", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _noise(seed: int = 0, side: int = 96) -> np.ndarray:
    return np.random.default_rng(seed).uniform(64, 192, (side, side, 3))


def test_across_channels_finds_the_other_channel(variants: ModuleType) -> None:
    picture = _noise()
    green = picture[..., 1]
    picture[:, 1:-1, 0] = 0.75 * green[:, :-2] + 0.25 * green[:, 2:]
    of_red = variants.across_channels(picture)[:28]
    # Its own eight neighbours, then nine of green, the centre last, then nine of blue.
    expected = np.zeros(26)
    left, right = 8 + 3, 8 + 4
    expected[[left, right]] = 0.75, 0.25
    np.testing.assert_allclose(of_red[:26], expected, atol=1e-3)
    assert of_red[26] == pytest.approx(np.log(0.05), abs=1e-6)
    assert of_red[27] > 0.95


def test_phases_tell_the_period_and_no_shift_changes_them(variants: ModuleType) -> None:
    picture = 128 + 10 * np.random.default_rng(1).standard_normal((130, 130, 3))
    picture[:, ::2] = 128 + 2 * (picture[:, ::2] - 128)
    found = variants.phases(picture)
    # Of period 2 the frequencies (0, 1), (1, 0) and (1, 1), three channels each. Noise is
    # predicted by the mean of eight neighbours, two of its own column and six of the others.
    even, odd = 400 + (2 * 400 + 6 * 100) / 64, 100 + (2 * 100 + 6 * 400) / 64
    by_frequency = found[:9].reshape(3, 3)
    np.testing.assert_allclose(by_frequency[0], np.log(even / odd) / 2, atol=0.06)
    assert by_frequency[1:].max() < 0.1
    shifted = variants.phases(picture[1:, 1:])
    np.testing.assert_allclose(shifted, found, atol=0.05)


def test_lattices_see_past_repeated_pixels(variants: ModuleType) -> None:
    small = _noise(2, 64)
    found = variants.lattices(small.repeat(2, axis=0).repeat(2, axis=1))
    kernels, spread = found[:24], found[33:57]
    # Every second pixel is noise again, of which the mean of the eight neighbours is the best
    # prediction, and in each of the four phases the same.
    np.testing.assert_allclose(kernels, 1 / 8, atol=0.1)
    assert spread.max() < 1e-6


def test_stored_planes_of_a_grey_picture_have_flat_colours(variants: ModuleType) -> None:
    grey = _noise(3)[..., :1].repeat(3, axis=2)
    found = variants.stored_planes(grey)
    log_sigma = found[72::3]
    assert log_sigma[0] > 1.0
    # The floor of sigma.
    np.testing.assert_allclose(log_sigma[1:], np.log(0.05), atol=1e-6)


def test_windows_are_pooled_by_the_median(variants: ModuleType) -> None:
    window = _noise(4, 64)
    tiled = np.tile(window, (3, 3, 1))
    once, pooled = variants.windows(window), variants.windows(tiled)
    np.testing.assert_allclose(pooled[:81], once[:81], atol=1e-9)
    np.testing.assert_allclose(pooled[81:162], 0.0, atol=1e-9)


def test_the_descriptor_names_what_it_measures(variants: ModuleType) -> None:
    picture = np.random.default_rng(5).integers(0, 256, (64, 72), dtype=np.uint8)
    descriptor = variants.TraceVariants()
    found = descriptor.describe(picture)
    names = descriptor.get_feature_names_out()
    assert found.shape == names.shape
    assert np.isfinite(found).all()
    assert {name.split("_")[0] for name in names} == set(variants.VARIANTS)
