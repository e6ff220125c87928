"""The convolutional trace as a scikit-learn transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_estimator,
    check_estimator_repr,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from convtrace import traces
from convtrace.descriptors import ConvolutionalTraces, create
from convtrace.errors import ConvtraceError, ImageError


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(3)
    out = []
    for size in (70, 80):
        smooth = gaussian_filter(rng.normal(size=(size, size, 3)), (1.0, 0.7, 0))
        grey = 128 + 200 * smooth + rng.normal(scale=2, size=smooth.shape)
        out.append(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    return out


def test_the_numbers_are_those_of_the_traces_room(pictures: list[NDArray[np.uint8]]) -> None:
    rows = ConvolutionalTraces(crop=None).transform(pictures)
    names = ConvolutionalTraces(crop=None).get_feature_names_out().tolist()
    assert rows.shape == (2, len(names)) == (2, 72 + 24 + 144 + 3 * 9)
    assert rows.dtype == np.float64
    for size in (3, 5, 7):
        trace = traces.extract(pictures[0], kernel_size=size)
        for channel, letter in enumerate("rgb"):
            half = size // 2
            for row, column in ((-half, 0), (0, 1), (half, -half)):
                value = rows[0, names.index(f"ct{size}_{letter}_{row:+d}_{column:+d}")]
                assert value == trace.kernels[channel, half + row, half + column]
            assert rows[0, names.index(f"ct{size}_{letter}_log_sigma")] == np.log(
                trace.sigma[channel]
            )
            assert rows[0, names.index(f"ct{size}_{letter}_weight")] == trace.weight[channel]
            likelihood = rows[0, names.index(f"ct{size}_{letter}_log_likelihood")]
            assert likelihood == trace.log_likelihood[channel]


def test_one_size_and_no_statistics_is_the_plain_vector(
    pictures: list[NDArray[np.uint8]],
) -> None:
    descriptor = ConvolutionalTraces(kernel_size=5, statistics=False)
    trace = traces.extract(pictures[1], kernel_size=5)
    np.testing.assert_array_equal(descriptor.describe(pictures[1]), trace.vector)


def test_the_crop_is_what_is_measured(pictures: list[NDArray[np.uint8]]) -> None:
    descriptor = ConvolutionalTraces(kernel_size=3, crop=64)
    inner = np.ascontiguousarray(pictures[1][8:72, 8:72])
    np.testing.assert_array_equal(descriptor.describe(pictures[1]), descriptor.describe(inner))


@pytest.mark.parametrize(("channels", "columns"), [("rgb", 24), ("gb", 16), ("luminance", 8)])
def test_channels(pictures: list[NDArray[np.uint8]], channels: str, columns: int) -> None:
    descriptor = ConvolutionalTraces(kernel_size=3, channels=channels, statistics=False)
    assert descriptor.transform(pictures).shape == (2, columns)
    assert len(set(descriptor.get_feature_names_out())) == columns


def test_grey_pictures_repeat_their_channel(pictures: list[NDArray[np.uint8]]) -> None:
    descriptor = ConvolutionalTraces(kernel_size=3, statistics=False)
    row = descriptor.describe(Image.fromarray(pictures[0][..., 0]))
    np.testing.assert_array_equal(row[:8], row[8:16])


def test_a_flat_picture_gives_finite_numbers_and_says_so() -> None:
    found = ConvolutionalTraces(kernel_size=3).inspect(np.full((64, 64, 3), 90, np.uint8))
    assert np.isfinite(found.vector).all()
    assert found.regularized


def test_a_picture_smaller_than_the_kernel_is_named() -> None:
    with pytest.raises(ImageError, match="<array>"):
        ConvolutionalTraces().describe(np.zeros((3, 3, 3), np.uint8))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 4},
        {"kernel_size": ()},
        {"kernel_size": (3, 3)},
        {"channels": "rgq"},
        {"channels": ""},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConvtraceError):
        ConvolutionalTraces(**options).fit()


def test_it_works_in_a_pipeline_and_sets_its_output(pictures: list[NDArray[np.uint8]]) -> None:
    pandas = pytest.importorskip("pandas")
    descriptor = create("ct", kernel_size=3, statistics=False)
    scaled = make_pipeline(descriptor, StandardScaler()).fit_transform(pictures)
    assert scaled.shape == (2, 24)
    frame = clone(descriptor).set_output(transform="pandas").transform(pictures)
    assert isinstance(frame, pandas.DataFrame)
    assert frame.columns[0] == "ct3_r_-1_-1"


def test_a_clone_has_the_same_options() -> None:
    descriptor = ConvolutionalTraces(kernel_size=[5], channels="g", crop=None, n_jobs=2)
    assert clone(descriptor).get_params() == descriptor.get_params()
    assert descriptor.measuring_options() == {
        "kernel_size": [5],
        "channels": "g",
        "crop": None,
        "statistics": True,
    }


@pytest.mark.parametrize(
    "check",
    [
        check_estimator_repr,
        check_get_params_invariance,
        check_no_attributes_set_in_init,
        check_parameters_default_constructible,
        check_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_the_checks_of_scikit_learn_that_need_no_feature_table(check: Any) -> None:
    check("ConvolutionalTraces", ConvolutionalTraces())


def test_check_estimator_as_far_as_pictures_allow() -> None:
    # It runs what its tags allow and skips the checks that feed it tables of numbers.
    results = check_estimator(ConvolutionalTraces(), on_skip=None, on_fail=None)
    assert {result["status"] for result in results} == {"passed"}
