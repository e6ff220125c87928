"""Cut, changed and invented bytes: statements come out, and nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import warnings
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from convtrace.errors import ImageError
from convtrace.image import Provenance, read
from convtrace.image._quiet import metadata_warnings_ignored
from convtrace.image.provenance import KINDS, exif, generators, iptc, provenance_of, xmp
from convtrace.image.provenance.blocks import MALFORMED

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="T"/></rdf:RDF></x:xmpmeta>'
)
KINDS_OF_FILE = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "HEIF")
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _sound() -> dict[str, bytes]:
    image = Image.new("RGB", (32, 32), "teal")
    made = Image.Exif()
    made[0x010F] = "Maker"
    made.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "Steps: 1, Sampler: x".encode("utf-16-be")
    made.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("prompt", '{"1": {"class_type": "x"}}', zip=True)
    chunks.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
    found = {}
    for kind in KINDS_OF_FILE:
        stream = io.BytesIO()
        if kind == "HEIF":
            import pillow_heif

            pillow_heif.from_pillow(image).save(stream, exif=made.tobytes(), xmp=XMP)
        elif kind == "GIF":
            image.save(stream, kind, comment=b"comment")
        elif kind == "PNG":
            image.save(stream, kind, exif=made, pnginfo=chunks)
        elif kind == "TIFF":
            image.save(stream, kind, exif=made, tiffinfo={700: XMP, 33723: b"\x1c\x02\x50\0\x01a"})
        else:
            image.save(stream, kind, exif=made.tobytes(), xmp=XMP)
        found[kind] = stream.getvalue()
    return found


SOUND = _sound()


def _check(found: Provenance) -> None:
    assert len(found.statements) <= 301
    assert all(one.kind in KINDS for one in found.statements)
    assert all(len(one.value) < 2100 for one in found.statements)
    json.dumps(found.to_dict(), allow_nan=False).encode("ascii")
    assert all(sentence.isprintable() for sentence in found.summary)


def _quiet(data: bytes, kind: str) -> Provenance:
    """Read as usual; a warning on the standard error would be one line too many."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return provenance_of(data, kind)


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """Change some bytes, cut, and splice bytes in, mostly near the begin."""
    place = st.integers(0, len(data) - 1) | st.integers(0, min(400, len(data) - 1))
    changes = st.lists(st.tuples(place, st.integers(0, 255)), max_size=8)
    splice = st.tuples(place, st.binary(max_size=12))
    cut = st.none() | place

    def apply(parts) -> bytes:
        found, (at, extra), end = bytearray(data), parts[1], parts[2]
        for where, value in parts[0]:
            found[where] = value
        found[at:at] = extra
        return bytes(found if end is None else found[:end])

    return st.tuples(changes, splice, cut).map(apply)


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_sound_files_are_read(kind):
    found = provenance_of(SOUND[kind], kind)
    _check(found)
    assert not found.of_kind("damage")
    assert found.statements


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of reading the pixels
@pytest.mark.parametrize("kind", KINDS_OF_FILE)
def test_changed_files_never_raise(kind):
    @FUZZ
    @given(mutated(SOUND[kind]))
    def run(data: bytes) -> None:
        _check(_quiet(data, kind))
        with contextlib.suppress(ImageError):
            _check(read(data, provenance=True).provenance)

    run()


@pytest.mark.parametrize("kind", KINDS_OF_FILE)
@FUZZ
@given(data=st.binary(max_size=300))
def test_invented_files_never_raise(kind, data):
    _check(_quiet(data, kind))
    _check(_quiet(SOUND[kind][:40] + data, kind))


@pytest.mark.parametrize("parse", [exif.in_statements, xmp.in_statements, iptc.in_statements])
@FUZZ
@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"II*\0\x08\0\0\0", b"\x1c\x02P"]))
def test_parsers_raise_what_they_may(parse: Callable, data, head):
    try:
        for one in parse(head + data):
            assert one.kind in KINDS
    except MALFORMED:
        pass


@FUZZ
@given(name=st.sampled_from(["prompt", "Comment", "x", "parameters"]), value=st.text())
def test_any_text_is_judged(name, value):
    assert generators.of_text(name, value).kind in KINDS
    assert generators.of_text(name, "{" * 5000 + value).kind in KINDS


def test_patterns_take_linear_time():
    for text in ("Steps: 1," * 20_000, "Steps: 1, CFG" * 10_000, "{" * 100_000):
        assert generators.of_text("x", text).name == "x"


def test_damaged_exif_of_an_avif_is_no_warning():
    """Pillow reads the orientation while it opens the file."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "a maker of cameras with a long name"
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(stream, "AVIF", exif=tags.tobytes())
    data = bytearray(stream.getvalue())
    head = data.find(b"II*\0") if b"II*\0" in data else data.find(b"MM\0*")
    data[head + 8] = data[head + 9] = 0xFF  # more entries than the file has
    _check(_quiet(bytes(data), "AVIF"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(bytes(data)).pixels.shape == (32, 32, 3)


def test_one_thread_at_a_time_changes_the_filters_of_warnings():
    """Two at once would restore each other's, and all later warnings would be lost."""
    entered = threading.Event()

    def enter() -> None:
        with metadata_warnings_ignored():
            entered.set()

    before = list(warnings.filters)
    other = threading.Thread(target=enter)
    with metadata_warnings_ignored():
        other.start()
        assert not entered.wait(0.2)
    other.join()
    assert entered.is_set()
    assert list(warnings.filters) == before
