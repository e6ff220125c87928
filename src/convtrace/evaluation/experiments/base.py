"""What an experiment is: a question, a declared protocol, and a function to results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed  # type: ignore[import-untyped]
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from convtrace.detection import Table
from convtrace.errors import DatasetError
from convtrace.evaluation.bundles import TRACES
from convtrace.evaluation.metrics import METRICS, Interval, resample, spread
from convtrace.evaluation.outside import OutsideDetector
from convtrace.evaluation.pairs import Pair, lossless_of, pairs_in
from convtrace.evaluation.store import FeatureStore
from convtrace.evaluation.tables import FeatureTable

__all__ = [
    "FORCED_NOTE",
    "Context",
    "Experiment",
    "Plot",
    "Result",
    "align",
    "balanced_interval",
    "compression_verdict",
    "counts",
    "in_words",
    "mean_interval",
    "pairs_of",
    "run_all",
    "share_interval",
]

DRAWS = 500
"""Bootstrap samples of an interval."""

POINTS = 0.03
"""Raw and equalised results that lie further apart than this are remarked on."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What a figure shows, apart from how it is drawn.

    Attributes
    ----------
    name : str
        Of the file, without suffix.
    kind : str
        Name in `convtrace.evaluation.plots`.
    caption : str
        What is to be seen, with counts.
    data : mapping
        JSON values, as the kind wants them.
    """

    name: str
    kind: str
    caption: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What an experiment found.

    Attributes
    ----------
    tables : tuple of Table
        The numbers.
    plots : tuple of Plot
        The figures.
    findings : tuple of str
        Sentences made from the numbers.
    measured : str
        The one number that a published one would be set beside.
    """

    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    findings: tuple[str, ...] = ()
    measured: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values.

        Returns
        -------
        dict
        """
        return {
            "tables": [table.to_dict() for table in self.tables],
            "plots": [
                {"name": p.name, "kind": p.kind, "caption": p.caption, "data": dict(p.data)}
                for p in self.plots
            ],
            "findings": list(self.findings),
            "measured": self.measured,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Result:
        """Rebuild a result from `to_dict`.

        Parameters
        ----------
        state : mapping
            What `to_dict` returned.

        Returns
        -------
        Result
        """
        return cls(
            tuple(Table.from_dict(table) for table in state["tables"]),
            tuple(
                Plot(str(p["name"]), str(p["kind"]), str(p["caption"]), dict(p["data"]))
                for p in state["plots"]
            ),
            tuple(map(str, state["findings"])),
            str(state["measured"]),
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What an experiment works with.

    Attributes
    ----------
    store : FeatureStore
        Features.
    seed : int
        Of everything random.
    quick : bool
        Whether a small but complete run is wanted.
    n_jobs : int or None
        Processes; all cores by default.
    detectors : tuple of OutsideDetector
        Detectors of other people, to be compared with.
    network : bool
        Whether to train `convtrace.evaluation.network`, too; it needs pictures and PyTorch.
    """

    store: FeatureStore
    seed: int = 0
    quick: bool = False
    n_jobs: int | None = None
    detectors: tuple[OutsideDetector, ...] = ()
    network: bool = False


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment.

    Attributes
    ----------
    name : str
        For the command line and file names.
    title : str
        Heading.
    question : str
        What it asks.
    protocol : mapping of str to str
        Declared beforehand: classes, features, classifiers, folds, degradations.
    run : callable
        From `Context` to `Result`.
    version : str
        Changes whenever the results may change.
    descriptors : tuple of str
        Whose features it needs.
    published : str
        What the paper reports of it, if that is known for certain.
    scope : {"all", "generated", "pairs", "lossless"}
        Whose pictures: all, the generated ones, those of the pairs, of the lossless pairs.
    equalised : tuple of str
        What both classes are forced through for the repetition of the results.
    files : tuple of Path
        Packaged files that it reads beside the feature tables.
    """

    name: str
    title: str
    question: str
    protocol: Mapping[str, str]
    run: Callable[[Context], Result]
    version: str = "1"
    descriptors: tuple[str, ...] = (TRACES,)
    published: str = "not known"
    scope: str = "all"
    equalised: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


FORCED_NOTE = (
    "'As the files are' compares the pictures as they were published; 'equalised' forces both "
    "classes through the same crop and the same JPEG compression."
)


def pairs_of(store: FeatureStore, *, lossless: bool = False, quick: bool = False) -> list[Pair]:
    """Return the pairs of a store.

    Parameters
    ----------
    store : FeatureStore
        Features.
    lossless : bool, default False
        Only the lossless matched ones, where there are matched ones at all.
    quick : bool, default False
        Only three of them.

    Returns
    -------
    list of Pair

    Raises
    ------
    DatasetError
        If there is none.
    """
    facts = store.facts()
    found = pairs_in(facts.labels, facts.generators, facts.subsets)
    if lossless:
        found = lossless_of(found)
    if not found:
        raise DatasetError(
            "the data set has no generated pictures of a named generator beside real ones; "
            "a manifest with the columns path, label and generator can name them"
        )
    return list(found[:3] if quick else found)


def subsets_of(pairs: Iterable[Pair]) -> tuple[str, ...]:
    """Return the subsets of matched pairs; none for pairs by generator."""
    return tuple(sorted({part for pair in pairs for part in (*pair.fakes, *pair.reals)}))


def align(tables: Sequence[FeatureTable]) -> list[FeatureTable]:
    """Keep the pictures that all tables have, in the same order.

    Parameters
    ----------
    tables : sequence of FeatureTable
        Each with one row a picture.

    Returns
    -------
    list of FeatureTable
    """
    common = set(tables[0].picture.tolist())
    for table in tables[1:]:
        common &= set(table.picture.tolist())
    kept = []
    for table in tables:
        rows = np.flatnonzero(np.isin(table.picture, list(common)))
        kept.append(table.select(rows[np.argsort(table.picture[rows], kind="stable")]))
    return kept


def counts(generated: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many pictures are real and how many generated."""
    return int((~generated).sum()), int(generated.sum())


def balanced_interval(
    generated: NDArray[np.bool_], called: NDArray[np.bool_], groups: NDArray[Any], *, seed: int = 0
) -> tuple[Interval, NDArray[np.float64]]:
    """Return balanced accuracy with its interval, and the bootstrap samples of it.

    Parameters
    ----------
    generated, called : ndarray of bool, shape (n,)
        The truth, and what was called generated.
    groups : ndarray of shape (n,)
        Pictures that are not independent of each other share a group.
    seed : int, default 0
        Of the bootstrap.

    Returns
    -------
    interval : (value, low, high)
    drawn : ndarray of shape (draws,), float64
    """
    metric, said = METRICS["balanced accuracy"], called.astype(np.float64)
    value = metric(generated, said)
    drawn = resample(metric, generated, said, groups, draws=DRAWS, seed=seed)
    return spread(value, drawn), drawn


def share_interval(right: NDArray[np.bool_], groups: NDArray[Any], *, seed: int = 0) -> Interval:
    """Return the share of pictures that are right, with its interval.

    Parameters
    ----------
    right : ndarray of bool, shape (n,)
        Whether each picture is.
    groups : ndarray of shape (n,)
        Pictures that are not independent of each other share a group.
    seed : int, default 0
        Of the bootstrap.

    Returns
    -------
    value, low, high : float
    """
    drawn = resample(_share, right, right.astype(float), groups, draws=DRAWS, seed=seed)
    return spread(float(right.mean()), drawn)


def _share(_: NDArray[np.bool_], right: NDArray[np.float64]) -> float:
    return float(right.mean())


def in_words(found: Interval) -> str:
    """Return a value with its interval as text.

    Parameters
    ----------
    found : (value, low, high)
        As of `balanced_interval`.

    Returns
    -------
    str

    Examples
    --------
    >>> in_words((0.9712, 0.95, 0.99))
    '0.971 (0.950 to 0.990)'
    """
    return "{:.3f} ({:.3f} to {:.3f})".format(*found)


def mean_interval(parts: Sequence[tuple[Interval, NDArray[np.float64]]]) -> Interval:
    """Return the mean of results on separate pictures, with its interval.

    Parameters
    ----------
    parts : sequence of (interval, drawn)
        As of `balanced_interval`.

    Returns
    -------
    value, low, high : float
    """
    value = float(np.mean([one[0][0] for one in parts]))
    return spread(value, np.mean([one[1] for one in parts], axis=0))


def compression_verdict(raw: float, equalised: float, *, matched: bool) -> str:
    """Say what a difference between the raw and the equalised result means.

    Parameters
    ----------
    raw, equalised : float
        Accuracies.
    matched : bool
        Whether both classes had the same format, size and history anyway.

    Returns
    -------
    str
        Empty where they differ by three points or less.

    Examples
    --------
    >>> compression_verdict(0.95, 0.70, matched=False)
    'differs: the raw one measures compression'
    >>> compression_verdict(0.61, 0.66, matched=True)
    'differs: compression does not hide the trace'
    """
    if abs(raw - equalised) <= POINTS:
        return ""
    if matched:
        hides = equalised < raw
        return f"differs: compression {'hides' if hides else 'does not hide'} the trace"
    return "differs: the raw one measures compression"


def run_all(
    work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], n_jobs: int | None
) -> list[Any]:
    """Call a function on each tuple of arguments, in processes.

    Parameters
    ----------
    work : callable
        Of a module, so that another process finds it.
    tasks : sequence of tuple
        Arguments.
    n_jobs : int or None
        Processes; all cores by default.

    Returns
    -------
    list
        In the order of the tasks.
    """
    workers = -1 if n_jobs is None else n_jobs
    # Small matrices: threads of BLAS would wait for each other for most of the time.
    with threadpool_limits(limits=1):
        return list(Parallel(n_jobs=workers)(delayed(work)(*arguments) for arguments in tasks))
