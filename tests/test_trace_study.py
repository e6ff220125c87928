"""The figures of tools/trace_study.py are what their names say."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from convtrace.evaluation.bundled_table import BUNDLED_DOMAINS
from convtrace.evaluation.tables import FeatureTable

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    if not (ROOT / "tools" / "trace_study.py").is_file():
        pytest.skip("the tools are not here: these are the tests of an installed package")
    monkeypatch.syspath_prepend(ROOT / "tools")
    # The study keeps what it found where the cache is.
    monkeypatch.setenv("CONVTRACE_CACHE", str(tmp_path))
    return importlib.import_module("trace_study")


@pytest.fixture
def table() -> FeatureTable:
    """Four domains of twenty photographs and twenty images."""
    subsets = [sets[0] for sets in list(BUNDLED_DOMAINS.values())[:4]]
    count = 160
    labels = np.where(np.arange(count) % 2 == 0, "real", "fake")
    place = np.arange(count)
    text = np.full(count, "", dtype=str)
    return FeatureTable(
        features=(place % 2)[:, np.newaxis].astype(np.float32),
        names=np.array(["ct3_x"]),
        picture=place.astype(str),
        labels=labels,
        generators=text,
        groups=(place // 2).astype(str),
        subsets=np.array(subsets)[place // 40],
        formats=text,
        templates=np.full(count, "none"),
        degradations=np.full(count, "none"),
        conditions=np.full(count, "lossless"),
    )


def test_figures_are_of_all_rows_or_of_the_mean_domain(
    study: ModuleType, table: FeatureTable
) -> None:
    rows = study.Rows(table, np.ones(len(table), dtype=bool))
    scores = rows.codes - 0.5
    # Domains that are right within, but lie on one side of zero.
    moved = scores + np.where(np.isin(rows.domains, np.unique(rows.domains)[:2]), 10.0, 0.0)
    assert study.figures(rows, moved, True, ("none",)) == [0.75]
    assert study.figures(rows, moved, False, ("none",)) == [1.0]
    # One of the domains is told upside down.
    worst = np.unique(rows.domains)[0]
    upside = np.where(rows.domains == worst, -scores, scores)
    assert study.figures(rows, upside, False, ("none",)) == [0.75]
    assert study.figures(rows, upside, False, ("none",), worst) == [1.0]


def test_columns_are_chosen_by_whole_beginnings(study: ModuleType, table: FeatureTable) -> None:
    rows = study.Rows(table, np.ones(len(table), dtype=bool))
    assert rows.columns(("ct3_",)).tolist() == [True]
    assert rows.columns(("ct5_", "co_")).tolist() == [False]
    with pytest.raises(TypeError, match="each letter"):
        rows.columns("ct")


def test_a_change_has_an_interval_around_it(
    study: ModuleType, table: FeatureTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tenth of them, for time.
    monkeypatch.setattr(study, "DRAWS", 50)
    rows = study.Rows(table, np.ones(len(table), dtype=bool))
    rng = np.random.default_rng(0)
    before = rng.standard_normal(len(table))
    assert study.change(rows, before, before, "none") == (0.0, 0.0, 0.0)
    better = before + rows.codes
    value, low, high = study.change(rows, better, before, "none")
    assert 0 < low < value < high < 0.5
    expected = study.figures(rows, better, False, ("none",))[0]
    expected -= study.figures(rows, before, False, ("none",))[0]
    assert value == pytest.approx(expected)


def test_no_group_is_trained_on_and_tested(study: ModuleType, table: FeatureTable) -> None:
    tests = np.arange(len(table)) % 4 < 2
    rows = study.Rows(table, tests)
    for known in (True, False):
        folds = rows.folds(known)
        assert np.array_equal(np.sort(np.concatenate([t for _, t in folds])), np.flatnonzero(tests))
        for train, test in folds:
            assert not set(table.groups[train]) & set(table.groups[test])
            if not known:
                assert not set(rows.domains[train]) & set(rows.domains[test])


def test_the_document_is_what_the_tool_writes(study: ModuleType) -> None:
    document = (ROOT / "docs" / "trace-study.md").read_text(encoding="utf-8")
    for paragraph in re.split(r"\{\w+\}", study.TEXT):
        assert paragraph.strip() in document
    # One row for each thing that is compared.
    for label in (*study.SAID.values(), *study.SCORERS, *study.TRAININGS):
        assert f"| {label} |" in document


def test_what_is_chosen_for_a_domain_saw_nothing_of_it(
    study: ModuleType, table: FeatureTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = study.Rows(table, np.ones(len(table), dtype=bool))
    folds = rows.folds(False)
    seen = []

    def fold(name, X, codes, blocks, train, test):  # noqa: ARG001
        seen.append((set(rows.domains[train].tolist()), set(rows.domains[test].tolist())))
        return test.astype(float)

    monkeypatch.setattr(study, "_fold", fold)
    monkeypatch.setattr(study, "Parallel", lambda **_: lambda jobs: [f(*a) for f, a, _ in jobs])
    found = study.without_two.func(rows, ("ct",), "key")
    assert len(seen) == len(folds) * (len(folds) - 1) / 2
    for trained, tested in seen:
        assert len(tested) == 2
        assert not trained & tested
    for place, (_, test) in enumerate(folds):
        assert np.isnan(found[place, test]).all()
        others = np.setdiff1d(np.arange(len(table)), test)
        np.testing.assert_array_equal(found[place, others], others)
