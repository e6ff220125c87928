"""GenImage: ``<generator>/[archive name/]{train,val}/{ai,nature}/*``.

References
----------
M. Zhu et al., "GenImage: A Million-Scale Benchmark for Detecting AI-Generated
Image", NeurIPS 2023 Datasets and Benchmarks, arXiv:2306.08571.
"""

from __future__ import annotations

import re
from pathlib import Path

from convtrace.datasets.catalogue import canonical
from convtrace.datasets.dataset import REAL, Dataset
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import LabelFolder, Rows, label_folders, pictures

__all__ = ["LAYOUT", "detect", "read"]

_WORDS = frozenset({"ai", "nature"})
# The archives are called imagenet_ai_0419_biggan, imagenet_glide and so on.
_ARCHIVE = re.compile(r"^imagenet_(?:ai_\d+_)?", re.IGNORECASE)


def _label_folders(folder: Path) -> list[LabelFolder]:
    return [one for one in label_folders(folder) if one.word in _WORDS]


def detect(folder: Path) -> bool:
    """Return whether ai and nature lie below a train or val folder."""
    found = _label_folders(folder)
    return {one.word for one in found} == _WORDS and any(one.split for one in found)


def read(folder: Path) -> Dataset:
    """Read the pictures; real ones of one ImageNet name share a group."""
    rows = Rows()
    for one in _label_folders(folder):
        name = one.others[0] if one.others else folder.name
        generator = canonical(_ARCHIVE.sub("", name))
        for path in pictures(one.path):
            # The same ImageNet photograph may stand beside several generators.
            group = f"imagenet:{path.stem}" if one.label == REAL else ""
            rows.add(
                path, one.label, generator=generator, group=group, split=one.split, subset=name
            )
    return rows.dataset(folder, LAYOUT.name)


LAYOUT = Layout("genimage", "<generator>/{train,val}/{ai,nature}", detect, read)
