"""ForenSynths, and the many sets that follow its arrangement.

    <generator>/[class/]0_real|1_fake/*.png
    [train|val|test/]<generator>/[class/]0_real|1_fake/*.png
    train|val/<LSUN class>/0_real|1_fake/*.png      (all fakes are ProGAN)

References
----------
S.-Y. Wang, O. Wang, R. Zhang, A. Owens, A. A. Efros, "CNN-Generated Images Are
Surprisingly Easy to Spot... for Now", CVPR 2020, arXiv:1912.11035.
"""

from __future__ import annotations

from pathlib import Path

from convtrace.datasets.catalogue import canonical
from convtrace.datasets.dataset import Dataset
from convtrace.datasets.labels import split_of
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import LabelFolder, Rows, label_folders, pictures

__all__ = ["LAYOUT", "detect", "read"]

_WORDS = frozenset({"0_real", "1_fake"})

# The training set is arranged by the class of LSUN, with ProGAN as the only generator.
_PROGAN_CLASSES = frozenset(
    {
        "airplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    }
)


def _label_folders(folder: Path) -> list[LabelFolder]:
    return [one for one in label_folders(folder) if one.word in _WORDS]


def detect(folder: Path) -> bool:
    """Return whether 0_real and 1_fake lie below a folder named after a generator."""
    found = _label_folders(folder)
    return {one.word for one in found} == _WORDS and any(one.others for one in found)


def read(folder: Path) -> Dataset:
    """Read the pictures; the subset is the path between root and label folder."""
    rows = Rows()
    for one in _label_folders(folder):
        split, others = _split_and_others(one.parts)
        first = others[0] if others else folder.name
        generator = "ProGAN" if first.casefold() in _PROGAN_CLASSES else canonical(first)
        for path in pictures(one.path):
            rows.add(path, one.label, generator=generator, split=split, subset="/".join(others))
    return rows.dataset(folder, LAYOUT.name)


def _split_and_others(parts: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Split the parts; only the first can be a split, because train is a class too."""
    split = split_of(parts[0]) if parts else None
    if split is None or (len(parts) == 1 and parts[0].casefold() in _PROGAN_CLASSES):
        return "", parts
    return split, parts[1:]


LAYOUT = Layout("forensynths", "<generator>/[class/]0_real and 1_fake", detect, read)
