"""The errors that convtrace raises for a user's mistake or a bad input.

Every one is a single line that names the thing, the reason and the way out, so
that a command can print ``str(error)`` as it is.
"""

from __future__ import annotations

__all__ = ["ConvtraceError", "DatasetError", "ImageError", "ModelError", "TraceError"]


class ConvtraceError(Exception):
    """Base class of all errors raised on purpose by convtrace."""


class ImageError(ConvtraceError):
    """A picture cannot be read.

    Parameters
    ----------
    name : str
        The path or a description of the source.
    reason : str
        What is wrong, in plain words.
    hint : str, optional
        What the user can do about it.
    """

    def __init__(self, name: str, reason: str, hint: str = "") -> None:
        self.name = name
        self.reason = reason
        self.hint = hint
        super().__init__(f"{name}: {reason}" + (f"; {hint}" if hint else ""))

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str, str]]:
        """Rebuild from the three parts, so that it crosses process borders."""
        return (type(self), (self.name, self.reason, self.hint))


class TraceError(ConvtraceError, ValueError):
    """A trace cannot be computed from these pixels or with these options."""


class DatasetError(ConvtraceError):
    """A data set or manifest cannot be understood."""


class ModelError(ConvtraceError):
    """A model file is missing, damaged, untrusted or of another version."""
