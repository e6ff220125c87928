"""Each generator left out of training entirely."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import TRACES
from convtrace.evaluation.experiments.base import Context, Experiment, Result, run_all
from convtrace.evaluation.learning import Candidate, fit_and_score, margins
from convtrace.evaluation.metrics import METRICS, interval
from convtrace.evaluation.store import kernel_columns

__all__ = ["EXPERIMENT"]


def _one(
    X: np.ndarray, codes: np.ndarray, groups: np.ndarray, test: np.ndarray, seed: int
) -> np.ndarray:
    train = ~np.isin(groups, np.unique(groups[test]))
    candidate = Candidate("3+5+7", "svm")
    return margins(fit_and_score(candidate, X[train], codes[train], X[test], seed=seed))


def run(context: Context) -> Result:
    """Run the experiment."""
    table = context.store.table(TRACES, "none")
    X = kernel_columns(table, (3, 5, 7))
    codes = (table.labels == "fake").astype(np.intp)
    held = np.zeros(len(table), dtype=bool)
    held[folds_by_group(codes, table.groups, seed=context.seed)[0][1]] = True
    held &= codes == 0
    names = sorted(set(table.generators[codes == 1].tolist()) - {""})
    names = names[:5] if context.quick else names
    tests = [held | ((codes == 1) & (table.generators == name)) for name in names]
    # The generator itself never trains, whatever its groups.
    tasks = []
    for name, test in zip(names, tests, strict=True):
        keep = test | (table.generators != name)
        tasks.append((X[keep], codes[keep], table.groups[keep], test[keep], context.seed))
    results = run_all(_one, tasks, context.n_jobs)
    jpeg = table.formats == "JPEG"
    rows, detail = [], []
    for name, test, margin in zip(names, tests, results, strict=True):
        truth = codes[test] == 1
        auc = interval(METRICS["AUC"], truth, margin, table.groups[test], draws=500)
        stored = jpeg[test]
        share = float(stored[truth].mean())
        rows.append((name, int(truth.sum()), int((~truth).sum()), auc, share))
        for part in sorted(set(table.subsets[test][truth].tolist())):
            own = table.subsets[test] == part
            for label, kind in (("JPEG", stored), ("lossless", ~stored)):
                rival = ~truth & kind
                if rival.sum() >= 10:
                    value = roc_auc_score(
                        np.r_[np.ones(own.sum()), np.zeros(rival.sum())],
                        np.r_[margin[own], margin[rival]],
                    )
                    detail.append((name, part, int(own.sum()), label, int(rival.sum()), value))
    mean = float(np.mean([row[3][0] for row in rows]))
    low = [row[0] for row in rows if row[3][0] < 0.6]
    return Result(
        (
            Table(
                "Each generator left out",
                ("generator", "generated", "real", "AUC", "share stored as JPEG"),
                (*rows, ("mean", None, None, mean, None)),
                "The model saw no picture of the generator, nor of the groups of the test "
                "pictures; all others, and four fifths of the photographs, it did. Published: "
                "not known.",
            ),
            Table(
                "Each generator left out, by set and by how the photographs are stored",
                ("generator", "set", "generated", "photographs stored", "real", "AUC"),
                tuple(detail),
                "Most photographs of the training data are JPEG and most generated pictures are "
                "not. Where the AUC is low against JPEG photographs and higher against lossless "
                "ones, or the reverse, the model went by the compression.",
            ),
        ),
        findings=(
            f"Mean AUC over generators left out: {mean:.3f}; below 0.6: "
            f"{', '.join(low) or 'none'}. The second table sets each against photographs of either "
            "kind of storage.",
        ),
    )


EXPERIMENT = Experiment(
    "unseen-generators",
    "Generators never seen",
    "Does what was learned from some generators hold for another?",
    {
        "classes": "real photographs and generated pictures of all sets, as the files are",
        "features": "kernels of R, G and B of sizes 3, 5 and 7",
        "classifiers": "RBF SVM, classes of equal weight",
        "folds": "one for each generator; a fifth of the photographs, by whole groups, held out",
    },
    run,
)
