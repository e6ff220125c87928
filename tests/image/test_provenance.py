"""What files say of their origin, by the structure of each container."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from convtrace.image import Provenance, Statement, read
from convtrace.image.provenance import fit_to_read, provenance_of
from convtrace.image.provenance.xmp import SOURCE_TYPES, properties

PARAMETERS = "a cat, <lora:x:1>\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7"
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}})
WORKFLOW = json.dumps({"nodes": [], "links": [], "version": 0.4})
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="X"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" xmlns:odd="urn:a/odd#"
 xmp:CreatorTool="Photo Editor 1" exif:GPSLatitude="52,30N" odd:word="x"
 Iptc4xmpExt:DigitalSourceType="{TYPES}trainedAlgorithmicMedia">
 <dc:creator><rdf:Seq><rdf:li>A. Person</rdf:li></rdf:Seq></dc:creator>
 <xmpMM:History><rdf:Seq><rdf:li rdf:parseType="Resource"><stEvt:action>saved</stEvt:action>
 <stEvt:softwareAgent>Adobe Firefly</stEvt:softwareAgent></rdf:li></rdf:Seq></xmpMM:History>
 </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    image = Image.new("RGB", (64, 64), "teal") if image is None else image
    stream = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(image).save(stream, **options)
    else:
        image.save(stream, kind, **options)
    return stream.getvalue()


def exif(**more: Any) -> Image.Exif:
    found = Image.Exif()
    found[0x010F], found[0x0110], found[0x0131] = "Maker", "M 1", "Editor 2"
    inner = found.get_ifd(0x8769)
    inner[0x9003], inner[0x829A], inner[0xA434] = "2020:01:02 03:04:05", 0.01, "50 mm"
    inner |= more.get("inner", {})
    if more.get("place", True):
        found.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    return found


def with_exif(kind: str, made: Image.Exif) -> bytes:
    if kind == "TIFF":
        # Pillow writes no inner directories to a TIFF; but EXIF is itself one.
        return made.tobytes().removeprefix(b"Exif\0\0")
    return encoded(kind, exif=made if kind == "PNG" else made.tobytes())


def told(data: bytes, kind: str) -> dict[tuple[str, str], tuple[str, str]]:
    return {(s.source, s.name): (s.value, s.kind) for s in provenance_of(data, kind).statements}


def png(*chunks: tuple[bytes, bytes], after: bool = False) -> bytes:
    plain = encoded("PNG")
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    at = len(plain) - 12 if after else 33
    return plain[:at] + made + plain[at:]


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    plain = encoded("JPEG")
    made = b"".join(
        bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body for marker, body in segments
    )
    return plain[:2] + made + plain[2:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_exif_of_every_container(kind):
    data = with_exif(kind, exif())
    found = told(data, kind)
    assert found["EXIF", "Make"] == ("Maker", "camera")
    assert found["EXIF", "Model"] == ("M 1", "camera")
    assert found["EXIF", "LensModel"] == ("50 mm", "camera")
    assert found["EXIF", "Software"] == ("Editor 2", "software")
    assert found["EXIF", "DateTimeOriginal"] == ("2020:01:02 03:04:05", "time")
    assert found["EXIF", "ExposureTime"] == ("0.01", "other")
    # That there is a place, and not where.
    assert found["EXIF", "GPS position"] == ("present", "place")
    assert "52" not in json.dumps(provenance_of(data, kind).to_dict())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_xmp_of_every_container(kind):
    if kind == "PNG":
        data = png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    elif kind == "TIFF":
        data = encoded(kind, tiffinfo={700: XMP})
    elif kind == "GIF":
        trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
        extension = b"\x21\xff\x0bXMP DataXMP" + XMP + trailer
        plain = encoded(kind)
        data = plain[:-1] + extension + plain[-1:]
    else:
        data = encoded(kind, xmp=XMP)
    found = told(data, kind)
    assert found["XMP", "xmp:CreatorTool"] == ("Photo Editor 1", "software")
    assert found["XMP", "DigitalSourceType"] == (
        "generated by a trained model (trainedAlgorithmicMedia)",
        "generator",
    )
    assert found["XMP", "xmpMM:History/stEvt:action"] == ("saved", "other")
    assert found["XMP", "xmpMM:History/stEvt:softwareAgent"] == ("Adobe Firefly", "generator")
    assert found["XMP", "dc:creator"] == ("A. Person", "rights")
    assert found["XMP", "odd:word"] == ("x", "other")
    assert found["XMP", "GPS position"] == ("present", "place")


def test_no_coordinate_of_xmp_is_repeated_wherever_it_stands():
    """IPTC's places hold coordinates of their own; a direction or a height is of a place too."""
    place = (
        b"<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType='Resource'>"
        b"<exif:GPSLatitude>12,34.5N</exif:GPSLatitude>"
        b"<exif:GPSLongitude>67,8E</exif:GPSLongitude></rdf:li></rdf:Bag>"
        b"</Iptc4xmpExt:LocationShown><exif:GPSDestLatitude>43,21N</exif:GPSDestLatitude>"
    )
    packet = XMP.replace(b' exif:GPSLatitude="52,30N"', b"")
    packet = packet.replace(b"<dc:creator>", place + b"<dc:creator>")
    found = provenance_of(encoded("JPEG", xmp=packet), "JPEG")
    assert [one.name for one in found.of_kind("place")] == ["GPS position"]
    assert not [one for one in found.statements if "GPS" in one.name and one.kind != "place"]
    assert "A. Person" in [one.value for one in found.statements]


def test_every_digital_source_type_has_words_and_a_kind():
    for code, (words, kind) in SOURCE_TYPES.items():
        data = encoded("JPEG", xmp=XMP.replace(b"trainedAlgorithmicMedia", code.encode()))
        assert told(data, "JPEG")["XMP", "DigitalSourceType"] == (f"{words} ({code})", kind)
    odd = encoded("JPEG", xmp=XMP.replace(b"trainedAlgorithmicMedia", b"somethingNew"))
    assert told(odd, "JPEG")["XMP", "DigitalSourceType"] == (TYPES + "somethingNew", "other")


@pytest.mark.parametrize(
    "head",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_xmp_with_entities_is_refused(head):
    start = XMP.index(b"<x:xmpmeta")
    data = encoded("JPEG", xmp=head + XMP[start:].replace(b"saved", b"&b;&f;"))
    found = [one for one in provenance_of(data, "JPEG").statements if one.source == "XMP"]
    assert [one.kind for one in found] == ["damage"]
    assert "document type" in found[0].value


def test_xmp_that_is_deep_or_endless_is_cut():
    deep = b"<a>" * 5000 + b"</a>" * 5000
    wide = b"<a>" + b"<b/>" * 50_000 + b"</a>"
    for packet in (deep, wide):
        (found,) = provenance_of(
            png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)), "PNG"
        ).statements
        assert found.kind == "damage"
    many = b'<a xmlns:p="urn:p">' + b"<p:b>1</p:b>" * 1000 + b"</a>"
    assert len(list(properties(many))) == 200


def test_iptc_in_a_jpeg_and_in_a_tiff():
    sets = b"".join(
        bytes((28, record, number)) + struct.pack(">H", len(value)) + value
        for record, number, value in (
            (1, 90, b"\x1b%G"),
            (2, 80, "J\u00e4ger".encode()),
            (2, 110, b"AFP"),
            (2, 65, b"Midjourney"),
            (2, 200, b"unknown number"),
        )
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(sets)) + sets + b"\0" * (len(sets) % 2)
    other = b"8BIM\x04\x25\x03abc" + struct.pack(">I", 3) + b"xyz\0"
    data = jpeg((0xED, b"Photoshop 3.0\0" + other + resource))
    found = told(data, "JPEG")
    assert found["IPTC", "By-line"] == ("J\u00e4ger", "rights")
    assert found["IPTC", "Credit"] == ("AFP", "rights")
    assert found["IPTC", "Originating program"] == ("Midjourney", "generator")
    assert len(found) == 3
    found = told(encoded("TIFF", tiffinfo={33723: sets}), "TIFF")
    assert found["IPTC", "Credit"] == ("AFP", "rights")


@pytest.mark.parametrize(
    ("name", "text", "program"),
    [
        ("parameters", PARAMETERS, "Stable Diffusion web interface"),
        ("prompt", GRAPH, "ComfyUI"),
        ("workflow", WORKFLOW, "ComfyUI"),
        ("invokeai_metadata", '{"app_version": "4.2"}', "InvokeAI"),
        ("Dream", '"a cat" -s 50', "InvokeAI"),
        ("Comment", '{"prompt": "cat", "steps": 28, "sampler": "k_euler"}', "NovelAI or alike"),
        ("Description", "a cat --v 6 Job ID: 01234567-89ab-cdef-0123-456789abcdef", "Midjourney"),
    ],
)
def test_texts_of_generators_in_all_png_chunks(name, text, program):
    raw = name.encode()
    for chunk in (
        (b"tEXt", raw + b"\0" + text.encode()),
        (b"zTXt", raw + b"\0\0" + zlib.compress(text.encode())),
        (b"iTXt", raw + b"\0\0\0\0\0" + text.encode()),
        (b"iTXt", raw + b"\0\x01\0\0\0" + zlib.compress(text.encode())),
    ):
        for after in (False, True):
            found = told(png(chunk, after=after), "PNG")
            assert found["PNG text", name] == (f"[{program}] {text}", "generator")


def test_texts_that_name_a_generator_and_texts_that_do_not():
    said = {
        "Software": "NovelAI", "Source": "Stable Diffusion XL 1.0", "Title": "AI generated image",
    }  # fmt: skip
    innocent = {
        "Software": "GIMP 2.10", "Author": "Gemini Sora", "Comment": '{"a": 1}', "prompt": "hello",
        "Title": "Steps: how to dance", "workflow": "[1, 2]", "Description": "Job ID: none",
    }  # fmt: skip
    for texts, kind in ((said, "generator"), (innocent, None)):
        chunks = PngImagePlugin.PngInfo()
        for name, text in texts.items():
            chunks.add_text(name, text)
        found = provenance_of(encoded("PNG", pnginfo=chunks), "PNG")
        assert len(found.statements) == len(texts)
        for one in found.statements:
            assert (one.kind == "generator") == (kind == "generator"), one


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("code", ["utf-16-be", "utf-16-le", "ascii"])
def test_parameters_in_the_exif_user_comment(kind, code):
    head = b"ASCII\0\0\0" if code == "ascii" else b"UNICODE\0"
    data = with_exif(kind, exif(inner={0x9286: head + PARAMETERS.encode(code)}))
    assert told(data, kind)["EXIF", "UserComment"] == (
        f"[Stable Diffusion web interface] {PARAMETERS}",
        "generator",
    )


def test_comfyui_in_the_exif_of_a_webp():
    made = Image.Exif()
    made[0x010F], made[0x0110] = "workflow:" + WORKFLOW, "prompt:" + GRAPH
    found = told(encoded("WEBP", exif=made), "WEBP")
    assert found["EXIF", "Make"][1] == found["EXIF", "Model"][1] == "generator"


def test_comments_of_jpeg_and_gif():
    assert told(encoded("JPEG", comment=b"said so"), "JPEG")["comment", "comment"][0] == "said so"
    assert told(encoded("GIF", comment=b"said so"), "GIF")["comment", "comment"][0] == "said so"


def test_what_only_looks_like_metadata_is_not_found():
    """Bytes behind the end, in the pixels, or inside another chunk say nothing."""
    junk = b"jumbc2pa\0\0tEXtparameters\0Steps: 20, Sampler: Euler" + XMP + b"Exif\0\0II*\0"
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF"):
        plain = encoded(kind)
        assert provenance_of(plain + junk, kind) == provenance_of(plain, kind)
    assert provenance_of(png((b"prVt", junk)), "PNG") == Provenance()
    assert provenance_of(jpeg((0xE5, junk)), "JPEG") == Provenance()


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "AVIF", "HEIF"]
)
def test_a_bare_picture_says_nothing(kind):
    found = provenance_of(encoded(kind), kind)
    assert {one.source for one in found.statements} <= {"file", "EXIF"}
    assert found.credentials is None
    assert not found.summary


def test_hidden_characters_and_long_texts_are_made_fit_to_read():
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("Title", "caf\u00e9 \u202e", lang="en", tkey="Title")
    chunks.add_text("long", "x" * 5000)
    found = told(encoded("PNG", pnginfo=chunks), "PNG")
    assert found["PNG text", "Title"][0] == "caf\u00e9 \\u202e"
    assert found["PNG text", "long"][0].endswith("... (5,000 characters)")
    assert fit_to_read("a\udce9") == "a\\udce9"


def test_limits():
    bomb = b"x\0\0" + zlib.compress(bytes(20 << 20))
    (found,) = provenance_of(png((b"zTXt", bomb)), "PNG").statements
    assert found.kind == "damage"
    large = provenance_of(png((b"tEXt", b"x\0" + bytes(5 << 20))), "PNG")
    assert [one.kind for one in large.statements] == ["damage"]
    many = provenance_of(png(*[(b"tEXt", b"k\0v")] * 1000), "PNG")
    assert len(many.statements) == 301
    assert many.statements[-1].value == "only the first 300 statements are listed"
    long = provenance_of(png(*[(b"tEXt", b"k\0" + b"v" * 1999)] * 100), "PNG")
    assert long.statements[-1].value == "only the first 10 statements are listed"


def test_many_entries_of_the_same_bytes_and_many_blocks_that_unpack_are_not_all_read():
    """Each alone is within the limits; all of them would be minutes of work from a small file."""
    count, size = 400, 3 << 20
    start = 8 + 2 + 12 * count + 4
    entry = struct.pack("<HHII", 0x010E, 2, size, start)
    tiff = b"II*\0" + struct.pack("<IH", 8, count) + entry * count + bytes(4) + b"\xff" * size
    for data, kind in ((png((b"eXIf", tiff)), "PNG"), (tiff, "TIFF")):
        found = provenance_of(data, kind).statements
        assert [one.kind for one in found][-1] == "damage"
        assert "values are more than" in found[-1].value
        assert len([one for one in found if one.kind != "damage"]) == 5

    silent = zlib.compress(b"<a>" + b" " * (3 << 20) + b"</a>")
    bombs = png(*[(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + silent)] * 50)
    (found,) = provenance_of(bombs, "PNG").statements
    assert found.kind == "damage"
    assert "16,777,216 bytes" in found.value


def test_damage_is_told_and_does_not_stop_the_rest():
    data = jpeg((0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f"), (0xFE, b"still here"))
    found = provenance_of(data, "JPEG")
    assert [one.kind for one in found.statements] == ["damage", "other"]
    assert "damaged" in found.summary[0]
    assert provenance_of(b"", "array") == Provenance()
    assert provenance_of(b"\x89PNG\r\n\x1a\n" + b"junk" * 5, "PNG").of_kind("damage")


def test_read_hands_it_on_only_where_asked_and_changes_nothing_else():
    data = encoded("JPEG", exif=exif().tobytes())
    plain, full = read(data), read(data, provenance=True)
    assert plain.provenance is None
    assert full.provenance == provenance_of(data, "JPEG")
    assert (plain.pixels == full.pixels).all()
    assert plain.notes == full.notes
    assert read(plain.pixels, provenance=True).provenance is None


def test_the_summary_says_what_matters_first():
    found = Provenance(
        (
            Statement("EXIF", "Make", "Canon", "camera"),
            Statement("PNG text", "parameters", "[ComfyUI] x\ny", "generator"),
            Statement("EXIF", "GPS position", "present", "place"),
        )
    )
    assert found.summary == (
        "The file says that a program generated it: parameters: [ComfyUI] x y (PNG text).",
        "The file names a camera: Canon.",
        "The file holds the place where it was made.",
    )
    assert json.loads(json.dumps(found.to_dict()))["statements"][0]["value"] == "Canon"
