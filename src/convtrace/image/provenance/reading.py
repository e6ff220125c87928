"""From the bytes of a file to what it says of its origin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from convtrace.image.provenance import credentials, exif, generators, iptc, raw_profiles, xmp
from convtrace.image.provenance.blocks import MALFORMED, Block, blocks
from convtrace.image.provenance.record import Credentials, Provenance, Statement, fit_to_read

__all__ = ["provenance_of"]

_MOST_STATEMENTS = 300
# Of all together: a verdict goes to logs, tables and browsers.
_MOST_CHARACTERS = 20_000
# Of all blocks, unpacked: a file of 50 MB can hold thousands that unpack to 4 MiB each.
_MOST_BYTES = 16 << 20
_TOLD_ONCE = frozenset(("exif", "iptc", "xmp"))


def provenance_of(data: bytes, format: str) -> Provenance:
    """Read what the file of a picture says of its origin.

    EXIF, XMP, IPTC, comments, texts, and C2PA manifests (checked where the extra ``c2pa`` is
    installed), by the structure of the container.

    Parameters
    ----------
    data : bytes
        The encoded picture.
    format : str
        Its format, as `convtrace.image.Picture.format`.

    Returns
    -------
    Provenance
        Damaged metadata raise nothing: what could be read is there, and a statement of kind
        ``"damage"`` says so.

    Notes
    -----
    No block of more than 4 MiB is read, no text unpacked to more, nothing beyond 16 MiB of all
    blocks together, and at most 300 statements of 20,000 characters in all are made.

    Examples
    --------
    >>> import io
    >>> from PIL import Image, PngImagePlugin
    >>> stream, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    >>> chunks.add_text("parameters", "a cat, Steps: 20, Sampler: Euler")
    >>> Image.new("RGB", (8, 8)).save(stream, "PNG", pnginfo=chunks)
    >>> provenance_of(stream.getvalue(), "PNG").statements[0].kind
    'generator'
    """
    statements: list[Statement] = []
    manifest: Credentials | None = None
    told: set[Block] = set()
    left = _MOST_BYTES
    for block in _all_blocks(data, format):
        left -= len(block.data) if block.kind != "tiff" else 0  # of these the values are counted
        if left < 0:
            words = f"what is beyond {_MOST_BYTES:,} bytes of it is not read"
            statements.append(Statement("file", "metadata", words, "damage"))
            break
        if block.kind in _TOLD_ONCE:
            # ImageMagick stores the same IPTC under two names.
            if block in told:
                continue
            told.add(block)
        found: list[Statement] = []
        if block.kind != "c2pa":
            found = list(islice(_statements(block), _MOST_STATEMENTS + 1))
        elif manifest is None:
            manifest, kind = credentials.credentials(data, format)
            found = list(map(generators.judged, credentials.in_statements(manifest, kind)))
        statements += found
        if not _are_within_limits(statements):
            break
    return Provenance(tuple(_cut(statements)), manifest)


def _are_within_limits(statements: list[Statement]) -> bool:
    characters = sum(len(one.name) + len(one.value) for one in statements)
    return len(statements) <= _MOST_STATEMENTS and characters <= _MOST_CHARACTERS


def _cut(statements: list[Statement]) -> list[Statement]:
    if _are_within_limits(statements):
        return statements
    while statements and not _are_within_limits(statements):
        statements.pop()
    words = f"only the first {len(statements)} statements are listed"
    return [*statements, Statement("file", "more", words)]


def _all_blocks(data: bytes, format: str) -> Iterator[Block]:
    for block in blocks(data, format):
        if raw_profiles.is_raw_profile(block):
            # Handed on all the same, since its size counts.
            yield Block("wrapped", block.data)
            try:
                yield from raw_profiles.inner_blocks(block)
            except MALFORMED as error:
                yield Block("damage", f"{block.name}: {error}".encode())
            continue
        yield block
        if block.kind == "tiff":
            try:
                yield from exif.inner_blocks(block.data)
            except MALFORMED:
                continue  # Told where its statements were read.


def _statements(block: Block) -> Iterator[Statement]:
    try:
        if block.kind in ("exif", "tiff"):
            yield from map(generators.judged, exif.in_statements(block.data))
        elif block.kind == "xmp":
            yield from map(generators.judged, xmp.in_statements(block.data))
        elif block.kind == "iptc":
            yield from map(generators.judged, iptc.in_statements(block.data))
        elif block.kind == "text":
            if not _is_of_place(block.name):
                yield generators.of_text(block.name, block.data.decode("utf-8", "replace"))
            elif block.name.lower() == "exif:gpslatitude":
                # Where somebody was is not repeated in every report.
                yield Statement("PNG text", "GPS position", "present", "place")
        elif block.kind == "comment":
            yield _comment(block.data)
        elif block.kind == "profile":
            yield Statement("file", "colour profile", f"{len(block.data):,} bytes")
        elif block.kind == "damage":
            yield Statement("file", "metadata", fit_to_read(block.data.decode()), "damage")
    except MALFORMED as error:
        words = " ".join(str(error).split())[:160] or type(error).__name__
        yield Statement(block.kind.upper(), "metadata", fit_to_read(words), "damage")


def _is_of_place(keyword: str) -> bool:
    """Tell whether a text is one of those in which ImageMagick repeats the EXIF of a place."""
    return keyword.lower().startswith("exif:gps")


def _comment(data: bytes) -> Statement:
    text = data.strip(b"\0").decode("utf-8", "replace")
    return generators.judged(Statement("comment", "comment", fit_to_read(text)))
