from __future__ import annotations

import hashlib
import os
import random
import socket
import struct
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from convtrace.errors import ImageError
from convtrace.image import Limits, read

LOSSLESS = ["png", "webp-lossless", "tiff", "tiff-lzw", "tiff-deflate", "bmp", "ppm"]


def refusal(source, **options):
    """Return the one line that reading a source fails with."""
    with pytest.raises(ImageError) as caught:
        read(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(caught.value.name)
    return message


def png_header(width, height):
    """Return a PNG of some 60 bytes that claims any size."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_return_the_stored_pixels(encoded, rgb, kind):
    picture = read(encoded[kind])
    np.testing.assert_array_equal(picture.pixels, rgb)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.flags.writeable
    assert picture.notes == ()
    assert (picture.mode, picture.orientation, picture.jpeg) == ("RGB", 1, None)


def test_lossy_formats_come_near(encoded, rgb):
    for kind in ("jpeg", "jpeg-progressive", "webp", "heif", "avif", "tiff-jpeg"):
        picture = read(encoded[kind])
        assert picture.pixels.shape == rgb.shape
        assert np.abs(picture.pixels.astype(int) - rgb).mean() < 30


def test_jpeg_equals_pillow_and_has_facts(encoded, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded["jpeg"])
    picture = read(path)
    with Image.open(path) as image:
        np.testing.assert_array_equal(picture.pixels, np.asarray(image))
    assert (picture.name, picture.format) == (str(path), "JPEG")
    assert picture.jpeg is not None
    assert (picture.jpeg.quality, picture.jpeg.subsampling) == (75, "4:2:0")
    assert picture.sha256 == hashlib.sha256(encoded["jpeg"]).hexdigest()
    assert picture.nbytes == len(encoded["jpeg"])
    assert read(str(path)).sha256 == picture.sha256


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "bmp", "webp", "heif", "avif", "ppm"])
def test_greyscale_stays_greyscale(rgb, encode, kind):
    name = {"ppm": "PPM"}.get(kind, kind.upper())
    picture = read(encode(Image.fromarray(rgb[..., 0]), name))
    # WebP has no greyscale of its own.
    assert picture.pixels.ndim == (3 if kind == "webp" else 2)


def test_lossless_heif(encode):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    picture = read(encode(Image.fromarray(pixels), "HEIF", quality=-1))
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.format == "HEIF"


def test_heif_of_ten_bits_keeps_them(tmp_path):
    deep = np.random.default_rng(0).integers(0, 1024, (64, 64, 3)).astype(np.uint16)
    path = tmp_path / "deep.heic"
    file = pillow_heif.from_bytes("RGB;16", (64, 64), (deep << 6).tobytes())
    file.save(path, quality=-1, chroma=444)
    picture = read(path)
    assert picture.pixels.dtype == np.float32
    # The encoder rounds once between RGB and YCbCr.
    assert np.abs(picture.pixels - deep / 1023 * 255).max() < 2.1 * 255 / 1023
    assert picture.notes == ("samples scaled from 0..1023 to 0..255",)


def test_palette_is_expanded(encoded, rgb):
    expected = np.asarray(Image.fromarray(rgb).quantize(64).convert("RGB"))
    for kind in ("png-palette", "gif", "bmp-palette"):
        picture = read(encoded[kind])
        np.testing.assert_array_equal(picture.pixels, expected)
        assert picture.notes == ("palette expanded to RGB",)


@pytest.mark.parametrize("transparency", [3, bytes(range(64))])
def test_transparent_palette(rgb, encode, transparency):
    palette = Image.fromarray(rgb).quantize(64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read(encode(palette, "PNG", transparency=transparency))
    np.testing.assert_array_equal(picture.pixels, np.asarray(palette.convert("RGB")))
    assert any("alpha dropped" in note for note in picture.notes)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})]
)
def test_alpha_is_dropped_not_composited(rgb, encode, kind, options):
    alpha = np.zeros_like(rgb[..., :1])
    alpha[::2] = 128
    data = encode(Image.fromarray(np.concatenate([rgb, alpha], axis=2)), kind, **options)
    picture = read(data)
    np.testing.assert_array_equal(picture.pixels, rgb)
    assert picture.notes == ("alpha dropped, colours left as stored",)


def test_grey_with_alpha(rgb, encode):
    grey = Image.fromarray(rgb[..., 0]).convert("LA")
    picture = read(encode(grey, "PNG"))
    np.testing.assert_array_equal(picture.pixels, rgb[..., 0])
    assert "alpha dropped" in picture.notes[0]


def test_heif_alpha(rgb, encode):
    rgba = Image.fromarray(rgb).convert("RGBA")
    picture = read(encode(rgba, "HEIF", quality=95))
    assert picture.pixels.shape == rgb.shape
    assert "alpha dropped" in picture.notes[0]


def test_colour_key_is_noted(rgb, encode):
    picture = read(encode(Image.fromarray(rgb), "PNG", transparency=(1, 2, 3)))
    np.testing.assert_array_equal(picture.pixels, rgb)
    assert "alpha dropped" in picture.notes[0]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_converted_and_noted(rgb, encode, kind):
    picture = read(encode(Image.fromarray(rgb).convert("CMYK"), kind))
    assert picture.mode == "CMYK"
    assert picture.pixels.shape == rgb.shape
    assert np.abs(picture.pixels.astype(int) - rgb).mean() < 20
    assert "CMYK" in picture.notes[0]


def test_one_bit(encode):
    bits = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(bool)
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        picture = read(encode(Image.fromarray(bits), kind))
        np.testing.assert_array_equal(picture.pixels, bits * np.uint8(255))
        assert "1-bit" in picture.notes[0]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey(encode, kind):
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)
    picture = read(encode(Image.fromarray(deep), kind))
    assert picture.pixels.dtype == np.float32
    np.testing.assert_allclose(picture.pixels, deep / 257, rtol=1e-6)
    assert picture.notes == ("samples scaled from 0..65535 to 0..255",)


def test_sixteen_bit_rgb_is_reduced_and_noted():
    """A hand-made PNG, for Pillow writes none: sample values 0x1234, 0x8080, 0xFFFF."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    row = b"\x00" + bytes.fromhex("12348080ffff") * 2
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row))
        + chunk(b"IEND", b"")
    )
    picture = read(data)
    assert picture.pixels.tolist() == [[[0x12, 0x80, 0xFF]] * 2]
    assert picture.notes == ("samples of more than 8 bits reduced to 8 by the decoder",)


def test_float_tiff_on_the_right_scale(encode):
    values = np.random.default_rng(0).uniform(0, 255, (20, 30)).astype(np.float32)
    picture = read(encode(Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(picture.pixels, values)
    assert "0..255" in refusal(encode(Image.fromarray(values / 255), "TIFF"))


def test_wide_integers_and_lab_are_refused(encode):
    wide = Image.fromarray(np.full((4, 4), 70_000, dtype=np.int32))
    assert "32-bit integer" in refusal(encode(wide, "TIFF"))
    lab = Image.frombytes("LAB", (4, 4), bytes(48))
    assert "Lab" in refusal(encode(lab, "TIFF"))


def test_ycbcr_tiff(rgb, encode):
    image = Image.fromarray(rgb).convert("YCbCr")
    picture = read(encode(image, "TIFF"))
    np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert picture.notes == ("YCbCr converted to RGB",)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_first_of_several_frames(rgb, encode, kind):
    first, second = Image.fromarray(rgb), Image.fromarray(255 - rgb)
    single = read(encode(first, kind, **({"lossless": True} if kind == "WEBP" else {})))
    options = {"save_all": True, "append_images": [second]}
    if kind == "WEBP":
        options["lossless"] = True
    picture = read(encode(first, kind, **options))
    assert "only the first of several frames read" in picture.notes
    difference = np.abs(picture.pixels.astype(int) - single.pixels.astype(int))
    assert difference.mean() < 5


def test_mpo_is_read_as_its_first_jpeg(rgb, encode):
    first, second = Image.fromarray(rgb), Image.fromarray(255 - rgb)
    picture = read(encode(first, "MPO", save_all=True, append_images=[second]))
    assert picture.format == "JPEG"
    np.testing.assert_array_equal(picture.pixels, read(encode(first, "JPEG")).pixels)
    assert picture.notes == ("only the first of several frames read",)


def test_colour_profile_is_left_alone(rgb, encode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read(encode(Image.fromarray(rgb), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(picture.pixels, rgb)


def test_bands_join(encode):
    """A picture of more pixels than are copied at a time comes out whole."""
    pixels = np.random.default_rng(0).integers(0, 256, (2100, 2100), dtype=np.uint8)
    np.testing.assert_array_equal(read(encode(Image.fromarray(pixels), "BMP")).pixels, pixels)


def test_a_row_wider_than_a_band(encode):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3_000_000), dtype=np.uint8)
    np.testing.assert_array_equal(read(encode(Image.fromarray(pixels), "TIFF")).pixels, pixels)


# ---------------------------------------------------------------- arrays and PIL images


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_uint8_arrays_are_not_copied(shape):
    array = np.ones(shape, dtype=np.uint8)
    picture = read(array)
    assert np.shares_memory(picture.pixels, array)
    assert (picture.name, picture.format, picture.mode) == ("<array>", "array", "uint8")
    assert picture.nbytes == array.nbytes
    assert picture.notes == ()


def test_array_channels():
    array = np.arange(5 * 7 * 4, dtype=np.uint8).reshape(5, 7, 4)
    assert read(array[..., :1]).pixels.shape == (5, 7)
    picture = read(array)
    np.testing.assert_array_equal(picture.pixels, array[..., :3])
    assert picture.pixels.flags.c_contiguous
    assert "alpha dropped" in picture.notes[0]


def test_non_contiguous_array(rgb):
    picture = read(rgb[::2, ::-3])
    np.testing.assert_array_equal(picture.pixels, rgb[::2, ::-3])
    assert picture.pixels.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_uint16_arrays(dtype):
    array = np.array([[0, 257, 65535]], dtype=dtype)
    picture = read(array)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.tolist() == [[0.0, 1.0, 255.0]]


@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8"])
def test_float_arrays(dtype):
    picture = read(np.array([[0, 1.5, 255]], dtype=dtype))
    assert picture.pixels.dtype == np.dtype("=f4")
    assert picture.pixels.tolist() == [[0.0, 1.5, 255.0]]


def test_bool_arrays():
    picture = read(np.array([[True, False]]))
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.tolist() == [[255, 0]]


def test_black_float_array_is_accepted():
    assert read(np.zeros((3, 3))).pixels.max() == 0


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((3, 3), 0.5), "multiply by 255"),
        (np.full((3, 3), -1.0), "leave the 0..255 scale"),
        (np.full((3, 3), 300.0), "leave the 0..255 scale"),
        (np.array([[1.0, np.nan]]), "not finite"),
        (np.array([[1.0, np.inf]]), "not finite"),
        (np.array([[5, -np.inf]]), "not finite"),
        (np.zeros((3, 3), dtype=np.int64), "int64"),
        (np.zeros((3, 3), dtype=complex), "complex"),
        (np.zeros((3, 3), dtype=object), "object"),
        (np.zeros((3,), dtype=np.uint8), "shape (3,)"),
        (np.zeros((3, 3, 2), dtype=np.uint8), "shape (3, 3, 2)"),
        (np.zeros((1, 3, 3, 3), dtype=np.uint8), "shape (1, 3, 3, 3)"),
        (np.zeros((0, 3), dtype=np.uint8), "no pixels"),
    ],
)
def test_arrays_that_are_no_pictures(array, words):
    assert words in refusal(array)


def test_hash_of_arrays_depends_on_shape_and_content():
    array = np.arange(12, dtype=np.uint8)
    sources = [array.reshape(3, 4), array.reshape(4, 3), array[::-1].reshape(3, 4)]
    assert len({read(each).sha256 for each in sources}) == 3
    assert read(array.reshape(3, 4).copy()).sha256 == read(array.reshape(3, 4)).sha256


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"])
def test_pil_modes_of_eight_bits(rgb, mode):
    image = Image.fromarray(rgb)
    source = image.convert({"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, mode)).convert(mode)
    picture = read(source)
    assert (picture.name, picture.mode, picture.format) == ("<PIL image>", mode, "PIL image")
    assert picture.pixels.dtype == np.uint8
    if mode in {"1", "L", "LA", "La"}:
        expected = image.convert("1" if mode == "1" else "L")
        np.testing.assert_array_equal(picture.pixels, np.asarray(expected.convert("L")))
    elif mode not in {"P", "PA"}:
        np.testing.assert_array_equal(picture.pixels, rgb)


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_pil_sixteen_bits(mode):
    deep = np.array([[0, 257, 65535]], dtype=">u2" if mode == "I;16B" else "<u2")
    image = Image.frombytes(mode, (3, 1), deep.tobytes())
    assert read(image).pixels.tolist() == [[0.0, 1.0, 255.0]]


def test_lazy_pil_image_keeps_its_format(encoded, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded["png"])
    with Image.open(path) as image:
        picture = read(image)
    assert picture.format == "PNG"
    path.write_bytes(encoded["png"][: len(encoded["png"]) // 2])
    with Image.open(path) as image:
        assert "<PIL image>" in refusal(image)


def test_pil_image_of_integers_is_refused():
    assert "32-bit integer" in refusal(Image.new("I", (3, 3)))


def test_empty_pil_image_is_refused():
    assert "no pixels" in refusal(Image.new("RGB", (0, 5)))


def test_a_picture_is_returned_as_it_is(encoded):
    picture = read(encoded["png"])
    assert read(picture) is picture


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_bytes_and_their_like(encoded, wrap):
    assert read(wrap(encoded["png"])).name == "<bytes>"


@pytest.mark.parametrize("source", [None, 3, ["a.png"], object()])
def test_other_sources_are_refused(source):
    assert "give a path" in refusal(source)


# ---------------------------------------------------------------- files that are no pictures


def test_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "gone.jpg")
    assert "no such file" in refusal("")


def test_folder(tmp_path):
    assert "a folder" in refusal(tmp_path)


def test_impossible_names():
    assert "cannot be read" in refusal("a\0b.png")
    assert "cannot be read" in refusal("x" * 5000)


def test_path_through_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    assert "cannot be read" in refusal(tmp_path / "a" / "b.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe_does_not_hang(tmp_path):
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    errors = []
    thread = threading.Thread(target=lambda: errors.append(refusal(path)), daemon=True)
    thread.start()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert "a named pipe" in errors[0]


def test_device_and_socket(tmp_path, monkeypatch):
    assert "a device" in refusal("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.png")
        assert "a socket" in refusal("s.png")


def test_unreadable(tmp_path):
    path, folder = tmp_path / "a.png", tmp_path / "closed"
    path.write_bytes(b"x")
    path.chmod(0)
    folder.mkdir(mode=0)
    if os.access(path, os.R_OK):
        pytest.skip("permissions do not bind this user")
    assert "permission denied" in refusal(path)
    assert "permission denied" in refusal(folder)
    assert "permission denied" in refusal(folder / "b.png")


def test_permission_denied_by_the_system(tmp_path, monkeypatch):
    """The same, for the superuser too: the system call itself says no."""
    path = tmp_path / "a.png"
    path.write_bytes(b"x")

    def deny(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", deny)
    assert "permission denied" in refusal(path)


def test_empty_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.touch()
    assert "empty" in refusal(path)
    assert "empty" in refusal(b"")


def test_text_named_like_a_picture(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_text("not a picture at all")
    message = refusal(path)
    assert message.startswith(str(path))
    assert "it looks like text" in message


def test_wrong_suffix_is_noted_only(encoded, tmp_path):
    path = tmp_path / "a.PNG"
    path.write_bytes(encoded["jpeg"])
    picture = read(path)
    assert picture.format == "JPEG"
    assert picture.notes == ("named .PNG but holds JPEG",)
    odd = tmp_path / "a.download"
    odd.write_bytes(encoded["jpeg"])
    assert read(odd).notes == ()


def test_raw_photograph_is_refused(rgb, encode):
    preview = encode(Image.fromarray(rgb), "TIFF", tiffinfo={254: 1})
    assert "raw" in refusal(preview)


# ---------------------------------------------------------------- limits


def test_too_many_bytes_are_not_read(encoded, tmp_path, monkeypatch):
    limits = Limits(max_bytes=1000)
    path = tmp_path / "a.png"
    path.write_bytes(encoded["png"])
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("the file was opened"))
    assert "max_bytes" in refusal(path, limits=limits)
    assert "max_bytes" in refusal(encoded["png"], limits=limits)


def test_growing_file_is_refused(encoded, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded["png"])
    true_status = os.fstat

    def smaller(descriptor):
        status = true_status(descriptor)
        return os.stat_result((*status[:6], status.st_size - 5, *status[7:]))

    monkeypatch.setattr(os, "fstat", smaller)
    assert "changed while" in refusal(path)


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (65535, 65535), (20_001, 10_000)])
def test_bomb_is_refused_by_its_header(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "max_pixels" in refusal(png_header(*size))


def test_size_under_the_limit_but_over_that_of_pillow_is_only_cut_short():
    """190 megapixels: Pillow's own open would call it a bomb, the limit here does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(png_header(19_000, 10_000))
    assert "cut short" in message


@pytest.mark.parametrize(
    "kind", ["jpeg", "png", "webp", "tiff", "tiff-lzw", "bmp", "gif", "heif", "avif", "ppm"]
)
def test_max_pixels_holds_for_every_format(encoded, kind):
    assert "max_pixels" in refusal(encoded[kind], limits=Limits(max_pixels=93 * 75 - 1))
    assert read(encoded[kind], limits=Limits(max_pixels=93 * 75)).width == 93


def test_max_pixels_holds_in_memory(rgb):
    limits = Limits(max_pixels=100)
    assert "max_pixels" in refusal(rgb, limits=limits)
    assert "max_pixels" in refusal(Image.fromarray(rgb), limits=limits)


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_claimed_canvas_is_refused_before_it_is_allocated(encoded, kind):
    if kind == "GIF":
        data = bytearray(encoded["gif"])
        data[6:10] = struct.pack("<HH", 65535, 65535)
    else:
        body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\x00\xff\x3f\x00"
        data = bytearray(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)
    assert "max_pixels" in refusal(bytes(data))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff-lzw", "heif", "avif"])
def test_no_time_at_all(encoded, kind):
    assert "longer than 0 s" in refusal(encoded[kind], limits=Limits(max_seconds=0))


def test_progressive_bomb_is_cut_off(encode):
    """Some 250 kB that ask the decoder for 3,000 passes over 16 megapixels."""
    data = encode(Image.new("RGB", (4000, 4000), (10, 200, 30)), "JPEG", progressive=True)
    last_scan = data.rindex(b"\xff\xda")
    scan = data[data.rindex(b"\xff\xc4", 0, last_scan) : -2]
    bomb = data[:-2] + scan * 3000 + b"\xff\xd9"
    start = time.monotonic()
    assert "longer than 0.3 s" in refusal(bomb, limits=Limits(max_seconds=0.3))
    assert time.monotonic() - start < 5


# ---------------------------------------------------------------- damage


CUT = [
    *("jpeg", "jpeg-progressive", "png", "png-16", "webp", "webp-lossless", "tiff", "tiff-lzw"),
    *("tiff-jpeg", "bmp", "bmp-palette", "gif", "heif", "avif", "ppm", "pgm"),
]


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_truncated_files_are_never_accepted(encoded, kind):
    """Cut anywhere: an error, or every pixel if only padding or an end mark is lost."""
    data = encoded[kind]
    whole = read(data).pixels
    errors = 0
    for length in {*range(1, len(data), max(1, len(data) // 40)), *range(len(data) - 6, len(data))}:
        try:
            picture = read(data[:length])
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017, errors and pictures are both right here
            errors += 1
        else:
            np.testing.assert_array_equal(picture.pixels, whole)
            assert length > len(data) - 6
    assert errors >= 40


def test_messages_of_truncation(encoded):
    for kind in ("jpeg", "png", "tiff", "bmp", "heif"):
        data = encoded[kind]
        assert "cut short" in refusal(data[: len(data) * 3 // 4])


def test_pillow_set_to_accept_truncation_is_noted(encoded, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert "truncated" in read(encoded["jpeg"]).notes[0]


def test_settings_of_pillow_are_left_alone(encoded):
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    for data in encoded.values():
        read(data)
    after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    assert after == before
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_flipped_bit_in_a_png_is_noticed(encoded):
    data = bytearray(encoded["png"])
    data[len(data) // 2] ^= 4
    assert "checksum" in refusal(bytes(data))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), struct.error("x"), KeyError("x"), OverflowError("x"), RuntimeError("a\nb")],
)
def test_whatever_a_decoder_raises_is_one_line(encoded, monkeypatch, error):
    def fail(_self):
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    message = refusal(encoded["bmp"])
    assert ("memory" if isinstance(error, MemoryError) else "cannot be decoded") in message


@given(st.binary(max_size=300), st.sampled_from(sorted(CUT)), st.integers(4, 64))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_noise_raises_image_errors_only(encoded, noise, kind, kept):
    for data in (noise, encoded[kind][:kept] + noise):
        try:
            read(data)
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017, noise may be a picture


@given(st.data())
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutations_raise_image_errors_only(encoded, data):
    original = encoded[data.draw(st.sampled_from(sorted(encoded)))]
    mutated = bytearray(original)
    # Most decisions are in the headers: half of the changes go there.
    window = data.draw(st.sampled_from([64, 600, len(original)]))
    places = st.integers(0, min(window, len(original)) - 1)
    for place, value in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=12)
    ):
        mutated[place] = value
    cut = data.draw(st.integers(1, len(original)) | st.just(len(original)))
    try:
        picture = read(bytes(mutated[:cut]), limits=Limits(max_pixels=5_000_000, max_seconds=5))
    except ImageError as error:
        assert "\n" not in str(error)  # noqa: PT017, a mutation may be harmless
    else:
        assert picture.pixels.ndim in {2, 3}
        assert picture.pixels.size <= 15_000_000


# ---------------------------------------------------------------- threads


def test_threads_read_the_same(encoded):
    kinds = sorted(encoded) * 6
    random.Random(0).shuffle(kinds)
    alone = {kind: read(data).pixels for kind, data in encoded.items()}
    with ThreadPoolExecutor(8) as pool:
        for kind, picture in zip(
            kinds, pool.map(lambda kind: read(encoded[kind]), kinds), strict=True
        ):
            np.testing.assert_array_equal(picture.pixels, alone[kind])
