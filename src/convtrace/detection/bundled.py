"""The detector that comes with the package."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from convtrace.detection import storage
from convtrace.detection.detector import Detector
from convtrace.errors import ModelError

__all__ = ["bundled", "bundled_path"]


def bundled_path() -> Path:
    """Return the file of the bundled detector.

    Returns
    -------
    pathlib.Path
    """
    return Path(__file__).parent / "models" / "default.convtrace"


def bundled() -> Detector:
    """Load the bundled detector, once in a process.

    Returns
    -------
    Detector
        Shared: do not change it.

    Raises
    ------
    ModelError
        Where the package was installed without it, or the file is damaged.
    """
    return _load(bundled_path())


@lru_cache(maxsize=1)
def _load(path: Path) -> Detector:
    if not path.is_file():
        raise ModelError(
            f"{path}: the bundled detector is missing; install convtrace again, or name a model "
            "of your own"
        )
    return storage.load(path)
