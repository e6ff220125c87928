"""WildRF: pictures from social networks, generators unknown.

    {train,val}/{0_real,1_fake}/*
    test/{reddit,twitter,facebook}/{0_real,1_fake}/*

References
----------
B. Cavia, E. Horwitz, T. Reiss, Y. Hoshen, "Real-Time Deepfake Detection in the
Real-World", 2024, arXiv:2406.09398.
"""

from __future__ import annotations

from pathlib import Path

from convtrace.datasets.dataset import Dataset
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import LabelFolder, Rows, label_folders, pictures

__all__ = ["LAYOUT", "detect", "read"]

_WORDS = frozenset({"0_real", "1_fake"})
_PLATFORMS = frozenset({"reddit", "twitter", "facebook"})


def _label_folders(folder: Path) -> list[LabelFolder]:
    return [one for one in label_folders(folder) if one.word in _WORDS]


def _platform(one: LabelFolder) -> str:
    return next((part for part in one.parts if part.casefold() in _PLATFORMS), "")


def detect(folder: Path) -> bool:
    """Return whether 0_real and 1_fake lie in folders of social networks and nowhere else."""
    found = _label_folders(folder)
    return any(_platform(one) for one in found) and all(
        _platform(one) or not one.others for one in found
    )


def read(folder: Path) -> Dataset:
    """Read the pictures; the subset is the social network."""
    rows = Rows()
    for one in _label_folders(folder):
        for path in pictures(one.path):
            rows.add(path, one.label, split=one.split, subset=_platform(one))
    return rows.dataset(folder, LAYOUT.name)


LAYOUT = Layout("wildrf", "test/{reddit,twitter,facebook}/{0_real,1_fake}", detect, read)
