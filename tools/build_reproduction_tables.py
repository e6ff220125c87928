"""Measure the corpus for `convtrace reproduce`: pixels to the packaged feature tables.

    python tools/build_reproduction_tables.py --corpus ../shared/corpus

All tables of `convtrace.evaluation.bundles` but the bundled detector's own two, which
`tools/build_bundled_table.py` makes. Only numbers are stored.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from convtrace import datasets, descriptors
from convtrace.evaluation import measure, write_table
from convtrace.evaluation.bundled_table import BUNDLED_TABLES, FACTS
from convtrace.evaluation.bundles import BUNDLES
from convtrace.evaluation.facts import collect_facts, write_facts

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Measure and write. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--only", nargs="*", help="names of tables")
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    corpus = datasets.load(options.corpus)
    write_facts(collect_facts(corpus), FACTS)
    failures = 0
    detectors_own = {table.path for table in BUNDLED_TABLES.values()}
    for bundle in BUNDLES:
        if bundle.path in detectors_own or (options.only and bundle.name not in options.only):
            continue
        started = time.monotonic()
        chosen = corpus
        if bundle.subsets:
            chosen = corpus.select(np.isin(corpus.subset, bundle.subsets))
        descriptor = descriptors.create(bundle.descriptor, **dict(bundle.params))
        table, errors = measure(chosen, descriptor, bundle.templates, n_jobs=options.workers)
        write_table(table, bundle.path)
        rows, columns = table.features.shape
        megabytes = bundle.path.stat().st_size / 1e6
        seconds = time.monotonic() - started
        print(f"{bundle.name}: {rows} x {columns}, {megabytes:.1f} MB, {seconds:.0f} s", flush=True)
        for error in errors:
            print(error, file=sys.stderr)
        failures += len(errors)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
