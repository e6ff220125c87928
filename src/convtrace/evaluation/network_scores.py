"""Scores of the small network on the corpus, trained where there was a GPU.

Training it takes hours on a CPU. Its scores of held-out pictures are packaged, so that it stands
beside the other methods on any machine; ``convtrace reproduce --network --data DIR`` trains it
anew, and ``python tools/build_network_scores.py`` makes the packaged table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convtrace.batch import replacing
from convtrace.errors import DatasetError

__all__ = ["PACKAGED", "SEED", "NetworkScores", "read_scores", "write_scores"]

PACKAGED = Path(__file__).parent / "data" / "network-pairs.parquet"
SEED = 0
"""Of the folds of the packaged scores: those of another seed are other folds."""

_COLUMNS = ("pair", "template", "picture", "fold", "score")
_ABOUT = b"about"

Row = tuple[str, str, str, int, float]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkScores:
    """Held-out scores of pictures.

    Attributes
    ----------
    about : str
        What they were trained on and how.
    found : mapping of (pair, template) to mapping of picture to (fold, score)
        Log-odds of being generated, of a network that saw none of the fold.
    """

    about: str
    found: Mapping[tuple[str, str], Mapping[str, tuple[int, float]]] = field(repr=False)

    def has(self, pair: str, template: str) -> bool:
        """Return whether there are scores of a pair.

        Parameters
        ----------
        pair, template : str
            Name of the pair, and degradation.

        Returns
        -------
        bool
        """
        return (pair, template) in self.found

    def rows(self) -> Iterator[Row]:
        """Yield what `write_scores` is given.

        Yields
        ------
        (pair, template, picture, fold, score)
        """
        for (pair, template), scores in self.found.items():
            for picture, (fold, score) in scores.items():
                yield pair, template, picture, fold, score

    def of(self, pair: str, template: str, pictures: Sequence[str]) -> NDArray[np.float64]:
        """Return the scores of some pictures.

        Parameters
        ----------
        pair, template : str
            Name of the pair, and degradation.
        pictures : sequence of str
            As in a feature table.

        Returns
        -------
        ndarray of shape (n,), float64

        Raises
        ------
        DatasetError
            If one has none: a comparison on fewer pictures would be another comparison.
        """
        stored = self.found.get((pair, template), {})
        missing = [name for name in pictures if name not in stored]
        if missing:
            raise DatasetError(
                f"the packaged scores of the network lack {len(missing)} of {len(pictures)} "
                f"pictures of {pair} after {template}; make them anew with "
                "tools/build_network_scores.py"
            )
        return np.array([stored[name][1] for name in pictures])


def write_scores(rows: Sequence[Row], about: str, path: Path) -> None:
    """Store scores as Parquet.

    Parameters
    ----------
    rows : sequence of (pair, template, picture, fold, score)
        One a picture and degradation.
    about : str
        What they were trained on and how, in a line.
    path : Path
        The file; replaced once the new one is complete.
    """
    pairs, templates, pictures, folds, scores = zip(*sorted(rows), strict=True)
    table = pa.table(
        {
            "pair": pa.array(pairs).dictionary_encode(),
            "template": pa.array(templates).dictionary_encode(),
            "picture": pa.array(pictures),
            "fold": pa.array(folds, pa.int8()),
            "score": pa.array(scores, pa.float32()),
        }
    ).replace_schema_metadata({_ABOUT: about.encode()})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=15)


@cache
def read_scores(path: Path = PACKAGED) -> NetworkScores:
    """Read what `write_scores` stored.

    Parameters
    ----------
    path : Path
        The file; the packaged one by default.

    Returns
    -------
    NetworkScores

    Raises
    ------
    DatasetError
        If the file is missing or holds no scores.
    """
    try:
        stored = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{path}: the network's scores cannot be read: {error}") from error
    if set(_COLUMNS) - set(stored.column_names):
        raise DatasetError(f"{path}: this is not a table of the network's scores")
    found: dict[tuple[str, str], dict[str, tuple[int, float]]] = {}
    for pair, template, picture, fold, score in zip(
        *(stored.column(name).to_pylist() for name in _COLUMNS), strict=True
    ):
        found.setdefault((pair, template), {})[picture] = (fold, score)
    about = (stored.schema.metadata or {}).get(_ABOUT, b"").decode()
    return NetworkScores(about, found)
