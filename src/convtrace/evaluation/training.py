"""Training: a data set or a feature table to a detector with a measured card."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from joblib import Parallel, delayed  # type: ignore[import-untyped]
from numpy.typing import NDArray

from convtrace import descriptors
from convtrace.datasets import Dataset
from convtrace.datasets.catalogue import family
from convtrace.detection import (
    LEAST_SIDE,
    Detector,
    HeldOut,
    Recipe,
    Table,
    classifiers,
    fit_attribution,
)
from convtrace.detection.domains import HeldOutVerdicts, blocks_of
from convtrace.detection.held_out import fit_model
from convtrace.detection.labels import balanced_weights
from convtrace.detection.members import looked_at
from convtrace.errors import DatasetError
from convtrace.evaluation.bundled_table import (
    BUNDLED_DEGRADATIONS,
    BUNDLED_LEAST_SIDE,
    BUNDLED_PARTS,
    BUNDLED_SMALL_SIDE,
    bundled_table,
    domains_of,
    scored_table,
    sides_of,
    simulated_table,
    small_table,
    windows_table,
)
from convtrace.evaluation.confounders import confounders, in_training
from convtrace.evaluation.metrics import METRICS, calibration_error, interval, summarise
from convtrace.evaluation.tables import FeatureTable, measure, stack_tables

__all__ = ["BUNDLED", "train", "train_bundled", "train_on_table"]

Progress = Callable[[int, int], None]

_RESIDUALS = ",".join(part for part in BUNDLED_PARTS if part != "pretrained-layers")

BUNDLED = Recipe(
    name="bundled",
    descriptor="joined",
    descriptor_params=MappingProxyType({"parts": BUNDLED_PARTS}),
    classifier=(
        f"centred-lda@{_RESIDUALS}+brief-perceptron@{_RESIDUALS}"
        "+shrunken-centred-lda@pretrained-layers+centred-perceptron@pretrained-layers"
    ),
    degradations=BUNDLED_DEGRADATIONS,
    about="traces of kernel size 3, co-occurrences, radial spectrum; layers of a network that was "
    "trained on photographs",
)
"""How the bundled detector is made."""

_REPORTED = ("none", "jpeg-90", "jpeg-75", "jpeg-50")
# What the overall table has beside these.
_CHAINS = ("rescale-0.75..1.25", "web", "hard")
# Changes that must turn no verdict into its opposite.
_SMALL = ("rescale-0.9", "jpeg-80")
_ELSEWHERE = (
    "It was measured on held-out pictures of the generators and sources that it was trained on. "
    "On generators and cameras that it never saw it does much worse; see the tables in which each "
    "generator, and each domain, is left out. Most of their pictures get no verdict."
)
_COMPRESSION = "Compression hides the trace; see the results by compression."
_COMPRESSION_BUNDLED = (
    "Compression hides the trace: in JPEG most verdicts are unsure, and hardly a photograph is "
    "called real, since images of some generators that were left out look as much like one."
)
_CENTRE_BUNDLED = (
    "Only the central 512x512 pixels are looked at, the trace, the spectrum and the layers of the "
    "pretrained network being of the central 256x256."
)
_SMALLER = "Pictures with a side under {} pixels get no verdict."
_EVIDENCE = "A verdict is one piece of evidence, never proof."


def train(
    dataset: Dataset,
    *,
    recipe: Recipe = BUNDLED,
    progress: Progress | None = None,
    n_jobs: int | None = None,
    seed: int = 0,
    leave_out: bool = False,
    cache: str | os.PathLike[str] | None = None,
) -> Detector:
    """Train a detector on a data set and measure it by grouped cross-validation.

    Parameters
    ----------
    dataset : Dataset
        Real photographs and generated images.
    recipe : Recipe
        The descriptor, the classifier and the degradations of the training pictures.
    progress : callable, optional
        Called with the numbers of pictures measured and in all.
    n_jobs : int, optional
        Threads; all cores by default.
    seed : int, default 0
        Of everything random.
    leave_out : bool, default False
        Also measure how the detector does on each generator, and on the photographs of each
        part of the data set, that it never saw; one more training for each.
    cache : str or os.PathLike, optional
        A folder in which measured pictures are kept, so that a second call need not measure them.

    Returns
    -------
    Detector
        With a card, whose limits say where facts about the files alone tell its classes apart;
        pictures that could not be read are named in ``notes_``.

    Raises
    ------
    DatasetError, ConvtraceError
        Where the data cannot be trained on.
    """
    _check_classes(dataset.labels)
    descriptor = descriptors.create(recipe.descriptor, **dict(recipe.descriptor_params))
    if "cache" in descriptor.get_params():
        descriptor.set_params(cache=cache)
    table, errors = measure(
        dataset, descriptor, recipe.degradations, n_jobs=n_jobs, progress=progress
    )
    detector = train_on_table(table, recipe, seed=seed, n_jobs=n_jobs, leave_out=leave_out)
    findings, _ = confounders(dataset, n_jobs=n_jobs)
    limits = (*in_training(findings), *detector.card_.limits)
    detector.card_ = replace(detector.card_, limits=limits)
    detector.notes_ = (*detector.notes_, *(f"left out: {error}" for error in errors))
    return detector


def train_bundled(*, seed: int = 0, n_jobs: int | None = None, leave_out: bool = True) -> Detector:
    """Train the bundled detector again from the packaged feature tables.

    Parameters
    ----------
    seed : int, default 0
        Of everything random.
    n_jobs : int, optional
        Threads; all cores by default.
    leave_out : bool, default True
        As for `train`.

    Returns
    -------
    Detector
    """
    table = bundled_table()
    scored = stack_tables([scored_table(), windows_table(), small_table()])
    return train_on_table(
        table,
        BUNDLED,
        seed=seed,
        n_jobs=n_jobs,
        leave_out=leave_out,
        domains=domains_of(table.subsets),
        simulated=simulated_table(),
        scored=scored,
        by_family=True,
        least_side=BUNDLED_LEAST_SIDE,
        small_side=BUNDLED_SMALL_SIDE,
        sides=np.concatenate([sides_of(table), sides_of(scored)]),
    )


def train_on_table(
    table: FeatureTable,
    recipe: Recipe,
    *,
    seed: int = 0,
    n_jobs: int | None = None,
    leave_out: bool = False,
    domains: NDArray[np.str_] | None = None,
    simulated: FeatureTable | None = None,
    scored: FeatureTable | None = None,
    by_family: bool = False,
    least_side: int = LEAST_SIDE,
    small_side: int = 0,
    sides: NDArray[np.intp] | None = None,
) -> Detector:
    """Train a detector on a feature table and measure it.

    Parameters
    ----------
    table : FeatureTable
        Rows of degraded pictures.
    recipe : Recipe
        How the table was measured, and the classifier.
    seed, n_jobs, leave_out
        As for `train`.
    domains : ndarray of str, shape (n,), optional
        See `convtrace.detection.Detector.fit`.
    simulated : FeatureTable, optional
        Rows of simulated generators, to train on only; each has the group, and so the domain, of
        the photograph that it was made from.
    scored : FeatureTable, optional
        Rows of pictures of `table` in further degradations, which nothing is learnt from.
    by_family : bool, default False
        Whether images are attributed to `convtrace.datasets.catalogue.family` of their
        generators.
    least_side : int
        Pictures with a shorter side, in pixels, get no verdict.
    small_side : int, default 0
        Pictures with a shorter side have limits of their own.
    sides : ndarray of int, optional
        The shorter side of the picture of each row of `table` and, after them, of `scored`; by
        default all are large enough.

    Returns
    -------
    Detector
    """
    _check_classes(table.labels)
    # A generator of few pictures cannot be told from others; it still counts as generated.
    detector = Detector(
        recipe,
        random_state=seed,
        n_jobs=n_jobs,
        attribution_classifier="ranked-lda",
        calibration="sigmoid",
        least_side=least_side,
        small_side=small_side,
    )
    nothing = table.select(np.zeros(0, dtype=int))
    extra = nothing if simulated is None else simulated
    further = nothing if scored is None else scored
    rows = stack_tables([table, extra, further])
    role = np.repeat([0, 1, 2], [len(table), len(extra), len(further)])
    domain_of: NDArray[np.str_] | None = None
    if domains is not None:
        place = dict(zip(table.groups.tolist(), domains.tolist(), strict=True))
        domain_of = np.array([place[group] for group in rows.groups.tolist()], dtype=str)
    shorter = np.full(len(rows), max(least_side, small_side))
    if sides is not None:
        shorter[role != 1] = sides
    # A simulated generator is none that an image could be attributed to.
    generators = np.where(role == 1, "", rows.generators)
    detector.fit(
        rows.features.astype(np.float64),
        rows.labels,
        groups=rows.groups,
        generators=generators,
        families=_families(generators) if by_family else None,
        conditions=rows.conditions,
        formats=rows.formats,
        domains=domain_of,
        auxiliary=role == 1,
        only_scored=role == 2,
        sides=shorter,
    )
    whole = rows.select(role != 1)
    tables = [*detector.card_.results, *_cross_validated(detector, whole)]
    if domain_of is not None:
        tables += [
            _domains_left_out(detector, whole, domain_of[role != 1]),
            _verdicts(detector, whole),
        ]
    if len(further):
        tables.append(_small_changes(detector, whole))
    if leave_out:
        blocks = None
        if domain_of is not None:
            blocks = blocks_of(domain_of, rows.conditions)[role != 2]
        # A data set need not tell its generators.
        if set(table.generators[table.labels == "fake"].tolist()) - {""}:
            tables.append(_left_out(table, extra, detector, blocks, n_jobs))
            tables += _attributed_elsewhere(table, detector, by_family, n_jobs)
        judged = shorter[role == 0] >= least_side
        tables.append(_sources_left_out(table, extra, detector, judged, blocks, n_jobs))
    limits = _limits(recipe, by_domain=domain_of is not None, least_side=least_side)
    detector.card_ = replace(detector.card_, results=tuple(tables), limits=limits)
    return detector


def _check_classes(labels: NDArray[np.str_]) -> None:
    if len(set(labels.tolist())) < 2:
        raise DatasetError("training needs both real photographs and generated images")


def _limits(recipe: Recipe, *, by_domain: bool, least_side: int = LEAST_SIDE) -> tuple[str, ...]:
    """Say what the card must warn of: of what was not measured, nothing is claimed."""
    found = [_ELSEWHERE, _COMPRESSION_BUNDLED if by_domain else _COMPRESSION]
    if recipe.descriptor_params == BUNDLED.descriptor_params:
        found.append(_CENTRE_BUNDLED)
    return (*found, _SMALLER.format(least_side), _EVIDENCE)


def _cross_validated(detector: Detector, table: FeatureTable) -> list[Table]:
    held_out, verdicts = _held_out(detector)
    generated, probability = held_out.generated, held_out.probabilities
    reported = [name for name in _REPORTED if (table.templates == name).any()]
    chains = [name for name in _CHAINS if (table.templates == name).any()]
    overall: list[list[tuple[Any, ...]]] = [[], []]
    for name in (*reported, *chains):
        rows = table.templates == name
        for place, of in enumerate((rows, rows & verdicts.judged)):
            if of.any():
                found = summarise(generated[of], probability[of], table.groups[of])
                overall[place].append((name, int(of.sum()), *found.values()))
    note = (
        "Grouped cross-validation: every picture is scored by a model that saw nothing of its "
        "group. Threshold 0.5, 95% intervals by bootstrap over groups. Real photographs and "
        "generated images are degraded alike, but were published in different formats and sizes."
    )
    titles = ["Held-out results by degradation"]
    if not verdicts.judged.all():
        titles.append("Held-out results by degradation, pictures large enough for a verdict")
    results = [
        *(
            Table(
                title,
                ("degradation", "pictures", *METRICS),
                tuple(found),
                f"{note} See `convtrace evaluate --help` for what each degradation is.",
            )
            for title, found in zip(titles, overall, strict=False)
        ),
        _reliability(held_out, verdicts.judged, table, (*reported, *chains)),
    ]
    for title, column in (
        ("generator", np.where(generated, table.generators, "real photographs")),
        ("file format", table.formats),
        ("part of the data set", table.subsets),
    ):
        rows_of: list[tuple[Any, ...]] = []
        for value in sorted(set(column.tolist())):
            cells: list[Any] = [value or "not stated", 0]
            for name in reported:
                rows = (column == value) & (table.templates == name)
                cells[1] = int(rows.sum())
                cells.append(_accuracy_cell(generated[rows], probability[rows], table.groups[rows]))
            rows_of.append(tuple(cells))
        results.append(
            Table(
                f"Held-out accuracy by {title}",
                (title, "pictures", *reported),
                tuple(rows_of),
                note,
            )
        )
    return results


def _reliability(
    held_out: HeldOut, judged: NDArray[np.bool_], table: FeatureTable, names: Sequence[str]
) -> Table:
    """Say how often pictures of a probability are generated, both classes counting the same."""
    rows_of: list[tuple[Any, ...]] = []
    for name in names:
        rows = (table.templates == name) & judged
        if len(np.unique(held_out.generated[rows])) < 2:
            continue
        error, shares = calibration_error(held_out.generated[rows], held_out.probabilities[rows])
        cells = (None if np.isnan(share) else float(share) for share in shares)
        rows_of.append((name, int(rows.sum()), error, *cells))
    edges = np.linspace(0.0, 1.0, 11)
    return Table(
        "Reliability of the held-out probabilities",
        (
            "degradation",
            "pictures",
            "expected calibration error",
            *(f"{low:.1f} to {high:.1f}" for low, high in itertools.pairwise(edges)),
        ),
        tuple(rows_of),
        "Of pictures large enough for a verdict, with a probability in each range, the share that "
        "is generated, where both classes count the same. The expected calibration error is the "
        "mean distance of that share from the mean probability, over 10 ranges.",
    )


def _accuracy_cell(
    generated: NDArray[np.bool_], probability: NDArray[np.float64], groups: NDArray[Any]
) -> tuple[float, float, float] | None:
    if not len(generated):
        return None
    return interval(METRICS["accuracy"], generated, probability, groups)


def _domains_left_out(detector: Detector, table: FeatureTable, domains: NDArray[np.str_]) -> Table:
    held_out, verdicts = _held_out(detector)
    scores = verdicts.unseen_probabilities
    assert scores is not None  # noqa: S101  # domains were given
    reported = [name for name in _REPORTED if (table.templates == name).any()]
    rows_of: list[tuple[Any, ...]] = []
    for domain in sorted(set(domains.tolist())):
        cells: list[Any] = [domain, len(np.unique(table.picture[domains == domain]))]
        for name in reported:
            rows = (domains == domain) & (table.templates == name)
            cells.append(
                interval(METRICS["AUC"], held_out.generated[rows], scores[rows], table.groups[rows])
            )
        rows_of.append(tuple(cells))
    return Table(
        "AUC on domains left out entirely",
        ("domain", "pictures", *reported),
        (*rows_of, _mean_row(rows_of)),
        "The classifiers saw no photograph and no image of the domain: other cameras, other "
        "subjects and other generators at once. The nearest to what a picture from elsewhere will "
        "meet. The decoders of simulated generators were trained on photographs of all domains.",
    )


def _verdicts(detector: Detector, table: FeatureTable) -> Table:
    """Count the verdicts on each part, by limits that its rows had no part in."""
    held_out, verdicts = _held_out(detector)
    foreign = verdicts.unseen_probabilities
    assert foreign is not None  # noqa: S101  # domains were given

    called = [_called(each, verdicts) for each in (held_out.probabilities, foreign)]

    def shares(rows: NDArray[np.bool_]) -> tuple[float, ...]:
        found = []
        for verdict in called:
            wrong = verdict[rows] == np.where(held_out.generated[rows], -1, 1)
            found += [float(wrong.mean()), float((verdict[rows] == 0).mean())]
        return tuple(found)

    trained = ~held_out.only_scored
    # What is too small for a verdict would only water the shares down.
    counted = trained & verdicts.judged
    real = ~held_out.generated & counted
    rows_of: list[tuple[Any, ...]] = []
    for subset in sorted(set(table.subsets.tolist())):
        rows = (table.subsets == subset) & trained
        kind = "generated" if held_out.generated[rows].all() else "real"
        rows_of.append((subset, kind, int(rows.sum()), *shares(rows)))
    for number in np.unique(held_out.folds):
        rows = real & (held_out.folds == number)
        if rows.any():
            rows_of.append((f"fold {number + 1}", "real", int(rows.sum()), *shares(rows)))
    for kind, rows in (("real", real), ("generated", held_out.generated & counted)):
        rows_of.append(("all", kind, int(rows.sum()), *shares(rows)))
    return Table(
        "Verdicts by part of the data set",
        (
            "part of the data set",
            "truth",
            "rows",
            "wrong",
            "unsure",
            "wrong, domain left out",
            "unsure, domain left out",
        ),
        tuple(rows_of),
        "All degradations. The limits are those of the other folds, so that no row had a part in "
        "its own; pictures unlike all training rows, which are unsure, are not taken out. Pictures "
        "too small for a verdict are unsure, and have no part in the rows of folds and of all.",
    )


def _called(probabilities: NDArray[np.float64], verdicts: HeldOutVerdicts) -> NDArray[np.intp]:
    """Return verdicts by limits of the other folds: 1 generated, -1 real, 0 unsure."""
    generated = verdicts.judged & (probabilities >= verdicts.high)
    real = verdicts.judged & ~generated & (probabilities <= verdicts.low)
    return generated.astype(np.intp) - real.astype(np.intp)


def _small_changes(detector: Detector, table: FeatureTable) -> Table:
    """Count the verdicts that a small change of the picture turns."""
    held_out, verdicts = _held_out(detector)
    kinds = [("held out", held_out.probabilities)]
    if verdicts.unseen_probabilities is not None:
        kinds.append(("domain left out", verdicts.unseen_probabilities))
    before = {
        picture: row
        for row, (picture, name) in enumerate(
            zip(table.picture.tolist(), table.templates.tolist(), strict=True)
        )
        if name == "none"
    }
    rows_of: list[tuple[Any, ...]] = []
    for name in _SMALL:
        after = (table.templates == name).nonzero()[0]
        first = np.array([before[picture] for picture in table.picture[after].tolist()])
        for kind, probabilities in kinds:
            verdict = _called(probabilities, verdicts)
            old, new = verdict[first], verdict[after]
            rows_of.append(
                (
                    name,
                    kind,
                    len(after),
                    float(np.mean(old != 0)),
                    float(np.mean((old != 0) & (new == old))),
                    float(np.mean((old != 0) & (new == 0))),
                    float(np.mean(old * new == -1)),
                )
            )
    return Table(
        "Verdicts after a small change",
        (
            "change",
            "models",
            "pictures",
            "sure before",
            "the same after",
            "unsure after",
            "the opposite after",
        ),
        tuple(rows_of),
        "Shares of all pictures, by limits of the other folds; pictures unlike all training rows, "
        "which are unsure, are not taken out. The changes were not trained on.",
    )


def _held_out(detector: Detector) -> tuple[HeldOut, HeldOutVerdicts]:
    held_out, verdicts = detector.held_out_, detector.held_out_verdicts_
    assert held_out is not None  # noqa: S101  # set by every fit
    assert verdicts is not None  # noqa: S101  # likewise
    return held_out, verdicts


def _mean_row(rows_of: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the last row of a table of intervals: all pictures, and the mean of each column."""
    columns = list(zip(*rows_of, strict=True))
    means = [float(np.mean([cell[0] for cell in column])) for column in columns[2:]]
    return ("mean", sum(columns[1]), *means)


def _left_out(
    table: FeatureTable,
    extra: FeatureTable,
    detector: Detector,
    blocks: NDArray[np.str_] | None,
    n_jobs: int | None,
) -> Table:
    """Score each generator, and a fifth of the real photographs, by a model that saw neither."""
    generated = table.labels == "fake"
    reported = [name for name in _REPORTED if (table.templates == name).any()]
    seed = detector.random_state
    # Real photographs to score against: those whose group falls into one fifth by its hash.
    fifth = np.array([int(group[:8], 16) % 5 == seed % 5 for group in table.groups])
    names = sorted(set(table.generators[generated].tolist()) - {""})
    tests = [(generated & (table.generators == name)) | (~generated & fifth) for name in names]
    margins = _unseen(table, extra, tests, detector, blocks, n_jobs)
    rows_of: list[tuple[Any, ...]] = []
    for name, test, margin in zip(names, tests, margins, strict=True):
        pictures = len(np.unique(table.picture[generated & (table.generators == name)]))
        cells: list[Any] = [name, pictures]
        for template in reported:
            rows = table.templates[test] == template
            truth = generated[test][rows]
            cells.append(interval(METRICS["AUC"], truth, margin[rows], table.groups[test][rows]))
        rows_of.append(tuple(cells))
    return Table(
        "AUC on generators left out entirely",
        ("generator", "pictures", *reported),
        (*rows_of, _mean_row(rows_of)),
        "The model saw no picture of this generator, nor of the groups of the test pictures. "
        "Against the fifth of the real photographs that it did not see either.",
    )


def _families(generators: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array([family(name) for name in generators.tolist()], dtype=str)


def _attributed_elsewhere(
    table: FeatureTable, detector: Detector, by_family: bool, n_jobs: int | None
) -> list[Table]:
    """Attribute the images of each generator by what knows the others alone."""
    images = table.select(np.flatnonzero((table.labels == "fake") & (table.generators != "")))
    names = _families(images.generators) if by_family else images.generators
    reported = [name for name in _REPORTED if (images.templates == name).any()]
    each = np.unique(names).tolist()
    found = Parallel(n_jobs=n_jobs or -1)(
        delayed(_named_after)(images, names, name, detector) for name in each
    )
    rows_of: list[tuple[Any, ...]] = []
    for name, after in zip(each, found, strict=True):
        if after is None:
            continue
        own = images.select(np.flatnonzero(names == name))
        named = after != ""
        others, times = np.unique(after[named], return_counts=True)
        rows_of.append(
            (
                name,
                len(np.unique(own.picture)),
                *(float(named[own.templates == template].mean()) for template in reported),
                str(others[times.argmax()]) if len(others) else None,
            )
        )
    if not rows_of:
        return []
    return [
        Table(
            "Images of generators left out entirely, named after another one",
            ("generator", "pictures", *reported, "most often"),
            tuple(rows_of),
            "Right would be none: what names generators knew the others alone. The other images "
            "were said to have an unknown generator. 'Most often' counts all degradations.",
        )
    ]


def _named_after(
    images: FeatureTable, names: NDArray[np.str_], left_out: str, detector: Detector
) -> NDArray[np.str_] | None:
    """Return after which of the other generators images of one are named; "" after none."""
    own = names == left_out
    rest = ~own & ~np.isin(images.groups, images.groups[own])
    seed = detector.random_state
    fitted = fit_attribution(
        partial(classifiers.create, str(detector.attribution_classifier), seed=seed),
        images.features[rest].astype(np.float64),
        names[rest],
        images.groups[rest],
        wanted_accuracy=detector.attribution_accuracy,
        n_splits=detector.n_splits,
        seed=seed,
        n_jobs=1,
    )
    if fitted is None:
        return None
    likely = fitted.likeness(images.features[own].astype(np.float64))
    return np.array([each.name or "" for each in likely], dtype=str)


def _sources_left_out(
    table: FeatureTable,
    extra: FeatureTable,
    detector: Detector,
    judged: NDArray[np.bool_],
    blocks: NDArray[np.str_] | None,
    n_jobs: int | None,
) -> Table:
    """Judge the photographs of each part of the data set by a model that saw none of them."""
    real = table.labels == "real"
    # Training rows come first among those that were scored.
    conditions = _held_out(detector)[0].conditions[: len(table)]
    names = sorted(set(table.subsets[real].tolist()))
    tests = [real & (table.subsets == name) for name in names]
    rows_of: list[tuple[Any, ...]] = []
    for name, test, margin in zip(
        names, tests, _unseen(table, extra, tests, detector, blocks, n_jobs), strict=True
    ):
        called = np.zeros(len(margin), dtype=np.intp)
        for condition in np.unique(conditions[test]):
            here = conditions[test] == condition
            by = detector.calibration_for(str(condition))
            found = by.probability(margin[here])
            called[here] = (found >= by.high).astype(np.intp) - (found <= by.low)
        called[~judged[test]] = 0
        pictures = len(np.unique(table.picture[test]))
        wrong = [called == 1, *((called == 1)[table.templates[test] == t] for t in _REPORTED)]
        rows_of.append(
            (
                name,
                pictures,
                *(float(each.mean()) if len(each) else None for each in wrong),
                float(np.mean(called == 0)),
            )
        )
    return Table(
        "Photographs of sources left out entirely, called generated",
        ("part of the data set", "pictures", "all", *_REPORTED, "unsure (all)"),
        tuple(rows_of),
        "The classifiers saw no photograph of the source, nor a simulated image made from one. "
        "The limits are the detector's own. Pictures too small for a verdict are unsure; pictures "
        "unlike all training rows, which are unsure, too, are not taken out.",
    )


def _unseen(
    table: FeatureTable,
    extra: FeatureTable,
    tests: Sequence[NDArray[np.bool_]],
    detector: Detector,
    blocks: NDArray[np.str_] | None,
    n_jobs: int | None,
) -> list[NDArray[np.float64]]:
    """Return the scores of each set of test rows by models that saw no group of theirs."""
    # In processes: boosting and the perceptron fit on one thread.
    found: list[NDArray[np.float64]] = Parallel(n_jobs=n_jobs or -1)(
        delayed(_margins_unseen)(table, extra, test, detector, blocks) for test in tests
    )
    return found


def _margins_unseen(
    table: FeatureTable,
    extra: FeatureTable,
    test: NDArray[np.bool_],
    detector: Detector,
    blocks: NDArray[np.str_] | None,
) -> NDArray[np.float64]:
    """Score the test rows by the detector's classifiers, fitted on rows of no group of theirs."""
    tested = np.unique(table.groups[test])
    whole = stack_tables([table, extra])
    apart = ~np.isin(whole.groups, tested)
    kept = whole.select(apart)
    X = kept.features.astype(np.float64)
    generated = kept.labels == "fake"
    weights = balanced_weights(generated, balance=detector.balance)
    scores = []
    for member in detector.members_:
        make = partial(classifiers.create, member.name, seed=detector.random_state)
        model = fit_model(
            make,
            looked_at(X, member.columns),
            generated.astype(np.intp),
            weights,
            blocks=None if blocks is None else blocks[apart],
            n_jobs=1,
        )
        scores.append(replace(member, model=model).scores(table.features[test].astype(np.float64)))
    mean: NDArray[np.float64] = np.mean(scores, axis=0)
    return mean
