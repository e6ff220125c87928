"""Real against generated within sets that went through the same processing, from the table.

    python benchmarks/matched_pairs.py -o benchmarks/results/matched_pairs.md

The honest question about the trace: both classes of a pair have the same format, size and
history, so that only the generator is left to tell them apart. The 7x7 kernels of R, G and B
and a support vector machine with a Gaussian kernel, grouped 5-fold, from the packaged
feature table; no picture is needed.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from convtrace.detection import classifiers
from convtrace.detection.held_out import folds_by_group, held_out_scores
from convtrace.detection.labels import balanced_weights
from convtrace.evaluation import read_table
from convtrace.evaluation.bundled_table import BUNDLED_TABLES
from convtrace.evaluation.metrics import METRICS, interval
from convtrace.evaluation.pairs import MATCHED
from convtrace.evaluation.store import kernel_columns

DEGRADATIONS = ("none", "jpeg-90", "jpeg-75", "jpeg-50")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel-size", type=int, default=7)
    parser.add_argument("--classifier", default="svm")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()

    table = read_table(BUNDLED_TABLES["traces"].path)
    kernels = kernel_columns(table, (options.kernel_size,))
    lines = [
        "# Matched pairs",
        "",
        f"`python benchmarks/matched_pairs.py --kernel-size {options.kernel_size} --classifier "
        f"{options.classifier} --seed {options.seed}`: balanced accuracy, grouped 5-fold, with "
        "95% intervals by bootstrap over groups. Both classes of a pair have the same format, "
        "size and history, and are degraded alike in training and testing.",
        "",
        "| pair | real | generated | " + " | ".join(DEGRADATIONS) + " |",
        "|" + "---|" * (3 + len(DEGRADATIONS)),
    ]
    lossless: dict[str, list[float]] = {name: [] for name in DEGRADATIONS}
    for pair in MATCHED:
        members = pair.rows(table.labels, table.generators, table.subsets)
        cells = []
        for degradation in DEGRADATIONS:
            rows = members & (table.templates == degradation)
            generated, groups = table.labels[rows] == "fake", table.groups[rows]
            codes = generated.astype(np.intp)
            scores = held_out_scores(
                partial(classifiers.create, options.classifier, seed=options.seed),
                kernels[rows],
                codes,
                balanced_weights(generated),
                folds_by_group(codes, groups, seed=options.seed),
            )
            called = (scores[:, 1] > scores[:, 0]).astype(np.float64)
            found = interval(METRICS["balanced accuracy"], generated, called, groups)
            cells.append("{:.3f} ({:.3f} to {:.3f})".format(*found))
            if pair.lossless:
                lossless[degradation].append(found[0])
        counts = f"{int((~generated).sum())} | {int(generated.sum())}"
        lines.append(f"| {pair.name} | {counts} | " + " | ".join(cells) + " |")
    means = " | ".join(f"{np.mean(lossless[name]):.3f}" for name in DEGRADATIONS)
    lines.append(f"| mean of the lossless | | | {means} |")
    text = "\n".join(lines)
    print(text)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
