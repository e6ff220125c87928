"""Text made fit to be read: sizes; file names and metadata, which are untrusted."""

from __future__ import annotations

from convtrace.image.provenance import fit_to_read as shown

__all__ = ["shown", "size_in_words"]


def size_in_words(count: int) -> str:
    """Return a number of bytes for people.

    Parameters
    ----------
    count : int
        Bytes.

    Returns
    -------
    str

    Examples
    --------
    >>> size_in_words(980), size_in_words(1_480_000)
    ('980 bytes', '1.5 MB (1,480,000 bytes)')
    """
    if count < 1000:
        return f"{count} bytes"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit} ({count:,} bytes)"
    raise AssertionError(count)  # pragma: no cover
