"""Pixels to a vector: scikit-learn transformers of pictures, in one registry.

A new descriptor is one module with a subclass of `Descriptor` under `register`, imported
here; an outside package names its class in the entry point group ``convtrace.descriptors``.
"""

from __future__ import annotations

from convtrace.descriptors.autogan_spectrum import AutoganSpectrum
from convtrace.descriptors.base import Description, Descriptor, centre_crop
from convtrace.descriptors.cache import DescriptorCache, cache_key, default_cache_folder
from convtrace.descriptors.co_occurrence import CoOccurrence
from convtrace.descriptors.colour_co_occurrence import ColourCoOccurrence
from convtrace.descriptors.convolutional_traces import ConvolutionalTraces
from convtrace.descriptors.dct_statistics import DctStatistics
from convtrace.descriptors.joined import Joined
from convtrace.descriptors.local_binary_patterns import LocalBinaryPatterns
from convtrace.descriptors.p_map_spectrum import PMapSpectrum
from convtrace.descriptors.pretrained_layers import PretrainedLayers
from convtrace.descriptors.radial_spectrum import RadialSpectrum
from convtrace.descriptors.registry import Registry, UnknownNameError, create, names, register

__all__ = [
    "AutoganSpectrum",
    "CoOccurrence",
    "ColourCoOccurrence",
    "ConvolutionalTraces",
    "DctStatistics",
    "Description",
    "Descriptor",
    "DescriptorCache",
    "Joined",
    "LocalBinaryPatterns",
    "PMapSpectrum",
    "PretrainedLayers",
    "RadialSpectrum",
    "Registry",
    "UnknownNameError",
    "cache_key",
    "centre_crop",
    "create",
    "default_cache_folder",
    "names",
    "register",
]
