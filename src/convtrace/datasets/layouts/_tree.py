"""Walking folders whose names tell the label."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from convtrace.datasets.dataset import Dataset
from convtrace.datasets.labels import label_of, split_of
from convtrace.errors import DatasetError
from convtrace.image import find_pictures

__all__ = ["LabelFolder", "Rows", "has_pictures", "label_folders", "pictures", "subfolders"]

_MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """A folder named after a label, and the names between the root and it."""

    path: Path
    label: str
    parts: tuple[str, ...]

    @property
    def word(self) -> str:
        """The folder's own name, lower case."""
        return self.path.name.casefold()

    @property
    def split(self) -> str:
        """The published split among the parts, or an empty text."""
        return next((split for part in self.parts if (split := split_of(part))), "")

    @property
    def others(self) -> tuple[str, ...]:
        """The parts that name no split."""
        return tuple(part for part in self.parts if split_of(part) is None)


def subfolders(folder: Path) -> list[Path]:
    """Return the visible folders directly in ``folder``, sorted by name.

    Raises
    ------
    DatasetError
        If the folder may not be listed.
    """
    try:
        # scandir knows what is a folder without asking for each of 200,000 files.
        with os.scandir(folder) as entries:
            names = [one.name for one in entries if one.is_dir() and one.name[0] != "."]
    except OSError as error:
        raise DatasetError(
            f"{folder}: cannot be listed ({error.strerror or error}); check its permissions"
        ) from error
    return [folder / name for name in sorted(names)]


def label_folders(root: Path, *, max_depth: int = _MAX_DEPTH) -> Iterator[LabelFolder]:
    """Yield the label-named folders below ``root``, not looking inside them.

    Parameters
    ----------
    root : Path
        Where to begin; its own name is not looked at.
    max_depth : int
        How many folders may lie between root and a label folder.
    """
    yield from _label_folders(root, (), max_depth)


def _label_folders(folder: Path, parts: tuple[str, ...], depth: int) -> Iterator[LabelFolder]:
    for child in subfolders(folder):
        label = label_of(child.name)
        if label is not None:
            yield LabelFolder(child, label, parts)
        elif depth > 0:
            yield from _label_folders(child, (*parts, child.name), depth - 1)


def pictures(folder: Path) -> list[Path]:
    """Return the pictures below a folder, sorted."""
    return list(find_pictures([folder]))


def has_pictures(folder: Path) -> bool:
    """Return whether at least one picture lies anywhere below a folder."""
    return next(iter(find_pictures([folder])), None) is not None


class Rows:
    """Collects the columns of a data set, row by row."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._columns: dict[str, list[str]] = {
            name: [] for name in ("label", "generator", "group", "split", "subset")
        }

    def add(
        self,
        path: Path,
        label: str,
        *,
        generator: str = "",
        group: str = "",
        split: str = "",
        subset: str = "",
    ) -> None:
        """Append one picture; the generator is kept for fakes only."""
        self.paths.append(path)
        row = {
            "label": label,
            "generator": generator if label == "fake" else "",
            "group": group,
            "split": split,
            "subset": subset,
        }
        for name, value in row.items():
            self._columns[name].append(value)

    def dataset(self, root: Path, layout: str, *, notes: tuple[str, ...] = ()) -> Dataset:
        """Return the collected rows as a data set."""
        return Dataset.build(
            root,
            layout,
            self.paths,
            self._columns["label"],
            generators=self._columns["generator"],
            groups=self._columns["group"],
            split=self._columns["split"],
            subset=self._columns["subset"],
            notes=notes,
        )
