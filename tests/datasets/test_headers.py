"""Header-only reading."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from convtrace.datasets import read_header
from convtrace.errors import ImageError


def camera_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[271] = "Canon"
    exif[305] = "Firmware 1"
    return exif


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "gif", "tiff", "ppm", "avif"])
def test_formats_and_sizes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (33, 21), "teal").save(path)
    header = read_header(path)
    assert header.format == suffix.upper()
    assert (header.width, header.height) == (33, 21)
    assert header.nbytes == path.stat().st_size
    assert header.jpeg is None


def test_heif(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    image = pillow_heif.from_pillow(Image.new("RGB", (64, 48)))
    image.save(path, exif=camera_exif().tobytes())
    header = read_header(path)
    assert (header.format, header.width, header.height) == ("HEIF", 64, 48)
    assert (header.exif, header.make) == (True, "Canon")


def test_jpeg_facts_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (64, 48)).save(
        path,
        quality=83,
        subsampling="4:2:2",
        exif=camera_exif(),
        comment=b"hello",
        icc_profile=b"profile" * 40,
        xmp=b"<x:xmpmeta/>",
    )
    header = read_header(path)
    assert header.jpeg is not None
    assert (header.jpeg.quality, header.jpeg.subsampling) == (83, "4:2:2")
    assert header.exif
    assert header.icc
    assert header.xmp
    assert header.comment
    assert (header.make, header.software) == ("Canon", "Firmware 1")


def test_long_metadata_does_not_hide_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (16, 16)).save(path, quality=70, icc_profile=bytes(200_000))
    header = read_header(path)
    assert header.jpeg is not None
    assert header.jpeg.quality == 70


def test_png_text(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "steps: 20")
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info, dpi=(72, 72))
    header = read_header(path)
    assert header.text_keys == ("parameters",)
    assert header.xmp
    assert header.dpi
    assert not header.exif


def test_tiff_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    Image.new("L", (8, 8)).save(path, tiffinfo={271: "Nikon", 305: "Scan"})
    assert (read_header(path).make, read_header(path).software) == ("Nikon", "Scan")


def test_content_credentials(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(path)
    segment = b"JP\x00\x01\x00\x00\x00\x01" + b"\x00\x00\x00\x20jumb" + bytes(24)
    marked = b"\xff\xeb" + (len(segment) + 2).to_bytes(2, "big") + segment
    data = path.read_bytes()
    assert not read_header(path).c2pa
    path.write_bytes(data[:2] + marked + data[2:])
    assert read_header(path).c2pa


def test_pixels_are_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert read_header(path).width == 400


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_loses_only_the_names(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    header = read_header(path)
    assert header.exif
    assert header.make == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"plain text", "not a picture"), (b"\x89PNG\r\n\x1a\n\x00", "damaged")],
)
def test_bad_files(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        read_header(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be opened"):
        read_header(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="not a regular file"):
        read_header(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="not a regular file"):
        read_header(tmp_path / "pipe.png")
