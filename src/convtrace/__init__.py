"""Tell camera photographs from generated images by their convolutional traces.

>>> import convtrace
>>> import numpy as np
>>> image = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
>>> convtrace.extract(image, kernel_size=3).kernels.shape
(3, 3, 3)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convtrace._version import __version__

if TYPE_CHECKING:
    from convtrace.descriptors import ConvolutionalTraces
    from convtrace.detection import Detector, Verdict
    from convtrace.detection.scan import scan
    from convtrace.image import Picture, read
    from convtrace.traces import Trace, extract

__all__ = [
    "ConvolutionalTraces",
    "Detector",
    "Picture",
    "Trace",
    "Verdict",
    "__version__",
    "extract",
    "read",
    "scan",
]

_HOMES = {
    "ConvolutionalTraces": "descriptors",
    "Detector": "detection",
    "Picture": "image",
    "Trace": "traces",
    "Verdict": "detection",
    "extract": "traces",
    "read": "image",
    "scan": "detection",
}
_ROOMS = ("batch", "datasets", "descriptors", "detection", "evaluation", "image", "traces")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that the import is quick."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"convtrace.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"convtrace.{name}")
    raise AttributeError(f"module 'convtrace' has no attribute {name!r}")
