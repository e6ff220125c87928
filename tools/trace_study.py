"""Write docs/trace-study.md: what survives compression, of the trace, its relatives and training.

    python tools/trace_study.py -o docs/trace-study.md

Relatives of the trace (`trace_variants.py`), ways of training and classifiers are compared on
the corpus in two ways: by grouped folds, and with one domain after the other left out, with its
cameras, subjects and generators. It needs the corpus: half an hour on two cores to measure it, once
(kept in the cache folder), and an hour for the comparisons.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory, Parallel, delayed
from joblib import hash as digest_of
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from threadpoolctl import threadpool_limits

from convtrace import datasets, descriptors
from convtrace.descriptors.cache import default_cache_folder
from convtrace.detection import Table, classifiers
from convtrace.detection.domains import blocks_of, domain_folds, with_auxiliary
from convtrace.detection.held_out import class_scores, fit_model, folds_by_group
from convtrace.detection.labels import balanced_weights
from convtrace.detection.members import parse_members
from convtrace.evaluation import BUNDLED, measure, write_table
from convtrace.evaluation.bundled_table import (
    BUNDLED_DEGRADATIONS,
    BUNDLED_TABLES,
    MEASURED_PARTS,
    bundled_table,
    domains_of,
    scored_table,
    simulated_table,
)
from convtrace.evaluation.metrics import METRICS, Interval, resample, spread
from convtrace.evaluation.reproduction.files import write_text
from convtrace.evaluation.tables import FeatureTable, join_tables, read_table, stack_tables
from detector_report import BEGINNINGS, LAYERS, REPORTED, RESIDUALS, TRACES, lines
from trace_variants import VARIANTS, TraceVariants

ROOT = Path(__file__).resolve().parents[1]
KEPT = default_cache_folder() / "trace-study"
MEMORY = Memory(KEPT / "found", verbose=0)

# A finer colour grid, JPEG twice, and a JPEG that was shown at another size and stored anew.
CHANGES = ("jpeg-75-444", "jpeg-90+jpeg-75", "jpeg-75+rescale-0.75..1.25")
TESTED = (*BUNDLED_DEGRADATIONS[:5], *CHANGES, "web", "hard")
PAIR = ("none", "jpeg-75")
# Beginnings of names, as for `Rows.columns`.
EVERY_TRACE, NETWORK = (TRACES,), (LAYERS,)
DRAWS = 500
STATISTICS = ("log_sigma", "weight", "log_likelihood")

SAID = {
    "stored": "luminance and colour differences as JPEG stores them, N=5",
    "across": "across channels, N=3",
    "residual": "of the residual, N=3",
    "lattice": "of every second pixel, mean and spread of the four phases, N=3",
    "phase": "variance of the residual modulo 2, 4 and 8",
    "peak": "peaks in the spectrum of the posterior map",
    "window": "median and spread of windows of 64 pixels, N=5",
}

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """A table with what its rows are used for.

    Parameters
    ----------
    table : FeatureTable
        All rows.
    tests : numpy.ndarray of bool
        Those that are tested; the others only train.
    """

    table: FeatureTable
    tests: NDArray[np.bool_]

    @property
    def codes(self) -> NDArray[np.intp]:
        """1 for images, 0 for photographs."""
        return (self.table.labels == "fake").astype(np.intp)

    @property
    def domains(self) -> NDArray[np.str_]:
        """Where each row comes from."""
        return domains_of(self.table.subsets)

    def columns(self, beginnings: Sequence[str]) -> NDArray[np.bool_]:
        """Tell which columns have names that begin so."""
        if isinstance(beginnings, str):
            raise TypeError(f"{beginnings!r}: give a tuple, or each letter is a beginning")
        names = self.table.names
        return np.logical_or.reduce([np.char.startswith(names, one) for one in beginnings])

    def folds(self, known: bool) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Return folds by group, or one for each domain."""
        codes, groups = self.codes, self.table.groups
        if not known:
            return domain_folds(self.domains, groups, codes, self.tests)
        tested, others = np.flatnonzero(self.tests), np.flatnonzero(~self.tests)
        folds = folds_by_group(codes[tested], groups[tested], seed=0)
        return with_auxiliary(folds, tested, others, groups)


def measured(folder: Path) -> tuple[Rows, Rows]:
    """Return the rows with the relatives of the trace, and those of all degradations."""
    corpus = datasets.load(folder) if folder.is_dir() else None
    wanted = {
        "changes": (descriptors.create("joined", parts=MEASURED_PARTS), CHANGES, "scored"),
        "variants": (TraceVariants(), BUNDLED_DEGRADATIONS, "windows"),
    }
    found = {}
    for name, (descriptor, degradations, like) in wanted.items():
        path = KEPT / f"{name}.parquet"
        if not path.is_file():
            if corpus is None:
                raise SystemExit(f"{folder}: no such folder; give the corpus by --corpus")
            start = time.monotonic()
            part = replace(BUNDLED_TABLES[like], least_sides=(0, 0))
            table, errors = measure(corpus.select(part.chosen(corpus)), descriptor, degradations)
            if errors:
                raise SystemExit("\n".join(errors))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_table(table, path)
            print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
        found[name] = read_table(path)
    plain = bundled_table(parts=MEASURED_PARTS)
    simulated = simulated_table(parts=MEASURED_PARTS)
    every = stack_tables([plain, found["changes"], scored_table(parts=MEASURED_PARTS), simulated])
    half = plain.select(np.isin(plain.picture, found["variants"].picture))
    return (
        Rows(join_tables([half, found["variants"]]), np.ones(len(half), dtype=bool)),
        Rows(every, np.arange(len(every)) < len(every) - len(simulated)),
    )


def _fold(
    name: str,
    X: NDArray[np.float32],
    codes: NDArray[np.intp],
    blocks: NDArray[np.str_],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> Scores:
    """Return the log-odds of rows by a classifier of other rows."""
    weights = balanced_weights(codes[train] == 1, balance="class")
    make = partial(classifiers.create, name, seed=0)
    with threadpool_limits(limits=1):
        model = fit_model(
            make, X[train].astype(np.float64), codes[train], weights, blocks=blocks[train], n_jobs=1
        )
        # In parts, so that a copy in double precision of all test rows is never held.
        parts = [
            class_scores(model, part.astype(np.float64))
            for part in np.array_split(X[test], max(1, len(test) // 4000))
        ]
    scores = np.concatenate(parts)
    margins: Scores = scores[:, 1] - scores[:, 0]
    return margins


@MEMORY.cache(ignore=["rows"])
def scores_of(
    name: str,
    rows: Rows,
    beginnings: tuple[str, ...],
    templates: tuple[str, ...],
    known: bool,
    manner: str,
    key: str,  # noqa: ARG001, of the rows
) -> Scores:
    """Return the log-odds of all tested rows, NaN for others.

    Parameters
    ----------
    name : str
        A classifier.
    rows : Rows
        What to train on and to score.
    beginnings : tuple of str
        Of the names of the columns to look at.
    templates : tuple of str
        The degradations to train on.
    known : bool
        By grouped folds, or with each domain left out.
    manner : {"", "apart", "told", "simulated"}
        As it is; a classifier for each compression; the compression as further numbers; or
        the rows that only train, too.
    key : str
        What tells these rows from others.
    """
    table = rows.table
    trains = np.isin(table.templates, templates) & (rows.tests | (manner == "simulated"))
    X = table.features[:, rows.columns(beginnings)]
    conditions, place = np.unique(table.conditions, return_inverse=True)
    if manner == "told":
        X = np.concatenate([X, np.eye(len(conditions), dtype=np.float32)[place]], axis=1)
    blocks = blocks_of(rows.domains, table.conditions)
    jobs = []
    for train, test in rows.folds(known):
        for condition in range(len(conditions)) if manner == "apart" else (None,):
            of = slice(None) if condition is None else place == condition
            picked = np.zeros(len(table), dtype=bool)
            picked[of] = True
            jobs.append((train[trains[train] & picked[train]], test[picked[test]]))
    found = Parallel(n_jobs=-1)(
        delayed(_fold)(name, X, rows.codes, blocks, train, test) for train, test in jobs
    )
    out = np.full(len(table), np.nan)
    for (_, test), margins in zip(jobs, found, strict=True):
        out[test] = margins
    return out


def figures(
    rows: Rows, scores: Scores, known: bool, templates: Sequence[str], without: str = ""
) -> list[float]:
    """Return balanced accuracies at even odds, or means over domains (but one) of the AUC."""
    codes, domains = rows.codes, rows.domains
    found = []
    for template in templates:
        of = (rows.table.templates == template) & rows.tests & (domains != without)
        if known:
            found.append(float(balanced_accuracy_score(codes[of], scores[of] > 0)))
        else:
            inside = [of & (domains == domain) for domain in np.unique(domains[of])]
            found.append(float(np.mean([roc_auc_score(codes[r], scores[r]) for r in inside])))
    return found


def change(rows: Rows, scores: Scores, before: Scores, template: str) -> Interval:
    """Return the change of the mean AUC over domains, and its 95% interval by bootstrap of groups.

    Groups are drawn within their domain, the same for both scores.
    """
    auc = METRICS["AUC"]
    of = (rows.table.templates == template) & rows.tests
    values, drawn = [], []
    for domain in np.unique(rows.domains[of]):
        inside = of & (rows.domains == domain)
        generated, groups = rows.codes[inside] == 1, rows.table.groups[inside]
        after, earlier = scores[inside], before[inside]
        values.append(auc(generated, after) - auc(generated, earlier))
        # The same seed draws the same groups.
        samples, others = (
            resample(auc, generated, one, groups, draws=DRAWS) for one in (after, earlier)
        )
        drawn.append(samples - others)
    return spread(float(np.mean(values)), np.mean(drawn, axis=0))


_OTHERS = ("co_", "radial")
# What stands beside the co-occurrences, as beginnings of names.
BESIDE: Mapping[str, tuple[str, ...]] = {
    "what the detector measures, without the network": RESIDUALS,
    "the same without the trace": _OTHERS,
    "every second pixel instead of the trace": (*_OTHERS, "lattice_"),
    "variance modulo 2, 4 and 8 instead of the trace": (*_OTHERS, "phase_"),
    **{f"with the trace, and {SAID[name]}": (*RESIDUALS, f"{name}_") for name in VARIANTS},
    "with the trace, and all of these": (*RESIDUALS, *(f"{name}_" for name in VARIANTS)),
}


def of_relatives(rows: Rows, key: str) -> tuple[Table, Table]:
    """Compare what is measured: by itself, and beside what the detector measures."""
    names = rows.table.names
    kernels = tuple(
        one for one in names.tolist() if one.startswith("ct") and not one.endswith(STATISTICS)
    )
    alone: dict[str, tuple[str, ...]] = {
        **{
            f"kernels, N={n}": tuple(k for k in kernels if k.startswith(f"ct{n}"))
            for n in (3, 5, 7)
        },
        "kernels of the three sizes": kernels,
        "the same with sigma, responsibility and likelihood": EVERY_TRACE,
        **{SAID[name]: (f"{name}_",) for name in VARIANTS},
        "traces of the three sizes and all of the above": (*EVERY_TRACE, *VARIANTS),
    }
    first = []
    for label, looked in alone.items():
        known = scores_of(
            "hist-gradient-boosting", rows, looked, BUNDLED_DEGRADATIONS, True, "", key
        )
        foreign = scores_of("ranked-lda", rows, looked, BUNDLED_DEGRADATIONS, False, "", key)
        first.append(
            (
                label,
                int(rows.columns(looked).sum()),
                *figures(rows, known, True, PAIR),
                *figures(rows, foreign, False, REPORTED),
            )
        )
        print(first[-1], file=sys.stderr, flush=True)
    second = []
    base = np.empty(0)
    for label, looked in BESIDE.items():
        known, foreign = (
            scores_of("centred-lda", rows, looked, BUNDLED_DEGRADATIONS, way, "", key)
            for way in (True, False)
        )
        if looked == RESIDUALS:
            base = foreign
        second.append(
            (
                label,
                int(rows.columns(looked).sum()),
                *figures(rows, known, True, PAIR),
                *figures(rows, foreign, False, REPORTED),
                *(None if looked == RESIDUALS else change(rows, foreign, base, t) for t in PAIR),
            )
        )
        print(second[-1], file=sys.stderr, flush=True)
    head = (
        "numbers",
        *(f"known, {name}" for name in PAIR),
        *(f"left out, {name}" for name in REPORTED),
    )
    changes = tuple(f"change left out, {name}" for name in PAIR)
    return (
        Table("", ("measured", *head), tuple(first), ""),
        Table("", ("measured", *head, *changes), tuple(second), ""),
    )


@MEMORY.cache(ignore=["rows"])
def without_two(rows: Rows, beginnings: tuple[str, ...], key: str) -> Scores:  # noqa: ARG001
    """Return the log-odds of rows whose domain was left out together with another one.

    Row i is by `centred-lda` of all domains but the i-th and the row's own; NaN for the i-th.
    """
    table, codes, folds = rows.table, rows.codes, rows.folds(False)
    X = table.features[:, rows.columns(beginnings)]
    blocks = blocks_of(rows.domains, table.conditions)
    pairs = list(itertools.combinations(range(len(folds)), 2))
    found = Parallel(n_jobs=-1)(
        delayed(_fold)(
            "centred-lda",
            X,
            codes,
            blocks,
            np.intersect1d(folds[i][0], folds[j][0]),
            np.concatenate([folds[i][1], folds[j][1]]),
        )
        for i, j in pairs
    )
    out = np.full((len(folds), len(table)), np.nan)
    for (i, j), margins in zip(pairs, found, strict=True):
        count = len(folds[i][1])
        out[j, folds[i][1]], out[i, folds[j][1]] = margins[:count], margins[count:]
    return out


def of_choice(rows: Rows, key: str) -> Table:
    """Choose what to measure for each domain by the others alone, which saw nothing of it."""
    inner = {label: without_two(rows, looked, key) for label, looked in BESIDE.items()}
    outer = {
        label: scores_of("centred-lda", rows, looked, BUNDLED_DEGRADATIONS, False, "", key)
        for label, looked in BESIDE.items()
    }
    first = next(iter(BESIDE))
    compared: list[tuple[Any, ...]] = []
    for place, (_, test) in enumerate(rows.folds(False)):
        domain = rows.domains[test[0]]
        merits = {
            label: np.mean(figures(rows, scores[place], False, PAIR, without=domain))
            for label, scores in inner.items()
        }
        chosen = max(merits, key=lambda label: float(merits[label]))
        alone = Rows(rows.table, rows.tests & (rows.domains == domain))
        cells = [figures(alone, outer[label], False, PAIR) for label in (chosen, first)]
        compared.append((domain, chosen, *cells[0], *cells[1]))
        print(compared[-1], file=sys.stderr, flush=True)
    means = np.mean([row[2:] for row in compared], axis=0).tolist()
    compared.append(("mean", "", *means))
    ways = ("chosen", "as the detector has it")
    head = ("domain", "chosen by the others", *(f"{way}, {name}" for way in ways for name in PAIR))
    return Table("", head, tuple(compared), "")


def of_members(rows: Rows, key: str) -> Table:
    """Compare the detector's four classifiers, of which two look at what is given here."""
    others = ("co_", "radial")
    looking = {
        "as the detector has it": RESIDUALS,
        "without the trace": others,
        f"with the trace, and {SAID['phase']}": (*RESIDUALS, "phase_"),
        f"{SAID['phase']} instead of the trace": (*others, "phase_"),
        f"with the trace, and {SAID['lattice']}": (*RESIDUALS, "lattice_"),
    }
    compared = []
    base = np.empty(0)
    for label, looked in looking.items():
        kinds = [
            (name, NETWORK if parts == ("pretrained-layers",) else looked)
            for name, parts in parse_members(BUNDLED.classifier)
        ]
        known, foreign = (
            np.mean(
                [
                    scores_of(name, rows, seen, BUNDLED_DEGRADATIONS, way, "", key)
                    for name, seen in kinds
                ],
                axis=0,
            )
            for way in (True, False)
        )
        if looked == RESIDUALS:
            base = foreign
        compared.append(
            (
                label,
                *figures(rows, known, True, PAIR),
                *figures(rows, foreign, False, REPORTED),
                *(None if looked == RESIDUALS else change(rows, foreign, base, t) for t in PAIR),
            )
        )
        print(compared[-1], file=sys.stderr, flush=True)
    head = (*(f"known, {name}" for name in PAIR), *(f"left out, {name}" for name in REPORTED))
    changes = tuple(f"change left out, {name}" for name in PAIR)
    return Table("", ("four classifiers", *head, *changes), tuple(compared), "")


# Degradations that are trained on, and how.
TRAININGS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "as they are": (("none",), ""),
    "JPEG 75": (("jpeg-75",), ""),
    "as they are, JPEG 75": (PAIR, ""),
    "as they are, JPEG 90, 75, 50": (BUNDLED_DEGRADATIONS[:4], ""),
    "and rescaled": (BUNDLED_DEGRADATIONS[:5], ""),
    "and rescaled before JPEG 50 to 100": (BUNDLED_DEGRADATIONS, ""),
    "these, a classifier for each compression": (BUNDLED_DEGRADATIONS, "apart"),
    "these, the compression as further numbers": (BUNDLED_DEGRADATIONS, "told"),
    "these, and simulated generators": (BUNDLED_DEGRADATIONS, "simulated"),
    "these, and JPEG 4:4:4, twice, or then rescaled": ((*BUNDLED_DEGRADATIONS, *CHANGES), ""),
}


def of_trainings(rows: Rows, key: str) -> tuple[Table, Table]:
    """Compare what is trained on: of the trace on known domains, of the detector's on others."""
    found: list[list[tuple[Any, ...]]] = [[], []]
    settings = (("hist-gradient-boosting", EVERY_TRACE, True), ("centred-lda", RESIDUALS, False))
    for label, (templates, manner) in TRAININGS.items():
        for place, (name, looked, known) in enumerate(settings):
            if manner == ("simulated" if known else "told"):
                # Simulated generators are for those that nobody knows; and discriminants within
                # each compression, moved to one middle, have no use for its name.
                continue
            scores = scores_of(name, rows, looked, templates, known, manner, key)
            found[place].append((label, *figures(rows, scores, known, TESTED)))
            print(found[place][-1], file=sys.stderr, flush=True)
    head = ("trained on", *TESTED)
    return Table("", head, tuple(found[0]), ""), Table("", head, tuple(found[1]), "")


SCORERS = (
    "random-forest",
    "svm",
    "lda",
    "knn",
    "hist-gradient-boosting",
    "multilayer-perceptron",
    "ranked-lda",
    "brief-perceptron",
    "centred-lda",
)
STACKED = ("svm", "ranked-lda", "brief-perceptron")


@MEMORY.cache(ignore=["rows"])
def stacked(rows: Rows, known: bool, key: str) -> Scores:  # noqa: ARG001
    """Return the log-odds by a logistic regression of classifiers' scores in inner folds.

    These are by group or by domain, as the outer ones are.
    """
    out = np.full(len(rows.table), np.nan)
    for train, test in rows.folds(known):
        inner = Rows(rows.table.select(train), np.ones(len(train), dtype=bool))
        both = np.concatenate([train, test])
        outer = Rows(rows.table.select(both), np.arange(len(both)) >= len(train))
        learnt, asked = [], []
        for name in STACKED:
            X = inner.table.features[:, inner.columns(RESIDUALS)]
            blocks = blocks_of(inner.domains, inner.table.conditions)
            folds = inner.folds(known)
            parts = Parallel(n_jobs=-1)(
                delayed(_fold)(name, X, inner.codes, blocks, *fold) for fold in folds
            )
            scores = np.empty(len(train))
            for (_, held), margins in zip(folds, parts, strict=True):
                scores[held] = margins
            learnt.append(scores)
            X = outer.table.features[:, outer.columns(RESIDUALS)]
            blocks = blocks_of(outer.domains, outer.table.conditions)
            places = np.arange(len(both))
            asked.append(
                _fold(name, X, outer.codes, blocks, places[: len(train)], places[len(train) :])
            )
        weights = balanced_weights(inner.codes == 1, balance="class")
        last = LogisticRegression().fit(np.transpose(learnt), inner.codes, sample_weight=weights)
        out[test] = last.decision_function(np.transpose(asked))
    return out


def of_scorers(rows: Rows, key: str) -> Table:
    """Compare classifiers of what the detector measures."""
    table = rows.table.select(np.isin(rows.table.templates, PAIR))
    fewer = Rows(table, np.ones(len(table), dtype=bool))
    compared = []
    for name in SCORERS:
        cells: list[float] = []
        for known in (True, False):
            scores = scores_of(name, fewer, RESIDUALS, PAIR, known, "", f"pair of {key}")
            cells += figures(fewer, scores, known, PAIR)
        compared.append((name, *cells))
        print(compared[-1], file=sys.stderr, flush=True)
    cells = []
    for known in (True, False):
        cells += figures(fewer, stacked(fewer, known, f"pair of {key}"), known, PAIR)
    compared.append((f"stacked: {', '.join(STACKED)}", *cells))
    head = [f"{way}, {name}" for way in ("known", "left out") for name in PAIR]
    return Table("", ("classifier", *head), tuple(compared), "")


# Classifiers that may learn which domain holds which class.
LEARNED = (
    ("ranked-lda", RESIDUALS),
    ("brief-perceptron", RESIDUALS),
    ("ranked-lda", NETWORK),
    ("brief-perceptron", NETWORK),
)


def of_knowledge(rows: Rows, key: str) -> Table:
    """Compare the detector's classifiers with others that know their domains better."""
    own = tuple(
        (name, tuple(BEGINNINGS[part] for part in parts))
        for name, parts in parse_members(BUNDLED.classifier)
    )
    asked = ("none", "jpeg-75", "web", "hard")
    compared = []
    for label, kinds in (("the detector's", own), ("those that may learn domains", LEARNED)):
        means = {
            known: np.mean(
                [
                    scores_of(name, rows, looked, BUNDLED_DEGRADATIONS, known, "simulated", key)
                    for name, looked in kinds
                ],
                axis=0,
            )
            for known in (True, False)
        }
        for ending, without in (("", ""), (", without videos", "video")):
            cells = [
                cell
                for known, scores in means.items()
                for cell in figures(rows, scores, known, asked, without)
            ]
            compared.append((label + ending, *cells))
            print(compared[-1], file=sys.stderr, flush=True)
    head = [f"{way}, {name}" for way in ("known", "left out") for name in asked]
    return Table("", ("classifiers", *head), tuple(compared), "")


TEXT = """# What survives compression

Written by `python tools/trace_study.py -o docs/trace-study.md`.

The published trace of clean pictures says little of a JPEG. Here is what was tried to make it
survive, each on both classes after the same degradations, of the central 256x256 pixels (of 512x512
for the co-occurrences), in two ways:

- *known*: grouped 5-fold, balanced accuracy at even odds. Nothing is calibrated here, so these are
  not the figures of the [bundled detector](detector.md), which has a threshold for each class of
  compression.
- *left out*: the mean AUC over six domains, each left out of training with its cameras, subjects
  and generators. 0.5 is a coin's toss, and less is worse than one.

Trained on pictures as they are, after JPEG 90, 75 and 50, rescaled, and rescaled before JPEG 50 to
100, unless it is said otherwise.

## The trace and its relatives

Half of the corpus (of the groups, by their hash). Known by gradient boosting, left out by linear
discriminants of the ranks.

{relatives}
Larger kernels tell more of domains that were trained on and nothing of others: there the kernels by
themselves are at chance or worse, that is, what they learn of some generators and cameras is wrong
of the next. Sigma, the mean responsibility and the likelihood of the fit, nine numbers a size,
carry over better than the kernels do.

On known domains the kernels of the planes that JPEG stores, and kernels that predict each channel
from the others too, tell more than the kernels of all three sizes do, clean and in JPEG, with a
third of the numbers. On other domains the trace of every second pixel is better than any other, in
JPEG as well. Pooling windows is better there than the traces of whole pictures are, but after
rescaling; the spectrum of the posterior map is near chance.

## Beside the co-occurrences

The same pictures, by the linear discriminants within domains and compressions that the detector has
(`centred-lda`); the last columns are the change to the first row, with 95% intervals by bootstrap
of groups.

{beside}
Beside the co-occurrences the trace of size 3 is worth nothing that could be told from chance. The
variance of the residual by its place modulo 2, 4 and 8, which up-sampling and JPEG's grid of blocks
make uneven, adds a hundredth on domains left out, the trace of every second pixel two hundredths on
known ones. Planes as stored, peaks and windows do harm on domains left out, and all together know
the domains best.

That is a choice by the very domains on which it is measured. Here it is nested: what to measure is
chosen for each domain by the mean AUC (as they are, and JPEG 75) on the five others, each left out
in turn of classifiers that saw nothing of the domain either.

{choice}
The variance of the residual is chosen for five of six domains, with the trace or without, and what
it gained above is gone: the means are those of what the detector measures, to a thousandth.

Two of the four classifiers of the detector look at these numbers, and two at the network. With the
mean of all four:

{members}
In the mean nothing of this could be told from chance any more on domains left out, and what the
trace of every second pixel gained on known ones is gone; so the detector measures what it did. Nor
can the trace: it stays for the explanations, which show it, for the names of generators and for the
guard, which knows pictures unlike all others by it too.

## What to train on

All of the corpus, but a third of it in the last five columns, on which nothing was trained but in
the last row, on three of them. The traces of sizes 3, 5 and 7 on known domains, by gradient
boosting:

{trainings}
Trained on pictures as they are, the trace is near a coin's toss in JPEG; trained on JPEG 75 alone
it loses most of what it tells of pictures as they are. Each degradation has to be trained on;
rescaling after JPEG, as in a screenshot, stays the worst. A classifier for each class of
compression, or its name as further numbers, gains up to three hundredths on known domains and loses
one where it loses.

What the detector measures without the network, with each domain left out, by `centred-lda`:

{foreign}
A classifier for each compression is better on rescaled pictures, which are lossless, and worse in
JPEG and where the compression is not the last step (JPEG, then rescaled, is lossless by the looks
of its file) or its colour grid is another. Simulated generators help in JPEG most. A third of the
pictures in JPEG 4:4:4, JPEG twice and JPEG then rescaled, trained on beside the others, lifts the
last by three hundredths on known domains and one on those left out, the first by up to two, and
hardly moves the rest; the detector does without.

## What to classify by

Half of the corpus, as it is and after JPEG 75, trained on the two; what the detector measures
without the network. The first six are the paper's and the usual ones; the stack is a logistic
regression of scores in inner folds, grouped as the outer ones are. It knows its domains best where
nothing was compressed, and others no better than the best of its parts. LightGBM, in a trial that
is not in this repository, did as scikit-learn's gradient boosting does (0.882, 0.772, 0.806 and
0.617), so it is no dependency.

{scorers}
## Known domains against others

What the detector measures, with the network, trained on all six degradations and simulated
generators: the four classifiers of the detector, of which three compare rows within domains alone,
and the mean of four that may learn which domain holds which class (`ranked-lda` and
`brief-perceptron`, of the residuals and of the network). Without videos: as before, but the
compressed frames of FaceForensics++ are not tested.

{knowledge}
Classifiers that may learn the domains are better on them and worse on others, by about as much. The
detector is for pictures from elsewhere. The bars on known domains (0.95, 0.85, 0.85 and 0.78, see
[detector.md](detector.md)) are missed by both, but for the last by those that may learn; what is
lost first are the compressed videos, a fifth of all images, which are told from their originals
hardly better than by chance.
"""


def main() -> int:
    """Compare and write. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    options = parser.parse_args()
    relatives, every = measured(options.corpus)
    of_half, of_all = (digest_of(rows.table.features) for rows in (relatives, every))
    first, second = of_relatives(relatives, of_half)
    known, foreign = of_trainings(every, of_all)
    text = TEXT.format(
        relatives=lines(first),
        beside=lines(second),
        choice=lines(of_choice(relatives, of_half)),
        members=lines(of_members(relatives, of_half)),
        trainings=lines(known),
        foreign=lines(foreign),
        scorers=lines(of_scorers(relatives, of_half)),
        knowledge=lines(of_knowledge(every, of_all)),
    )
    write_text(options.output, text.rstrip() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
