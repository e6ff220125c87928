"""Untrusted text made fit to be read: file names and metadata."""

from __future__ import annotations

__all__ = ["shown", "size_in_words"]


def shown(text: str, *, most: int = 2000) -> str:
    r"""Return text without characters that hide, reorder what is read, or break UTF-8.

    It is still not markup: what writes HTML must escape it.

    Parameters
    ----------
    text : str
        For instance a file name; bytes of it that are not UTF-8 are surrogates in Python.
    most : int, default 2000
        Longer text is cut, and says so.

    Returns
    -------
    str
        Control characters, marks of writing direction and surrogates as ``\xNN`` and
        ``\uNNNN``; line ends and tabs stay.

    Examples
    --------
    >>> shown("photo\u202egpj.exe"), shown("caf\udce9.jpg"), shown("abcdef", most=3)
    ('photo\\u202egpj.exe', 'caf\\udce9.jpg', 'abc... (6 characters)')
    """
    cut = text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
    if cut.isprintable():
        return cut
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in cut
    )


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
