"""Named recipes."""

from __future__ import annotations

import json

import pytest

from convtrace import descriptors
from convtrace.descriptors import UnknownNameError
from convtrace.detection import classifiers, recipes
from convtrace.detection.recipes import Recipe
from convtrace.errors import ConvtraceError


def test_the_paper_is_there_systematically() -> None:
    for size in (3, 5, 7):
        for classifier in ("random-forest", "svm", "lda", "knn"):
            recipe = recipes.get(f"ct{size}-{classifier}")
            assert recipe.task == "detection"
            assert recipe.classifier == classifier
            assert recipe.descriptor_params["kernel_size"] == size
            assert recipes.get(f"ct{size}-{classifier}-attribution").task == "attribution"


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_can_be_made(name: str) -> None:
    recipe = recipes.get(name)
    assert classifiers.create(recipe.classifier) is not None
    descriptor = descriptors.create(recipe.descriptor, **recipe.descriptor_params)
    assert len(descriptor.get_feature_names_out()) > 0
    if name not in recipes.PEER_RECIPES:
        size = recipe.descriptor_params["kernel_size"]
        assert len(descriptor.get_feature_names_out()) == 3 * (size * size - 1)
    assert json.loads(json.dumps(recipe.to_dict()))["name"] == name


def test_an_unknown_recipe_gets_a_guess() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ct7-svm'"):
        recipes.get("ct7-svn")


def test_impossible_recipes_are_refused() -> None:
    with pytest.raises(ConvtraceError, match="task 'segmentation'"):
        Recipe("x", task="segmentation")
    with pytest.raises(ConvtraceError, match="at least one degradation"):
        Recipe("x", degradations=())
