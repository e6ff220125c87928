"""What a layout is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convtrace.datasets.dataset import Dataset

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """A way in which a folder can be arranged.

    Parameters
    ----------
    name : str
        Short lower-case name, for ``load(..., layout=name)``.
    summary : str
        What it looks like, in a few words, for error messages.
    detect : callable
        ``detect(folder) -> bool``; looks at names only and must be quick.
    read : callable
        ``read(folder) -> Dataset``.
    """

    name: str
    summary: str
    detect: Callable[[Path], bool]
    read: Callable[[Path], Dataset]
