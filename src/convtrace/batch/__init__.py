"""Many pictures: the local engine, verdicts, traces to Parquet with resume."""

from convtrace.batch.engine import map_ordered
from convtrace.batch.extraction import ExtractionResult, extract_many, schema
from convtrace.batch.scanning import scan_many
from convtrace.batch.sinks import COLUMNS, csv_sink

__all__ = [
    "COLUMNS",
    "ExtractionResult",
    "csv_sink",
    "extract_many",
    "map_ordered",
    "scan_many",
    "schema",
]
