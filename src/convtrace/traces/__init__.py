"""Pixels to traces: the model, its float64 reference and the production solver."""

from convtrace.traces.extraction import extract, planes
from convtrace.traces.misfit import misfit_map
from convtrace.traces.model import KERNEL_SIZES
from convtrace.traces.posterior import posterior_map
from convtrace.traces.solver import Trace, fit, is_compiled, warm_up
from convtrace.traces.spectrum import Peak, find_peaks, spectrum

__all__ = [
    "KERNEL_SIZES",
    "Peak",
    "Trace",
    "extract",
    "find_peaks",
    "fit",
    "is_compiled",
    "misfit_map",
    "planes",
    "posterior_map",
    "spectrum",
    "warm_up",
]
