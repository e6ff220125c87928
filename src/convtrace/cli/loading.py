"""Loading libraries and a detector without collecting garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["loading"]


@contextmanager
def loading() -> Generator[None, None, None]:
    """Put garbage collection off while libraries and a detector are loaded.

    Nearly all that is made meanwhile stays to the end, and a collector that looks through it again
    and again takes a tenth of the time in which one picture is scanned. Afterwards it never looks
    at these objects again.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if running:
            gc.enable()
