"""Silence where Pillow warns of damaged metadata, which the pixels do not depend on."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["metadata_warnings_ignored"]

# The filters of warnings are the whole process's. Two threads that changed them at once would
# restore each other's, and the silence would stay, for the programs that use this library too.
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def metadata_warnings_ignored() -> Iterator[None]:
    """Ignore Pillow's warnings, for no longer than a header takes to be read."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
