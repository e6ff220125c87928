"""Accuracy against the number of training pictures, and against their size."""

from __future__ import annotations

from typing import Any

import numpy as np

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import EQUALISED, POOLED_EQUALISED, SIZE_SUBSETS, SIZES, TRACES
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
from convtrace.evaluation.learning import Candidate, fit_and_score, held_out
from convtrace.evaluation.store import kernel_columns

__all__ = ["PICTURE_SIZE", "TRAINING_SIZE"]

COUNTS = (5, 10, 20, 30)
EQUALISED_SIZES = (POOLED_EQUALISED[0], EQUALISED)
"""Crops of which there is one with the same compression of both classes."""

_CANDIDATE = Candidate("7", "svm")


def _fewer(X: np.ndarray, codes: np.ndarray, groups: np.ndarray, count: int, seed: int) -> Any:
    called = np.zeros(len(codes), dtype=bool)
    for train, test in folds_by_group(codes, groups, seed=seed):
        rng = np.random.default_rng(seed)
        kept = np.concatenate(
            [
                rng.permutation(own)[: min(count, len(own))]
                for code in (0, 1)
                if len(own := train[codes[train] == code])
            ]
        )
        scores = fit_and_score(_CANDIDATE, X[kept], codes[kept], X[test], seed=seed)
        called[test] = scores.argmax(axis=1) == 1
    return balanced_interval(codes == 1, called, groups)


def _whole(X: np.ndarray, codes: np.ndarray, groups: np.ndarray, seed: int) -> Any:
    folds = folds_by_group(codes, groups, seed=seed)
    called = held_out(_CANDIDATE, {"7": X}, codes, folds, seed=seed).argmax(axis=1) == 1
    return balanced_interval(codes == 1, called, groups)


def _rows(context: Context, pair: Any, template: str) -> tuple[np.ndarray, ...]:
    table = context.store.table(TRACES, template, subsets_of([pair]))
    table = table.select(pair.rows(table.labels, table.generators, table.subsets))
    codes = (table.labels == "fake").astype(np.intp)
    return kernel_columns(table, (7,)), codes, table.groups


def _report(
    title: str,
    name: str,
    xlabel: str,
    x: tuple[int, ...],
    pairs: list[Any],
    totals: list[int],
    results: list[Any],
) -> Result:
    per_pair = np.array(results, dtype=object).reshape(len(pairs), len(x), 2)
    means = [mean_interval([tuple(one) for one in per_pair[:, i]]) for i in range(len(x))]
    series = [
        {"name": f"{pair.name} ({total})", "values": [per_pair[n, i, 0] for i in range(len(x))]}
        for n, (pair, total) in enumerate(zip(pairs, totals, strict=True))
    ]
    rows = [(pair["name"], *pair["values"]) for pair in series]
    rows.append(("mean", *means))
    table = Table(
        title,
        ("pair (pictures)", *map(str, x)),
        tuple(rows),
        f"Balanced accuracy with 95% intervals by {xlabel}; 7x7 kernels, RBF SVM. Published: not "
        "known.",
    )
    plot = Plot(
        name,
        "lines",
        f"{title}: balanced accuracy against {xlabel}, {len(pairs)} pairs (pictures), 95% "
        "intervals.",
        {"x": list(x), "xlabel": xlabel, "ylabel": "balanced accuracy", "series": series},
    )
    ends = f"{means[0][0]:.3f} with {x[0]}, {means[-1][0]:.3f} with {x[-1]}"
    return Result((table,), (plot,), (), f"balanced accuracy {ends} ({xlabel})")


def run_training_size(context: Context) -> Result:
    """Run the experiment on the number of training pictures."""
    pairs = pairs_of(context.store, lossless=True, quick=context.quick)
    most = (*COUNTS, 60, 110)
    found = []
    for template, suffix, title in (
        ("none", "", "as the files are"),
        (EQUALISED, "-equalised", f"equalised, {EQUALISED}"),
    ):
        tasks: list[tuple[Any, ...]] = [
            (*_rows(context, pair, template), count, context.seed)
            for pair in pairs
            for count in most
        ]
        results = run_all(_fewer, tasks, context.n_jobs)
        # A pair that has fewer pictures than asked for shows all that it has.
        found.append(
            _report(
                f"Number of training pictures, {title}",
                f"training-size{suffix}",
                "training pictures a class (at most)",
                most,
                pairs,
                [len(task[1]) for task in tasks[:: len(most)]],
                results,
            )
        )
    return Result(
        tuple(table for one in found for table in one.tables),
        tuple(plot for one in found for plot in one.plots),
        measured=found[0].measured,
    )


def run_picture_size(context: Context) -> Result:
    """Run the experiment on the size of pictures."""
    pairs = pairs_of(context.store, lossless=True)
    large = [p for p in pairs if not p.matched or set(p.fakes) <= set(SIZE_SUBSETS)]
    found = []
    for suffix, title, templates in (
        ("", "as the files are", {_side(name): name for name in SIZES} | {256: "none"}),
        ("-equalised", "equalised, JPEG 95", {_side(name): name for name in EQUALISED_SIZES}),
    ):
        tasks: list[tuple[Any, ...]] = [
            (*_rows(context, pair, template), context.seed)
            for pair in large
            for template in templates.values()
        ]
        found.append(
            _report(
                f"Picture size, {title}",
                f"picture-size{suffix}",
                "side of the central crop (pixels)",
                tuple(templates),
                large,
                [len(task[1]) for task in tasks[:: len(templates)]],
                run_all(_whole, tasks, context.n_jobs),
            )
        )
    return Result(
        tuple(table for one in found for table in one.tables),
        found[0].plots,
        measured=found[0].measured,
    )


def _side(template: str) -> int:
    return int(template.partition("+")[0].removeprefix("crop-"))


TRAINING_SIZE = Experiment(
    "training-size",
    "Number of training pictures",
    "How many pictures does it take?",
    {
        "classes": "real and generated of the lossless matched pairs",
        "features": "7x7 kernels of R, G and B",
        "classifiers": "RBF SVM",
        "folds": "5, groups kept whole; of each training fold a random part of each class",
    },
    run_training_size,
    scope="lossless",
    equalised=(EQUALISED,),
)
PICTURE_SIZE = Experiment(
    "picture-size",
    "Picture size",
    "How large must a picture be?",
    {
        "classes": "real and generated of the lossless matched pairs of 256 pixels and more",
        "features": "7x7 kernels of R, G and B of a central crop",
        "classifiers": "RBF SVM, trained and tested on the same size",
        "folds": "5, groups kept whole",
    },
    run_picture_size,
    scope="lossless",
    equalised=(*SIZES, *EQUALISED_SIZES),
)
