"""What a decoded picture is: the stored numbers and where they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convtrace.image.jpeg import JpegFacts
from convtrace.image.provenance import Provenance

__all__ = ["Picture", "Pixels", "to_uint8"]

Pixels = NDArray[np.uint8] | NDArray[np.float32]

# The turn that puts a picture upright for each EXIF orientation (TIFF 6.0, tag 274).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture, its pixels exactly as stored.

    No colour conversion by profile, no rotation and no compositing was done:
    a convolutional trace lives in the stored numbers.

    Attributes
    ----------
    pixels : ndarray
        (H, W) for greyscale or (H, W, 3) for RGB, C-contiguous, uint8; or
        float32 on the 0..255 scale where the source has more than 8 bits a
        sample (a 16-bit sample is divided by 257).
    name : str
        The path, or ``"<bytes>"``, ``"<array>"``, ``"<PIL image>"``.
    format : str
        ``"JPEG"``, ``"PNG"``, ``"WEBP"``, ``"TIFF"``, ``"BMP"``, ``"GIF"``,
        ``"HEIF"``, ``"AVIF"``, ``"PPM"``; ``"array"`` for an array.
    mode : str
        Pillow's name of the stored pixel layout; the dtype for an array.
    sha256 : str
        Hexadecimal digest of the encoded bytes; of dtype, shape and pixel
        bytes for arrays and PIL images.
    nbytes : int
        Size of the encoded bytes; of the pixels for arrays and PIL images.
    jpeg : JpegFacts or None
        What the JPEG container says of its compression.
    notes : tuple of str
        In plain words, what was dropped or converted on the way.
    orientation : int
        EXIF orientation, 1 to 8. Used by `display` alone.
    provenance : Provenance or None
        What the file says of its origin, which changes nothing else; None where it was not
        asked for, and for arrays and PIL images.
    """

    pixels: Pixels
    name: str
    format: str
    mode: str
    sha256: str
    nbytes: int
    jpeg: JpegFacts | None
    notes: tuple[str, ...]
    orientation: int
    provenance: Provenance | None = None

    @property
    def width(self) -> int:
        """Columns of the stored pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows of the stored pixels."""
        return int(self.pixels.shape[0])

    def display(self) -> Image.Image:
        """Return the picture upright and in 8 bits, for people to look at.

        Returns
        -------
        PIL.Image.Image
            Mode ``"L"`` or ``"RGB"``, turned by the EXIF orientation.
        """
        image = Image.fromarray(to_uint8(self.pixels))
        turn = _UPRIGHT.get(self.orientation)
        return image if turn is None else image.transpose(turn)


def to_uint8(pixels: Pixels) -> NDArray[np.uint8]:
    """Round pixels on the 0..255 scale to 8 bits.

    Parameters
    ----------
    pixels : ndarray
        uint8 (returned as it is), or float on the 0..255 scale.

    Returns
    -------
    ndarray of uint8
        Rounded half to even and clipped to 0..255.

    Examples
    --------
    >>> import numpy as np
    >>> to_uint8(np.array([[0.4, 254.6, 300.0]], dtype=np.float32)).tolist()
    [[0, 255, 255]]
    """
    if pixels.dtype == np.uint8:
        return pixels  # type: ignore[return-value]
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
