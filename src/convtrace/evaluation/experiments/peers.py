"""The trace beside the peers' descriptors, on the same pictures and folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from convtrace import descriptors
from convtrace.detection import Table
from convtrace.detection.held_out import folds_by_group
from convtrace.errors import ConvtraceError
from convtrace.evaluation.bundles import EQUALISED, PEER_DEGRADATIONS, TRACES
from convtrace.evaluation.experiments.base import (
    Context,
    Experiment,
    Plot,
    Result,
    align,
    balanced_interval,
    compression_verdict,
    mean_interval,
    pairs_of,
    run_all,
    subsets_of,
)
from convtrace.evaluation.learning import Candidate, held_out
from convtrace.evaluation.network import QUICK_STEPS, STEPS, network_scores
from convtrace.evaluation.network_scores import PACKAGED, SEED, read_scores
from convtrace.evaluation.outside_scores import threshold_calls
from convtrace.evaluation.paired import holm, mcnemar, paired_difference, verdict
from convtrace.evaluation.pairs import Pair, lossless_of
from convtrace.evaluation.peers import PEERS
from convtrace.evaluation.pixels import degraded_pixels, paths_by_name
from convtrace.evaluation.store import kernel_columns

__all__ = ["EXPERIMENT", "conditions_of"]

CONDITIONS = ("none", EQUALISED, *PEER_DEGRADATIONS)
OWN = "convolutional trace, N=7"
NETWORK = "network on neighbours"


def conditions_of(pair: Pair, *, quick: bool = False) -> tuple[str, ...]:
    """Return what the pictures of a pair are compared after.

    Parameters
    ----------
    pair : Pair
        The pair.
    quick : bool, default False
        Only as the files are, and equalised.

    Returns
    -------
    tuple of str
        Without further degradations where little is left to degrade.
    """
    plain = quick or (pair.matched and not pair.lossless)
    return CONDITIONS[:2] if plain else CONDITIONS


def _one(
    features: dict[str, np.ndarray], codes: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    folds = folds_by_group(codes, groups, seed=seed)
    makers = {OWN: "svm", **{peer.title: peer.classifier for peer in PEERS}}
    return {
        name: held_out(Candidate(name, makers[name]), features, codes, folds, seed=seed).argmax(
            axis=1
        )
        == 1
        for name in features
    }


def _by_network(
    context: Context,
    paths: dict[str, Path],
    pair: Pair,
    pictures: np.ndarray,
    template: str,
    codes: np.ndarray,
    groups: np.ndarray,
) -> np.ndarray | None:
    """Return the network's calls: trained now, or packaged; None where it is neither."""
    if not context.network:
        # Packaged scores are of the corpus, and of the folds of one seed.
        if context.store.dataset() is not None or context.seed != SEED:
            return None
        packaged = read_scores()
        if not packaged.has(pair.name, template):
            return None
        return packaged.of(pair.name, template, pictures.tolist()) > 0
    pixels = [degraded_pixels(paths[name], template) for name in pictures.tolist()]
    steps = QUICK_STEPS if context.quick else STEPS
    folds = folds_by_group(codes, groups, seed=context.seed)
    return network_scores(pixels, codes, folds, seed=context.seed, steps=steps) > 0


def _paths(context: Context) -> dict[str, Path]:
    """Return the files, where somebody is to look at them."""
    if not (context.detectors or context.network):
        return {}
    dataset = context.store.dataset()
    if dataset is None:
        raise ConvtraceError(
            "detectors and the network need pictures, and the packaged tables hold none"
        )
    return paths_by_name(dataset)


def run(context: Context) -> Result:
    """Run the experiment."""
    store = context.store
    pairs = pairs_of(store, quick=context.quick)
    known = set(descriptors.names())
    paths = _paths(context)
    places, tasks, outside = [], [], []
    for pair in pairs:
        for template in conditions_of(pair, quick=context.quick):
            present = [
                p for p in PEERS if p.descriptor in known and store.has(p.descriptor, template)
            ]
            subsets = subsets_of([pair])
            tables = align(
                [store.table(name, template, subsets)
                 for name in (TRACES, *(p.descriptor for p in present))]
            )  # fmt: skip
            first = tables[0]
            rows = pair.rows(first.labels, first.generators, first.subsets)
            features = {OWN: kernel_columns(first, (7,))[rows]}
            for peer, table in zip(present, tables[1:], strict=True):
                features[peer.title] = table.features[rows].astype(np.float64)
            codes = (first.labels[rows] == "fake").astype(np.intp)
            groups = first.groups[rows]
            places.append((pair, template))
            tasks.append((features, codes, groups, context.seed))
            outside.append(
                {
                    detector.name: threshold_calls(
                        detector, paths, first.picture[rows], template, codes, groups, context.seed
                    )
                    for detector in context.detectors
                }
            )
            called = _by_network(context, paths, pair, first.picture[rows], template, codes, groups)
            if called is not None:
                outside[-1][NETWORK] = called
    results = run_all(_one, tasks, context.n_jobs)
    for found, more in zip(results, outside, strict=True):
        found.update(more)
    methods = list(dict.fromkeys(name for found in results for name in found))
    return _tables(places, tasks, results, methods, context)


def _tables(
    places: list[Any], tasks: list[Any], results: list[Any], methods: list[str], context: Context
) -> Result:
    intervals = {
        (pair.name, template, name): balanced_interval(codes == 1, called, groups)
        for (pair, template), (_, codes, groups, _), found in zip(
            places, tasks, results, strict=True
        )
        for name, called in found.items()
    }
    tables, tests = [], []
    for template in dict.fromkeys(template for _, template in places):
        rows: list[tuple[Any, ...]] = []
        for (pair, one), (_, codes, _, _) in zip(places, tasks, strict=True):
            if one == template:
                cells = [intervals[pair.name, template, m][0]
                         if (pair.name, template, m) in intervals else "no data"
                         for m in methods]  # fmt: skip
                rows.append((pair.name, int((codes == 0).sum()), int(codes.sum()), *cells))
        lossless = [p.name for p, one in places if one == template and p.lossless]
        if lossless:
            means = [mean_interval([intervals[p, template, m] for p in lossless])
                     if all((p, template, m) in intervals for p in lossless) else "no data"
                     for m in methods]  # fmt: skip
            rows.append(("mean of the lossless", None, None, *means))
        label = _condition(template)
        tables.append(
            Table(
                f"Methods compared, {label}",
                ("pair", "real", "generated", *methods),
                tuple(rows),
                "Balanced accuracy with 95% intervals; trained and tested under the same "
                f"condition, done to both classes alike.{_about_network(methods, context)}",
            )
        )
    for (pair, template), (_, codes, groups, _), found in zip(places, tasks, results, strict=True):
        own = found[OWN]
        for name in methods:
            if name == OWN or name not in found:
                continue
            difference = paired_difference(
                codes == 1, own, found[name], groups, draws=300, seed=context.seed
            )
            truth = codes == 1
            p_value = mcnemar(own == truth, found[name] == truth)
            tests.append((pair.name, template, name, difference, p_value))
    adjusted = holm([test[-1] for test in tests])
    verdicts = [verdict(test[3], p) for test, p in zip(tests, adjusted, strict=True)]
    paired = Table(
        "Is the trace better? Paired tests",
        ("pair", "condition", "other method", "difference", "p", "p (Holm)", "the trace is"),
        tuple(
            (*test[:-1], _small(test[-1]), _small(p), v)
            for test, p, v in zip(tests, adjusted, verdicts, strict=True)
        ),
        "Balanced accuracy of the trace less the other's, 95% interval by bootstrap over groups; "
        "p of McNemar's exact test, and adjusted for all rows by Holm. 'Better' and 'worse' only "
        "where interval and adjusted p agree.",
    )
    loses: dict[str, list[str]] = {}
    for test, said in zip(tests, verdicts, strict=True):
        if said == "worse":
            loses.setdefault(test[2], []).append(f"{test[0]} ({_condition(test[1])})")
    lost = [f"{method} on {', '.join(where)}" for method, where in loses.items()]
    tally = ", ".join(
        f"{v} in {verdicts.count(v)}" for v in ("better", "worse", "no difference shown")
    )
    findings = (
        f"Of {len(tests)} paired comparisons the trace is {tally}.",
        "The trace loses against: " + ("; ".join(lost) if lost else "none of them") + ".",
    )
    first = [(pair, template) for pair, template in places if template == "none"]
    plot = Plot(
        "peers",
        "dots",
        "Balanced accuracy of each method as the files are, 95% intervals.",
        {
            "rows": [
                f"{pair.name} ({len(codes)})"
                for (pair, one), (_, codes, _, _) in zip(places, tasks, strict=True)
                if one == "none"
            ],
            "xlabel": "balanced accuracy",
            "series": [
                {"name": m, "values": [intervals[p.name, "none", m][0] for p, _ in first]}
                for m in methods
                if all((p.name, "none", m) in intervals for p, _ in first)
            ],
        },
    )
    averaged = list(lossless_of([pair for pair, template in places if template == "none"]))
    summary = _summary(averaged, intervals, methods)
    return Result((summary, *tables, paired), (plot,), findings, f"the trace is {tally}")


def _summary(pairs: list[Pair], intervals: dict[Any, Any], methods: list[str]) -> Table:
    """Return each method's mean over pairs in each condition."""
    templates = list(dict.fromkeys(template for _, template, _ in intervals))
    rows = []
    for method in methods:
        means: dict[str, Any] = {}
        for template in templates:
            keys = [(pair.name, template, method) for pair in pairs]
            whole = bool(keys) and all(key in intervals for key in keys)
            means[template] = (
                mean_interval([intervals[key] for key in keys]) if whole else "no data"
            )
        raw, same = means.get("none"), means.get(EQUALISED)
        remark = ""
        if isinstance(raw, tuple) and isinstance(same, tuple):
            matched = all(pair.matched for pair in pairs)
            remark = compression_verdict(raw[0], same[0], matched=matched)
        rows.append((method, *means.values(), remark))
    names = ", ".join(pair.name for pair in pairs)
    return Table(
        "Methods, mean over pairs",
        ("method", *map(_condition, templates), "remark on equalised"),
        tuple(rows),
        f"Mean balanced accuracy over {names}, with 95% intervals. Equalised is {EQUALISED}.",
    )


def _small(p_value: float) -> float | str:
    """Return a p-value that three decimals would show as none with its first digits."""
    return p_value if p_value >= 0.0005 else f"{p_value:.1e}"


def _about_network(methods: list[str], context: Context) -> str:
    """Say where the network was trained, if it is compared with."""
    if NETWORK not in methods:
        return ""
    how = "trained for this run" if context.network else read_scores().about
    return (
        f" {NETWORK.capitalize()}: at most 128x128 central pixels, {how}; 'no data' where it was "
        "not trained."
    )


def _condition(template: str) -> str:
    return "as the files are" if template == "none" else template


EXPERIMENT = Experiment(
    "peers",
    "Beside its peers",
    "Is the trace better than what others measure in the same pictures?",
    {
        "classes": "real and generated of each matched pair, of equal weight",
        "features": "7x7 kernels; each peer's descriptor",
        "classifiers": "RBF SVM for the trace; for the others: "
        + "; ".join(f"{peer.title}: {peer.classifier} ({peer.about})" for peer in PEERS)
        + f"; {NETWORK}: the first two stages of a ResNet-18 on neighbouring-pixel differences, "
        f"trained from scratch, {STEPS} batches a fold (after Tan et al. 2024)",
        "folds": "5, groups kept whole, the same for all methods; nothing is chosen",
        "degradations": ", ".join(CONDITIONS),
    },
    run,
    scope="pairs",
    equalised=(EQUALISED,),
    descriptors=(TRACES, *(peer.descriptor for peer in PEERS)),
    files=(PACKAGED,),
)
