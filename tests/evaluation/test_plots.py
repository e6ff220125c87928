"""Every kind of figure is drawn from data, with its names and counts on it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from convtrace.evaluation.experiments import Plot
from convtrace.evaluation.experiments.appearance import frequency_response
from convtrace.evaluation.plots import KINDS, draw, written

SERIES = [{"name": "clean", "values": [(0.9, 0.8, 1.0), (0.7, 0.6, 0.75)]}]
PANEL = {"name": "FaceForensics++ FaceSwap", "count": 82}
DATA = {
    "confusion": {"names": ["real", "BEGAN"], "counts": [[7, 3], [0, 5]]},
    "dots": {"rows": ["jpeg-90", "blur-3"], "xlabel": "accuracy", "series": SERIES},
    "kernels": {"panels": [{**PANEL, "mean": np.eye(3) - 0.2, "spread": np.eye(3) + 0.01}]},
    "lines": {"x": [50, 100], "xlabel": "quality", "ylabel": "accuracy", "series": SERIES},
    "roc": {
        "curves": [
            {"name": "DCGAN", "counts": "4 real, 5 generated", "x": [0, 0.5, 1],
             "y": [0, 1, 1], "low": [0, 0.8, 1], "high": [0.2, 1, 1]}
        ]
    },
    "scatter": {
        "points": np.arange(12).reshape(6, 2), "labels": ["one", "two"],
        "groups": [{"name": "BEGAN", "rows": [0, 2, 4]}],
    },
    "spectra": {"panels": [{**PANEL, "values": np.linspace(-2, 0.5, 9).reshape(3, 3)}]},
}  # fmt: skip
WORDS = {
    "confusion": {"BEGAN (5)", "7", "share of the row"},
    "dots": {"jpeg-90", "clean"},
    "kernels": {"FF++ FaceSwap (82)", "mean weight of the neighbour"},
    "lines": {"quality", "chance", "clean", "100"},
    "roc": {"DCGAN\n4 real, 5 generated", "AUC 0.750"},
    "scatter": {"BEGAN (3)", "one", "two"},
    "spectra": {"FF++ FaceSwap\n(82)"},
}


def _texts(figure) -> set[str]:
    figure.draw_without_rendering()
    return {one.get_text() for one in figure.findobj(lambda a: hasattr(a, "get_text"))}


def test_every_kind_is_tried():
    assert set(DATA) == set(KINDS) == set(WORDS)


@pytest.mark.parametrize("kind", sorted(DATA))
def test_names_and_counts_are_on_the_figure(kind):
    assert WORDS[kind] <= _texts(draw(Plot("p", kind, "A caption.", DATA[kind])))


def test_files_are_the_same_each_time():
    plot = Plot("p", "lines", "A caption.", DATA["lines"])
    first, second = written(draw(plot)), written(draw(plot))
    assert first == second
    with Image.open(io.BytesIO(first["png"])) as picture:
        assert picture.format == "PNG"
        assert 700 < picture.width < 1000


def test_prediction_by_the_left_neighbour_keeps_no_level():
    kernel = np.zeros((1, 3, 3))
    kernel[0, 1, 0] = 1
    (response,) = frequency_response(kernel, 5)
    # |1 - exp(2 pi i f)| along a row, whatever the frequency down the columns.
    expected = 2 * np.abs(np.sin(np.pi * np.linspace(-0.5, 0.5, 5)))
    np.testing.assert_allclose(response, np.tile(expected, (5, 1)), atol=1e-12)
