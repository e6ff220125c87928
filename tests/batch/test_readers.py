"""The table as other tools read it, without being told anything of it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from convtrace.batch import SCHEMA_VERSION, extract_many
from convtrace.batch.schema import ExtractionOptions, schema


@pytest.fixture(scope="module", params=["t.parquet", "parts"])
def table(request, pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("table") / request.param
    paths = sorted(pictures.iterdir())
    # Twice, so that a folder has more than one part.
    extract_many(paths[:5], out, kernel_sizes=(3, 5))
    extract_many([*paths, pictures / "none.png"], out, kernel_sizes=(3, 5))
    return out


def _files(table):
    return f"{table}/*.parquet" if table.is_dir() else str(table)


def test_pandas(table):
    frame = pd.read_parquet(table)
    assert len(frame) == 13
    assert frame["error"].notna().sum() == 1
    assert frame["trace_5"].dropna().map(len).unique().tolist() == [72]


def test_polars(table):
    pl = pytest.importorskip("polars")
    frame = pl.read_parquet(_files(table))
    assert frame.columns == schema(ExtractionOptions((3, 5))).names
    assert frame["error"].null_count() == 12
    assert frame.drop_nulls("trace_3")["trace_3"].list.len().unique().to_list() == [24]


def test_duckdb(table):
    duckdb = pytest.importorskip("duckdb")
    query = "select count(*), count(error), max(len(trace_5)), avg(sigma_3[1]) from read_parquet(?)"
    rows, errors, longest, mean = duckdb.execute(query, [_files(table)]).fetchone()
    assert (rows, errors, longest) == (13, 1, 72)
    assert mean == pytest.approx(pd.read_parquet(table)["sigma_3"].dropna().str[0].mean())


def test_the_list_of_parts_says_how_they_were_made(table):
    if not table.is_dir():
        pytest.skip("only folders have one")
    manifest = json.loads((table / "_manifest.json").read_text())
    assert manifest["schema_version"] == SCHEMA_VERSION
    assert manifest["rows"] == 13
    assert manifest["options"]["kernel_sizes"] == [3, 5]
    assert [part["name"] for part in manifest["parts"]] == sorted(
        path.name for path in table.glob("part-*")
    )
