"""From paths that a person names to the pictures under them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["SUFFIXES", "find_pictures"]

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp"),
        *(".tif", ".tiff", ".bmp", ".dib", ".gif", ".heic", ".heics", ".heif"),
        *(".heifs", ".hif", ".avif", ".avifs", ".ppm", ".pgm", ".pbm", ".pnm"),
    )
)


def find_pictures(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    suffixes: frozenset[str] = SUFFIXES,
) -> Iterator[Path]:
    """List the pictures that paths name, walking folders to their ends.

    Parameters
    ----------
    paths : path or sequence of paths
        Files and folders.
    suffixes : frozenset of str, default `SUFFIXES`
        In lower case; which files of a folder are taken.

    Yields
    ------
    pathlib.Path
        A named file whatever its suffix, a missing one too: reading it gives
        the clear error. Of a folder, in the order of the names, everything
        below it with one of the suffixes, capitals or not; names
        that begin with a dot are skipped, unless named themselves. Linked
        folders are followed, each real folder once, so that loops end. A
        folder that may not be listed is yielded itself, for the same reason
        as a missing file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png"):
    ...     _ = (folder / name).write_bytes(b"")
    >>> [path.name for path in find_pictures([folder])]
    ['a.JPG', 'b.png']
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    for path in map(Path, paths):
        if path.is_dir():
            yield from _walk(path, suffixes)
        else:
            yield path


def _walk(top: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """Walk one folder with a stack of our own: depth costs no recursion."""
    seen: set[tuple[int, int]] = set()
    stack = [(top, True)]
    while stack:
        path, is_folder = stack.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = path.stat()
            key = (status.st_dev, status.st_ino)
            if key in seen:
                continue
            seen.add(key)
            with os.scandir(path) as entries:
                # Reversed, because the stack gives back the last first.
                listing = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError:
            yield path
            continue
        for entry in listing:
            if entry.name.startswith("."):
                continue
            folder = _is_folder(entry)
            if folder or os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122
                stack.append((path / entry.name, folder))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry leads to a folder; a link into a loop of links does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False
