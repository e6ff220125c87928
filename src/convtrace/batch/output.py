"""Files that are complete or absent, and one clear error where they cannot be written."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convtrace.errors import ConvtraceError

__all__ = ["OutputError", "check_output_file", "replacing", "storable", "temporary_beside"]

_MORE_SPACE = "free some space and run the command again"
# Windows has no quota error.
_DEVICE_HINTS = {
    errno.ENOSPC: _MORE_SPACE,
    getattr(errno, "EDQUOT", errno.ENOSPC): _MORE_SPACE,
    errno.EIO: "write to another disk",
}


class OutputError(ConvtraceError):
    """An output cannot be written.

    Parameters
    ----------
    path : str or os.PathLike
        The output.
    reason : str
        What is wrong, in plain words.
    hint : str
        What the user can do about it.
    failed_device : bool, default False
        The disk is full or broken: no mistake of the user's.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        reason: str,
        hint: str,
        *,
        failed_device: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.reason = reason
        self.hint = hint
        self.failed_device = failed_device
        super().__init__(f"{self.path}: {reason}; {hint}")

    @classmethod
    def of(cls, path: str | os.PathLike[str], error: OSError) -> OutputError:
        """Put an error of the operating system into words.

        Parameters
        ----------
        path : str or os.PathLike
            The output, by the name that the user gave.
        error : OSError
            What writing raised.

        Returns
        -------
        OutputError
        """
        reason = error.strerror or " ".join(str(error).split())
        hint = _DEVICE_HINTS.get(error.errno or 0)
        words = f"cannot be written ({reason})"
        return cls(path, words, hint or "choose another place", failed_device=hint is not None)


def storable(name: str | os.PathLike[str]) -> str:
    r"""Return a file name as valid Unicode, so that UTF-8 files can hold it.

    Parameters
    ----------
    name : str or os.PathLike
        A path; bytes of it that are not UTF-8 are surrogates in Python.

    Returns
    -------
    str
        The same with surrogates written as ``\udcXX``.

    Examples
    --------
    >>> storable("caf\udce9.jpg")
    'caf\\udce9.jpg'
    """
    return os.fspath(name).encode("utf-8", "backslashreplace").decode("utf-8")


def check_output_file(path: str | os.PathLike[str]) -> Path:
    """Check, before any work is done, that a file can be written.

    Parameters
    ----------
    path : str or os.PathLike
        The file; it need not exist, its folder must.

    Returns
    -------
    pathlib.Path
        The file itself, where `path` is a link to it.

    Raises
    ------
    OutputError
        If it is a folder or a device, or its folder is missing or may not be written to.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OutputError(path, "is a folder", "name a file")
    if target.exists() and not target.is_file():
        # The finished file replaces what is there; a device must not be replaced.
        raise OutputError(path, "is not a regular file", "name a regular file")
    parent = target.parent
    if not parent.is_dir():
        raise OutputError(path, f"there is no folder {parent}", "create it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(path, "its folder may not be written to", "choose another place")
    return target


def temporary_beside(target: Path) -> Path:
    """Return a new hidden name in the folder of a file.

    Parameters
    ----------
    target : pathlib.Path
        The file.

    Returns
    -------
    pathlib.Path
        Readers of folders of parts skip names that begin with a dot.
    """
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file under a temporary name, and put it in place when it is complete.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Yields
    ------
    pathlib.Path
        The temporary name, in the same folder. After an exception nothing is left of it, and
        what was at `path` is as before.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    target = check_output_file(path)
    temporary = temporary_beside(target)
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise OutputError.of(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
