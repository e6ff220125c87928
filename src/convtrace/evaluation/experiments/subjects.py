"""Faces against other subjects: does what was learned on one hold for the other."""

from __future__ import annotations

import numpy as np

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import TRACES
from convtrace.evaluation.experiments.base import (
    Context,
    Experiment,
    Result,
    balanced_interval,
    counts,
    subsets_of,
)
from convtrace.evaluation.learning import Candidate, fit_and_score, held_out
from convtrace.evaluation.pairs import MATCHED
from convtrace.evaluation.store import kernel_columns

__all__ = ["EXPERIMENT"]

FACES = ("DCGAN", "STGAN", "StyleGAN2")
OTHERS = ("pix2pix", "CycleGAN")


def run(context: Context) -> Result:
    """Run the experiment."""
    present = set(context.store.facts().subsets.tolist())
    data = {}
    for label, names in (("faces", FACES), ("other subjects", OTHERS)):
        subsets = subsets_of([pair for pair in MATCHED if pair.name in names])
        if not present & set(subsets):
            note = "No data: this data set does not tell faces from other subjects."
            return Result((Table("Faces and other subjects", ("train", "test"), (), note),))
        table = context.store.table(TRACES, "none", subsets)
        codes = (table.labels == "fake").astype(np.intp)
        data[label] = (kernel_columns(table, (7,)), codes, table.groups)
    rows = []
    candidate = Candidate("7", "svm")
    for train, (X, codes, groups) in data.items():
        for test, (other, truth, other_groups) in data.items():
            if train == test:
                folds = folds_by_group(codes, groups, seed=context.seed)
                scores = held_out(candidate, {"7": X}, codes, folds, seed=context.seed)
            else:
                scores = fit_and_score(candidate, X, codes, other, seed=context.seed)
            called = scores.argmax(axis=1) == 1
            found, _ = balanced_interval(truth == 1, called, other_groups)
            rows.append((train, test, *counts(truth == 1), found, "not known"))
    return Result(
        (
            Table(
                "Faces and other subjects",
                ("trained on", "tested on", "real", "generated", "balanced accuracy", "published"),
                tuple(rows),
                f"Faces: {', '.join(FACES)}; other subjects: {', '.join(OTHERS)} (facades, "
                "horses and zebras). The generators differ as well as the subjects, so a fall "
                "between rows is of both; on the same subject the groups are held out.",
            ),
        )
    )


EXPERIMENT = Experiment(
    "subjects",
    "Faces and other subjects",
    "Does the trace depend on what the picture shows?",
    {
        "classes": "real and generated of the lossless matched pairs",
        "features": "7x7 kernels of R, G and B",
        "classifiers": "RBF SVM",
        "folds": "5 by group within a subject; all of one against all of the other across",
    },
    run,
)
