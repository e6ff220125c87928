"""Measure the corpus for the bundled detector: pixels to the packaged feature table.

    python tools/build_bundled_table.py --corpus ../shared/corpus

Every picture of both classes is measured as it is and after the same eight kinds of
degradation (`convtrace.evaluation.BUNDLED`). Only numbers are stored.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from convtrace import datasets, descriptors
from convtrace.evaluation import BUNDLED, bundled_table_path, measure, write_table

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Measure and write. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("-o", "--output", type=Path, default=bundled_table_path())
    options = parser.parse_args()
    descriptor = descriptors.create(BUNDLED.descriptor, **dict(BUNDLED.descriptor_params))
    table, errors = measure(datasets.load(options.corpus), descriptor, BUNDLED.degradations)
    write_table(table, options.output)
    print(f"{len(table)} rows of {table.features.shape[1]} numbers in {options.output}")
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
