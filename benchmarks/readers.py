"""One table of traces, read by every tool that is installed: the same numbers from all.

    python benchmarks/readers.py

The table is a folder of parts with the traces of the demo pictures. Each program is printed
and run as it stands, with `table` the folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
import tempfile
from pathlib import Path

from convtrace.batch import extract_many
from convtrace.datasets import examples

# By the module that each needs.
PROGRAMS = {
    "pyarrow": """\
import pyarrow.dataset as ds
frame = ds.dataset(table, format="parquet").to_table(columns=["format", "sigma_5"]).to_pandas()
print(len(frame), round(frame["sigma_5"].str[0].mean(), 6))""",
    "pandas": """\
import pandas as pd
frame = pd.read_parquet(table)
print(len(frame), round(frame["sigma_5"].str[0].mean(), 6))""",
    "polars": """\
import polars as pl
frame = pl.scan_parquet(f"{table}/*.parquet")
mean = frame.select(pl.col("sigma_5").list.first().mean()).collect().item()
print(frame.select(pl.len()).collect().item(), round(mean, 6))""",
    "duckdb": """\
import duckdb
query = f"select count(*), round(avg(sigma_5[1]), 6) from '{table}/*.parquet'"
print(*duckdb.sql(query).fetchall()[0])""",
    "pyspark": """\
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").getOrCreate()
frame = spark.read.parquet(table)
print(frame.count(), round(frame.selectExpr("avg(sigma_5[0])").first()[0], 6))
spark.stop()""",
}


def main() -> int:
    """Make the table, read it, and compare. Return the exit status."""
    pictures = [each.path for each in examples.pictures()]
    said: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        table = os.fspath(Path(folder) / "table")
        # In two calls, so that there are parts to be joined.
        extract_many(pictures[:10], table, kernel_sizes=(5,))
        extract_many(pictures, table, kernel_sizes=(5,))
        for name, program in PROGRAMS.items():
            print(f"```python\n{program}")
            if importlib.util.find_spec(name) is None:
                print("```\n\nnot installed\n")
                continue
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(program, {"table": table})  # noqa: S102, the programs above
            said[name] = out.getvalue().strip()
            print(f"# {said[name]}\n```\n")
    agree = len(set(said.values())) == 1
    print(f"{len(said)} of {len(PROGRAMS)} tools read it and {'agree' if agree else 'DISAGREE'}.")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
