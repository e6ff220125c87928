"""FFHQ: real faces only, in sub-folders of a thousand.

    [images1024x1024|thumbnails128x128|in-the-wild-images/]00000/00000.png
    <folder whose name contains ffhq>/00000.png

References
----------
T. Karras, S. Laine, T. Aila, "A Style-Based Generator Architecture for Generative
Adversarial Networks", CVPR 2019, arXiv:1812.04948.
"""

from __future__ import annotations

import re
from pathlib import Path

from convtrace.datasets.dataset import REAL, Dataset
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import Rows, pictures, subfolders

__all__ = ["LAYOUT", "detect", "read"]

_VARIANTS = ("images1024x1024", "thumbnails128x128", "in-the-wild-images")
_THOUSAND = re.compile(r"^\d{2}000$")
_NAME = re.compile(r"^\d{5}$")


def _roots(folder: Path) -> list[Path]:
    found = [folder / name for name in _VARIANTS if (folder / name).is_dir()]
    return found or [folder]


def _holds_numbered_files(folder: Path) -> bool:
    return any(_NAME.match(one.stem) and one.is_file() for one in folder.iterdir())


def _looks_right(root: Path) -> bool:
    thousands = [one for one in subfolders(root) if _THOUSAND.match(one.name)]
    if thousands:
        return any(_holds_numbered_files(one) for one in thousands)
    # Numbered files alone say nothing, generators write them too: ask the name.
    return "ffhq" in root.name.casefold() and _holds_numbered_files(root)


def detect(folder: Path) -> bool:
    """Return whether the folder, or a variant inside it, is numbered like FFHQ."""
    return any(_looks_right(root) for root in _roots(folder))


def read(folder: Path) -> Dataset:
    """Read the pictures, all real; a photograph shares its group over the variants."""
    rows = Rows()
    strange = 0
    for root in _roots(folder):
        for path in pictures(root):
            if not _NAME.match(path.stem):
                strange += 1
                continue
            subset = root.name if root != folder else ""
            rows.add(path, REAL, group=f"ffhq:{path.stem}", subset=subset)
    notes = ["read as FFHQ: every picture is taken as a real photograph"]
    if strange:
        notes.append(f"{folder}: left out, not named like 00000.png: {strange}")
    return rows.dataset(folder, LAYOUT.name, notes=tuple(notes))


LAYOUT = Layout("ffhq", "thousands folders 00000/00000.png, all real", detect, read)
