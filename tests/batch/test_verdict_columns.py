"""Verdicts beside the traces in one table."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from convtrace.batch import extract_many, find_inputs, scan_many
from convtrace.detection import bundled
from convtrace.errors import ConvtraceError


def test_verdicts_are_those_of_a_scan(pictures, tmp_path):
    detector = bundled()
    inputs = [*list(find_inputs([pictures]))[:3], pictures / "none.png"]
    out = tmp_path / "t.parquet"
    extract_many(inputs, out, kernel_sizes=(3,), detector=detector)
    rows = {row["path"]: row for row in pq.read_table(out).to_pylist()}
    for verdict in scan_many(inputs, detector):
        row = rows[verdict.path]
        assert (row["label"], row["generator"]) == (verdict.label, verdict.generator)
        assert row["probability"] == (
            None if verdict.probability is None else pytest.approx(verdict.probability)
        )
        assert row["reasons"] == (list(verdict.reasons) or None)
        assert (row["error"] is None) == (verdict.error is None)
    with pytest.raises(ConvtraceError, match="verdicts of detector"):
        extract_many(inputs, out, kernel_sizes=(3,))
