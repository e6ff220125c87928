"""Metadata that ImageMagick keeps in texts of a PNG, as hexadecimal digits.

A text ``Raw profile type exif`` (or ``APP1``, ``xmp``, ``iptc``, ``8bim``, ``icc``, ``icm``) holds
the name of the profile, its length in bytes and its digits, each on lines of their own. ExifTool
and others write the same.

References
----------
.. [1] ImageMagick, ``coders/png.c``, ``Magick_png_write_raw_profile``.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final

from convtrace.image.provenance.blocks import (
    EXIF_HEAD,
    XMP_HEAD,
    Block,
    MetadataError,
    photoshop,
)

__all__ = ["inner_blocks", "is_raw_profile"]

_KEYWORD: Final = "raw profile type "
_WHITE: Final = b" \t\r\n\v\f"


def is_raw_profile(block: Block) -> bool:
    """Tell whether a block is a text that wraps a profile.

    Parameters
    ----------
    block : Block
        From `convtrace.image.provenance.blocks.blocks`.

    Returns
    -------
    bool
    """
    return block.kind == "text" and block.name.lower().startswith(_KEYWORD)


def inner_blocks(block: Block) -> Iterator[Block]:
    r"""Unwrap a profile.

    Parameters
    ----------
    block : Block
        A text for which `is_raw_profile` holds; `blocks` has bounded its size.

    Yields
    ------
    Block
        The metadata within; a block of kind ``"text"`` that tells its size where it is of a
        type that is not known.

    Raises
    ------
    MetadataError
        Where it is not written as it must be, or cut short.

    Examples
    --------
    >>> text = b"\nxmp\n       4\n3c612f3e\n"
    >>> [one.data for one in inner_blocks(Block("text", text, "Raw profile type xmp"))]
    [b'<a/>']
    """
    data = _unwrapped(block.data)
    name = block.name[len(_KEYWORD) :].strip().lower()
    if data.startswith(XMP_HEAD):
        yield Block("xmp", data[len(XMP_HEAD) :])
    elif data.startswith(EXIF_HEAD):
        yield Block("exif", data[6:])
    elif data.startswith(b"8BIM"):
        yield from photoshop(data)
    elif name in ("exif", "app1"):
        yield Block("exif", data)
    elif name == "xmp":
        yield Block("xmp", data)
    elif name == "iptc":
        yield Block("iptc", data)
    elif name in ("icc", "icm"):
        yield Block("profile", data)
    elif name != "8bim":
        # Its digits would be a wall that says nothing to a reader.
        yield Block("text", f"{len(data):,} bytes".encode(), block.name)


def _unwrapped(text: bytes) -> bytes:
    # The name may have blanks: ExifTool's is "IPTC profile".
    _, _, rest = text.lstrip(_WHITE).partition(b"\n")
    number, _, digits = rest.lstrip(_WHITE).partition(b"\n")
    number = number.strip(_WHITE)
    if not number.isdigit() or len(number) > 9:
        raise MetadataError("a raw profile without its length")
    digits = digits.translate(None, _WHITE)
    length = int(number)
    if len(digits) < 2 * length:
        raise MetadataError("a raw profile is cut short")
    try:
        return binascii.unhexlify(digits[: 2 * length])
    except binascii.Error as error:
        raise MetadataError("a raw profile that is not of hexadecimal digits") from error
