"""Any arrangement in folders named after the label.

[split/][generator/][split/]real|fake/[split/][generator/]*
with 0_real|1_fake, nature|ai, real|generated, ... as other words
"""

from __future__ import annotations

from pathlib import Path

from convtrace.datasets.catalogue import canonical
from convtrace.datasets.dataset import FAKE, REAL, Dataset
from convtrace.datasets.labels import split_of
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import (
    LabelFolder,
    Rows,
    label_folders,
    pictures,
    subfolders,
)

__all__ = ["LAYOUT", "detect", "read"]


def detect(folder: Path) -> bool:
    """Return whether a folder for real and one for fake pictures lie below."""
    return {one.label for one in label_folders(folder)} == {REAL, FAKE}


def read(folder: Path) -> Dataset:
    """Read the pictures; see the module for where generators and splits are looked for."""
    found = list(label_folders(folder))
    # A name that stands inside real folders as well is a class of content (cat, car).
    classes = {
        child.name.casefold()
        for one in found
        if one.label == REAL
        for child in subfolders(one.path)
    }
    rows = Rows()
    for one in found:
        for path in pictures(one.path):
            inner = path.relative_to(one.path).parts[:-1]
            split = one.split or next((s for part in inner if (s := split_of(part))), "")
            name = _generator(one, inner, classes)
            rows.add(path, one.label, generator=canonical(name), split=split, subset=name)
    return rows.dataset(folder, LAYOUT.name)


def _generator(one: LabelFolder, inner: tuple[str, ...], classes: set[str]) -> str:
    if one.others:
        return one.others[0]
    named = (p for p in inner if split_of(p) is None and p.casefold() not in classes)
    return next(named, "")


LAYOUT = Layout(
    "real-fake", "folders real and fake, 0_real and 1_fake, nature and ai", detect, read
)
