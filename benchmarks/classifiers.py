"""Which classifier the bundled detector should use: nested grouped cross-validation.

    python benchmarks/classifiers.py -o benchmarks/results/classifiers.md

From the packaged feature table. In every outer fold the candidates are compared on a quarter
of its training part, by the mean AUC over degradations; the best is trained on the whole
training part and measured on the fold, which had no say. About half an hour on two cores.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from convtrace.detection import classifiers
from convtrace.detection.calibration import fit_sigmoid
from convtrace.detection.held_out import class_scores, fit_model, folds_by_group
from convtrace.detection.labels import balanced_weights
from convtrace.evaluation import FeatureTable, bundled_table
from convtrace.evaluation.metrics import METRICS, interval

CANDIDATES = (
    "lda",
    "random-forest",
    "extra-trees",
    "hist-gradient-boosting",
    "multilayer-perceptron",
    "random-forest+hist-gradient-boosting",
    "random-forest+multilayer-perceptron",
    "hist-gradient-boosting+multilayer-perceptron",
)
DEGRADATIONS = ("none", "jpeg-90", "jpeg-75", "jpeg-50")
SINGLE = sorted({name for candidate in CANDIDATES for name in candidate.split("+")})


def margins(
    name: str, table: FeatureTable, train: NDArray[np.intp], test: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    """Return the scores of the test rows by a classifier fitted to the train rows."""
    generated = table.labels == "fake"
    model = fit_model(
        partial(classifiers.create, name, seed=seed),
        table.features[train].astype(np.float64),
        generated[train].astype(np.intp),
        balanced_weights(generated[train]),
        n_jobs=1,
    )
    scores = class_scores(model, table.features[test].astype(np.float64))
    return scores[:, 1] - scores[:, 0]


def mean_auc(table: FeatureTable, rows: NDArray[np.intp], scores: NDArray[np.float64]) -> float:
    """Return the mean AUC over degradations."""
    found = []
    for name in DEGRADATIONS:
        chosen = table.templates[rows] == name
        found.append(METRICS["AUC"]((table.labels[rows] == "fake")[chosen], scores[chosen]))
    return float(np.mean(found))


def outer_fold(
    table: FeatureTable, train: NDArray[np.intp], test: NDArray[np.intp], seed: int
) -> tuple[dict[str, float], str, NDArray[np.float64]]:
    """Choose on part of the training rows; return all inner AUCs, the choice, its test scores."""
    generated = table.labels == "fake"
    inner = folds_by_group(
        generated[train].astype(np.intp), table.groups[train], n_splits=4, seed=seed,
        strata=table.generators[train],
    )[0]  # fmt: skip
    fitted, held = train[inner[0]], train[inner[1]]
    log_odds, maps = {}, {}
    for name in SINGLE:
        scores = margins(name, table, fitted, held, seed)
        # On one scale, so that two can be averaged; the same scale serves the test rows.
        found = fit_sigmoid(scores, generated[held], balanced_weights(generated[held]))
        maps[name] = (float(found.first[0]), float(found.second[0]))
        log_odds[name] = maps[name][0] * scores + maps[name][1]
    inner_auc = {
        candidate: mean_auc(
            table, held, np.mean([log_odds[name] for name in candidate.split("+")], axis=0)
        )
        for candidate in CANDIDATES
    }
    chosen = max(inner_auc, key=lambda candidate: inner_auc[candidate])
    parts = [
        maps[name][0] * margins(name, table, train, test, seed) + maps[name][1]
        for name in chosen.split("+")
    ]
    return inner_auc, chosen, np.mean(parts, axis=0)


def main() -> None:
    """Choose, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=-1)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    table = bundled_table()
    generated = table.labels == "fake"
    folds = folds_by_group(
        generated.astype(np.intp), table.groups, seed=options.seed, strata=table.generators
    )
    results: list[Any] = Parallel(n_jobs=options.workers)(
        delayed(outer_fold)(table, train, test, options.seed) for train, test in folds
    )
    lines = [
        "# Choice of the classifier",
        "",
        f"`python benchmarks/classifiers.py --seed {options.seed}`: mean AUC over "
        f"{', '.join(DEGRADATIONS)} on the inner held-out quarter of each outer fold.",
        "",
        "| classifier | " + " | ".join(f"fold {n + 1}" for n in range(len(folds))) + " |",
        "|" + "---|" * (len(folds) + 1),
    ]
    for candidate in CANDIDATES:
        cells = [
            f"**{auc[candidate]:.3f}**" if chosen == candidate else f"{auc[candidate]:.3f}"
            for auc, chosen, _ in results
        ]
        lines.append(f"| {candidate} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "The choice of each fold (bold) on that fold, which had no part in it, with 95% intervals "
        "by bootstrap over groups:",
        "",
        "| degradation | AUC |",
        "|---|---|",
    ]
    scores = np.empty(len(table))
    for (_, test), (_, _, found) in zip(folds, results, strict=True):
        scores[test] = found
    for name in DEGRADATIONS:
        rows = table.templates == name
        auc = interval(METRICS["AUC"], generated[rows], scores[rows], table.groups[rows])
        lines.append("| {} | {:.3f} ({:.3f} to {:.3f}) |".format(name, *auc))
    text = "\n".join(lines)
    print(text)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
