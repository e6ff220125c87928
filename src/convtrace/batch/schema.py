r"""The table that extraction writes: one row a picture, declared once.

======================  =============  ====================================================
column                  type           meaning
======================  =============  ====================================================
path                    string         as found; bytes that are not UTF-8 as ``\udcXX``
sha256                  string         of the encoded bytes; of a video frame, of its pixels
bytes                   int64          size of the file, of the member of an archive
mtime_ns                int64          time of modification of the file, of the archive, of
                                       the video; nanoseconds since 1970
width, height           int32          pixels as stored
format                  string         "JPEG", "PNG", ...; of a video frame its codec
jpeg_quality            float64        estimate 1 to 100; null for other formats
video_time              float64        seconds from the begin; null for pictures
trace_N                 list<float64>  kernel coefficients without centre, channel by channel
sigma_N                 list<float64>  a channel: standard deviation of the residual
weight_N                list<float64>  a channel: mean responsibility, 0 to 1
log_likelihood_N        list<float64>  a channel: mean per pixel, nats
iterations_N            list<int32>    a channel: passes of the solver
converged_N             list<bool>     a channel
regularized_N           list<bool>     a channel
label                   string         "real", "generated", "unsure"
probability             float64        of being generated, 0 to 1
generator               string         the generator that the trace points to
reasons                 list<string>   plain sentences
error                   string         null where all went well
======================  =============  ====================================================

The columns with ``_N`` are there once for each kernel size N; they are null where the
picture could not be read or is smaller than the kernel. Those of a verdict (label to
reasons) are there where a detector was given. Options, among them the SHA-256 of the
detector's file, library version and version of this schema are in the metadata of every
file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from convtrace._version import __version__
from convtrace.errors import ConvtraceError, TraceError
from convtrace.traces import Trace, planes
from convtrace.traces.model import check_kernel_size

__all__ = ["SCHEMA_VERSION", "ExtractionOptions", "columns_of", "options_of", "schema"]

SCHEMA_VERSION: Final = 2
"""Changes whenever a column changes."""

_VERSION_KEY: Final = b"convtrace.schema_version"
_OPTIONS_KEY: Final = b"convtrace.options"
_LIBRARY_KEY: Final = b"convtrace.version"


@dataclass(frozen=True, slots=True)
class ExtractionOptions:
    """What the numbers of a table depend on, besides the pictures.

    Parameters
    ----------
    kernel_sizes : tuple of int
        Odd kernel sizes, ascending.
    channels : str
        As for `convtrace.traces.extract`.
    crop : int or None
        Side of the central square that is measured, in pixels; None for all pixels.
    model : str or None
        SHA-256 of the detector whose verdicts are in the table; None where none are.

    Raises
    ------
    ConvtraceError
        Where one is out of range.
    """

    kernel_sizes: tuple[int, ...] = (3, 5, 7)
    channels: str = "rgb"
    crop: int | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if not self.kernel_sizes:
            raise TraceError("name at least one kernel size, for instance 5")
        sizes = sorted({check_kernel_size(size) for size in self.kernel_sizes})
        object.__setattr__(self, "kernel_sizes", tuple(sizes))
        object.__setattr__(self, "channels", self.channels.lower())
        planes(np.zeros((1, 1, 3)), self.channels)
        if self.crop is not None and self.crop < 1:
            raise ConvtraceError(f"crop={self.crop}: give a size in pixels, or leave it out")

    def describe(self) -> str:
        """Return the options in words."""
        sizes = ", ".join(map(str, self.kernel_sizes))
        crop = "" if self.crop is None else f", crop {self.crop}"
        model = "" if self.model is None else f", verdicts of detector {self.model[:12]}"
        return f"kernel size {sizes}, channels {self.channels}{crop}{model}"

    def to_json(self) -> str:
        """Return the options as JSON."""
        return json.dumps(
            {
                "kernel_sizes": list(self.kernel_sizes),
                "channels": self.channels,
                "crop": self.crop,
                "model": self.model,
            }
        )


def schema(options: ExtractionOptions) -> pa.Schema:
    """Return the schema of a table, with its metadata.

    Parameters
    ----------
    options : ExtractionOptions
        The kernel sizes give the columns.

    Returns
    -------
    pyarrow.Schema
    """
    fields = [
        pa.field("path", pa.string(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("format", pa.string()),
        pa.field("jpeg_quality", pa.float64()),
        pa.field("video_time", pa.float64()),
    ]
    for size in options.kernel_sizes:
        fields += [
            pa.field(f"trace_{size}", pa.list_(pa.float64())),
            pa.field(f"sigma_{size}", pa.list_(pa.float64())),
            pa.field(f"weight_{size}", pa.list_(pa.float64())),
            pa.field(f"log_likelihood_{size}", pa.list_(pa.float64())),
            pa.field(f"iterations_{size}", pa.list_(pa.int32())),
            pa.field(f"converged_{size}", pa.list_(pa.bool_())),
            pa.field(f"regularized_{size}", pa.list_(pa.bool_())),
        ]
    if options.model is not None:
        fields += [
            pa.field("label", pa.string()),
            pa.field("probability", pa.float64()),
            pa.field("generator", pa.string()),
            pa.field("reasons", pa.list_(pa.string())),
        ]
    fields.append(pa.field("error", pa.string()))
    metadata = {
        _VERSION_KEY: str(SCHEMA_VERSION).encode(),
        _OPTIONS_KEY: options.to_json().encode(),
        _LIBRARY_KEY: __version__.encode(),
    }
    return pa.schema(fields, metadata=metadata)


def columns_of(trace: Trace) -> dict[str, list[Any]]:
    """Return what the columns of one kernel size hold of a trace.

    Parameters
    ----------
    trace : Trace
        Of one picture.

    Returns
    -------
    dict
        Column name to list.
    """
    size = trace.kernel_size
    return {
        f"trace_{size}": trace.vector.tolist(),
        f"sigma_{size}": trace.sigma.tolist(),
        f"weight_{size}": trace.weight.tolist(),
        f"log_likelihood_{size}": trace.log_likelihood.tolist(),
        f"iterations_{size}": trace.iterations.tolist(),
        f"converged_{size}": trace.converged.tolist(),
        f"regularized_{size}": trace.regularized.tolist(),
    }


def options_of(metadata: Mapping[bytes, bytes] | None) -> ExtractionOptions | None:
    """Return with which options a table was made.

    Parameters
    ----------
    metadata : mapping or None
        Of its schema.

    Returns
    -------
    ExtractionOptions or None
        None for a table that this version of the schema does not describe.
    """
    found = metadata or {}
    if found.get(_VERSION_KEY) != str(SCHEMA_VERSION).encode() or _OPTIONS_KEY not in found:
        return None
    state = json.loads(found[_OPTIONS_KEY])
    return ExtractionOptions(
        tuple(state["kernel_sizes"]), state["channels"], state["crop"], state["model"]
    )
