"""Exit codes."""

from __future__ import annotations

from typing import Final

from convtrace.errors import ConvtraceError

__all__ = ["BROKEN_PIPE", "FAILED", "INTERRUPTED", "UNREADABLE_INPUTS", "USAGE", "of_error"]

FAILED: Final = 1
"""The machine failed: a full disk, a broken one."""

USAGE: Final = 2
"""Wrong usage: an option, a model, a data set or an output that cannot be used."""

UNREADABLE_INPUTS: Final = 3
"""Some inputs could not be read; the rest is done and reported."""

INTERRUPTED: Final = 130
"""Ctrl-C; as shells report it."""

BROKEN_PIPE: Final = 141
"""The reader of the output has gone; as shells report it."""


def of_error(error: ConvtraceError | OSError) -> int:
    """Return the exit code for an error that ends a command.

    Parameters
    ----------
    error : ConvtraceError or OSError
        What ended it.

    Returns
    -------
    int
        `USAGE` for what the user can mend by calling it otherwise, `FAILED` for the rest.
    """
    if isinstance(error, OSError) or getattr(error, "failed_device", False):
        return FAILED
    return USAGE
