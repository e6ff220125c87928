from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convtrace.image import containers

FORMATS = {
    **dict.fromkeys(("jpeg", "jpeg-progressive"), "JPEG"),
    **dict.fromkeys(("png", "png-16", "png-palette"), "PNG"),
    **dict.fromkeys(("webp", "webp-lossless"), "WEBP"),
    **dict.fromkeys(("tiff", "tiff-lzw", "tiff-deflate", "tiff-jpeg"), "TIFF"),
    **dict.fromkeys(("bmp", "bmp-palette"), "BMP"),
    **dict.fromkeys(("ppm", "pgm"), "PPM"),
    **{"gif": "GIF", "heif": "HEIF", "avif": "AVIF"},
}


def test_sniff_knows_every_format(encoded):
    assert {name: containers.sniff(data) for name, data in encoded.items()} == FORMATS


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"mif1\0\0\0\0mif1avif", "AVIF"),
        (b"mif1\0\0\0\0mif1heic", "HEIF"),
        (b"heix\0\0\0\0mif1", "HEIF"),
        (b"isom\0\0\0\0mp42", None),
    ],
)
def test_sniff_reads_compatible_brands(brands, expected):
    data = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands
    assert containers.sniff(data) == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello world\n" * 900, "text"),
        ("é".encode() * 5000, "text"),
        (b" \n<HTML><body>", "an HTML page"),
        (b'<?xml version="1.0"?><svg>', "an SVG drawing"),
        (b'<?xml version="1.0"?><a/>', "an XML file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        (b"%PDF-1.7\0", "PDF"),
        (b"PK\x03\x04\0\0", "ZIP"),
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"8BPS\0\1", "Photoshop"),
        (bytes(100), "zeros"),
    ],
)
def test_describe(data, words):
    assert words in containers.describe(data)


@pytest.mark.parametrize("data", [b"\x80\x81\x82", b"ab\x00c", b"a\x01b", b"ok" + b"\xff" * 50])
def test_describe_does_not_guess(data):
    assert containers.describe(data) == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_described_or_sniffed(data):
    assert isinstance(containers.describe(data), str)
    assert containers.sniff(data) is None or isinstance(containers.sniff(data), str)
    size = containers.declared_size(b"GIF89a" + data)
    assert size is None or min(size) >= 0
    assert containers.png_damage(b"\x89PNG\r\n\x1a\n" + data) is not None


@pytest.mark.parametrize("kind", ["webp", "webp-lossless", "gif"])
def test_declared_size(encoded, rgb, kind):
    assert containers.declared_size(encoded[kind]) == (rgb.shape[1], rgb.shape[0])


def test_declared_size_of_extended_webp(rgb, encode):
    image = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x010E] = "makes the container an extended one"
    data = encode(image, "WEBP", exif=exif)
    assert data[12:16] == b"VP8X"
    assert containers.declared_size(data) == image.size


def test_declared_size_of_other_formats_is_left_to_their_decoders(encoded):
    assert containers.declared_size(encoded["png"]) is None


def test_declared_size_of_gif_counts_a_frame_outside_the_screen(encoded):
    data = bytearray(encoded["gif"])
    frame = data.index(b"\x2c", 13 + (3 << (data[10] & 7) + 1))
    data[frame + 1 : frame + 3] = (50_000).to_bytes(2, "little")
    assert containers.declared_size(bytes(data)) == (50_093, 75)


def test_png_damage(encoded):
    data = encoded["png"]
    assert containers.png_damage(data) is None
    assert containers.png_damage(data + b"trailing bytes are no damage") is None
    assert "cut short" in str(containers.png_damage(data[:-12]))
    broken = bytearray(data)
    broken[len(data) // 2] ^= 1
    assert "checksum" in str(containers.png_damage(bytes(broken)))


def test_high_bit_depth_of_av1(encoded):
    data = encoded["avif"]
    assert not containers.has_high_bit_depth_av1(data)
    at = data.index(b"av1C") + 6
    deep = data[:at] + bytes((data[at] | 0x40,)) + data[at + 1 :]
    assert containers.has_high_bit_depth_av1(deep)
    assert not containers.has_high_bit_depth_av1(np.zeros(100, np.uint8).tobytes())
