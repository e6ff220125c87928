"""CelebA: real faces only, with its published split and identities where present.

    [.../]img_align_celeba|img_align_celeba_png|img_celeba/000001.jpg
    list_eval_partition.txt   identity_CelebA.txt      (beside it, or in Eval, Anno)

References
----------
Z. Liu, P. Luo, X. Wang, X. Tang, "Deep Learning Face Attributes in the Wild",
ICCV 2015, arXiv:1411.7766.
"""

from __future__ import annotations

import re
from pathlib import Path

from convtrace.datasets.dataset import REAL, Dataset
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import Rows, pictures

__all__ = ["LAYOUT", "detect", "read"]

_FOLDERS = ("img_align_celeba", "img_align_celeba_png", "img_celeba")
_NAME = re.compile(r"^\d{6}$")
_SPLITS = {"0": "train", "1": "val", "2": "test"}


def _root(folder: Path) -> Path | None:
    """Find the folder of pictures: this one, one inside it, or one inside Img."""
    if folder.name.casefold() in _FOLDERS:
        return folder
    candidates = [base / name for base in (folder, folder / "Img") for name in _FOLDERS]
    return next((one for one in candidates if one.is_dir()), None)


def detect(folder: Path) -> bool:
    """Return whether the folder is, or holds, one of CelebA's picture folders."""
    return _root(folder) is not None


def read(folder: Path) -> Dataset:
    """Read the pictures, all real; the group is the identity where it is told."""
    rows = Rows()
    root = _root(folder) or folder
    splits = _annotations(folder, root, "list_eval_partition")
    identities = _annotations(folder, root, "identity_CelebA")
    strange = 0
    for path in pictures(root):
        if not _NAME.match(path.stem):
            strange += 1
            continue
        identity = identities.get(path.stem)
        rows.add(
            path,
            REAL,
            group=f"identity:{identity}" if identity else "",
            split=_SPLITS.get(splits.get(path.stem, ""), ""),
        )
    notes = ["read as CelebA: every picture is taken as a real photograph"]
    if not identities:
        notes.append("identity_CelebA.txt was not found: pictures of one person may be split")
    if strange:
        notes.append(f"{root}: left out, not named like 000001.jpg: {strange}")
    return rows.dataset(folder, LAYOUT.name, notes=tuple(notes))


def _annotations(folder: Path, root: Path, name: str) -> dict[str, str]:
    """Read ``000001.jpg value`` lines, or the same as CSV, keyed by the file's stem."""
    places = [
        base / sub
        for base in (folder, root.parent, root.parent.parent)
        for sub in ("", "Anno", "Eval")
    ]
    for place in places:
        for suffix in (".txt", ".csv"):
            path = place / f"{name}{suffix}"
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                pairs = (line.replace(",", " ").split() for line in text.splitlines())
                return {Path(p[0]).stem: p[1] for p in pairs if len(p) == 2}
    return {}


LAYOUT = Layout("celeba", "img_align_celeba/000001.jpg, all real", detect, read)
