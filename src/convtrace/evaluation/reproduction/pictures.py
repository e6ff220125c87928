"""What the pictures of an experiment are, class by class, before and after equalisation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.detection import Table
from convtrace.evaluation.facts import PictureFacts
from convtrace.evaluation.pairs import lossless_of, pairs_in

__all__ = ["classes_of", "picture_table"]

_CROP = re.compile(r"crop-(\d+)")
_JPEG = re.compile(r"jpeg-(\d+)")

Class = tuple[str, NDArray[np.bool_]]


def classes_of(facts: PictureFacts, scope: str) -> list[Class]:
    """Return the classes of an experiment, and which pictures belong to each.

    Parameters
    ----------
    facts : PictureFacts
        Of all pictures.
    scope : {"all", "generated", "pairs", "lossless"}
        As `convtrace.evaluation.experiments.Experiment.scope`.

    Returns
    -------
    list of (str, ndarray of bool)
    """
    generated = facts.labels == "fake"
    if scope in ("pairs", "lossless"):
        found = pairs_in(facts.labels, facts.generators, facts.subsets)
        if scope == "lossless":
            found = lossless_of(found)
        return [
            (f"{pair.name}: {word}", rows & of_label)
            for pair in found
            for rows in [pair.rows(facts.labels, facts.generators, facts.subsets)]
            for word, of_label in (("real", ~generated), ("generated", generated))
        ]
    names = sorted(set(facts.generators[generated].tolist()))
    classes = [(name or "unnamed", generated & (facts.generators == name)) for name in names]
    return classes if scope == "generated" else [("photographs", ~generated), *classes]


def picture_table(facts: PictureFacts, scope: str, equalised: Iterable[str] = ()) -> Table:
    """Return counts, formats, qualities and sizes of each class.

    Parameters
    ----------
    facts : PictureFacts
        Of all pictures.
    scope : str
        As for `classes_of`.
    equalised : iterable of str
        What both classes are forced through.

    Returns
    -------
    Table
    """
    templates = tuple(equalised)
    rows: list[tuple[Any, ...]] = [
        (
            name,
            int(mask.sum()),
            len(np.unique(facts.groups[mask])),
            _tally(facts.formats[mask].tolist()),
            _qualities(facts.quality[mask]),
            _sizes(facts.width[mask], facts.height[mask]),
            *(_after(template, facts, mask) for template in templates),
        )
        for name, mask in classes_of(facts, scope)
        if mask.any()
    ]
    return Table(
        f"The pictures, by {'pair' if scope in ('pairs', 'lossless') else 'class'}",
        ("class", "pictures", "groups", "formats", "JPEG quality", "sizes (pixels)",
         *(f"after {template}" for template in templates)),
        tuple(rows),
        "As the files are, and what both classes alike are forced through.",
    )  # fmt: skip


def _tally(values: list[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(values).most_common())


def _qualities(quality: NDArray[np.int64]) -> str:
    known = quality[quality > 0]
    if not len(known):
        return "none"
    low, high = int(known.min()), int(known.max())
    return str(low) if low == high else f"{low} to {high}, median {int(np.median(known))}"


def _sizes(width: NDArray[np.int64], height: NDArray[np.int64]) -> str:
    sizes = Counter(zip(width.tolist(), height.tolist(), strict=True))
    if len(sizes) <= 2:
        return ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
    (w, h), times = sizes.most_common(1)[0]
    sides = np.minimum(width, height)
    return (
        f"{len(sizes)} sizes, shorter side {sides.min()} to {sides.max()}, most often {w}x{h} "
        f"({times})"
    )


def _after(template: str, facts: PictureFacts, mask: NDArray[np.bool_]) -> str:
    crop, jpeg = _CROP.search(template), _JPEG.search(template)
    width, height = facts.width[mask], facts.height[mask]
    if crop:
        side = int(crop[1])
        width, height = np.minimum(width, side), np.minimum(height, side)
    text = _sizes(width, height)
    return f"{text}, JPEG {jpeg[1]}" if jpeg else text
