from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convtrace.errors import ConvtraceError, ImageError
from convtrace.image import degradations, jpeg, read

EXAMPLES = [
    *("none", "jpeg-75", "jpeg-1", "jpeg-100-444", "jpeg-50-422", "rescale-0.8", "rescale-2"),
    *(
        "rescale-.5",
        "crop-32",
        "crop-5000",
        "randomcrop-32",
        "window-32",
        "blur-1",
        "blur-9",
        "rotate-45",
    ),
    *("rotate-90", "rotate--12.5", "mirror", "noise-4", "noise-0"),
    *("fit-50", "square-0.4", "web", "hard"),
    "rescale-0.8+crop-40+noise-2+jpeg-90",
]


@pytest.fixture(params=["grey", "rgb"])
def pixels(request, rgb):
    return rgb if request.param == "rgb" else np.ascontiguousarray(rgb[..., 1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_shape_dtype_purity_and_determinism(name, pixels):
    before = pixels.copy()
    result = degradations.apply(name, pixels, seed=3)
    assert result.dtype == np.uint8
    assert result.ndim == pixels.ndim
    assert result.shape[2:] == pixels.shape[2:]
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(result, degradations.apply(name, pixels, seed=3))


def test_every_registered_name_has_an_example():
    used = {part.partition("-")[0] for name in EXAMPLES for part in name.split("+")}
    assert {pattern.partition("-")[0] for pattern in degradations.names()} == used


@pytest.mark.parametrize(
    "name", ["none", "rescale-1", "crop-5000", "blur-1", "noise-0", "rotate-0"]
)
def test_identities(name, pixels):
    np.testing.assert_array_equal(degradations.apply(name, pixels), pixels)


@pytest.mark.parametrize("name", ["mirror+mirror", "rotate-90+rotate--90", "rotate-180+rotate-180"])
def test_undone(name, pixels):
    np.testing.assert_array_equal(degradations.apply(name, pixels), pixels)


def test_mirror_and_quarter_turn(pixels):
    np.testing.assert_array_equal(degradations.apply("mirror", pixels), np.fliplr(pixels))
    np.testing.assert_array_equal(degradations.apply("rotate-90", pixels), np.rot90(pixels))


@pytest.mark.parametrize("name", ["blur-15", "rescale-0.37", "rescale-3", "rotate-30", "jpeg-90"])
@pytest.mark.parametrize("level", [0, 77, 255])
def test_constant_stays_constant(name, level):
    result = degradations.apply(name, np.full((64, 80), level, dtype=np.uint8))
    np.testing.assert_array_equal(result, level)


@pytest.mark.parametrize("angle", [1, 7.5, 30, 45, 60, 89, 135, 200, -20, 359])
@pytest.mark.parametrize("shape", [(60, 100), (100, 60), (64, 64), (20, 200), (3, 3)])
def test_rotation_leaves_no_empty_corner(angle, shape):
    result = degradations.apply(f"rotate-{angle}", np.full(shape, 200, dtype=np.uint8))
    if min(shape) > 10:
        assert result.min() == result.max() == 200
    assert min(result.shape) >= 1


def test_rotation_turns_counter_clockwise():
    """A bright right half comes up on top after a turn by 80 degrees."""
    pixels = np.zeros((100, 100), dtype=np.uint8)
    pixels[:, 50:] = 255
    result = degradations.apply("rotate-80", pixels)
    half = result.shape[0] // 2
    assert result[: half - 10].mean() > 240
    assert result[half + 10 :].mean() < 15


@pytest.mark.parametrize(
    ("factor", "shape"), [("0.5", (38, 46)), ("1.5", (112, 140)), ("0.001", (1, 1))]
)
def test_rescale_shape(pixels, factor, shape):
    assert degradations.apply(f"rescale-{factor}", pixels).shape[:2] == shape


def test_rescale_is_lanczos(pixels):
    expected = Image.fromarray(pixels).resize((74, 60), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(degradations.apply("rescale-0.8", pixels), np.asarray(expected))


@pytest.mark.parametrize(("size", "shape"), [(32, (32, 32)), (80, (75, 80)), (200, (75, 93))])
def test_crop_is_central(pixels, size, shape):
    result = degradations.apply(f"crop-{size}", pixels)
    assert result.shape[:2] == shape
    top, left = (75 - shape[0]) // 2, (93 - shape[1]) // 2
    np.testing.assert_array_equal(result, pixels[top : top + shape[0], left : left + shape[1]])


def test_random_crops_are_windows_and_cover_all_places():
    pixels = np.arange(9, dtype=np.uint8).reshape(3, 3)
    corners = set()
    for seed in range(60):
        result = degradations.apply("randomcrop-2", pixels, seed=seed)
        top, left = divmod(int(result[0, 0]), 3)
        np.testing.assert_array_equal(result, pixels[top : top + 2, left : left + 2])
        corners.add((top, left))
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_windows_lie_on_the_grid_of_blocks(pixels):
    corners = set()
    for seed in range(80):
        result = degradations.apply("window-64", pixels, seed=seed)
        (place,) = [
            (top, left)
            for top in range(0, 75 - 64 + 1, 8)
            for left in range(0, 93 - 64 + 1, 8)
            if np.array_equal(result, pixels[top : top + 64, left : left + 64])
        ]
        corners.add(place)
    assert corners == {(top, left) for top in (0, 8) for left in (0, 8, 16, 24)}
    assert degradations.apply("window-200", pixels).shape == pixels.shape


def test_fit_only_scales_down(pixels):
    assert degradations.apply("fit-50", pixels).shape[:2] == (40, 50)
    assert degradations.apply("fit-93", pixels) is pixels


def test_square_covers_one_window_with_one_colour(pixels):
    sizes, colours = set(), set()
    for seed in range(5):
        result = degradations.apply("square-0.4", pixels, seed=seed)
        changed = np.argwhere((result != pixels).reshape(*pixels.shape[:2], -1).any(axis=-1))
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
        window = result[top : bottom + 1, left : right + 1]
        assert (window == window[0, 0]).all()
        sizes.add(max(window.shape[:2]))
        colours.add(tuple(np.atleast_1d(window[0, 0]).tolist()))
    # A pixel on the edge may have had the colour before.
    assert max(sizes) == round(0.4 * 75)
    assert len(colours) > 1


@pytest.mark.parametrize("share", ["0", "1.5"])
def test_square_share_out_of_range(share):
    with pytest.raises(ConvtraceError, match="share"):
        degradations.check(f"square-{share}")


@pytest.mark.parametrize(("name", "side", "quality"), [("web", 768, 60), ("hard", 512, 40)])
def test_chains_are_what_they_stand_for(name, side, quality):
    large = np.random.default_rng(0).integers(0, 256, (500, 1000, 3), dtype=np.uint8)
    result = degradations.apply(name, large)
    assert max(result.shape) == side
    np.testing.assert_array_equal(
        result, degradations.apply(f"jpeg-{quality}", degradations.apply(f"fit-{side}", large))
    )


def test_blur_of_a_point_is_the_gaussian():
    pixels = np.zeros((31, 31), dtype=np.uint8)
    pixels[15, 15] = 255
    sigma = 0.3 * ((9 - 1) * 0.5 - 1) + 0.8
    offsets = np.arange(-4, 5)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    expected = np.zeros((31, 31))
    expected[11:20, 11:20] = 255 * np.outer(kernel, kernel)
    result = degradations.apply("blur-9", pixels).astype(float)
    assert np.abs(result - expected).max() <= 0.5 + 1e-3


def test_blur_smooths(pixels):
    blurred = degradations.apply("blur-5", pixels)
    rough, smooth = (np.diff(each.astype(float), n=2, axis=1).std() for each in (pixels, blurred))
    assert smooth < rough / 2


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_noise_has_its_deviation(sigma):
    pixels = np.full((300, 300, 3), 128, dtype=np.uint8)
    noise = degradations.apply(f"noise-{sigma:g}", pixels, seed=5).astype(float) - 128
    # Rounding adds the variance of a uniform distribution one level wide.
    expected = np.sqrt(sigma**2 + 1 / 12)
    assert noise.std() == pytest.approx(expected, rel=0.01)
    assert abs(noise.mean()) < 4 * expected / np.sqrt(noise.size)


@pytest.mark.parametrize("name", ["noise-5", "randomcrop-16", "none+noise-5"])
def test_seed_decides(name, pixels):
    first, second = (degradations.apply(name, pixels, seed=seed) for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_steps_of_a_chain_draw_apart():
    """The same noise twice would have the deviation of one noise of twice the size."""
    pixels = np.full((200, 200), 128, dtype=np.uint8)
    noise = degradations.apply("noise-5+noise-5", pixels).astype(float) - 128
    assert noise.std() == pytest.approx(5 * np.sqrt(2), rel=0.03)


def test_chain_is_applied_from_left_to_right(pixels):
    expected = degradations.apply("jpeg-90", degradations.apply("rescale-0.8", pixels))
    np.testing.assert_array_equal(degradations.apply("rescale-0.8+jpeg-90", pixels), expected)


@pytest.mark.parametrize(
    ("suffix", "sampling"), [("", "4:2:0"), ("-422", "4:2:2"), ("-444", "4:4:4")]
)
def test_jpeg_equals_a_saved_file(rgb, encode, suffix, sampling):
    data = encode(Image.fromarray(rgb), "JPEG", quality=75, subsampling=sampling)
    facts = jpeg.facts(data)
    assert facts is not None
    assert facts.subsampling == sampling
    np.testing.assert_array_equal(degradations.apply(f"jpeg-75{suffix}", rgb), read(data).pixels)


def test_jpeg_of_low_quality_is_worse(rgb):
    errors = [
        np.abs(degradations.apply(f"jpeg-{quality}", rgb).astype(int) - rgb).mean()
        for quality in (20, 60, 95)
    ]
    assert errors[0] > errors[1] > errors[2] > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jepg-75", "did you mean 'jpeg-75'"),
        ("JPEG-75", "did you mean 'jpeg-75'"),
        ("miror", "did you mean 'mirror'"),
        ("none+nois-3", "did you mean 'noise-3'"),
        ("xyzzy", re.escape("known are none, jpeg-Q[-444|-422|-420], rescale-F")),
        ("", "unknown degradation ''"),
        ("jpeg-90+", "unknown degradation ''"),
        ("jpeg", "it is written jpeg-Q"),
        ("jpeg-0", "quality is not from 1 to 100"),
        ("jpeg-101", "quality is not from 1 to 100"),
        ("jpeg-75-411", "it is written jpeg-Q"),
        ("jpeg-75 ", "it is written jpeg-Q"),
        ("jpeg-\u0667\u0665", "it is written jpeg-Q"),
        ("rescale-0", "factor is not above 0"),
        ("rescale-9", "factor is not above 0"),
        ("rescale--1", "it is written rescale-F"),
        ("crop-0", "at least 1 pixel"),
        ("randomcrop-0", "at least 1 pixel"),
        ("blur-4", "odd"),
        ("blur-0", "odd"),
        ("blur-999", "odd"),
        ("rotate-361", "angle"),
        ("rotate-nan", "it is written rotate-D"),
        ("noise-256", "standard deviation"),
        ("mirror-2", "it is written mirror"),
    ],
)
def test_wrong_names_are_explained(name, message):
    with pytest.raises(ConvtraceError, match=message) as caught:
        degradations.apply(name, np.zeros((8, 8), dtype=np.uint8))
    assert "\n" not in str(caught.value)
    with pytest.raises(ConvtraceError):
        degradations.check(name)


@given(st.text(alphabet="jpegnoisblur+-.0123456789 ", max_size=20))
@settings(max_examples=200)
def test_any_name_is_right_or_explained(name):
    try:
        assert degradations.check(name) == name
    except ConvtraceError as error:
        assert name.split("+")[0] in str(error) or "+" in name  # noqa: PT017


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8), dtype=np.float32),
        np.zeros((8, 8), dtype=np.uint16),
        np.zeros((8, 8, 4), dtype=np.uint8),
        np.zeros((8,), dtype=np.uint8),
        np.zeros((0, 8), dtype=np.uint8),
    ],
    ids=["float", "uint16", "four-channels", "line", "empty"],
)
def test_wrong_pixels_are_refused(pixels):
    with pytest.raises(ImageError):
        degradations.apply("mirror", pixels)


def test_picture_too_large_for_jpeg_is_refused():
    with pytest.raises(ImageError, match="65500"):
        degradations.apply("jpeg-90", np.zeros((1, 65501), dtype=np.uint8))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3, 3)])
@pytest.mark.parametrize("name", EXAMPLES)
def test_tiny_pictures(name, shape):
    result = degradations.apply(name, np.full(shape, 9, dtype=np.uint8))
    assert result.size
    assert result.ndim == len(shape)


def test_non_contiguous_pixels(rgb):
    view = rgb[::-2, ::3]
    np.testing.assert_array_equal(
        degradations.apply("blur-3", view), degradations.apply("blur-3", view.copy())
    )


def test_register_takes_new_keywords_only():
    known = degradations.Degradation(
        "mirror", "another", "mirror", lambda: lambda pixels, _: pixels
    )
    with pytest.raises(ValueError, match="registered already"):
        degradations.register(known)
    assert degradations.names()["mirror"] == "left and right exchanged"


def test_register_adds_one(monkeypatch):
    monkeypatch.setattr(degradations, "_registry", dict(degradations._registry))
    degradations.register(
        degradations.Degradation(
            "invert", "light for dark", "invert", lambda: lambda pixels, _rng: 255 - pixels
        )
    )
    pixels = np.array([[0, 10]], dtype=np.uint8)
    assert degradations.apply("invert+mirror", pixels).tolist() == [[245, 255]]
