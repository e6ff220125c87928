"""From what a person names to the single pictures."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from convtrace.batch.inputs.archives import is_archive, members
from convtrace.batch.inputs.records import FileInput, Input
from convtrace.batch.inputs.remote import RemoteInput, filesystem, is_remote, stamp_of_info, walk
from convtrace.batch.inputs.videos import VIDEO_SUFFIXES, frames, is_video
from convtrace.datasets.manifests import is_manifest, picture_paths
from convtrace.errors import ConvtraceError
from convtrace.image import SUFFIXES, find_pictures

__all__ = ["find_inputs"]

_SHARDS = frozenset((".tar",))
_WILD = frozenset("*?[")
_INSIDE = re.compile(r"\.(zip|cbz|tar|tgz|tbz2|txz|tar\.(gz|bz2|xz))[/\\]", re.IGNORECASE)


def find_inputs(
    addresses: Iterable[str | os.PathLike[str]],
    *,
    frame_step: int | None = None,
    videos: bool = False,
) -> Iterator[Input]:
    """List the pictures that paths and addresses name.

    Parameters
    ----------
    addresses : iterable of path
        Files; folders, walked to their ends for pictures and tar shards; patterns such as
        ``"photos/**/*.jpg"``; archives (zip, tar, tar.gz, ...); manifests in CSV, TSV, JSON,
        JSON lines or Parquet with a column ``path``, relative to the manifest, of anything
        named here; videos; and addresses of fsspec such as ``s3://bucket/folder``.
    frame_step : int, optional
        Of videos take each frame whose number is a multiple of it; the key frames by
        default.
    videos : bool, default False
        Whether videos in folders are taken too, not only those named themselves.

    Yields
    ------
    Input
        One a picture. A named file that is missing is yielded too: reading it gives the
        clear error.

    Raises
    ------
    ConvtraceError
        If a manifest, an archive or an address cannot be read.

    Examples
    --------
    >>> [one.name for one in find_inputs(["a.jpg"])]
    ['a.jpg']
    """
    suffixes = SUFFIXES | _SHARDS | (VIDEO_SUFFIXES if videos else frozenset())
    for address in addresses:
        yield from _expand(os.fspath(address), suffixes, frame_step, nested=False)


def _expand(
    address: str, suffixes: frozenset[str], step: int | None, *, nested: bool
) -> Iterator[Input]:
    if address.startswith("file://"):
        address = address[len("file://") :]
    if is_remote(address):
        yield from _expand_remote(address, suffixes)
    elif _suffix(address) in SUFFIXES and not _WILD & set(address):
        # Before anything is asked of the disk: manifests name millions of these.
        yield _file_or_member(address)
    elif os.path.isdir(address):  # noqa: PTH112
        for path in find_pictures(address, suffixes=suffixes):
            yield from _open(os.fspath(path), suffixes, step, nested=True)
    elif os.path.exists(address):  # noqa: PTH110
        yield from _open(address, suffixes, step, nested=nested)
    else:
        found = sorted(glob.glob(address, recursive=True)) if _WILD & set(address) else []  # noqa: PTH207
        for one in found:
            yield from _expand(one, suffixes, step, nested=nested)
        if not found:
            yield _file_or_member(address)


def _open(
    path: str, suffixes: frozenset[str], step: int | None, *, nested: bool
) -> Iterator[Input]:
    """Yield what is in a file of this machine."""
    if is_archive(path):
        yield from members(path)
    elif is_video(path):
        yield from frames(path, step)
    elif is_manifest(Path(path)) and not nested:
        folder = os.path.dirname(path)  # noqa: PTH120
        for name in picture_paths(Path(path)):
            full = name if is_remote(name) else os.path.join(folder, name)  # noqa: PTH118
            yield from _expand(full, suffixes, step, nested=True)
    else:
        yield FileInput(path)


def _file_or_member(path: str) -> Input:
    """Return the file, or the member of an archive if a folder on the way is one."""
    if _INSIDE.search(path):
        for parent in Path(path).parents:
            if is_archive(parent.name) and parent.is_file():
                wanted = Path(path).relative_to(parent).as_posix()
                for member in members(os.fspath(parent)):
                    if member.member == wanted:
                        return member
    return FileInput(path)


def _expand_remote(address: str, suffixes: frozenset[str]) -> Iterator[Input]:
    system, path = filesystem(address)
    try:
        if _WILD & set(path):
            found = system.glob(path, detail=True)
            listing = [found[name] for name in sorted(found) if found[name]["type"] == "file"]
        else:
            info = system.info(path)
            if info["type"] == "directory":
                for name, stamp in walk(system, path):
                    if _suffix(name) in suffixes:
                        yield from _open_remote(name, stamp[0], stamp[1])
                return
            listing = [info]
    except FileNotFoundError as error:
        raise ConvtraceError(f"{address}: nothing is there; check the address") from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConvtraceError(f"{address}: cannot be listed ({reason})") from error
    for info in listing:
        yield from _open_remote(system.unstrip_protocol(info["name"]), *stamp_of_info(info))


def _open_remote(address: str, size: int | None, mtime_ns: int | None) -> Iterator[Input]:
    if is_archive(address):
        yield from members(address, mtime_ns)
    elif is_video(address) or is_manifest(Path(address)):
        raise ConvtraceError(f"{address}: videos and manifests are read from this machine only")
    else:
        yield RemoteInput(address, (size, mtime_ns))


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122
