"""Each generator left out of training entirely."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.errors import DatasetError
from convtrace.evaluation.bundles import POOLED_EQUALISED, TRACES
from convtrace.evaluation.experiments.base import (
    Context,
    Experiment,
    Result,
    align,
    compression_verdict,
    run_all,
)
from convtrace.evaluation.learning import Candidate, fit_and_score, margins
from convtrace.evaluation.metrics import METRICS, interval
from convtrace.evaluation.pairs import MATCHED
from convtrace.evaluation.store import kernel_columns
from convtrace.evaluation.tables import FeatureTable

__all__ = ["EXPERIMENT"]

SIZES = (3, 5, 7)


def _one(
    X: np.ndarray, codes: np.ndarray, groups: np.ndarray, test: np.ndarray, seed: int
) -> np.ndarray:
    train = ~np.isin(groups, np.unique(groups[test]))
    candidate = Candidate("3+5+7", "svm")
    return margins(fit_and_score(candidate, X[train], codes[train], X[test], seed=seed))


LOW = 0.6
"""Generators of a lower AUC are taken apart."""
FEW = 10
CLEARLY = 0.1


def _auc(margin: np.ndarray, fake: np.ndarray, real: np.ndarray) -> float | None:
    """Return the AUC of some generated pictures against some photographs, unless too few."""
    if min(fake.sum(), real.sum()) < FEW:
        return None
    truth = np.r_[np.ones(fake.sum()), np.zeros(real.sum())]
    return float(roc_auc_score(truth, np.r_[margin[fake], margin[real]]))


def _margins(table: FeatureTable, tests: dict[str, np.ndarray], context: Context) -> list[Any]:
    X = kernel_columns(table, SIZES)
    codes = (table.labels == "fake").astype(np.intp)
    tasks = []
    for name, test in tests.items():
        # The generator itself never trains, whatever its groups.
        keep = test | (table.generators != name)
        tasks.append((X[keep], codes[keep], table.groups[keep], test[keep], context.seed))
    return run_all(_one, tasks, context.n_jobs)


def _apart(
    name: str, test: np.ndarray, margin: np.ndarray, table: FeatureTable
) -> tuple[list[tuple[Any, ...]], str]:
    """Take a generator of low AUC apart: by its sets, and by the sets of photographs."""
    truth = table.labels[test] == "fake"
    subsets, stored = table.subsets[test], table.formats[test] == "JPEG"
    rows, words = [], []
    for part in sorted(set(subsets[truth].tolist())):
        own = subsets == part
        history = [real for pair in MATCHED if part in pair.fakes for real in pair.reals]
        same = _auc(margin, own, ~truth & np.isin(subsets, history))
        rivals = {
            real: value
            for real in sorted(set(subsets[~truth].tolist()))
            if (value := _auc(margin, own, ~truth & (subsets == real))) is not None
        }
        hardest = min(rivals, key=lambda real: rivals[real]) if rivals else ""
        whole = _auc(margin, own, ~truth)
        rest = _auc(margin, own, ~truth & (subsets != hardest))
        how = _storage(part, stored[own])
        rows.append(
            (name, part, int(own.sum()), how, whole, same, hardest, rivals.get(hardest), rest)
        )
        text = f"{part or 'its pictures'} ({how}) {_number(whole)}"
        if same is not None:
            text += f", against the photographs of the same history {_number(same)}"
        if hardest:
            text += f", without {hardest} {_number(rest)}"
        words.append(text)
    return rows, f"{name}: {'; '.join(words)}."


def _storage(part: str, stored: np.ndarray) -> str:
    if stored.any():
        return "JPEG" if stored.all() else "mixed"
    lossy = any(part in pair.fakes and not pair.lossless for pair in MATCHED)
    return "lossless, after JPEG" if lossy else "lossless"


def _reasons(apart: list[tuple[Any, ...]]) -> list[str]:
    """Say why AUCs are low, as far as the numbers tell."""
    said = []
    for name in dict.fromkeys(row[0] for row in apart):
        by_storage = {row[3]: row for row in apart if row[0] == name and row[4] is not None}
        clean, lossy = by_storage.get("lossless"), by_storage.get("JPEG")
        if clean and lossy and clean[4] - lossy[4] > CLEARLY:
            said.append(
                f"{name} is lost by compression: its lossless set has {clean[4]:.3f}, its set in "
                f"JPEG {lossy[4]:.3f}: the same network, but JPEG leaves a trace like that of "
                "photographs."
            )
    for row in apart:
        if row[5] is not None and row[5] < LOW:
            said.append(
                f"{row[0]} leaves hardly a trace to find: {row[1]} ({row[3]}) gets {row[5]:.3f} "
                "even against photographs of the same history."
            )
    hardest = [row[6] for row in apart if row[7] is not None and row[7] < 0.5 - CLEARLY]
    for real in dict.fromkeys(hardest):
        copies = [part for pair in MATCHED if real in pair.reals for part in pair.fakes]
        if copies:
            said.append(
                f"What pulls {hardest.count(real)} of these {len(apart)} sets down most are the "
                f"photographs of {real}, which the model takes for generated: it was trained on "
                f"{len(copies)} generated sets of the same history ({', '.join(copies)})."
            )
    return said


def _number(value: float | None) -> str:
    return "too few" if value is None else f"{value:.3f}"


def run(context: Context) -> Result:
    """Run the experiment."""
    table, same = align([context.store.table(TRACES, t) for t in ("none", *POOLED_EQUALISED[:1])])
    codes = (table.labels == "fake").astype(np.intp)
    held = np.zeros(len(table), dtype=bool)
    held[folds_by_group(codes, table.groups, seed=context.seed)[0][1]] = True
    held &= codes == 0
    names = sorted(set(table.generators[codes == 1].tolist()) - {""})
    if len(set(table.generators[codes == 1].tolist())) < 2 or not names:
        raise DatasetError(
            "it takes two generators with names, one to be left out and one to learn from"
        )
    names = names[:5] if context.quick else names
    tests = {name: held | ((codes == 1) & (table.generators == name)) for name in names}
    raw, equalised = (_margins(one, tests, context) for one in (table, same))
    jpeg = table.formats == "JPEG"
    rows: list[tuple[Any, ...]] = []
    storage, apart, words = [], [], []
    for (name, test), margin, other in zip(tests.items(), raw, equalised, strict=True):
        truth = codes[test] == 1
        auc, again = (
            interval(METRICS["AUC"], truth, one, table.groups[test], draws=500)
            for one in (margin, other)
        )
        stored = jpeg[test]
        remark = compression_verdict(auc[0], again[0], matched=False)
        counted = (int(truth.sum()), int((~truth).sum()))
        rows.append((name, *counted, auc, again, remark, float(stored[truth].mean())))
        for part in sorted(set(table.subsets[test][truth].tolist())):
            own = table.subsets[test] == part
            found = [(_auc(margin, own, ~truth & kind), int((~truth & kind).sum()))
                     for kind in (stored, ~stored)]  # fmt: skip
            storage.append((name, part, int(own.sum()), *found[0], *found[1]))
        if auc[0] < LOW:
            more, text = _apart(name, test, margin, table)
            apart += more
            words.append(text)
    means = [float(np.mean([row[place][0] for row in rows])) for place in (3, 4)]
    low = [row[0] for row in rows if row[3][0] < LOW]
    tables = [
        Table(
            "Each generator left out",
            ("generator", "generated", "real", "AUC as the files are", "AUC equalised", "remark",
             "share stored as JPEG"),
            (*rows, ("mean", None, None, *means, "", None)),
            "The model saw no picture of the generator, nor of the groups of the test pictures; "
            "all others, and four fifths of the photographs, it did. 95% intervals. Equalised: "
            f"{POOLED_EQUALISED[0]}. Published: not known.",
        ),
        Table(
            "Each generator left out, by set and by how the photographs are stored",
            ("generator", "set", "generated", "AUC against JPEG", "JPEG photographs",
             "AUC against lossless", "lossless photographs"),
            tuple(storage),
            f"As the files are. Of all photographs {100 * jpeg[codes == 0].mean():.0f}% are stored "
            f"as JPEG, of all generated pictures {100 * jpeg[codes == 1].mean():.0f}%.",
        ),
    ]  # fmt: skip
    if apart:
        tables.append(
            Table(
                f"Where the AUC is below {LOW}",
                ("generator", "set", "generated", "stored", "AUC", "against the same history",
                 "hardest photographs", "against these", "without these"),
                tuple(apart),
                "As the files are. 'The same history' are held-out photographs that went through "
                f"the same processing, where there are {FEW} or more; the hardest photographs are "
                "the set that the model takes most for generated.",
            )
        )  # fmt: skip
    findings = [
        f"Mean AUC over generators left out: {means[0]:.3f} as the files are, {means[1]:.3f} "
        f"equalised; below {LOW} as they are: {', '.join(low) or 'none'}.",
        *(f"AUC of {text}" for text in words),
    ]
    findings += _reasons(apart)
    measured = f"mean AUC {means[0]:.3f} over {len(rows)} generators"
    return Result(tuple(tables), findings=tuple(findings), measured=measured)


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
    equalised=POOLED_EQUALISED[:1],
)
