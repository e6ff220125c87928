"""Pixels to traces: the model, its float64 reference and the production solver."""

from convtrace.traces.extraction import extract, planes
from convtrace.traces.model import KERNEL_SIZES
from convtrace.traces.solver import Trace, fit, is_compiled, warm_up

__all__ = ["KERNEL_SIZES", "Trace", "extract", "fit", "is_compiled", "planes", "warm_up"]
