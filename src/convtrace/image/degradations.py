"""What happens to pictures on their way through the web, as pure functions.

Each degradation has a name that holds its parameters, ``"jpeg-75"``,
``"rescale-0.8"``; names are chained with ``+`` and applied from left to right:
``"rescale-0.8+jpeg-90"``. Two chains have names of their own, ``"web"`` and
``"hard"`` (see `CHAINS`). All take 8-bit pixels, (H, W) or (H, W, 3), and give 8-bit
pixels with the same number of channels. They are used alike for training and for
measuring.

A new degradation is one more `Degradation` handed to `register`; another package
offers its own through the entry point group ``convtrace.degradations``.
"""

from __future__ import annotations

import difflib
import functools
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin
from scipy import ndimage

from convtrace.errors import ConvtraceError, ImageError

__all__ = ["CHAINS", "Degradation", "apply", "check", "expand", "names", "register"]

U8 = NDArray[np.uint8]
Step = Callable[[U8, np.random.Generator], U8]

_SUBSAMPLING = {"444": "4:4:4", "422": "4:2:2", "420": "4:2:0"}
_SCALE_LIMIT = 8.0
_BLUR_LIMIT = 255
_JPEG_LIMIT = 65500
_BLOCK = 8


@dataclass(frozen=True, slots=True)
class Degradation:
    """One kind of degradation.

    Attributes
    ----------
    pattern : str
        The name as a person reads it, parameters in capitals: ``"blur-K"``.
    help : str
        One line on what it does and what the parameters mean.
    expression : str
        The regular expression that a whole name must match.
    build : callable
        Takes the groups of the expression, as strings or None, and gives the
        function from pixels and a random generator to pixels. Raises
        ValueError for a parameter out of range.
    """

    pattern: str
    help: str
    expression: str
    build: Callable[..., Step]

    @property
    def keyword(self) -> str:
        """The part of the name before the parameters."""
        return self.pattern.partition("-")[0]


_registry: dict[str, Degradation] = {}

CHAINS = {
    "web": ("fit-768+jpeg-60", "what a web site does: longest side 768 pixels, JPEG quality 60"),
    "hard": ("fit-512+jpeg-40", "what a messenger does: longest side 512 pixels, JPEG quality 40"),
}
"""Chains with names of their own: what they stand for, and a line of help."""


def register(degradation: Degradation) -> Degradation:
    """Add a degradation to the registry.

    Parameters
    ----------
    degradation : Degradation
        Its keyword must be new.

    Returns
    -------
    Degradation
        The same.

    Raises
    ------
    ValueError
        If another one has the keyword.
    """
    known = _registry.setdefault(degradation.keyword, degradation)
    if known is not degradation:
        raise ValueError(f"a degradation {degradation.keyword!r} is registered already")
    return degradation


def names() -> dict[str, str]:
    """List the degradations.

    Returns
    -------
    dict
        From the pattern of the name to a line of help.

    Examples
    --------
    >>> names()["mirror"]
    'left and right exchanged'
    """
    _load_entry_points()
    return {
        **{each.pattern: each.help for each in _registry.values()},
        **{name: f"{about} ({chain})" for name, (chain, about) in CHAINS.items()},
    }


def expand(name: str) -> str:
    """Write out the chains that have names of their own.

    Parameters
    ----------
    name : str
        As for `apply`.

    Returns
    -------
    str
        Without ``"web"`` and ``"hard"``; otherwise the same name, known or not.

    Examples
    --------
    >>> expand("mirror+web")
    'mirror+fit-768+jpeg-60'
    """
    return "+".join(CHAINS[part][0] if part in CHAINS else part for part in name.split("+"))


def check(name: str) -> str:
    """Return a name unchanged if it is a degradation or a chain of them.

    Parameters
    ----------
    name : str
        As for `apply`.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ConvtraceError
        For an unknown name or a parameter out of range, with the nearest known name.

    Examples
    --------
    >>> check("jepg-75")
    Traceback (most recent call last):
    ...
    convtrace.errors.ConvtraceError: unknown degradation 'jepg-75'; did you mean 'jpeg-75'?
    """
    _steps(name)
    return name


def apply(name: str, pixels: U8, *, seed: int = 0) -> U8:
    """Degrade a picture.

    Parameters
    ----------
    name : str
        A degradation, or several joined by ``+``; see `names`.
    pixels : ndarray of uint8
        (H, W) or (H, W, 3). Never written to.
    seed : int
        Not negative. Decides the random degradations: the same name, pixels and
        seed give the same result.

    Returns
    -------
    ndarray of uint8
        (H', W') or (H', W', 3), C-contiguous. May be `pixels` itself where
        there is nothing to change.

    Raises
    ------
    ConvtraceError
        For an unknown name or a parameter out of range.
    ImageError
        For pixels that are not 8-bit, empty, or have no such shape.

    Examples
    --------
    >>> import numpy as np
    >>> apply("rescale-0.5+mirror", np.zeros((40, 60, 3), dtype=np.uint8)).shape
    (20, 30, 3)
    """
    steps = _steps(name)
    if pixels.dtype != np.uint8:
        hint = "round them with convtrace.image.to_uint8"
        raise ImageError("<array>", f"degradations need uint8 pixels, not {pixels.dtype}", hint)
    if pixels.ndim not in {2, 3} or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        reason = f"pixels of shape {pixels.shape} cannot be degraded"
        raise ImageError("<array>", reason, "give (H, W) or (H, W, 3)")
    result = np.ascontiguousarray(pixels)
    for place, step in enumerate(steps):
        # A generator for each step: what one step draws does not move the next.
        result = np.ascontiguousarray(step(result, np.random.default_rng([seed, place])))
    return result


@functools.cache
def _load_entry_points() -> None:
    """Register what other packages offer, once, when it is first asked for."""
    for entry in entry_points(group="convtrace.degradations"):
        register(entry.load())


def _steps(name: str) -> list[Step]:
    return [_step(part) for part in expand(name).split("+")]


def _step(name: str) -> Step:
    _load_entry_points()
    keyword = name.partition("-")[0]
    known = _registry.get(keyword)
    if known is None:
        raise ConvtraceError(f"unknown degradation {name!r}; {_suggestion(name, keyword)}")
    match = re.fullmatch(known.expression, name, flags=re.ASCII)
    try:
        if match is None:
            raise ValueError(f"it is written {known.pattern}")
        return known.build(*match.groups())
    except ValueError as error:
        raise ConvtraceError(f"degradation {name!r}: {error} ({known.help})") from error


def _suggestion(name: str, keyword: str) -> str:
    near = difflib.get_close_matches(keyword.lower(), [*_registry, *CHAINS], n=1)
    if near:
        return f"did you mean {near[0] + name[len(keyword) :]!r}?"
    return "known are " + ", ".join(names())


# ---------------------------------------------------------------- the degradations


def _none() -> Step:
    return lambda pixels, _rng: pixels


def _jpeg(quality: str, subsampling: str | None) -> Step:
    level = int(quality)
    if not 1 <= level <= 100:
        raise ValueError("the quality is not from 1 to 100")

    def step(pixels: U8, _rng: np.random.Generator) -> U8:
        if max(pixels.shape[:2]) > _JPEG_LIMIT:
            reason = f"JPEG holds at most {_JPEG_LIMIT} pixels a side"
            raise ImageError("<array>", reason, "crop or scale it down first")
        stream = io.BytesIO()
        image = Image.fromarray(pixels)
        sampling = _SUBSAMPLING[subsampling or "420"]
        image.save(stream, "JPEG", quality=level, subsampling=sampling)
        stream.seek(0)
        # Image.open would warn of a large picture as of a decompression bomb.
        with JpegImagePlugin.JpegImageFile(stream) as saved:
            return np.asarray(saved)

    return step


def _rescale(factor: str) -> Step:
    scale = float(factor)
    if not 0 < scale <= _SCALE_LIMIT:
        raise ValueError(f"the factor is not above 0 and up to {_SCALE_LIMIT:g}")

    def step(pixels: U8, _rng: np.random.Generator) -> U8:
        height, width = pixels.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size == (width, height):
            return pixels
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    return step


def _fit(size: str) -> Step:
    side = _positive(size)

    def step(pixels: U8, _rng: np.random.Generator) -> U8:
        height, width = pixels.shape[:2]
        longest = max(height, width)
        if longest <= side:
            return pixels
        fitted = (max(1, round(width * side / longest)), max(1, round(height * side / longest)))
        return np.asarray(Image.fromarray(pixels).resize(fitted, Image.Resampling.LANCZOS))

    return step


def _square(share: str) -> Step:
    part = float(share)
    if not 0 < part <= 1:
        raise ValueError("the share is not above 0 and up to 1")

    def step(pixels: U8, rng: np.random.Generator) -> U8:
        height, width = pixels.shape[:2]
        side = max(1, round(part * min(height, width)))
        top = int(rng.integers(height - side + 1))
        left = int(rng.integers(width - side + 1))
        covered = pixels.copy()
        covered[top : top + side, left : left + side] = rng.integers(0, 256, pixels.shape[2:])
        return covered

    return step


def _window(pixels: U8, side: int, place: Callable[[int], int]) -> U8:
    """Cut a window of at most side x side; place chooses among the free positions."""
    height, width = pixels.shape[:2]
    top, left = place(max(0, height - side)), place(max(0, width - side))
    return pixels[top : top + side, left : left + side]


def _crop(size: str) -> Step:
    side = _positive(size)
    return lambda pixels, _rng: _window(pixels, side, lambda free: free // 2)


def _random_crop(size: str) -> Step:
    side = _positive(size)
    return lambda pixels, rng: _window(pixels, side, lambda free: int(rng.integers(free + 1)))


def _block_window(size: str) -> Step:
    side = _positive(size)
    return lambda pixels, rng: _window(
        pixels, side, lambda free: int(rng.integers(free // _BLOCK + 1)) * _BLOCK
    )


def _positive(size: str) -> int:
    side = int(size)
    if side < 1:
        raise ValueError("the size is not at least 1 pixel")
    return side


def _blur(size: str) -> Step:
    width = int(size)
    if width % 2 == 0 or not 1 <= width <= _BLUR_LIMIT:
        raise ValueError(f"the kernel size is not odd and from 1 to {_BLUR_LIMIT}")
    # The deviation that OpenCV's GaussianBlur takes for a kernel of this size.
    sigma = 0.3 * ((width - 1) * 0.5 - 1) + 0.8
    offsets = np.arange(width) - width // 2
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    kernel /= kernel.sum()

    def step(pixels: U8, _rng: np.random.Generator) -> U8:
        smooth = pixels.astype(np.float32)
        for axis in (0, 1):
            smooth = ndimage.correlate1d(smooth, kernel, axis=axis, mode="mirror")
        return _rounded(smooth)

    return step


def _rotate(degrees: str) -> Step:
    angle = float(degrees)
    if not -360 <= angle <= 360:
        raise ValueError("the angle is not from -360 to 360 degrees")
    quarters, rest = divmod(angle, 90)
    if rest == 0:
        return lambda pixels, _rng: np.rot90(pixels, int(quarters))

    def step(pixels: U8, _rng: np.random.Generator) -> U8:
        height, width = pixels.shape[:2]
        turned = np.asarray(Image.fromarray(pixels).rotate(angle, Image.Resampling.BICUBIC, True))
        # Only the upright rectangle inside is kept: empty corners would be a trace.
        inner_width, inner_height = _inscribed(width, height, math.radians(angle))
        top = (turned.shape[0] - inner_height) // 2
        left = (turned.shape[1] - inner_width) // 2
        return turned[top : top + inner_height, left : left + inner_width]

    return step


def _inscribed(width: int, height: int, angle: float) -> tuple[int, int]:
    """Return the largest upright rectangle inside a turned one, less a margin.

    The margin of two pixels a side is the reach of the bicubic kernel.
    """
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    long, short = max(width, height), min(width, height)
    if short <= 2 * sine * cosine * long or abs(sine - cosine) < 1e-10:
        # Two corners touch the longer sides, the other two are free.
        half = short / 2
        inner = (half / sine, half / cosine) if width >= height else (half / cosine, half / sine)
    else:
        double = cosine**2 - sine**2
        inner = (
            (width * cosine - height * sine) / double,
            (height * cosine - width * sine) / double,
        )
    return max(1, math.floor(inner[0]) - 4), max(1, math.floor(inner[1]) - 4)


def _mirror() -> Step:
    return lambda pixels, _rng: pixels[:, ::-1]


def _noise(deviation: str) -> Step:
    sigma = float(deviation)
    if sigma > 255:
        raise ValueError("the standard deviation is not from 0 to 255")

    def step(pixels: U8, rng: np.random.Generator) -> U8:
        noisy = rng.standard_normal(pixels.shape, dtype=np.float32)
        noisy *= np.float32(sigma)
        noisy += pixels
        return _rounded(noisy)

    return step


def _rounded(values: NDArray[np.float32]) -> U8:
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)


_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"

for _degradation in (
    Degradation("none", "nothing changed", r"none", _none),
    Degradation(
        "jpeg-Q[-444|-422|-420]",
        "saved as JPEG of IJG quality Q, 1 to 100, chroma subsampling 4:2:0 unless named",
        r"jpeg-(\d{1,3})(?:-(444|422|420))?",
        _jpeg,
    ),
    Degradation(
        "rescale-F",
        "both sides scaled by F, above 0 to 8, Lanczos",
        rf"rescale-{_NUMBER}",
        _rescale,
    ),
    Degradation(
        "fit-S",
        "scaled down, Lanczos, until no side is longer than S pixels",
        r"fit-(\d{1,6})",
        _fit,
    ),
    Degradation("crop-S", "the central window of at most S x S pixels", r"crop-(\d{1,6})", _crop),
    Degradation(
        "randomcrop-S",
        "a window of at most S x S pixels at a random place",
        r"randomcrop-(\d{1,6})",
        _random_crop,
    ),
    Degradation(
        "window-S",
        "the same, on JPEG's grid of blocks of 8 x 8: all that compression left stays in place",
        r"window-(\d{1,6})",
        _block_window,
    ),
    Degradation(
        "blur-K", "Gaussian blur with a K x K kernel, K odd, 1 to 255", r"blur-(\d{1,3})", _blur
    ),
    Degradation(
        "rotate-D",
        "turned counter-clockwise by D degrees (bicubic; right angles exactly), empty corners cut",
        rf"rotate-(-?{_NUMBER[1:-1]})",
        _rotate,
    ),
    Degradation(
        "square-F",
        "a square of one random colour at a random place, its side F of the shorter side, up to 1",
        rf"square-{_NUMBER}",
        _square,
    ),
    Degradation("mirror", "left and right exchanged", r"mirror", _mirror),
    Degradation(
        "noise-SIGMA",
        "Gaussian noise of standard deviation SIGMA, 0 to 255 grey levels",
        rf"noise-{_NUMBER}",
        _noise,
    ),
):
    register(_degradation)
