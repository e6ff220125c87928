"""How much the kernel size matters, by classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import TRACES
from convtrace.evaluation.experiments.base import (
    Context,
    Experiment,
    Plot,
    Result,
    balanced_interval,
    mean_interval,
    pairs_of,
    run_all,
    subsets_of,
)
from convtrace.evaluation.experiments.matched_pairs import classifiers_of, features_of
from convtrace.evaluation.learning import Candidate, held_out
from convtrace.evaluation.tables import FeatureTable

__all__ = ["EXPERIMENT"]

SIZES = (3, 5, 7)


def _one(table: FeatureTable, quick: bool, seed: int) -> dict[tuple[str, int], Any]:
    codes = (table.labels == "fake").astype(np.intp)
    folds = folds_by_group(codes, table.groups, seed=seed)
    features = features_of(table)
    found = {}
    for one in classifiers_of(quick=quick):
        for size in SIZES:
            candidate = Candidate(str(size), one.classifier, one.options, one.label)
            called = held_out(candidate, features, codes, folds, seed=seed).argmax(axis=1) == 1
            found[one.title, size] = balanced_interval(codes == 1, called, table.groups)
    return found


def run(context: Context) -> Result:
    """Run the experiment."""
    pairs = pairs_of(context.store, lossless=True, quick=context.quick)
    tasks = []
    for pair in pairs:
        table = context.store.table(TRACES, "none", subsets_of([pair]))
        table = table.select(pair.rows(table.labels, table.generators, table.subsets))
        tasks.append((table, context.quick, context.seed))
    results = run_all(_one, tasks, context.n_jobs)
    titles = [one.title for one in classifiers_of(quick=context.quick)]
    means = {
        (title, size): mean_interval([result[title, size] for result in results])
        for title in titles
        for size in SIZES
    }
    rows: tuple[Any, ...] = tuple(
        (title, *(means[title, size] for size in SIZES)) for title in titles
    )
    by_pair = tuple(
        (pair.name, *(result["RBF SVM", size][0] for size in SIZES))
        for pair, result in zip(pairs, results, strict=True)
    )
    total = sum(len(task[0]) for task in tasks)
    names = ", ".join(pair.name for pair in pairs)
    report = Table(
        "Kernel size by classifier",
        ("classifier", "N = 3", "N = 5", "N = 7"),
        rows,
        f"Mean balanced accuracy over {names}, with 95% intervals; published: not known.",
    )
    detail = Table("Kernel size by pair, RBF SVM", ("pair", "N = 3", "N = 5", "N = 7"), by_pair)
    shown = [t for t in titles if not t.endswith("-NN") or t == "5-NN"]
    plot = Plot(
        "kernel-size",
        "lines",
        f"Balanced accuracy against kernel size, mean of {len(pairs)} pairs ({total} pictures), "
        "95% intervals.",
        {
            "x": list(SIZES),
            "xlabel": "kernel size N (pixels)",
            "ylabel": "balanced accuracy",
            "series": [{"name": t, "values": [means[t, s] for s in SIZES]} for t in shown],
        },
    )
    gain = means["RBF SVM", 7][0] - means["RBF SVM", 3][0]
    finding = f"From N = 3 to N = 7 the RBF SVM changes by {100 * gain:+.1f} points."
    return Result((report, detail), (plot,), (finding,))


EXPERIMENT = Experiment(
    "kernel-size",
    "Kernel size and classifier",
    "How much do kernel size and classifier matter?",
    {
        "classes": "real and generated of the lossless matched pairs",
        "features": "kernels of R, G and B of size 3, 5 or 7",
        "classifiers": "K-NN with K = 3 to 13 odd, linear and RBF SVM, LDA, random forest of 100",
        "folds": "5, groups kept whole; nothing is chosen",
    },
    run,
)
