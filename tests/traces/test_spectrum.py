"""Peaks where there are periods, none where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace import traces
from convtrace.errors import TraceError


def test_noise_has_no_peak():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for shape in ((96, 128), (256, 256), (500, 300)):
            found += len(traces.find_peaks(*traces.spectrum(rng.random(shape))))
    # 60 spectra with a chance of 0.001 each.
    assert found <= 1


@pytest.mark.parametrize("period", [2, 4, 8, 5])
@pytest.mark.parametrize("shape", [(128, 128), (300, 600)])
def test_a_period_gives_its_peak(period, shape):
    maps = np.random.default_rng(0).random(shape)
    maps[::period] += 0.4
    peaks = traces.find_peaks(*traces.spectrum(maps))
    assert peaks
    side = traces.spectrum(maps)[0].shape[0]
    for peak in peaks:
        assert abs(peak.horizontal) <= 1.5 / side
        turns = peak.vertical * period
        assert abs(turns - round(turns)) <= 1.5 * period / side
    assert any(abs(peak.vertical - 1 / period) <= 1.5 / side for peak in peaks)


def test_a_slanted_period_keeps_its_direction():
    rows, columns = np.mgrid[:256, :256]
    maps = np.random.default_rng(0).random((256, 256))
    maps += 0.3 * np.cos(2 * np.pi * (0.25 * rows - 0.125 * columns))
    peak = traces.find_peaks(*traces.spectrum(maps))[0]
    assert (peak.vertical, peak.horizontal) == (0.25, -0.125)


def test_linear_enlargement_shows():
    # Popescu and Farid's own case: every second pixel is a mean of its neighbours.
    rows = np.arange(0, 199) / 2
    texture = np.random.default_rng(0).normal(128, 40, size=(100, 100))
    low, part = rows.astype(int), rows % 1
    high = np.minimum(low + 1, 99)
    tall = texture[low] * (1 - part)[:, None] + texture[high] * part[:, None]
    big = tall[:, low] * (1 - part) + tall[:, high] * part
    big = np.clip(np.rint(big), 0, 255).astype(np.uint8)
    maps = traces.posterior_map(big, kernel_size=3, channels="g")
    peaks = traces.find_peaks(*traces.spectrum(maps))
    places = {(peak.vertical, abs(peak.horizontal)) for peak in peaks}
    assert places & {(0.5, 0.0), (0.0, 0.5), (0.5, 0.5)}


def test_constant_map_and_small_map():
    assert traces.find_peaks(*traces.spectrum(np.ones((64, 64)))) == []
    with pytest.raises(TraceError, match="too small"):
        traces.spectrum(np.ones((31, 90)))
