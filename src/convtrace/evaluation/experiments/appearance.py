"""What the traces look like: their map by generator, mean kernels, spectra."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from convtrace.detection import Table
from convtrace.evaluation.bundles import TRACES
from convtrace.evaluation.experiments.base import Context, Experiment, Plot, Result
from convtrace.evaluation.store import kernel_columns
from convtrace.evaluation.tables import FeatureTable

__all__ = ["EXPERIMENT", "frequency_response"]

SIZE = 7
CLASSES = 19
"""As many panels as a page holds; of more generators, those with most pictures are shown."""
NEIGHBOURS = 10
GRID = 33
PHOTOGRAPHS = "photographs"


def frequency_response(kernels: NDArray[np.float64], points: int = GRID) -> NDArray[np.float64]:
    """Return how strongly the prediction error keeps each frequency.

    Parameters
    ----------
    kernels : ndarray of shape (n, N, N), float64
        Prediction kernels, centre 0.
    points : int, default 33
        Frequencies along a side, from -0.5 to 0.5 cycles a pixel.

    Returns
    -------
    ndarray of shape (n, points, points), float64
        The magnitude of 1 less the kernel's Fourier transform.

    Examples
    --------
    >>> blind = np.zeros((1, 3, 3))
    >>> float(frequency_response(blind, 3).max())
    1.0
    """
    reach = kernels.shape[1] // 2
    offsets = np.arange(-reach, reach + 1)
    wave = np.exp(-2j * np.pi * np.outer(np.linspace(-0.5, 0.5, points), offsets))
    return np.asarray(np.abs(1 - wave @ kernels @ wave.T), dtype=np.float64)


def _squares(table: FeatureTable) -> NDArray[np.float64]:
    """Return the kernels as squares, averaged over the channels."""
    columns = [n for n in table.names.tolist() if n.startswith(f"ct{SIZE}_")]
    offsets = [name.split("_")[2:] for name in columns if name.split("_")[2][0] in "+-"]
    reach = SIZE // 2
    place = np.array([(int(a) + reach) * SIZE + int(b) + reach for a, b in offsets])
    channels = len(place) // (SIZE * SIZE - 1)
    out = np.zeros((len(table), SIZE * SIZE))
    values = kernel_columns(table, (SIZE,))
    for column, cell in enumerate(place):
        out[:, cell] += values[:, column] / channels
    return out.reshape(-1, SIZE, SIZE)


def _kinds(table: FeatureTable, limit: int) -> tuple[NDArray[np.str_], list[str]]:
    """Return the class of each row, and the classes shown: photographs first."""
    kinds = np.where(table.labels == "fake", table.generators, PHOTOGRAPHS)
    names, many = np.unique(kinds, return_counts=True)
    order = sorted(zip(-many, names.tolist(), strict=True))
    shown = [name for _, name in order if name not in ("", PHOTOGRAPHS)][: limit - 1]
    return kinds, [PHOTOGRAPHS, *sorted(shown)]


def _maps(X: NDArray[np.float64], quick: bool, seed: int) -> tuple[dict[str, Any], list[float]]:
    pca = PCA(min(30, *X.shape), random_state=seed)
    components = pca.fit_transform(X)
    perplexity = min(30.0, (len(X) - 1) / 3)
    with warnings.catch_warnings():
        # It was told how many steps to take.
        warnings.filterwarnings("ignore", module="sklearn.manifold")
        flat = TSNE(
            perplexity=perplexity, init="pca", max_iter=250 if quick else 1000, random_state=seed
        ).fit_transform(components)
    explained = [float(value) for value in pca.explained_variance_ratio_[:2]]
    return {"pca": components[:, :2], "tsne": flat}, explained


def _agreement(
    X: NDArray[np.float64], codes: NDArray[Any], groups: NDArray[Any]
) -> NDArray[np.float64]:
    """Return for each row the share of its nearest neighbours, of other groups, of its class."""
    count = min(len(X) - 1, 4 * NEIGHBOURS)
    near = NearestNeighbors(n_neighbors=count).fit(X).kneighbors(return_distance=False)
    shares = np.full(len(X), np.nan)
    for row, others in enumerate(near):
        kept = others[groups[others] != groups[row]][:NEIGHBOURS]
        if len(kept):
            shares[row] = np.mean(codes[kept] == codes[row])
    return shares


def run(context: Context) -> Result:
    """Run the experiment."""
    table = context.store.table(TRACES, "none")
    kinds, shown = _kinds(table, 6 if context.quick else CLASSES)
    if context.quick:
        rng = np.random.default_rng(context.seed)
        kept = [rng.permutation(np.flatnonzero(kinds == name))[:40] for name in shown]
        table = table.select(np.sort(np.concatenate(kept)))
        kinds, _ = _kinds(table, CLASSES)
    X = StandardScaler().fit_transform(kernel_columns(table, (SIZE,)))
    places, explained = _maps(X, context.quick, context.seed)
    stored = np.where(table.formats == "JPEG", "JPEG", "lossless")
    chance = {how: float(np.mean(stored == how)) for how in np.unique(stored)}
    same = _agreement(X, kinds, table.groups)
    alike = _agreement(X, stored, table.groups)
    rows = tuple(
        (
            name,
            int(own.sum()),
            float(np.nanmean(same[own])),
            float(np.mean(kinds == name)),
            float(np.nanmean(alike[own])),
            float(np.mean([chance[how] for how in stored[own]])),
        )
        for name in shown
        if (own := kinds == name).any()
    )
    squares = _squares(table)
    response = np.log10(np.maximum(frequency_response(squares), 1e-6))
    counted = [(name, int((kinds == name).sum())) for name in shown if (kinds == name).any()]
    report = Table(
        "Neighbours of a trace",
        ("class", "pictures", "neighbours of the class", "by chance", "neighbours stored alike",
         "stored alike by chance"),
        rows,
        f"Of the {NEIGHBOURS} nearest traces of other groups (standardised 7x7 kernels of R, G and "
        "B, 144 numbers), the mean share of the same class, and the share stored alike (JPEG or "
        "lossless). Published: not known.",
    )  # fmt: skip
    groups = [{"name": name, "rows": np.flatnonzero(kinds == name).tolist()} for name, _ in counted]
    storage = [
        {"name": f"stored {how}", "rows": np.flatnonzero(stored == how).tolist()}
        for how in ("JPEG", "lossless")
    ]
    total = f"{len(table)} pictures as the files are, 7x7 kernels of R, G and B"
    return Result(
        (report,),
        (
            _map("tsne", "t-SNE", places["tsne"], [*groups, *storage], ("", ""), total),
            _map(
                "pca",
                "Principal components",
                places["pca"],
                [*groups, *storage],
                tuple(f"component {i + 1} ({100 * e:.0f}%)" for i, e in enumerate(explained)),
                total,
            ),
            Plot(
                "mean-kernels",
                "kernels",
                "Mean 7x7 kernel of each class, averaged over R, G and B, and beside it the "
                f"standard deviation over its pictures; {total}.",
                {
                    "panels": [
                        {
                            "name": name,
                            "count": count,
                            "mean": squares[kinds == name].mean(axis=0).round(5).tolist(),
                            "spread": squares[kinds == name].std(axis=0).round(5).tolist(),
                        }
                        for name, count in counted
                    ]
                },
            ),
            Plot(
                "kernel-spectra",
                "spectra",
                "What the prediction error keeps of each frequency, mean of log10 |1 - K| over a "
                f"class's pictures; {total}.",
                {
                    "panels": [
                        {
                            "name": name,
                            "count": count,
                            "values": response[kinds == name].mean(axis=0).round(3).tolist(),
                        }
                        for name, count in counted
                    ]
                },
            ),
        ),
        (
            f"Of a trace's {NEIGHBOURS} nearest neighbours {100 * float(np.nanmean(same)):.0f}% "
            f"are of the same class and {100 * float(np.nanmean(alike)):.0f}% are stored alike "
            "(JPEG or lossless): the map shows compression as well as generators.",
        ),
        f"{100 * float(np.nanmean(same)):.0f}% of a trace's nearest neighbours are of its class",
    )


def _map(
    name: str,
    title: str,
    points: NDArray[np.float64],
    groups: list[dict[str, Any]],
    labels: tuple[str, ...],
    total: str,
) -> Plot:
    return Plot(
        name,
        "scatter",
        f"{title} of the traces by class: each panel shows one class over all others in grey; the "
        f"last two how the files are stored; {total}.",
        {"points": points.round(2).tolist(), "groups": groups, "labels": list(labels)},
    )


EXPERIMENT = Experiment(
    "traces",
    "What the traces look like",
    "Do the traces of one generator lie together, apart from others and from photographs?",
    {
        "classes": "all photographs, and each generator",
        "features": "7x7 kernels of R, G and B, standardised",
        "classifiers": "none: t-SNE of perplexity 30 on 30 principal components; 10 nearest "
        "neighbours of other groups",
        "folds": "none: nothing is predicted",
    },
    run,
)
