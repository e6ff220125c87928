"""Many pictures at once: inputs, engines, verdicts by the thousand, traces to Parquet.

A new engine is one class under `engines.register`; an outside package names its own in the
entry point group ``convtrace.engines``.
"""

from __future__ import annotations

from convtrace.batch import engines
from convtrace.batch.engines import Engine, LocalEngine, ThreadEngine
from convtrace.batch.extraction import TIME_LIMIT, ExtractionSummary, extract_many
from convtrace.batch.fitting import solver_device
from convtrace.batch.inputs import Input, find_inputs
from convtrace.batch.output import OutputError, check_output_file, replacing, storable
from convtrace.batch.scanning import judged, scan_many
from convtrace.batch.schema import SCHEMA_VERSION, ExtractionOptions
from convtrace.batch.sinks import CSV_COLUMNS, CsvSink, JsonLinesSink, VerdictSink

__all__ = [
    "CSV_COLUMNS",
    "SCHEMA_VERSION",
    "TIME_LIMIT",
    "CsvSink",
    "Engine",
    "ExtractionOptions",
    "ExtractionSummary",
    "Input",
    "JsonLinesSink",
    "LocalEngine",
    "OutputError",
    "ThreadEngine",
    "VerdictSink",
    "check_output_file",
    "engines",
    "extract_many",
    "find_inputs",
    "judged",
    "replacing",
    "scan_many",
    "solver_device",
    "storable",
]
