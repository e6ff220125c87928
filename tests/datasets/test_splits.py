"""Splits: no group crosses, whatever the data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from convtrace.datasets import grouped_folds, load, train_test_split
from convtrace.errors import DatasetError

TABLES = st.integers(12, 120).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from(["real", "fake"]), min_size=n, max_size=n),
        st.lists(st.integers(0, 40), min_size=n, max_size=n),
        st.lists(st.sampled_from("abc"), min_size=n, max_size=n),
    )
)


def enough_groups(labels: list[str], groups: list[int], wanted: int) -> bool:
    per_label = {
        one: {g for la, g in zip(labels, groups, strict=True) if la == one} for one in labels
    }
    return min(len(found) for found in per_label.values()) >= wanted


@contextlib.contextmanager
def a_few_groups_may_hold_nearly_everything() -> Iterator[None]:
    """Leave out the tables that cannot be split; the error must say so."""
    try:
        yield
    except DatasetError as error:
        if "groups are too large" not in str(error):
            raise
        reject()


@settings(max_examples=60, deadline=None)
@given(TABLES, st.integers(2, 5), st.integers(0, 3), st.booleans())
def test_no_group_crosses(
    table: tuple[list[str], list[int], list[str]], n_splits: int, seed: int, stratified: bool
) -> None:
    labels, groups, strata = table
    assume(enough_groups(labels, groups, n_splits))
    with a_few_groups_may_hold_nearly_everything():
        folds = grouped_folds(
            labels, groups, n_splits=n_splits, seed=seed, strata=strata if stratified else None
        )
    group = np.array(groups)
    label = np.array(labels)
    tested = np.concatenate([test for _, test in folds])
    assert sorted(tested) == list(range(len(labels)))
    for train, test in folds:
        assert not set(group[train]) & set(group[test])
        assert sorted([*train, *test]) == list(range(len(labels)))
        assert set(label[train]) == set(label)
        assert len(test)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.floats(0.05, 0.95))
def test_no_group_crosses_in_two(
    table: tuple[list[str], list[int], list[str]], test_size: float
) -> None:
    labels, groups, _ = table
    assume(enough_groups(labels, groups, 2))
    with a_few_groups_may_hold_nearly_everything():
        train, test = train_test_split(labels, groups, test_size=test_size)
    group = np.array(groups)
    assert not set(group[train]) & set(group[test])
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert len(train)
    assert len(test)


def test_labels_and_strata_are_spread_evenly() -> None:
    labels = np.repeat(["real", "fake"], [100, 100])
    strata = np.repeat(["", "a", "b"], [100, 50, 50])
    groups = np.arange(200) // 2
    for _, test in grouped_folds(labels, groups, strata=strata):
        names, counts = np.unique(strata[test], return_counts=True)
        assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"": 20, "a": 10, "b": 10}


def test_a_stratum_smaller_than_the_folds_is_no_problem() -> None:
    labels = ["real"] * 20 + ["fake"] * 20
    strata = [""] * 20 + ["common"] * 18 + ["rare"] * 2
    folds = grouped_folds(labels, range(40), strata=strata)
    assert [len(test) for _, test in folds] == [8] * 5


def test_the_seed_decides() -> None:
    labels = ["real", "fake"] * 30
    groups = [i // 2 for i in range(60)]
    first, again, other = (
        [test.tolist() for _, test in grouped_folds(labels, groups, seed=seed)]
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(("test_size", "expected"), [(0.2, 20), (0.5, 50), (0.75, 75)])
def test_the_share_of_the_test(test_size: float, expected: int) -> None:
    _, test = train_test_split(["real", "fake"] * 50, range(100), test_size=test_size)
    assert len(test) == expected


def test_too_few_groups() -> None:
    labels = ["real"] * 10 + ["fake"] * 10
    groups = list(range(10)) + [100] * 4 + [101] * 3 + [102] * 3
    with pytest.raises(DatasetError, match=r"label fake has 3 separate groups .* use 3 folds"):
        grouped_folds(labels, groups)
    assert len(grouped_folds(labels, groups, n_splits=3)) == 3


def test_one_group() -> None:
    with pytest.raises(DatasetError, match="has 1 separate group of pictures"):
        train_test_split(["real", "fake"] * 5, ["same"] * 10)


@pytest.mark.parametrize(
    ("labels", "groups", "n_splits", "message"),
    [
        (["real", "fake"], [1], 2, "2 labels, but 1 groups"),
        ([], [], 2, "not empty"),
        (["real", "fake"], [1, 2], 1, "2 folds or more"),
    ],
)
def test_bad_arguments(labels: list[str], groups: list[int], n_splits: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        grouped_folds(labels, groups, n_splits=n_splits)


def test_a_bad_share() -> None:
    with pytest.raises(DatasetError, match="share between 0 and 1"):
        train_test_split(["real", "fake"], [1, 2], test_size=1)


def test_the_corpus(corpus: object) -> None:
    dataset = load(str(corpus))
    for train, test in grouped_folds(dataset.labels, dataset.groups, strata=dataset.subset):
        assert not set(dataset.groups[train]) & set(dataset.groups[test])
        share = np.mean(dataset.labels[test] == "fake")
        assert abs(share - np.mean(dataset.labels == "fake")) < 0.02
