"""Run experiments, one after the other, and write what each found as soon as it is found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]

from convtrace.batch.engines import default_workers
from convtrace.datasets import Dataset, MissingSet, load_paper_sets
from convtrace.descriptors import default_cache_folder
from convtrace.errors import ConvtraceError
from convtrace.evaluation.experiments import EXPERIMENTS, IN_ORDER, Context, Experiment
from convtrace.evaluation.network import require_torch
from convtrace.evaluation.outside import OutsideDetector
from convtrace.evaluation.pairs import pairs_in
from convtrace.evaluation.reproduction.currency import record_of
from convtrace.evaluation.reproduction.document import story
from convtrace.evaluation.reproduction.files import (
    made_folder,
    write_experiment,
    write_figures,
    write_text,
)
from convtrace.evaluation.reproduction.fingerprints import result_key
from convtrace.evaluation.reproduction.kept import KeptResults
from convtrace.evaluation.reproduction.outcome import Outcome, Reproduction
from convtrace.evaluation.reproduction.pictures import picture_table
from convtrace.evaluation.store import BundledStore, FeatureStore, PictureStore

__all__ = ["reproduce"]

INDEX = "README.md"
COMPARING = "peers"
"""The experiment that outside detectors take part in."""
FEW = 40
"""Pictures of a kind that a quick run measures."""


def reproduce(
    output: str | os.PathLike[str],
    *,
    experiments: Sequence[str] = (),
    quick: bool = False,
    data: str | os.PathLike[str] | None = None,
    detectors: Sequence[OutsideDetector] = (),
    network: bool = False,
    markdown: str | os.PathLike[str] | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    prepare: Callable[[], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    notify: Callable[[str], None] | None = None,
) -> Reproduction:
    """Run the paper's experiments and write tables, figures and the story they tell.

    What was run before on the same data, code and options is not run again. Each experiment's
    files are written when it is done; an interruption keeps them, and the index of them.

    Parameters
    ----------
    output : path-like
        A folder; made if it is not there.
    experiments : sequence of str
        Names in `convtrace.evaluation.experiments.EXPERIMENTS`; all if empty.
    quick : bool, default False
        A small but complete run.
    data : path-like, optional
        The user's pictures, as for `convtrace.datasets.load_paper_sets`; the packaged feature
        tables if not given.
    detectors : sequence of OutsideDetector
        To be compared with; they need pictures.
    network : bool, default False
        Train `convtrace.evaluation.network` on the same folds, too; it needs pictures and
        PyTorch.
    markdown : path-like, optional
        Also write the story to this file, with its figures in the folder of the same name, and
        what `check_document` needs.
    seed : int, default 0
        Of everything random.
    n_jobs : int, optional
        Processes; all cores by default.
    cache : path-like, optional
        Where results are kept; the user's cache folder by default.
    prepare : callable, optional
        Called once, when all that was asked for has been found and nothing is measured yet.
    progress : callable, optional
        Called with the numbers of experiments done and in all.
    notify : callable, optional
        Called with a line for people: what is missing, what could not be done.

    Returns
    -------
    Reproduction

    Raises
    ------
    ConvtraceError
        If an experiment is unknown, the data cannot be used, or none of the experiments can
        be run.
    """
    chosen = _chosen(experiments)
    rivals = [f"detector {one.name}" for one in detectors] + ["the network"] * network
    if rivals and COMPARING not in {one.name for one in chosen}:
        raise ConvtraceError(
            f"{rivals[0]} is compared with in the experiment {COMPARING}; name it as well"
        )
    if network:
        require_torch()
    kept_folder = Path(cache) if cache is not None else default_cache_folder() / "reproduction"
    errors: dict[str, None] = {}
    say = notify or (lambda _: None)
    store, missing = _store(data, quick, seed, n_jobs, kept_folder, errors)
    if rivals and store.dataset() is None:
        raise ConvtraceError(
            f"{rivals[0]} needs pictures, and the packaged tables hold none; give --data DIR"
        )
    folder = made_folder(Path(output))
    if prepare is not None:
        prepare()
    for one in missing:
        say(str(one))
    context = Context(store, seed, quick, n_jobs, tuple(detectors), network)
    run = _Run(context, KeptResults(kept_folder), errors)
    outcomes: list[Outcome] = []
    try:
        for place, experiment in enumerate(chosen):
            if progress is not None:
                progress(place, len(chosen))
            outcomes.append(run(experiment))
            if outcomes[-1].result is None:
                say(f"{experiment.name}: not run: {outcomes[-1].reason}")
            pictures = picture_table(store.facts(), experiment.scope, experiment.equalised)
            write_experiment(outcomes[-1], pictures, folder)
        if progress is not None:
            progress(len(chosen), len(chosen))
    except KeyboardInterrupt:
        # Left alone, the workers would go on, and complain at the end.
        get_reusable_executor().shutdown(wait=True, kill_workers=True)
        raise
    finally:
        # After Ctrl-C as well: what is done is told of.
        if outcomes:
            text = _story(outcomes, chosen, context, missing, tuple(errors), data)
            write_text(folder / INDEX, text)
    if all(one.result is None for one in outcomes):
        raise ConvtraceError(f"no experiment could be run; {chosen[0].name}: {outcomes[0].reason}")
    if markdown is not None:
        _write_document(Path(markdown), outcomes, chosen, context, missing, tuple(errors), data)
    return Reproduction(tuple(outcomes), folder / INDEX, missing, tuple(errors))


class _Run:
    """Runs an experiment, or finds it run."""

    def __init__(self, context: Context, kept: KeptResults, errors: dict[str, None]) -> None:
        self.context = context
        self.kept = kept
        self.errors = errors

    def __call__(self, experiment: Experiment) -> Outcome:
        context = self.context
        comparing = experiment.name == COMPARING
        key = result_key(
            experiment,
            context.store,
            seed=context.seed,
            quick=context.quick,
            detectors=context.detectors if comparing else (),
            network=context.network and comparing,
        )
        found = self.kept.find(key)
        if found is not None:
            result, seconds, errors = found
            self.errors.update(dict.fromkeys(errors))
            return Outcome(experiment, result, "", seconds, cached=True)
        started = time.monotonic()
        try:
            result = experiment.run(context)
        except ConvtraceError as error:
            # What the user's pictures do not allow. Anything else is a defect, and is shown.
            reason = " ".join(str(error).split())
            return Outcome(experiment, None, reason, time.monotonic() - started)
        seconds = time.monotonic() - started
        result = self.kept.keep(key, result, seconds, list(self.errors))
        return Outcome(experiment, result, "", seconds)


def _chosen(names: Sequence[str]) -> list[Experiment]:
    if not names:
        return list(IN_ORDER)
    return list({one.name: one for one in map(EXPERIMENTS.get, names)}.values())


def _store(
    data: str | os.PathLike[str] | None,
    quick: bool,
    seed: int,
    n_jobs: int | None,
    folder: Path,
    errors: dict[str, None],
) -> tuple[FeatureStore, tuple[MissingSet, ...]]:
    if data is None:
        return BundledStore(), ()
    found = load_paper_sets(data)
    pictures = _fewer(found.dataset, seed) if quick else found.dataset
    store = PictureStore(pictures, folder / "tables", n_jobs, errors.setdefault)
    return store, found.missing


def _fewer(dataset: Dataset, seed: int) -> Dataset:
    """Keep some pictures of each kind."""
    kinds: dict[tuple[str, ...], list[int]] = {}
    for row, kind in enumerate(
        zip(dataset.labels.tolist(), dataset.generators.tolist(), dataset.subset.tolist(),
            strict=True)
    ):  # fmt: skip
        kinds.setdefault(kind, []).append(row)
    rng = np.random.default_rng(seed)
    kept = [rng.permutation(rows)[:FEW] for rows in kinds.values()]
    return dataset.select(np.sort(np.concatenate(kept)))


def _story(
    outcomes: Sequence[Outcome],
    chosen: Sequence[Experiment],
    context: Context,
    missing: Sequence[MissingSet],
    errors: Sequence[str],
    data: str | os.PathLike[str] | None,
    **options: object,
) -> str:
    facts = context.store.facts()
    done = [one.experiment for one in outcomes]
    tables = []
    for scopes in (("pairs", "lossless"), ("all", "generated")):
        of_scope = [one for one in done if one.scope in scopes]
        if of_scope:
            widest = min((one.scope for one in of_scope), key=scopes.index)
            after = dict.fromkeys(t for one in of_scope for t in one.equalised if "jpeg" in t)
            tables.append(picture_table(facts, widest, after))
    words = ["convtrace", "reproduce"]
    if len(chosen) < len(IN_ORDER):
        words += [one.name for one in chosen]
    words += ["--quick"] * context.quick
    words += [] if data is None else ["--data", os.fspath(data)]
    for one in context.detectors:
        words.append(f"--detector {one.name}=...")
    words += ["--network"] * context.network
    return story(
        outcomes,
        about=context.store.about,
        command=f"{' '.join(words)} -o DIR",
        pictures=tables,
        quick=context.quick,
        not_run=chosen[len(outcomes) :],
        missing=missing,
        errors=errors,
        machine=f"{context.n_jobs or default_workers()} cores",
        matched=any(p.matched for p in pairs_in(facts.labels, facts.generators, facts.subsets)),
        **options,  # type: ignore[arg-type]
    )


def _write_document(
    path: Path,
    outcomes: Sequence[Outcome],
    chosen: Sequence[Experiment],
    context: Context,
    missing: Sequence[MissingSet],
    errors: Sequence[str],
    data: str | os.PathLike[str] | None,
) -> None:
    """Write the story to a file of its own, with all that tells whether it is current."""
    made_folder(path.parent)
    shown = [plot for one in outcomes if one.result for plot in one.result.plots]
    figures = write_figures(shown, path.with_suffix(""), ("png",))
    options = {"figures": path.stem, "svg": False}
    body = _story(outcomes, chosen, context, missing, errors, data, **options)
    record = record_of(outcomes, context, body, figures)
    text = _story(outcomes, chosen, context, missing, errors, data, record=record, **options)
    write_text(path, text)
