"""Archives and tar shards: their members, each read where it lies.

An archive is looked through once; a member of a zip file or an uncompressed tar is then read
by its place, in any order and by any process. WebDataset shards are uncompressed tars, whose
members of other kinds (labels, captions) are passed over. A compressed tar has no places: see
`convtrace.batch.inputs.streams`.
"""

from __future__ import annotations

import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, cast

from convtrace.batch.inputs.records import Stamp, stamp_of_file
from convtrace.batch.inputs.remote import filesystem, is_remote, retried, stamp_of_info
from convtrace.errors import ConvtraceError, ImageError
from convtrace.image import SUFFIXES, Limits, Picture, read

__all__ = [
    "ARCHIVE_ERRORS",
    "MemberInput",
    "StreamMember",
    "is_archive",
    "members",
    "open_archive",
    "open_tar_stream",
]

_ZIPPED = (".zip", ".cbz")
_STREAMED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)
"""What damaged archives raise."""
_KEPT_OPEN = 4
_BLOCK = 1 << 20

_opened = threading.local()


def is_archive(name: str) -> bool:
    """Return whether a name is that of an archive.

    Parameters
    ----------
    name : str
        A path or an address.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_archive("shard-000.TAR"), is_archive("a.jpg")
    (True, False)
    """
    return name.lower().endswith((".tar", *_ZIPPED, *_STREAMED))


@dataclass(frozen=True, slots=True)
class MemberInput:
    """A member of an archive that can be read by its place.

    Parameters
    ----------
    archive : str
        Path or address.
    member : str
        Its name in the archive.
    size : int
        Bytes when unpacked.
    offset : int or None
        Where it begins in an uncompressed tar; None for a zip file.
    mtime_ns : int or None
        Of the archive.
    """

    archive: str
    member: str
    size: int
    offset: int | None
    mtime_ns: int | None

    @property
    def name(self) -> str:
        """The archive's path and the member's behind it."""
        return f"{self.archive}/{self.member}"

    @property
    def time(self) -> float | None:
        """None: not of a video."""
        return None

    def stamp(self) -> Stamp:
        """Return its size and the archive's time."""
        return self.size, self.mtime_ns

    def picture(self, *, provenance: bool = False) -> Picture:
        """Read and decode it."""
        _check_size(self.name, self.size)
        try:
            data = self._range(self.offset) if self.offset is not None else self._unzip()
        except (*ARCHIVE_ERRORS, RuntimeError, NotImplementedError) as error:
            # RuntimeError is zipfile's word for a password, NotImplementedError for a method.
            raise _unreadable(self.name, error) from error
        if len(data) != self.size:
            raise ImageError(self.name, "the archive is cut short", "copy it again")
        return read(data, name=self.name, provenance=provenance)

    def _range(self, offset: int) -> bytes:
        if is_remote(self.archive):
            system, path = filesystem(self.archive)
            end = offset + self.size
            return cast(
                bytes, retried(lambda: system.cat_file(path, start=offset, end=end), self.name)
            )
        with open(self.archive, "rb") as file:  # noqa: PTH123
            file.seek(offset)
            return file.read(self.size)

    def _unzip(self) -> bytes:
        # Opened once a thread: reading the directory of a large archive takes long.
        kept: dict[tuple[str, int | None], zipfile.ZipFile] = _opened.__dict__.setdefault("z", {})
        key = (self.archive, self.mtime_ns)
        if key not in kept:
            while len(kept) >= _KEPT_OPEN:
                kept.pop(next(iter(kept))).close()
            # Stays open: a later picture of the same archive reads it.
            file: Any
            if is_remote(self.archive):
                system, path = filesystem(self.archive)
                file = retried(lambda: system.open(path, "rb"), self.name)
            else:
                file = self.archive
            kept[key] = zipfile.ZipFile(file)
        return kept[key].read(self.member)


@dataclass(frozen=True, slots=True)
class StreamMember:
    """A member of a compressed tar, to be read by `convtrace.batch.inputs.streams.streamed`.

    Parameters
    ----------
    archive : str
        Path or address.
    member : str
        Its name in the archive.
    place : int
        How many members are before it.
    size : int
        Bytes when unpacked.
    mtime_ns : int or None
        Of the archive.
    """

    archive: str
    member: str
    place: int
    size: int
    mtime_ns: int | None

    @property
    def name(self) -> str:
        """The archive's path and the member's behind it."""
        return f"{self.archive}/{self.member}"

    @property
    def time(self) -> float | None:
        """None: not of a video."""
        return None

    def stamp(self) -> Stamp:
        """Return its size and the archive's time."""
        return self.size, self.mtime_ns

    def picture(self, *, provenance: bool = False) -> Picture:
        """Read and decode it, unpacking all that is before it."""
        _check_size(self.name, self.size)
        try:
            with open_tar_stream(self.archive) as tar:
                for place, info in enumerate(tar):
                    if place == self.place and info.name == self.member:
                        file = tar.extractfile(info)
                        if file is not None:
                            return read(file.read(), name=self.name, provenance=provenance)
        except ARCHIVE_ERRORS as error:
            raise _unreadable(self.name, error) from error
        raise ImageError(self.name, "it is no longer in the archive", "run the command again")


def _check_size(name: str, size: int) -> None:
    most = Limits().max_bytes
    if size > most:
        raise ImageError(name, f"{size:,} bytes are more than the limit of {most:,}")


def _unreadable(name: str, error: Exception) -> ImageError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ImageError(name, f"cannot be unpacked ({reason})", "check the archive")


@contextmanager
def open_archive(archive: str) -> Iterator[IO[bytes]]:
    """Open an archive for reading from its begin.

    Parameters
    ----------
    archive : str
        Path or address.

    Yields
    ------
    binary file
    """
    if is_remote(archive):
        system, path = filesystem(archive)
        with system.open(path, "rb", block_size=4 * _BLOCK) as file:
            yield file
    else:
        with open(archive, "rb", buffering=_BLOCK) as file:  # noqa: PTH123
            yield file


@contextmanager
def open_tar_stream(archive: str) -> Iterator[tarfile.TarFile]:
    """Open a tar, compressed or not, to be gone through once.

    Parameters
    ----------
    archive : str
        Path or address.

    Yields
    ------
    tarfile.TarFile
    """
    # The places of members count only in a tar that is not compressed, whatever its name.
    plain = archive.lower().endswith(".tar")
    with open_archive(archive) as file:
        if plain:
            with tarfile.open(fileobj=file, mode="r|") as tar:
                yield tar
        else:
            with tarfile.open(fileobj=file, mode="r|*") as tar:
                yield tar


def members(archive: str, mtime_ns: int | None = None) -> Iterator[MemberInput | StreamMember]:
    """List the pictures in an archive.

    Parameters
    ----------
    archive : str
        Path or address.
    mtime_ns : int, optional
        Of the archive, where it is known already.

    Yields
    ------
    MemberInput or StreamMember
        In the order of the archive; names that begin with a dot are passed over.

    Raises
    ------
    ConvtraceError
        If the archive cannot be read to its end. The members before are yielded first.
    """
    if mtime_ns is None:
        mtime_ns = _stamp(archive)[1]
    try:
        if archive.lower().endswith(_ZIPPED):
            with open_archive(archive) as file, zipfile.ZipFile(file) as zipped:
                for entry in zipped.infolist():
                    if not entry.is_dir() and _is_picture(entry.filename):
                        yield MemberInput(archive, entry.filename, entry.file_size, None, mtime_ns)
            return
        seekable = archive.lower().endswith(".tar")
        with open_tar_stream(archive) as tar:
            for place, info in enumerate(tar):
                # A tar keeps what it has seen; nobody asks again, and shards are long.
                tar.members = []  # type: ignore[attr-defined]
                if info.isreg() and not info.issparse() and _is_picture(info.name):
                    if seekable:
                        yield MemberInput(archive, info.name, info.size, info.offset_data, mtime_ns)
                    else:
                        yield StreamMember(archive, info.name, place, info.size, mtime_ns)
    except ARCHIVE_ERRORS as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConvtraceError(
            f"{archive}: cannot be read as an archive ({reason}); copy it again"
        ) from error


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or path.parts[:1] == ("__MACOSX",)
    return path.suffix.lower() in SUFFIXES and not hidden


def _stamp(archive: str) -> Stamp:
    if not is_remote(archive):
        return stamp_of_file(archive)
    system, path = filesystem(archive)
    return stamp_of_info(retried(lambda: system.info(path), archive))
