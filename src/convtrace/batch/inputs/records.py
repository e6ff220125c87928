"""What an input is, and the plainest one: a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from convtrace.image import Picture, read

__all__ = ["BytesInput", "FileInput", "Input", "Stamp", "stamp_of_file"]

Stamp = tuple[int | None, int | None]
"""Size in bytes and time of modification in nanoseconds since 1970; None where unknown."""


class Input(Protocol):
    """One picture that can be read; small, and fit to be sent to another process."""

    @property
    def name(self) -> str:
        """Its address, which tells it from all others."""
        ...

    @property
    def time(self) -> float | None:
        """Seconds from the begin of its video; None for pictures."""
        ...

    def stamp(self) -> Stamp:
        """Return what changes if the picture does, without reading it."""
        ...

    def picture(self, *, provenance: bool = False) -> Picture:
        """Read and decode it.

        Parameters
        ----------
        provenance : bool, default False
            Whether to read, too, what the file says of its origin.

        Raises
        ------
        ImageError
            If that cannot be done.
        """
        ...


def stamp_of_file(path: str) -> Stamp:
    """Return the stamp of a file.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    Stamp
        ``(None, None)`` where there is no such file.
    """
    try:
        status = os.stat(path)  # noqa: PTH116, Path turns "" into "."
    except (OSError, ValueError):
        return None, None
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class FileInput:
    """A file of this machine.

    Parameters
    ----------
    name : str
        Its path.
    """

    name: str

    @property
    def time(self) -> float | None:
        """None: not of a video."""
        return None

    def stamp(self) -> Stamp:
        """Return size and time of modification."""
        return stamp_of_file(self.name)

    def picture(self, *, provenance: bool = False) -> Picture:
        """Read and decode it."""
        return read(self.name, provenance=provenance)


@dataclass(frozen=True, slots=True)
class BytesInput:
    """A picture that was read already.

    Parameters
    ----------
    name : str
        Its address.
    data : bytes
        As encoded.
    known : Stamp
        Of where it came from.
    """

    name: str
    data: bytes
    known: Stamp

    @property
    def time(self) -> float | None:
        """None: not of a video."""
        return None

    def stamp(self) -> Stamp:
        """Return what was known when it was read."""
        return self.known

    def picture(self, *, provenance: bool = False) -> Picture:
        """Decode it."""
        return read(self.data, name=self.name, provenance=provenance)
