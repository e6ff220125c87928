"""Faces against other subjects: does what was learned on one hold for the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import EQUALISED, TRACES
from convtrace.evaluation.experiments.base import (
    Context,
    Experiment,
    Result,
    balanced_interval,
    compression_verdict,
    counts,
    subsets_of,
)
from convtrace.evaluation.learning import Candidate, fit_and_score, held_out
from convtrace.evaluation.metrics import Interval
from convtrace.evaluation.pairs import MATCHED
from convtrace.evaluation.store import kernel_columns

__all__ = ["EXPERIMENT"]

FACES = ("DCGAN", "STGAN", "StyleGAN2")
OTHERS = ("pix2pix", "CycleGAN")


TITLE = "Faces and other subjects"


def _data(context: Context, template: str) -> dict[str, Any]:
    """Return features, classes and groups by subject; nothing where they are not told apart."""
    present = set(context.store.facts().subsets.tolist())
    data = {}
    for label, names in (("faces", FACES), ("other subjects", OTHERS)):
        subsets = subsets_of([pair for pair in MATCHED if pair.name in names])
        if not present & set(subsets):
            return {}
        table = context.store.table(TRACES, template, subsets)
        codes = (table.labels == "fake").astype(np.intp)
        data[label] = (kernel_columns(table, (7,)), codes, table.groups)
    return data


def _across(data: dict[str, Any], train: str, test: str, seed: int) -> Interval:
    """Train on one subject, test on another or on held-out pictures of the same."""
    candidate = Candidate("7", "svm")
    X, codes, groups = data[train]
    other, truth, other_groups = data[test]
    if train == test:
        folds = folds_by_group(codes, groups, seed=seed)
        scores = held_out(candidate, {"7": X}, codes, folds, seed=seed)
    else:
        scores = fit_and_score(candidate, X, codes, other, seed=seed)
    called = scores.argmax(axis=1) == 1
    return balanced_interval(truth == 1, called, other_groups)[0]


def run(context: Context) -> Result:
    """Run the experiment."""
    data = {template: _data(context, template) for template in ("none", EQUALISED)}
    if not data["none"]:
        note = "No data: this data set does not tell faces from other subjects."
        return Result((Table(TITLE, ("train", "test"), (), note),))
    rows, found = [], {}
    for train in data["none"]:
        for test in data["none"]:
            raw, same = (_across(one, train, test, context.seed) for one in data.values())
            found[train, test] = raw[0]
            remark = compression_verdict(raw[0], same[0], matched=True)
            truth = data["none"][test][1] == 1
            rows.append((train, test, *counts(truth), raw, same, remark, "not known"))
    worst = min((value, key) for key, value in found.items() if key[0] != key[1])
    return Result(
        (
            Table(
                TITLE,
                ("trained on", "tested on", "real", "generated", "as the files are", "equalised",
                 "remark", "published"),
                tuple(rows),
                f"Balanced accuracy with 95% intervals. Faces: {', '.join(FACES)}; other subjects: "
                f"{', '.join(OTHERS)} (facades, horses and zebras). The generators differ as well "
                "as the subjects, so a fall between rows is of both; on the same subject the "
                f"groups are held out. Equalised: {EQUALISED}.",
            ),
        ),
        findings=(
            "Trained on {1[0]} and tested on {1[1]} the trace gets {0:.3f}: what was learned on "
            "one subject and its generators does not simply hold for the other.".format(*worst)
            if worst[0] < 0.75
            else "The lowest across subjects, {1[0]} to {1[1]}, is {0:.3f}.".format(*worst),
        ),
        measured="balanced accuracy " + ", ".join(
            f"{train} to {test} {found[train, test]:.3f}" for train, test in found if train != test
        ),
    )  # fmt: skip


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
    scope="lossless",
    equalised=(EQUALISED,),
)
