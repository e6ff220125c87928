"""The card."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from convtrace.detection.card import Card, Table, current_versions
from convtrace.errors import ModelError

TABLE = Table(
    "Accuracy",
    ("set", "n", "accuracy"),
    (("a|b", 10, (0.9, 0.85, 0.94)), ("c", 5, None), ("d", 3, 0.5)),
    "By cross-validation.",
)


def test_a_card_survives_json() -> None:
    card = Card(
        "demo", {"classifier": "svm"}, {"real": 3, "per_format": {"png": 3}}, (TABLE,), ("None.",)
    )
    again = Card.from_dict(json.loads(json.dumps(card.to_dict())))
    assert again == card
    assert again.versions == current_versions()


def test_the_markdown_says_it_all() -> None:
    card = replace(
        Card(
            "demo", {"degradations": ["none", "jpeg-75"]}, {"per_generator": {"GAN": 7}}, (TABLE,)
        ),
        sha256="12ab",
        limits=("Knows nothing of drawings.",),
    )
    text = card.to_markdown()
    for part in (
        "# demo",
        "12ab",
        "none, jpeg-75",
        "GAN 7",
        "| a\\|b | 10 | 0.900 (0.850 to 0.940) |",
        "| c | 5 |  |",
        "By cross-validation.",
        "- Knows nothing of drawings.",
        "scikit-learn",
    ):
        assert part in text


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ModelError, match="2 cells, not 1"):
        Table("t", ("a",), (("x", 1),))
