"""Pictures at addresses: whatever fsspec knows, streamed without a local copy.

Keys, endpoints and the like come from where the libraries of each protocol look for them,
and from fsspec's own settings (``FSSPEC_S3_ENDPOINT_URL=...`` or its configuration file).
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from convtrace.batch.inputs.records import Stamp
from convtrace.errors import ConvtraceError, ImageError
from convtrace.image import Limits, Picture, read

__all__ = ["RemoteInput", "filesystem", "is_remote", "retried", "stamp_of_info", "walk"]

T = TypeVar("T")

_ATTEMPTS = 4
_PAUSE_SECONDS = 0.5
# What no second attempt mends.
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError)


def is_remote(address: str) -> bool:
    """Return whether an address is one of fsspec's.

    Parameters
    ----------
    address : str
        A path or an address.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_remote("s3://bucket/a.jpg"), is_remote("photos/a.jpg")
    (True, False)
    """
    scheme, mark, _ = address.partition("://")
    return bool(mark) and scheme.replace("+", "").replace("-", "").isalnum()


def filesystem(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it.

    Parameters
    ----------
    address : str
        Such as ``s3://bucket/folder``.

    Returns
    -------
    filesystem : fsspec.AbstractFileSystem
    path : str

    Raises
    ------
    ConvtraceError
        Where a library is missing or the protocol is unknown.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ConvtraceError(
            f"{address}: addresses need fsspec; install it with pip install 'convtrace[remote]'"
        ) from error
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConvtraceError(f"{address}: cannot be opened ({reason})") from error
    return found


def stamp_of_info(info: dict[str, Any]) -> Stamp:
    """Return the stamp in what a file system says of a file.

    Parameters
    ----------
    info : dict
        Of ``fs.info`` or a detailed listing; protocols name the time differently.

    Returns
    -------
    Stamp
    """
    size = info.get("size")
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        value = info.get(key)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                continue
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            # In whole microseconds: a float of seconds does not hold nanoseconds.
            since = aware - datetime(1970, 1, 1, tzinfo=UTC)
            return size, ((since.days * 86400 + since.seconds) * 10**6 + since.microseconds) * 1000
        if isinstance(value, int | float) and not isinstance(value, bool):
            return size, round(value * 1e9)
    return size, None


def retried(work: Callable[[], T], name: str) -> T:
    """Do something on a network, more than once if need be.

    Parameters
    ----------
    work : callable
        What to do.
    name : str
        What it is done to, for the error.

    Returns
    -------
    object
        What `work` returned.

    Raises
    ------
    ImageError
        Where it failed four times, or in a way that no repetition mends.
    """
    pause = _PAUSE_SECONDS
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return work()
        except FileNotFoundError as error:
            raise ImageError(name, "nothing is there", "check the address") from error
        except PermissionError as error:
            raise ImageError(name, "permission denied", "check the credentials") from error
        except (OSError, TimeoutError, EOFError) as error:
            if attempt == _ATTEMPTS or isinstance(error, _FINAL):
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                hint = "run the same command again to try again"
                raise ImageError(name, f"cannot be fetched ({reason})", hint) from error
            clock.sleep(pause)
            pause *= 3.0
    raise AssertionError


@dataclass(frozen=True, slots=True)
class RemoteInput:
    """A picture at an address.

    Parameters
    ----------
    name : str
        The address.
    known : Stamp
        As listed.
    """

    name: str
    known: Stamp

    @property
    def time(self) -> float | None:
        """None: not of a video."""
        return None

    def stamp(self) -> Stamp:
        """Return size and time as listed."""
        return self.known

    def picture(self, *, provenance: bool = False) -> Picture:
        """Fetch and decode it."""
        most = Limits().max_bytes
        size = self.known[0]
        if size is not None and size > most:
            raise ImageError(self.name, f"{size:,} bytes are more than the limit of {most:,}")
        system, path = filesystem(self.name)
        data: bytes = retried(lambda: system.cat_file(path), self.name)
        if size is not None and len(data) != size:
            raise ImageError(self.name, "it changed while it was read", "run the command again")
        return read(data, name=self.name, provenance=provenance)


def walk(system: Any, path: str) -> Iterator[tuple[str, Stamp]]:
    """List what is below a path, in the order of the names, one folder at a time.

    Parameters
    ----------
    system : fsspec.AbstractFileSystem
        Where.
    path : str
        A folder in it.

    Yields
    ------
    address : str
    stamp : Stamp
    """
    for _, folders, files in system.walk(path, detail=True):
        for name in sorted(folders):
            if name.startswith("."):
                del folders[name]
        for name in sorted(files):
            if not name.startswith("."):
                info = files[name]
                yield system.unstrip_protocol(info["name"]), stamp_of_info(info)
