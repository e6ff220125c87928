"""Condense the packaged feature table to the reference data of the reports.

    python tools/build_report_references.py

Mean kernels of each generator and each source of photographs, quantiles of each number, and
the 2-D projection, for each condition of compression. Only numbers are stored; the same
table gives the same file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from convtrace.evaluation import read_table
from convtrace.evaluation.bundled_table import BUNDLED_TABLES
from convtrace.report.references import references_path, summarise


def main() -> None:
    """Summarise and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=BUNDLED_TABLES["traces"].path)
    parser.add_argument("-o", "--output", type=Path, default=references_path())
    options = parser.parse_args()
    references = summarise(read_table(options.table))
    references.save(options.output)
    for condition, found in references.conditions.items():
        print(
            f"{condition}: {len(found.real_names)} sources of photographs, "
            f"{len(found.generated_names)} generators, AUC of the projection on pictures that "
            f"it was not fitted on {found.projection_auc:.3f}"
        )
    print(f"{options.output.stat().st_size:,} bytes in {options.output}")


if __name__ == "__main__":
    main()
