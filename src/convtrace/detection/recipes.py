"""Recipes: a descriptor, a classifier and how they are trained, under one name.

The paper's are made systematically: its four classifiers times its three kernel sizes, for
the task of detection (``ct7-random-forest``) and that of naming the generator
(``ct7-random-forest-attribution``), trained on the pictures as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from convtrace.descriptors.registry import Registry
from convtrace.errors import ConvtraceError

__all__ = [
    "PAPER_CLASSIFIERS",
    "PAPER_KERNEL_SIZES",
    "PEER_RECIPES",
    "RECIPES",
    "Recipe",
    "get",
    "names",
]

PAPER_CLASSIFIERS = ("random-forest", "svm", "lda", "knn")
"""The classifiers of Guarnera et al. 2020."""

PAPER_KERNEL_SIZES = (3, 5, 7)
"""The kernel sizes of Guarnera et al. 2020."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a detector is made.

    Parameters
    ----------
    name : str
        What it is called.
    descriptor : str
        Name in `convtrace.descriptors`.
    descriptor_params : mapping
        Its options; JSON values.
    classifier : str
        Name in `convtrace.detection.classifiers`, or several joined by "+", whose calibrated
        log-odds are averaged. One that is to learn from some parts of a joined descriptor alone
        names them: "lda@co-occurrence,radial-spectrum+svm@convolutional-traces".
    task : {"detection", "attribution"}
        Real against generated, or which generator.
    degradations : tuple of str
        What is done to every training picture, of both classes alike: names of
        `convtrace.image.degradations`, one training row for each.
    about : str
        One line for people.
    """

    name: str
    descriptor: str = "convolutional-traces"
    descriptor_params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    classifier: str = "random-forest"
    task: str = "detection"
    degradations: tuple[str, ...] = ("none",)
    about: str = ""

    def __post_init__(self) -> None:
        if self.task not in ("detection", "attribution"):
            raise ConvtraceError(
                f"recipe {self.name!r}: task {self.task!r} is neither 'detection' nor 'attribution'"
            )
        if not self.degradations:
            raise ConvtraceError(
                f"recipe {self.name!r}: name at least one degradation; 'none' is the picture as is"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON values.

        Returns
        -------
        dict
        """
        return {
            "name": self.name,
            "descriptor": self.descriptor,
            "descriptor_params": _plain(self.descriptor_params),
            "classifier": self.classifier,
            "task": self.task,
            "degradations": list(self.degradations),
            "about": self.about,
        }


def _plain(value: Any) -> Any:
    """Return nested mappings and tuples as dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


RECIPES: Registry[Recipe] = Registry("recipe")


def names() -> list[str]:
    """Return the names of all recipes.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "ct7-random-forest" in names()
    True
    """
    return RECIPES.names()


def get(name: str) -> Recipe:
    """Return a recipe by name.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Recipe

    Raises
    ------
    UnknownNameError
        Where no recipe has the name.

    Examples
    --------
    >>> get("ct5-svm").classifier
    'svm'
    """
    return RECIPES.get(name)


def _add_paper_recipes() -> None:
    for size in PAPER_KERNEL_SIZES:
        for classifier in PAPER_CLASSIFIERS:
            for task, suffix in (("detection", ""), ("attribution", "-attribution")):
                name = f"ct{size}-{classifier}{suffix}"
                params = {"kernel_size": size, "crop": None, "statistics": False}
                recipe = Recipe(
                    name=name,
                    descriptor_params=MappingProxyType(params),
                    classifier=classifier,
                    task=task,
                    about=f"Guarnera et al. 2020: {size}x{size} trace of R, G and B, {classifier}",
                )
                RECIPES.add(name, recipe)


_PEERS = (
    ("durall2020", "radial-spectrum", "svm", "as published"),
    ("frank2020", "dct", "linear-svm", "mean of blocks in place of the whole picture"),
    ("zhang2019", "autogan-spectrum", "svm", "pooled, an SVM in place of a ResNet"),
    ("kirchner2008", "p-map-spectrum", "svm", "an SVM in place of the search for peaks"),
    ("lbp", "local-binary-patterns", "svm", "59 uniform patterns a channel"),
    ("pevny2010", "co-occurrence", "lda", "with colour, a shrinkage LDA in place of an SVM"),
    ("nataraj2019", "colour-co-occurrence", "svm", "16 levels, an SVM in place of a network"),
)

PEER_RECIPES = tuple(name for name, *_ in _PEERS)
"""Names of the recipes of other authors' methods."""


def _add_peer_recipes() -> None:
    for name, descriptor, classifier, about in _PEERS:
        RECIPES.add(name, Recipe(name, descriptor, classifier=classifier, about=about))


_add_paper_recipes()
_add_peer_recipes()
