"""Measured vectors kept on disk, so that no picture is measured twice.

An entry is found by the content of the picture and everything that its numbers depend on:
the SHA-256 of the encoded bytes, the name, version and options of the descriptor. It is a
small ``.npy`` file whose last number is a checksum of the ones before it; an entry that is
truncated or damaged counts as absent and is written anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.errors import ConvtraceError

__all__ = ["DescriptorCache", "cache_key", "default_cache_folder"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
# The results for which vectors are measured go to the same disk, mostly; its last bytes are theirs.
_LEFT_FREE = 64 * 2**20


def default_cache_folder() -> Path:
    """Return where caches of this user go; nothing is created.

    ``CONVTRACE_CACHE`` where it is set, otherwise ``convtrace`` under ``XDG_CACHE_HOME`` or
    the platform's own place for caches.

    Returns
    -------
    pathlib.Path
    """
    own = os.environ.get("CONVTRACE_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared:
        return Path(shared) / "convtrace"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "convtrace"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
        return base / "convtrace" / "Cache"
    return Path.home() / ".cache" / "convtrace"


def cache_key(sha256: str, descriptor: str, version: str, options: Mapping[str, Any]) -> str:
    """Return the key of one entry.

    Parameters
    ----------
    sha256 : str
        Of the encoded picture.
    descriptor, version : str
        Name of the descriptor, and of the state of its code; a change of the numbers that it
        returns must come with a change of the version.
    options : mapping
        Every option that the numbers depend on; JSON values.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    text = json.dumps([sha256, descriptor, version, dict(options)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class DescriptorCache:
    """A folder of measured vectors, safe for many threads and processes at once.

    Parameters
    ----------
    folder : str or os.PathLike
        Made when the first entry is written.

    Examples
    --------
    >>> import tempfile
    >>> cache = DescriptorCache(tempfile.mkdtemp())
    >>> key = cache_key("00" * 32, "demo", "1", {})
    >>> cache.put(key, np.array([1.0, 2.0]))
    >>> cache.get(key, 2)
    array([1., 2.])
    >>> cache.get(key, 3) is None
    True
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Return the file of a key; 256 sub-folders keep each of them small.

        Parameters
        ----------
        key : str
            From `cache_key`.

        Returns
        -------
        pathlib.Path
        """
        return self.folder / key[:2] / f"{key[2:]}.npy"

    def get(self, key: str, length: int) -> NDArray[np.float64] | None:
        """Return an entry.

        Parameters
        ----------
        key : str
            From `cache_key`.
        length : int
            How many numbers it must have.

        Returns
        -------
        numpy.ndarray of shape (length,), float64, or None
            None where there is none, or the file is damaged.
        """
        try:
            with self.path(key).open("rb") as file:
                stored = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if (
            not isinstance(stored, np.ndarray)
            or stored.dtype != np.float64
            or stored.shape != (length + 1,)
        ):
            return None
        vector = np.ascontiguousarray(stored[:-1])
        return vector if stored[-1] == zlib.crc32(vector.tobytes()) else None

    def put(self, key: str, vector: NDArray[np.float64]) -> None:
        """Write an entry; a reader sees the whole of it or nothing.

        Parameters
        ----------
        key : str
            From `cache_key`.
        vector : numpy.ndarray of shape (length,)
            The numbers. On a disk that is full, but for 64 MiB, they are not kept: who measured
            them has them still, and needs room for what they are for.

        Raises
        ------
        ConvtraceError
            Where the folder cannot be written for another reason.
        """
        values = np.ascontiguousarray(vector, dtype=np.float64)
        stored = np.append(values, float(zlib.crc32(values.tobytes())))
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free < _LEFT_FREE:
                return
            handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    np.save(file, stored, allow_pickle=False)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            if error.errno in _FULL:
                return
            raise ConvtraceError(
                f"{self.folder}: the cache cannot be written ({error.strerror}); "
                "name another folder, or none"
            ) from error
