"""Measure the corpus for the bundled detector: pixels to the packaged feature tables.

    python tools/build_bundled_table.py --corpus ../shared/corpus [--only traces|residuals|...]

Every picture of both classes is measured as it is and after the same degradations
(`convtrace.evaluation.BUNDLED`). The descriptors lie in three tables, which
`convtrace.evaluation.bundled_table` joins. A fourth has a part of the pictures in degradations that
are only scored, a fifth has windows, and a sixth pictures scaled down. Only numbers are stored.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from convtrace import datasets
from convtrace.evaluation import measure, write_table
from convtrace.evaluation.bundled_table import BUNDLED_TABLES

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Measure and write. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--only", choices=sorted(BUNDLED_TABLES), action="append")
    options = parser.parse_args()
    corpus = datasets.load(options.corpus)
    failed = False
    for name in options.only or sorted(BUNDLED_TABLES):
        part = BUNDLED_TABLES[name]
        pictures = corpus.select(part.chosen(corpus))
        start = time.monotonic()

        def progress(done: int, count: int, start: float = start) -> None:
            if done % 100 == 0 or done == count:
                print(f"{done} of {count}, {time.monotonic() - start:.0f} s", file=sys.stderr)

        table, errors = measure(pictures, part.descriptor(), part.degradations, progress=progress)
        write_table(table, part.path)
        print(f"{len(table)} rows of {table.features.shape[1]} numbers in {part.path}")
        for error in errors:
            print(error, file=sys.stderr)
        failed |= bool(errors)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
