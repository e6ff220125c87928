"""What files say of themselves."""

from __future__ import annotations

import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from convtrace.report.provenance import provenance

from .conftest import encoded


def test_exif_position_and_xmp_of_a_jpeg():
    exif = Image.Exif()
    exif[271] = "Maker\0"
    exif[0x9286] = b"hidden \xff"
    exif.get_ifd(0x8769)[33434] = 0.01
    exif.get_ifd(0x8825)[1] = "N"
    image = Image.new("RGB", (16, 16))
    data = encoded(image, "JPEG", exif=exif, comment=b"said so", xmp=b"<x:xmpmeta>p</x:xmpmeta>")
    found = {(one.group, one.name): one.value for one in provenance(data, "JPEG")}
    assert found["EXIF", "Make"] == "Maker"
    assert found["EXIF, exposure", "ExposureTime"] == "0.01"
    assert found["EXIF, position", "GPSLatitudeRef"] == "N"
    assert found["file", "comment"] == "said so"
    assert found["XMP", "packet"] == "<x:xmpmeta>p</x:xmpmeta>"


def test_text_of_a_png_even_after_the_pixels():
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("Title", "caf\u00e9 \u202e", lang="en", tkey="Title")
    chunks.add_text("prompt", '{"1": {}}', zip=True)
    chunks.add(b"tEXt", b"late\0after", after_idat=True)
    found = provenance(encoded(Image.new("L", (8, 8)), pnginfo=chunks), "PNG")
    told = {one.name: (one.value, one.telling) for one in found}
    assert told["Title"] == ("caf\u00e9 \\u202e", False)
    assert told["prompt"] == ('{"1": {}}', True)
    assert told["late"] == ("after", False)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "AVIF"])
def test_says_little_of_a_bare_picture(kind):
    found = provenance(encoded(Image.new("RGB", (16, 16)), kind), kind)
    assert {one.group for one in found} <= {"file", "EXIF"}


def test_damage_is_told_and_does_not_stop_the_rest():
    data = encoded(Image.new("RGB", (16, 16)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert isinstance(provenance(data, "JPEG"), tuple)
    found = provenance(b"\x89PNG\r\n\x1a\n" + b"junk", "PNG")
    assert [one.name for one in found] == ["metadata"]
    assert provenance(b"", "array") == ()


def test_exif_of_a_heif():
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[271] = "Maker"
    data = encoded(Image.new("RGB", (64, 64)), "HEIF", exif=exif.tobytes())
    found = {(one.group, one.name): one.value for one in provenance(data, "HEIF")}
    assert found["EXIF", "Make"] == "Maker"


def test_content_credentials_are_only_noticed():
    data = encoded(Image.new("RGB", (8, 8)), "JPEG") + b"jumb....c2pa"
    assert [one.group for one in provenance(data, "JPEG")][-1] == "C2PA"
