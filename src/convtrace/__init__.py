"""Tell camera photographs from generated images by their convolutional traces.

The names below are loaded when they are first used, so that importing the package is fast.

Examples
--------
>>> import numpy as np
>>> import convtrace
>>> image = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
>>> convtrace.extract(image, kernel_size=5).kernels.shape
(3, 5, 5)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convtrace._version import __version__

if TYPE_CHECKING:
    from convtrace import descriptors
    from convtrace.descriptors import ConvolutionalTraces
    from convtrace.detection import Detector, Verdict
    from convtrace.detection.scan import scan
    from convtrace.errors import ConvtraceError
    from convtrace.image import Picture, read
    from convtrace.traces import Trace, extract

__all__ = [
    "ConvolutionalTraces",
    "ConvtraceError",
    "Detector",
    "Picture",
    "Trace",
    "Verdict",
    "__version__",
    "descriptors",
    "extract",
    "read",
    "scan",
]

_HOMES = {
    "ConvolutionalTraces": "convtrace.descriptors",
    "ConvtraceError": "convtrace.errors",
    "Detector": "convtrace.detection",
    "Picture": "convtrace.image",
    "Trace": "convtrace.traces",
    "Verdict": "convtrace.detection",
    "extract": "convtrace.traces",
    "read": "convtrace.image",
    "scan": "convtrace.detection",
}


def __getattr__(name: str) -> Any:
    if name == "descriptors":
        return importlib.import_module("convtrace.descriptors")
    if name not in _HOMES:
        raise AttributeError(f"module 'convtrace' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
