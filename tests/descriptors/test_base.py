"""What descriptors share, tried on a descriptor that is quick to follow."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convtrace.descriptors.base import Description, Descriptor, centre_crop
from convtrace.errors import ConvtraceError, ImageError, TraceError


class MeanLevel(Descriptor):
    """The mean grey level; counts how often it measures."""

    name: ClassVar[str] = "mean-level"
    version: ClassVar[str] = "1"
    measured: ClassVar[list[int]] = []

    def __init__(
        self,
        scale: float = 1.0,
        *,
        crop: int | None = None,
        cache: Any = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.scale = scale
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _feature_names(self) -> list[str]:
        return ["mean", "height"]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        if len(pixels) < 2:
            raise TraceError("the picture is too small")
        self.measured.append(threading.get_ident())
        time.sleep(0.001)
        vector = np.array([self.scale * pixels.mean(), float(len(pixels))])
        return Description(vector, regularized=bool(pixels.std() == 0))


@pytest.fixture(autouse=True)
def _count_anew() -> None:
    MeanLevel.measured.clear()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{index}.png" for index in range(6)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    return paths


def test_the_crop_is_central_and_never_grows() -> None:
    pixels = np.arange(7 * 9).reshape(7, 9)
    np.testing.assert_array_equal(centre_crop(pixels, 3), pixels[2:5, 3:6])
    assert centre_crop(pixels, 100).shape == (7, 9)
    assert centre_crop(pixels, None) is pixels


def test_rows_are_in_order_for_any_number_of_threads(files: list[Path]) -> None:
    one = MeanLevel().transform(files)
    many = MeanLevel(n_jobs=4).transform(files)
    np.testing.assert_array_equal(one, many)
    np.testing.assert_array_equal(one[2], MeanLevel().describe(files[2]))
    assert len(set(MeanLevel.measured[6:12])) > 1


def test_a_generator_and_an_empty_list_are_fine(files: list[Path]) -> None:
    assert MeanLevel().transform(path for path in files).shape == (6, 2)
    assert MeanLevel().transform([]).shape == (0, 2)


@pytest.mark.parametrize("bad", ["a.png", b"abc", Path("a.png"), np.zeros((5, 5))])
def test_one_picture_in_place_of_a_list_is_refused(bad: Any) -> None:
    with pytest.raises(ConvtraceError, match="list of pictures"):
        MeanLevel().transform(bad)


@pytest.mark.parametrize("n_jobs", [None, 3])
def test_a_bad_picture_is_named(files: list[Path], n_jobs: int | None) -> None:
    files[3].write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"3\.png"):
        MeanLevel(n_jobs=n_jobs).transform(files)


def test_a_bad_picture_can_be_a_row_of_nan(files: list[Path]) -> None:
    files[3].write_bytes(b"not a picture")
    rows = MeanLevel(on_error="nan").transform([*files, np.zeros((1, 1), np.uint8)])
    assert np.isnan(rows).all(axis=1).tolist() == [False, False, False, True, *[False] * 2, True]


def test_a_picture_too_small_to_measure_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="<array>: the picture is too small"):
        MeanLevel().describe(np.zeros((1, 1), np.uint8))


def test_the_cache_spares_measuring(files: list[Path], tmp_path: Path) -> None:
    cached = MeanLevel(cache=tmp_path / "cache")
    first = cached.transform(files)
    assert len(MeanLevel.measured) == 6
    np.testing.assert_array_equal(cached.transform(files), first)
    assert len(MeanLevel.measured) == 6
    # The same bytes by another way are the same picture; other options are not.
    np.testing.assert_array_equal(cached.describe(files[0].read_bytes()), first[0])
    assert len(MeanLevel.measured) == 6
    np.testing.assert_array_equal(
        MeanLevel(2.0, cache=tmp_path / "cache").describe(files[0]), first[0] * [2, 1]
    )
    assert len(MeanLevel.measured) == 7


def test_the_cache_keeps_how_sound_the_numbers_are(tmp_path: Path) -> None:
    cached = MeanLevel(cache=tmp_path)
    flat = np.full((8, 8), 7, np.uint8)
    assert cached.inspect(flat).regularized
    assert cached.inspect(flat).regularized
    assert len(MeanLevel.measured) == 1


def test_a_damaged_entry_is_measured_anew(files: list[Path], tmp_path: Path) -> None:
    cached = MeanLevel(cache=tmp_path / "cache")
    first = cached.transform(files)
    for entry in (tmp_path / "cache").rglob("*.npy"):
        entry.write_bytes(entry.read_bytes()[:-9])
    np.testing.assert_array_equal(cached.transform(files), first)
    assert len(MeanLevel.measured) == 12
    cached.transform(files)
    assert len(MeanLevel.measured) == 12


@pytest.mark.parametrize("options", [{"on_error": "ignore"}, {"crop": 0}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConvtraceError, match=next(iter(options))):
        MeanLevel(**options).fit([])
