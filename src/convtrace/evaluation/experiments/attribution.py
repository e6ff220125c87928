"""Which generator made a generated picture."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.errors import DatasetError
from convtrace.evaluation.bundles import POOLED_EQUALISED, TRACES
from convtrace.evaluation.experiments.base import (
    FORCED_NOTE,
    Context,
    Experiment,
    Plot,
    Result,
    compression_verdict,
    in_words,
    run_all,
    share_interval,
)
from convtrace.evaluation.learning import Candidate, held_out, nested
from convtrace.evaluation.pairs import pairs_in
from convtrace.evaluation.store import kernel_columns
from convtrace.evaluation.tables import FeatureTable

__all__ = ["EXPERIMENT"]

FEWEST = 10
"""Groups of a generator that takes part."""

SETS = {"7": (7,), "3+5+7": (3, 5, 7), "5": (5,), "3": (3,)}


def _with_fit(table: FeatureTable, codes: np.ndarray, seed: int) -> np.ndarray:
    """Name the generator by all kernels and the statistics of their fits, by an RBF SVM."""
    features = {"": kernel_columns(table, (3, 5, 7), statistics=True)}
    folds = folds_by_group(codes, table.groups, seed=seed)
    scores = held_out(Candidate("", "svm"), features, codes, folds, seed=seed)
    return np.asarray(scores.argmax(axis=1))


def _one(table: FeatureTable, codes: np.ndarray, quick: bool, seed: int) -> tuple[Any, str]:
    sets = {"7": SETS["7"]} if quick else SETS
    features = {name: kernel_columns(table, sizes) for name, sizes in sets.items()}
    tried = [Candidate(name, clf) for name in sets for clf in ("svm", "lda", "knn")]
    found = nested(tried, features, codes, table.groups, seed=seed)
    chosen = Counter(f"N={one.features}, {one.title}" for one in found.chosen)
    return found.predicted, chosen.most_common(1)[0][0]


def run(context: Context) -> Result:
    """Run the experiment."""
    tables, names = {}, np.array([])
    for template in ("none", *POOLED_EQUALISED):
        table = context.store.table(TRACES, template)
        table = table.select((table.labels == "fake") & (table.generators != ""))
        kinds = table.generators
        groups: dict[str, set[str]] = {}
        for kind, group in zip(kinds.tolist(), table.groups.tolist(), strict=True):
            groups.setdefault(kind, set()).add(group)
        enough = [kind for kind, members in groups.items() if len(members) >= FEWEST]
        if len(enough) < 2:
            raise DatasetError(
                f"it takes two generators of {FEWEST} separate groups of pictures or more to be "
                f"told apart, and there {'is one' if enough else 'is none'}"
            )
        tables[template] = table.select(np.isin(kinds, enough))
        names = np.unique(tables[template].generators)
    tasks = [
        (table, np.searchsorted(names, table.generators).astype(np.intp), context.quick,
         context.seed)
        for table in tables.values()
    ]  # fmt: skip
    results = run_all(_one, tasks, context.n_jobs)
    fits = run_all(
        _with_fit, [(table, codes, seed) for table, codes, _, seed in tasks], context.n_jobs
    )
    rows: list[tuple[Any, ...]] = []
    tops: list[float] = []
    for template, (table, codes, *_), (predicted, chosen), by_fit in zip(
        tables, tasks, results, fits, strict=True
    ):
        right = predicted == codes
        top = share_interval(right, table.groups)
        balanced = float(np.mean([right[codes == c].mean() for c in range(len(names))]))
        remark = compression_verdict(tops[0], top[0], matched=False) if tops else ""
        tops.append(top[0])
        label = "as the files are" if template == "none" else f"equalised, {template}"
        fit = share_interval(by_fit == codes, table.groups)
        rows.append((label, len(codes), top, balanced, chosen, remark, fit, "not known"))
    facts = context.store.facts()
    # The bar is of the pictures that the matched pairs are of.
    known = any(p.matched for p in pairs_in(facts.labels, facts.generators, facts.subsets))
    table, codes = tasks[0][:2]
    matrix = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(matrix, (codes, results[0][0]), 1)
    recall = tuple(
        (str(name), int(matrix[i].sum()), share_interval(
            (results[0][0] == codes)[codes == i], table.groups[codes == i]),
         str(names[np.argmax(np.where(np.arange(len(names)) == i, -1, matrix[i]))]))
        for i, name in enumerate(names)
    )  # fmt: skip
    return Result(
        (
            Table(
                "Which generator",
                ("condition", "pictures", "top-1", "mean over generators", "most often chosen",
                 "remark", "top-1, kernels and fit", "published"),
                tuple(rows),
                f"Share named right, with 95% intervals, {len(names)} generators. {FORCED_NOTE}",
            ),
            Table(
                "Which generator, as the files are",
                ("generator", "pictures", "named right", "most often taken for"),
                recall,
            ),
        ),
        (
            Plot(
                "attribution-confusion",
                "confusion",
                f"Which generator was named, {len(codes)} held-out pictures as the files are.",
                {"names": names.tolist(), "counts": matrix.tolist()},
            ),
        ),
        (
            f"Top-1 as the files are: {tops[0]:.3f} by the kernels alone, {rows[0][6][0]:.3f} with "
            "noise level, weight and likelihood of the fit"
            + ("; the bar that was set beforehand is 0.78." if known else "."),
        ),
        f"top-1 {in_words(rows[0][2])} of {len(names)} generators",
    )  # fmt: skip


EXPERIMENT = Experiment(
    "attribution",
    "Which generator",
    "Does the trace name the architecture that made a picture?",
    {
        "classes": "generators of 10 groups or more, generated pictures alone",
        "features": "kernels of R, G and B of size 3, 5, 7 or all",
        "classifiers": "RBF SVM, LDA, 5-NN",
        "beside it": "all kernels and noise level, weight and likelihood of the fit, RBF SVM",
        "choice": "by 3-fold grouped cross-validation inside each training fold",
        "folds": "5, groups kept whole",
    },
    run,
    scope="generated",
    equalised=POOLED_EQUALISED,
)
