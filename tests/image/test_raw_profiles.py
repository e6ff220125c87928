"""The profiles that ImageMagick writes into texts of a PNG."""

from __future__ import annotations

import binascii
import json
import shutil
import struct
import subprocess
import zlib
from typing import Any

import pytest
from PIL import Image

from convtrace.image.provenance import provenance_of
from convtrace.image.provenance.blocks import Block, MetadataError
from convtrace.image.provenance.raw_profiles import inner_blocks, is_raw_profile

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Midjourney"/></rdf:RDF></x:xmpmeta>"""
SETS = b"".join(
    bytes((28, 2, number)) + struct.pack(">H", len(value)) + value
    for number, value in ((80, b"A. Person"), (110, b"AFP"))
)
RESOURCES = (
    b"8BIM\x04\x04\0\0" + struct.pack(">I", len(SETS)) + SETS + bytes(len(SETS) % 2)
)  # fmt: skip


def exif() -> bytes:
    made = Image.Exif()
    made[0x010F] = "Maker"
    made[0x0110] = "M 1"
    made.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    return made.tobytes()


def profile(name: str, data: bytes, *, length: int | None = None) -> bytes:
    """Write a profile as ImageMagick does: 36 bytes a line."""
    digits = binascii.hexlify(data)
    lines = b"\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return b"\n%s\n%8d\n%s\n" % (name.encode(), len(data) if length is None else length, lines)


def chunk(keyword: str, text: bytes, *, packed: bool) -> bytes:
    kind = b"zTXt" if packed else b"tEXt"
    body = keyword.encode() + (b"\0\0" + zlib.compress(text) if packed else b"\0" + text)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    size = struct.pack(">II5B", 1, 1, 8, 0, 0, 0, 0)
    plain = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + size + bytes(4)
    return plain + b"".join(chunks) + bytes(4) + b"IEND" + bytes(4)


def told(*chunks: bytes) -> list[tuple[str, str, str, str]]:
    found = provenance_of(png(*chunks), "PNG").statements
    return [(one.source, one.name, one.value, one.kind) for one in found]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("exif", exif(), ("EXIF", "Make", "Maker", "camera")),
        ("exif", exif()[6:], ("EXIF", "Make", "Maker", "camera")),
        ("APP1", exif(), ("EXIF", "Make", "Maker", "camera")),
        (
            "APP1",
            b"http://ns.adobe.com/xap/1.0/\0" + XMP,
            ("XMP", "xmp:CreatorTool", "Midjourney", "generator"),
        ),
        ("xmp", XMP, ("XMP", "xmp:CreatorTool", "Midjourney", "generator")),
        ("iptc", SETS, ("IPTC", "Credit", "AFP", "rights")),
        ("iptc", RESOURCES, ("IPTC", "Credit", "AFP", "rights")),
        ("8bim", RESOURCES, ("IPTC", "Credit", "AFP", "rights")),
        ("icc", bytes(200), ("file", "colour profile", "200 bytes", "other")),
    ],
)
def test_every_type_is_read_as_what_it_holds(name, data, expected, packed):
    found = told(chunk(f"Raw profile type {name}", profile(name, data), packed=packed))
    assert expected in found
    assert not any(source == "PNG text" for source, *_ in found)


def test_the_same_metadata_under_two_names_are_told_once():
    both = told(
        chunk("Raw profile type 8bim", profile("8bim", RESOURCES), packed=False),
        chunk("Raw profile type iptc", profile("iptc", SETS), packed=True),
    )
    assert both == told(chunk("Raw profile type iptc", profile("iptc", SETS), packed=False))
    assert len(both) == 2


def test_a_type_that_is_not_known_is_no_wall_of_digits():
    found = told(chunk("Raw profile type odd", profile("odd", bytes(5000)), packed=True))
    assert found == [("PNG text", "Raw profile type odd", "5,000 bytes", "other")]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\nexif\n",
        b"\nexif\n  many\nab\n",
        b"\nexif\n 99999999999\nab\n",
        profile("exif", exif(), length=10_000),
        b"\nexif\n       4\nzzzzzzzz\n",
        profile("exif", b"no exif at all"),
    ],
)
def test_damage_is_told_and_raises_nothing(text):
    ((source, _, _, kind),) = told(chunk("Raw profile type exif", text, packed=False))
    assert (source, kind) in (("file", "damage"), ("EXIF", "damage"))


def test_what_is_not_a_profile_is_left_alone():
    block = Block("text", b"hello", "Raw profile")
    assert not is_raw_profile(block)
    assert is_raw_profile(Block("text", b"", "raw Profile Type EXIF"))
    assert not is_raw_profile(Block("comment", b"", "Raw profile type exif"))
    with pytest.raises(MetadataError, match="length"):
        list(inner_blocks(Block("text", b"hello", "Raw profile type exif")))


def test_profiles_count_among_the_bytes_that_are_read():
    """Each unpacks to 3 MiB of digits from 3 KB; all of them must not be unpacked."""
    packed = chunk("Raw profile type odd", profile("odd", bytes(3 << 19)), packed=True)
    found = told(*[packed] * 100)
    assert len(found) < 8
    assert found[-1][3] == "damage"
    # A profile that unpacks to more than a block may have is not begun.
    bomb = chunk("Raw profile type exif", profile("exif", bytes(3 << 20)), packed=True)
    assert [kind for *_, kind in told(bomb)] == ["damage"]


def test_the_place_that_imagemagick_repeats_in_texts_is_not_repeated():
    texts = {
        "exif:GPSInfo": "166", "exif:GPSLatitude": "52/1, 30/1, 0/1", "exif:GPSAltitude": "34/1",
        "exif:GPSLongitude": "13/1, 24/1, 0/1", "exif:Make": "Maker", "exif:Software": "NovelAI",
    }  # fmt: skip
    found = told(*[chunk(name, text.encode(), packed=False) for name, text in texts.items()])
    assert found == [
        ("PNG text", "GPS position", "present", "place"),
        ("PNG text", "exif:Make", "Maker", "camera"),
        ("PNG text", "exif:Software", "NovelAI", "generator"),
    ]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="apt-get install exiftool")
def test_profiles_of_a_program_in_use(tmp_path):
    """ExifTool writes IPTC into a PNG as ImageMagick does."""
    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(file)
    arguments: list[Any] = ["exiftool", "-q", "-overwrite_original", "-IPTC:By-line=Bob", file]
    subprocess.run(arguments, check=True)
    assert b"Raw profile type iptc" in file.read_bytes()
    found = provenance_of(file.read_bytes(), "PNG")
    assert ("IPTC", "By-line", "Bob") in [(s.source, s.name, s.value) for s in found.statements]
    assert "Raw profile" not in json.dumps(found.to_dict())
