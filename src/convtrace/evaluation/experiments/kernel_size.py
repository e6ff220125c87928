"""How much the kernel size matters, by classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import EQUALISED, TRACES
from convtrace.evaluation.experiments.base import (
    Context,
    Experiment,
    Plot,
    Result,
    balanced_interval,
    compression_verdict,
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
    templates = ("none", EQUALISED)
    tasks = []
    for template in templates:
        for pair in pairs:
            table = context.store.table(TRACES, template, subsets_of([pair]))
            table = table.select(pair.rows(table.labels, table.generators, table.subsets))
            tasks.append((table, context.quick, context.seed))
    results = run_all(_one, tasks, context.n_jobs)
    titles = [one.title for one in classifiers_of(quick=context.quick)]
    raw, same = results[: len(pairs)], results[len(pairs) :]
    means, equalised = (
        {
            (title, size): mean_interval([result[title, size] for result in of_template])
            for title in titles
            for size in SIZES
        }
        for of_template in (raw, same)
    )
    matched = all(pair.matched for pair in pairs)
    rows: tuple[Any, ...] = tuple(
        (
            title,
            *(means[title, size] for size in SIZES),
            *(equalised[title, size] for size in SIZES),
            compression_verdict(means[title, 7][0], equalised[title, 7][0], matched=matched),
        )
        for title in titles
    )
    by_pair = tuple(
        (pair.name, *(result["RBF SVM", size][0] for size in SIZES))
        for pair, result in zip(pairs, raw, strict=True)
    )
    total = sum(len(table) for table, *_ in tasks[: len(pairs)])
    names = ", ".join(pair.name for pair in pairs)
    heads = tuple(f"N = {size}" for size in SIZES)
    report = Table(
        "Kernel size by classifier",
        ("classifier", *heads, *(f"{head}, equalised" for head in heads), "remark at N = 7"),
        rows,
        f"Mean balanced accuracy over {names} ({total} pictures), with 95% intervals; equalised: "
        f"{EQUALISED}. Published: not known.",
    )
    detail = Table("Kernel size by pair, RBF SVM, as the files are", ("pair", *heads), by_pair)
    shown = [t for t in titles if not t.endswith("-NN") or t == "5-NN"]
    plots = tuple(
        Plot(
            name,
            "lines",
            f"Balanced accuracy against kernel size {how}, mean of {len(pairs)} pairs ({total} "
            "pictures), 95% intervals.",
            {
                "x": list(SIZES),
                "xlabel": "kernel size N (pixels)",
                "ylabel": f"balanced accuracy ({len(pairs)} pairs, {total} pictures)",
                "series": [{"name": t, "values": [found[t, s] for s in SIZES]} for t in shown],
            },
        )
        for name, how, found in (
            ("kernel-size", "as the files are", means),
            ("kernel-size-equalised", f"equalised ({EQUALISED})", equalised),
        )
    )
    gain = means["RBF SVM", 7][0] - means["RBF SVM", 3][0]
    finding = f"From N = 3 to N = 7 the RBF SVM changes by {100 * gain:+.1f} points."
    sizes = ", ".join(f"{means['RBF SVM', s][0]:.3f} at N = {s}" for s in SIZES)
    return Result((report, detail), plots, (finding,), f"RBF SVM {sizes}")


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
    scope="lossless",
    equalised=(EQUALISED,),
)
