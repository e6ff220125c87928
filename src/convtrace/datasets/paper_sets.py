"""The data sets of the original study, as far as a user has copies of them.

One folder holds them all: a manifest, any known layout, or one folder for each set::

    DIR/CelebA/img_align_celeba/000001.jpg    photographs, in their own layout
    DIR/StarGAN/*.png                         pictures of a generator of the catalogue
    DIR/StyleGAN/real|fake/*.png              a set with photographs of its own

References
----------
L. Guarnera, O. Giudice, S. Battiato, "Fighting Deepfake by Exposing the Convolutional Traces
on Images", IEEE Access 8, 2020, arXiv:2008.04095.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convtrace.datasets import catalogue, layouts
from convtrace.datasets.dataset import FAKE, REAL, Dataset
from convtrace.datasets.generator import Generator
from convtrace.datasets.layouts._tree import Rows, pictures, subfolders
from convtrace.datasets.loading import load
from convtrace.datasets.manifests import find_manifest
from convtrace.errors import DatasetError

__all__ = ["MissingSet", "PaperSets", "load_paper_sets"]

_STUDY = "arXiv:2008.04095"


@dataclass(frozen=True, slots=True)
class MissingSet:
    """A set of the original study that was not found.

    Attributes
    ----------
    name : str
        Of the generator.
    described : str
        Where it is described.
    place : str
        How to lay it out.
    """

    name: str
    described: str
    place: str

    def __str__(self) -> str:
        return f"{self.name} was not found; it is described in {self.described}; {self.place}"


@dataclass(frozen=True, slots=True)
class PaperSets:
    """What was found.

    Attributes
    ----------
    dataset : Dataset
        All pictures that were found, of other generators too.
    missing : tuple of MissingSet
        Sets of the study that were not.
    """

    dataset: Dataset
    missing: tuple[MissingSet, ...]


def load_paper_sets(folder: str | os.PathLike[str]) -> PaperSets:
    """Find a user's copies of the original study's data sets.

    Parameters
    ----------
    folder : str or path-like
        A folder arranged in one of the ways that the module describes, or a manifest.

    Returns
    -------
    PaperSets

    Raises
    ------
    DatasetError
        If there is no such folder, or not both photographs and generated pictures in it.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("CelebA/img_align_celeba/000001.jpg", "gaugan/a.png"):
    ...     (root / name).parent.mkdir(parents=True)
    ...     Image.new("RGB", (8, 8)).save(root / name)
    >>> found = load_paper_sets(root)
    >>> found.dataset.generators.tolist()
    ['', 'SPADE']
    >>> [one.name for one in found.missing][:2]
    ['CycleGAN', 'StarGAN']
    """
    root = Path(os.path.normpath(Path(folder).absolute()))
    if not root.is_dir() or find_manifest(root) is not None:
        dataset = load(folder)
    else:
        dataset = _by_folders(root)
    for label, words in ((REAL, "photographs"), (FAKE, "generated pictures")):
        if not np.any(dataset.labels == label):
            raise DatasetError(
                f"{folder}: no {words} were found there{_left_out(dataset.notes)}; name one "
                "folder for each set, such as "
                f"{'CelebA/img_align_celeba' if label == REAL else 'StarGAN'}, or write a "
                "manifest.csv with the columns path, label and generator"
            )
    return PaperSets(dataset, _missing(dataset))


def _by_folders(root: Path) -> Dataset:
    parts = []
    whole = layouts.detect(root)
    if whole is not None:
        parts.append(whole.read(root))
    read = {path.relative_to(root).parts[0] for part in parts for path in part.paths}
    notes = []
    for child in subfolders(root):
        # What the layout of the whole folder has not read is a set of its own.
        if child.name not in read:
            found = _one(child)
            if found is None:
                notes.append(f"{child}: neither a known layout nor a generator's name; left out")
            else:
                parts.append(found)
    notes += [note for part in parts if not len(part) for note in part.notes]
    parts = [part for part in parts if len(part)]
    if not parts:
        raise DatasetError(
            f"{root}: no pictures of a known layout or generator were found there"
            f"{_left_out(notes)}; name one folder for each set, such as CelebA/img_align_celeba "
            "and StarGAN, or write a manifest.csv"
        )
    return _joined(root, parts, tuple(notes))


def _left_out(notes: Iterable[str]) -> str:
    return "".join(f" ({note})" for note in notes if "left out" in note)


def _one(folder: Path) -> Dataset | None:
    layout = layouts.detect(folder)
    named = catalogue.is_known(folder.name)
    generator = catalogue.canonical(folder.name) if named else ""
    if layout is None:
        if not named:
            return None
        rows = Rows()
        for path in pictures(folder):
            rows.add(path, FAKE, generator=generator, subset=folder.name)
        return rows.dataset(folder, "catalogue")
    found = layout.read(folder)
    nameless = (found.labels == FAKE) & (found.generators == "")
    generators = np.where(nameless, generator, found.generators)
    subset = np.where(found.subset == "", folder.name, found.subset)
    return replace(found, generators=generators, subset=subset)


def _joined(root: Path, parts: list[Dataset], notes: tuple[str, ...]) -> Dataset:
    def column(name: str) -> list[str]:
        return [str(value) for part in parts for value in getattr(part, name)]

    # The path of a picture is its group where nothing else is known: relative to its own set,
    # so that two sets may hold the same one.
    groups = [
        f"{part.root.name}:{group}" if len(parts) > 1 else str(group)
        for part in parts
        for group in part.groups
    ]
    return Dataset.build(
        root,
        "+".join(dict.fromkeys(part.layout for part in parts)),
        [path for part in parts for path in part.paths],
        column("labels"),
        generators=column("generators"),
        groups=groups,
        split=column("split"),
        subset=column("subset"),
        sources=column("sources"),
        published_format=column("published_format"),
        notes=(*(note for part in parts for note in part.notes), *notes),
    )


def _missing(dataset: Dataset) -> tuple[MissingSet, ...]:
    present = set(dataset.generators[dataset.labels == FAKE].tolist())
    return tuple(
        _missing_set(one)
        for one in catalogue.generators()
        if one.in_original_study and not _is_there(one, present)
    )


def _is_there(one: Generator, present: set[str]) -> bool:
    # A set of several methods is there when one of them is: "FaceForensics++ FaceSwap".
    whole = one.kind == "data set" and any(name.startswith(f"{one.name} ") for name in present)
    return one.name in present or whole


def _missing_set(one: Generator) -> MissingSet:
    return MissingSet(
        one.name,
        str(one.paper) if one.paper is not None else _STUDY,
        f"put its pictures into a folder {one.name}, or name it in the column generator of a "
        "manifest",
    )
