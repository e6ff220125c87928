"""Synthbuster: one flat folder per generator, and RAISE-1k beside them as real.

    dalle2/*.png  dalle3/*.png  firefly/*.png  ...  stable-diffusion-xl/*.png
    RAISE/*.TIF   (or raise1k, real_RAISE_1k, real, ...)

Every prompt was written for one photograph of RAISE-1k, and the generated picture
carries that photograph's name, so pictures of one name share a group.

References
----------
Q. Bammey, "Synthbuster: Towards Detection of Diffusion Model Generated Images",
IEEE Open Journal of Signal Processing 5 (2024), doi:10.1109/OJSP.2023.3337714.
"""

from __future__ import annotations

from pathlib import Path

from convtrace.datasets.catalogue import canonical, is_known
from convtrace.datasets.dataset import FAKE, REAL, Dataset
from convtrace.datasets.labels import label_of
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import Rows, has_pictures, label_folders, pictures, subfolders

__all__ = ["LAYOUT", "detect", "read"]

_GENERATORS = frozenset(
    {
        "dalle2",
        "dalle3",
        "firefly",
        "glide",
        "midjourney-v5",
        "stable-diffusion-1-3",
        "stable-diffusion-1-4",
        "stable-diffusion-2",
        "stable-diffusion-xl",
    }
)


def _is_real(name: str) -> bool:
    return "raise" in name.casefold() or label_of(name) == REAL


def detect(folder: Path) -> bool:
    """Return whether two folders, or one beside RAISE, are named as in Synthbuster."""
    children = subfolders(folder)
    named = sum(one.name.casefold() in _GENERATORS for one in children)
    with_reals = any(_is_real(one.name) for one in children)
    sorted_by_label = any(one.parts for one in label_folders(folder, max_depth=1))
    return not sorted_by_label and named + with_reals >= 2 and named >= 1


def read(folder: Path) -> Dataset:
    """Read the folders whose name tells what they hold; the rest is told in the notes."""
    rows = Rows()
    notes = []
    for child in subfolders(folder):
        if _is_real(child.name):
            label = REAL
        elif child.name.casefold() in _GENERATORS or is_known(child.name):
            label = FAKE
        else:
            if has_pictures(child):
                notes.append(f"folder {child.name} was skipped: no known generator has that name")
            continue
        for path in pictures(child):
            rows.add(
                path,
                label,
                generator=canonical(child.name),
                group=f"scene:{path.stem}",
                subset=child.name,
            )
    return rows.dataset(folder, LAYOUT.name, notes=tuple(notes))


LAYOUT = Layout("synthbuster", "one folder per generator beside a folder RAISE", detect, read)
