"""The classifiers of a detector: how they are named, what each looks at, and how it scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.descriptors.registry import DESCRIPTORS
from convtrace.detection import classifiers
from convtrace.detection.held_out import class_scores
from convtrace.detection.ranks import ranked_first
from convtrace.errors import ConvtraceError

__all__ = ["Columns", "Member", "canonical", "looked_at", "margin", "parse_members"]

Floats = NDArray[np.float64]
Columns = tuple[tuple[int, int], ...]


def parse_members(spec: str) -> list[tuple[str, tuple[str, ...]]]:
    """Read which classifiers a detector is to have.

    Parameters
    ----------
    spec : str
        As in `convtrace.detection.recipes.Recipe`.

    Returns
    -------
    list of (str, tuple of str)
        The name of each classifier, and those of the descriptors whose numbers it looks at; all
        where none is named.

    Raises
    ------
    UnknownNameError
        Where a classifier or a descriptor is not known.
    ConvtraceError
        Where two members would be the same.

    Examples
    --------
    >>> parse_members("rf+lda@ct,co-occurrence")
    [('random-forest', ()), ('lda', ('convolutional-traces', 'co-occurrence'))]
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    for member in spec.split("+"):
        name, mark, parts = member.partition("@")
        resolved = tuple(DESCRIPTORS.resolve(part) for part in parts.split(",")) if mark else ()
        found.append((classifiers.CLASSIFIERS.resolve(name), resolved))
    if len(set(found)) != len(found):
        raise ConvtraceError(f"{spec!r} names a classifier twice")
    return found


def canonical(spec: str) -> str:
    """Return the same specification of members in canonical names.

    Parameters
    ----------
    spec : str
        As for `parse_members`.

    Returns
    -------
    str

    Examples
    --------
    >>> canonical("rf+lda@ct")
    'random-forest+lda@convolutional-traces'
    """
    return "+".join(
        f"{name}@{','.join(parts)}" if parts else name for name, parts in parse_members(spec)
    )


def looked_at(X: Floats, columns: Columns) -> Floats:
    """Return the features that a member looks at.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, d)
        Features.
    columns : tuple of (int, int)
        Bounds of slices; all where there are none.

    Returns
    -------
    numpy.ndarray of shape (n, k)
        A view where it is one slice.
    """
    parts = [X[:, start:stop] for start, stop in columns]
    if not parts:
        return X
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One classifier of a detector, and its score as log-odds.

    Parameters
    ----------
    name : str
        Name of the classifier.
    model : sklearn.base.BaseEstimator
        Fitted; classes 0 (real) and 1 (generated).
    slope, intercept : float
        Turn its score into log-odds, so that members can be averaged; 1 and 0 for a detector
        of a single member.
    columns : tuple of (int, int)
        The features that it looks at, as bounds of slices; all where there are none.
    """

    name: str
    model: Any
    slope: float = 1.0
    intercept: float = 0.0
    columns: Columns = ()

    def scores(self, X: Floats) -> Floats:
        """Score rows; greater is more likely generated.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d)
            Features.

        Returns
        -------
        numpy.ndarray of shape (n,), float64
        """
        model, ready = ranked_first(self.model, looked_at(X, self.columns))
        return self.slope * margin(class_scores(model, ready)) + self.intercept


def margin(scores: Floats) -> Floats:
    """Return by how much rows are generated rather than real.

    Parameters
    ----------
    scores : numpy.ndarray of shape (n, 2), float64
        Of the classes, as of `convtrace.detection.held_out.class_scores`.

    Returns
    -------
    numpy.ndarray of shape (n,), float64
    """
    return scores[:, 1] - scores[:, 0]
