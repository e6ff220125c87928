"""What degradations do to detection, trained on clean pictures and on degraded ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import ROBUSTNESS, TRACES
from convtrace.evaluation.experiments.base import (
    Context,
    Experiment,
    Plot,
    Result,
    align,
    balanced_interval,
    mean_interval,
    pairs_of,
    run_all,
    subsets_of,
)
from convtrace.evaluation.learning import Candidate, fit_and_score
from convtrace.evaluation.pairs import Pair
from convtrace.evaluation.store import kernel_columns
from convtrace.evaluation.training import BUNDLED

__all__ = ["EXPERIMENT"]

JPEG = ("jpeg-100", "jpeg-90", "jpeg-80", "jpeg-75", "jpeg-70", "jpeg-60", "jpeg-50")
TESTS = ("none", *JPEG, *(name for name in ROBUSTNESS if not name.startswith("jpeg")))
AUGMENTED = BUNDLED.degradations
HARD_SIDE = 512
"""Longer pictures are made smaller by 'hard', and from 768 on by 'web'."""


def _one(
    features: dict[str, np.ndarray],
    codes: np.ndarray,
    groups: np.ndarray,
    tests: tuple[str, ...],
    seed: int,
) -> dict[tuple[str, str], Any]:
    candidate = Candidate("7", "svm")
    called = {(name, how): np.zeros(len(codes), bool) for name in tests for how in ("clean", "aug")}
    for train, test in folds_by_group(codes, groups, seed=seed):
        for how, templates in (("clean", ("none",)), ("aug", AUGMENTED)):
            X = np.concatenate([features[t][train] for t in templates])
            y = np.tile(codes[train], len(templates))
            stacked = np.concatenate([features[name][test] for name in tests])
            said = fit_and_score(candidate, X, y, stacked, seed=seed).argmax(axis=1) == 1
            for place, name in enumerate(tests):
                called[name, how][test] = said[place * len(test) : (place + 1) * len(test)]
    return {key: balanced_interval(codes == 1, said, groups) for key, said in called.items()}


def _of_chains(context: Context, pairs: list[Pair]) -> str:
    """Say what 'web' and 'hard' come to where no picture is long enough to be made smaller."""
    facts = context.store.facts()
    rows = np.any([p.rows(facts.labels, facts.generators, facts.subsets) for p in pairs], axis=0)
    longest = int(np.maximum(facts.width, facts.height)[rows].max())
    if longest > HARD_SIDE:
        return ""
    return (
        f" No picture is longer than {longest} pixels, so 'web' and 'hard' come to JPEG 60 and "
        "40 alone."
    )


def run(context: Context) -> Result:
    """Run the experiment."""
    pairs = pairs_of(context.store, lossless=True, quick=context.quick)
    tests = ("none", "jpeg-90", "jpeg-50", "mirror") if context.quick else TESTS
    wanted = tuple(dict.fromkeys((*tests, *AUGMENTED)))
    tasks = []
    for pair in pairs:
        tables = align([context.store.table(TRACES, t, subsets_of([pair])) for t in wanted])
        rows = pair.rows(tables[0].labels, tables[0].generators, tables[0].subsets)
        features = {
            t: kernel_columns(one, (7,))[rows] for t, one in zip(wanted, tables, strict=True)
        }
        codes = (tables[0].labels[rows] == "fake").astype(np.intp)
        tasks.append((features, codes, tables[0].groups[rows], tests, context.seed))
    results = run_all(_one, tasks, context.n_jobs)
    means = {
        (name, how): mean_interval([result[name, how] for result in results])
        for name in tests
        for how in ("clean", "aug")
    }
    total = sum(len(task[1]) for task in tasks)
    names = ", ".join(pair.name for pair in pairs)
    table = Table(
        "Robustness",
        ("degradation", "trained clean", "trained on degraded"),
        tuple((name, means[name, "clean"], means[name, "aug"]) for name in tests),
        f"Mean balanced accuracy over {names} ({total} pictures), with 95% intervals; the same "
        f"degradation of both classes. Trained on degraded: {', '.join(AUGMENTED)}, a copy each."
        f"{_of_chains(context, pairs)}",
    )
    present = [name for name in JPEG if name in tests]
    series = [
        {"name": label, "values": [means[name, how] for name in present]}
        for how, label in (("clean", "trained clean"), ("aug", "trained on degraded"))
    ]
    caption = f"mean of {len(pairs)} pairs ({total} pictures), 95% intervals."
    plots = (
        Plot(
            "jpeg-quality",
            "lines",
            f"Balanced accuracy against JPEG quality, {caption}",
            {
                "x": [int(name.removeprefix("jpeg-")) for name in present],
                "xlabel": "JPEG quality (IJG scale)",
                "ylabel": f"balanced accuracy ({len(pairs)} pairs, {total} pictures)",
                "series": series,
            },
        ),
        Plot(
            "robustness",
            "dots",
            f"Balanced accuracy after each degradation, {caption}",
            {
                "rows": list(tests),
                "xlabel": f"balanced accuracy ({len(pairs)} pairs, {total} pictures)",
                "series": [
                    {"name": label, "values": [means[name, how] for name in tests]}
                    for how, label in (("clean", "trained clean"), ("aug", "trained on degraded"))
                ],
            },
        ),
    )
    last = present[-1]
    measured = (
        "balanced accuracy after {}: {:.3f} trained clean, {:.3f} trained on degraded".format(
            last, means[last, "clean"][0], means[last, "aug"][0]
        )
    )
    falls = [name for name in tests if means[name, "clean"][0] < 0.6]
    better = [name for name in tests if means[name, "aug"][1] > means[name, "clean"][2]]
    findings = (
        f"Trained clean, less than 0.600 is left after: {', '.join(falls) or 'none of these'}.",
        "Training on degraded copies is better, by intervals that do not touch, after: "
        f"{', '.join(better) or 'none of these'}.",
    )
    return Result((table,), plots, findings, measured)


EXPERIMENT = Experiment(
    "robustness",
    "Robustness",
    "What is left of the detection after what happens to pictures?",
    {
        "classes": "real and generated of the lossless matched pairs",
        "features": "7x7 kernels of R, G and B",
        "classifiers": "RBF SVM",
        "folds": "5, groups kept whole; every copy of a picture on the same side",
        "degradations": f"tested: {', '.join(TESTS)}; trained clean, and on {', '.join(AUGMENTED)}",
    },
    run,
    scope="lossless",
)
