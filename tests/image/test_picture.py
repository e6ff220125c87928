from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image, ImageOps

from convtrace.image import read, to_uint8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_orientation_turns_the_display_alone(rgb, encode, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(rgb)
    lossless = {"WEBP": {"lossless": True}, "AVIF": {"speed": 10}}.get(kind, {})
    plain = read(encode(image, kind, **lossless))
    turned = read(encode(image, kind, exif=exif, **lossless))
    assert turned.orientation == orientation
    assert plain.orientation == 1
    np.testing.assert_array_equal(turned.pixels, plain.pixels)

    upright = Image.fromarray(plain.pixels)
    upright.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(
        np.asarray(turned.display()), np.asarray(ImageOps.exif_transpose(upright))
    )


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_big_tiff_on_its_side(encode, compression):
    """A side-lying picture of several bands keeps its stored shape."""
    pixels = np.arange(3000 * 1200, dtype=np.uint32).reshape(3000, 1200).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(pixels), "TIFF", exif=exif, compression=compression)
    picture = read(data)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.display().size == (3000, 1200)


def test_orientation_out_of_range_counts_as_none(rgb, encode):
    exif = Image.Exif()
    exif[0x0112] = 77
    assert read(encode(Image.fromarray(rgb), "PNG", exif=exif)).orientation == 1


def test_heif_comes_as_its_container_prescribes(rgb, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read(encode(Image.fromarray(rgb), "HEIF", quality=90, exif=exif.tobytes()))
    assert (picture.height, picture.width) == (rgb.shape[1], rgb.shape[0])
    assert picture.orientation == 1
    assert picture.notes == ("turned as the HEIF container prescribes",)


def test_size_and_display_of_greyscale():
    picture = read(np.zeros((5, 7), dtype=np.uint8))
    assert (picture.width, picture.height) == (7, 5)
    assert picture.display().mode == "L"


def test_display_rounds_floats():
    picture = read(np.array([[1.5, 2.5, 254.7]], dtype=np.float32))
    assert np.asarray(picture.display()).tolist() == [[2, 2, 255]]


def test_to_uint8_returns_bytes_as_they_are(rgb):
    assert to_uint8(rgb) is rgb


def test_crosses_process_borders(rgb, encode):
    picture = read(encode(Image.fromarray(rgb), "JPEG"))
    copy = pickle.loads(pickle.dumps(picture))  # noqa: S301, our own bytes
    np.testing.assert_array_equal(copy.pixels, picture.pixels)
    assert (copy.sha256, copy.jpeg) == (picture.sha256, picture.jpeg)
