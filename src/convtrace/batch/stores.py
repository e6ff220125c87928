"""Where the files of a table lie: a folder of this machine, or one at an address.

Both promise the same: a file is there complete, or it is not there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Protocol

from convtrace.batch.inputs.remote import filesystem, is_remote
from convtrace.batch.output import OutputError, replacing

__all__ = ["LocalStore", "RemoteStore", "Store", "check_folder", "open_store", "split_file"]

_PREFIX: Final = "part-"
_SUFFIX: Final = ".parquet"
# Readers of folders pass over names with an underscore; those who ask for *.parquet, too.
_DAMAGED: Final = "_damaged-"
# An object of these appears when all of it has arrived; elsewhere a new name is given last.
_WHOLE_OBJECTS: Final = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"))


class Store(Protocol):
    """A folder for the files of one table."""

    def where(self, name: str = "") -> str:
        """Return the address of a file, or of the folder, for people."""
        ...

    def parts(self) -> list[str]:
        """List the parts, oldest first."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        ...

    def writing(self, name: str) -> Any:
        """Return a context manager that gives what to write a file to."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def set_aside(self, name: str) -> str:
        """Give a damaged part a name that no reader takes; return that name."""
        ...

    def tidy(self) -> None:
        """Remove what a killed run left half-written."""
        ...

    def remove_all(self) -> None:
        """Remove the folder with its parts."""
        ...


def open_store(folder: str) -> Store:
    """Return the store of a path or address.

    Parameters
    ----------
    folder : str
        It need not exist.

    Returns
    -------
    Store
    """
    return RemoteStore(folder) if is_remote(folder) else LocalStore(Path(folder))


def split_file(address: str) -> tuple[str, str]:
    """Split a path or address into folder and name.

    Parameters
    ----------
    address : str
        Of a file.

    Returns
    -------
    folder, name : str

    Examples
    --------
    >>> split_file("s3://bucket/t.parquet"), split_file("t.parquet")
    (('s3://bucket', 't.parquet'), ('', 't.parquet'))
    """
    if is_remote(address):
        folder, _, name = address.rpartition("/")
        return folder, name
    return os.path.split(address)


class LocalStore:
    """A folder of this machine.

    Parameters
    ----------
    folder : pathlib.Path
        Made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def where(self, name: str = "") -> str:
        """Return the path."""
        return os.fspath(self._folder / name)

    def parts(self) -> list[str]:
        """List the parts, oldest first."""
        return sorted(path.name for path in self._folder.glob(f"{_PREFIX}*{_SUFFIX}"))

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        return (self._folder / name).is_file()

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        return (self._folder / name).open("rb")

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Give a file to write to, which takes its place when it is complete."""
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError.of(self._folder, error) from error
        with replacing(self._folder / name) as temporary, temporary.open("xb") as file:
            yield file

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self._folder / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> str:
        """Rename a damaged part."""
        aside = _DAMAGED + name.removesuffix(_SUFFIX)
        (self._folder / name).replace(self._folder / aside)
        return aside

    def tidy(self) -> None:
        """Remove what a killed run left half-written."""
        for path in self._folder.glob(f".{_PREFIX}*.tmp"):
            path.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Remove the folder, and in it what this package wrote."""
        self.tidy()
        for name in self.parts():
            self.remove(name)
        for path in self._folder.glob(f"{_DAMAGED}*"):
            path.unlink(missing_ok=True)
        try:
            self._folder.rmdir()
        except OSError:
            return  # Something else is in it, or it is not there.


class RemoteStore:
    """A folder at an address of fsspec.

    Parameters
    ----------
    address : str
        Such as ``s3://bucket/traces``.
    """

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._system, self._path = filesystem(self._address)

    def where(self, name: str = "") -> str:
        """Return the address."""
        return f"{self._address}/{name}" if name else self._address

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def parts(self) -> list[str]:
        """List the parts, oldest first."""
        self._system.invalidate_cache()
        try:
            found = self._system.ls(self._path, detail=False)
        except FileNotFoundError:
            return []
        names = (path.rstrip("/").rpartition("/")[2] for path in found)
        return sorted(name for name in names if name[:5] == _PREFIX and name.endswith(_SUFFIX))

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        return bool(self._system.isfile(self._at(name)))

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        file: IO[bytes] = self._system.open(self._at(name), "rb")
        return file

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Give a file to write to, which takes its place when it is complete.

        An object store shows an object when all of it has arrived, so it is written straight;
        elsewhere it is written under a hidden name.
        """
        protocol = self._system.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        target = self._at(name)
        whole = bool(protocols & _WHOLE_OBJECTS)
        temporary = target if whole else self._at(f".{name}.{secrets.token_hex(4)}.tmp")
        try:
            self._system.makedirs(self._path, exist_ok=True)
            file = self._system.open(temporary, "wb")
            try:
                yield file
            except BaseException:
                # Closing would make it appear; half a table must not.
                _discard(file)
                raise
            file.close()
            if not whole:
                self._system.mv(temporary, target)
        except OSError as error:
            raise OutputError.of(self.where(name), error) from error
        finally:
            if not whole and self._system.exists(temporary):
                self._system.rm_file(temporary)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self._system.exists(self._at(name)):
            self._system.rm_file(self._at(name))

    def set_aside(self, name: str) -> str:
        """Rename a damaged part."""
        aside = _DAMAGED + name.removesuffix(_SUFFIX)
        self._system.mv(self._at(name), self._at(aside))
        return aside

    def tidy(self) -> None:
        """Remove what a killed run left half-written."""
        self._system.invalidate_cache()
        if not self._system.isdir(self._path):
            return
        for path in self._system.ls(self._path, detail=False):
            name = path.rpartition("/")[2]
            if name.startswith(f".{_PREFIX}") and name.endswith(".tmp"):
                self._system.rm_file(path)

    def remove_all(self) -> None:
        """Remove the parts; a folder of an object store goes with them."""
        self.tidy()
        for name in self.parts():
            self.remove(name)
        if self._system.isdir(self._path) and not self._system.ls(self._path):
            self._system.rmdir(self._path)


def _discard(file: Any) -> None:
    """Give a half-written remote file up."""
    from fsspec.spec import AbstractBufferedFile

    if isinstance(file, AbstractBufferedFile):
        file.discard()
        # Its destructor would upload the rest.
        file.closed = True


def check_folder(out: str | os.PathLike[str]) -> Path:
    """Check that a folder of parts can be written, and make it.

    Parameters
    ----------
    out : path
        The folder.

    Returns
    -------
    pathlib.Path
        Itself, where `out` is a link to it.

    Raises
    ------
    OutputError
        If it is no folder, or cannot be made or written to.
    """
    folder = Path(os.path.realpath(out))
    if folder.exists() and not folder.is_dir():
        raise OutputError(out, "is not a folder", f"name a folder, or a file in {_SUFFIX}")
    if not folder.parent.is_dir():
        raise OutputError(out, f"there is no folder {folder.parent}", "create it first")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError.of(out, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(out, "may not be written to", "choose another place")
    return folder
