"""The labelled table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convtrace.datasets import Dataset
from convtrace.errors import DatasetError

ROOT = Path("/data")


def example() -> Dataset:
    return Dataset.build(
        ROOT,
        "example",
        [ROOT / "a.png", ROOT / "b" / "c.png", Path("/elsewhere/d.png")],
        ["real", "fake", "fake"],
        generators=["", "ProGAN", ""],
        groups=["", "pair", ""],
        split=["train", "test", ""],
    )


def test_a_missing_group_is_the_path() -> None:
    assert example().groups.tolist() == ["a.png", "pair", "/elsewhere/d.png"]


def test_columns_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        example().labels[0] = "fake"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([True, False, True], ["a.png", "d.png"]),
        ([2, 0], ["d.png", "a.png"]),
        ([-1], ["d.png"]),
        ([], []),
        (np.zeros(3, dtype=bool), []),
    ],
)
def test_select(rows: object, expected: list[str]) -> None:
    chosen = example().select(rows)  # type: ignore[arg-type]
    assert [path.name for path in chosen.paths] == expected
    assert len(chosen.labels) == len(chosen) == len(expected)


@pytest.mark.parametrize(
    ("rows", "message"), [([True], "mask of 1"), ([3], "outside 0..2"), ([0.5], "whole numbers")]
)
def test_select_refuses(rows: list[float], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        example().select(rows)


def test_counts() -> None:
    assert example().counts() == {
        "pictures": 3,
        "real": 1,
        "fake": 2,
        "groups": 3,
        "generators": {"": 1, "ProGAN": 1},
        "split": {"test": 1, "train": 1},
        "subset": {},
    }


def test_the_table_names_paths_relative_to_the_root() -> None:
    table = example().to_table()
    assert table.column("path").to_pylist() == ["a.png", "b/c.png", "/elsewhere/d.png"]
    assert table.column("generator").to_pylist() == ["", "ProGAN", ""]
    assert {str(column.type) for column in table.itercolumns()} == {"string"}


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(DatasetError, match="'maybe' is neither"):
        Dataset.build(ROOT, "example", [ROOT / "a.png"], ["maybe"])


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(DatasetError, match="column labels has 2 entries for 1"):
        Dataset.build(ROOT, "example", [ROOT / "a.png"], ["real", "fake"])
