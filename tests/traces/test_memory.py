"""A very large picture is fitted without a design matrix in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="the system does not report peak memory")

_PROGRAM = """
import resource
import numpy as np
from convtrace import traces

tile = np.random.default_rng(0).integers(0, 256, size=(500, 500, 3), dtype=np.uint8)
picture = np.tile(tile, (20, 20, 1))
trace = traces.extract(picture, kernel_size=3, threads=2)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(picture.shape[0] * picture.shape[1], bool(trace.converged.all()), int(peak))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_a_hundred_megapixels_take_under_two_gibibytes():
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=600
    )
    pixels, converged, peak = done.stdout.split()
    assert int(pixels) == 100_000_000
    assert converged == "True"
    assert int(peak) < 2048
