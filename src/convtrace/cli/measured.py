"""What a command has measured, kept until it is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convtrace.cli.console import say

__all__ = ["kept_until_done"]


@contextmanager
def kept_until_done(folder: Path) -> Iterator[Path]:
    """Keep measured pictures while the block works, so that one that is cut off loses nothing.

    Parameters
    ----------
    folder : Path
        For `convtrace.descriptors.DescriptorCache`. It is removed once the block ends well, and
        left as it is where the block does not, which is then said.

    Yields
    ------
    Path
        The folder.
    """
    try:
        yield folder
    except BaseException:
        if any(folder.rglob("*.npy")):
            say(f"{folder}: what was measured so far is kept; the same command goes on from there")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
