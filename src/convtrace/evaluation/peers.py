"""The peers: published descriptors, each with the classifier that it is tried with."""

from __future__ import annotations

from dataclasses import dataclass

from convtrace.detection import recipes
from convtrace.detection.recipes import PEER_RECIPES

__all__ = ["PEERS", "Peer"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A method to be compared with.

    Attributes
    ----------
    title, descriptor, classifier, about : str
        For tables; names in the registries; what differs from the publication.
    """

    title: str
    descriptor: str
    classifier: str
    about: str


PEERS = tuple(
    Peer(recipe.name, recipe.descriptor, recipe.classifier, recipe.about)
    for recipe in map(recipes.get, PEER_RECIPES)
)
"""Each is a recipe, so that ``convtrace train --recipe`` takes it as well."""
