"""The packaged reference data, and how they are condensed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from convtrace.errors import ConvtraceError
from convtrace.evaluation import read_table
from convtrace.evaluation.bundled_table import BUNDLED_TABLES
from convtrace.report import references as module
from convtrace.report.references import ReferenceSet, feature_names, references, summarise


@pytest.fixture(scope="module")
def table():
    whole = read_table(BUNDLED_TABLES["traces"].path)
    return whole.select(np.isin(whole.templates, ["none", "jpeg-75", "rescale-0.75..1.25"]))


def test_means_are_those_of_the_table(table):
    found = summarise(table)
    name, condition = found.condition("lossless")
    assert name == "lossless"
    place = condition.generated_names.index("StyleGAN2")
    rows = (table.generators == "StyleGAN2") & (table.templates == "none")
    columns = np.isin(table.names, feature_names()[:144])
    np.testing.assert_allclose(
        condition.generated_means[place],
        table.features[rows][:, columns].astype(float).mean(axis=0),
        rtol=1e-6,
    )


def test_projection_is_scaled_and_its_second_axis_says_nothing_new(table):
    condition = summarise(table).conditions["lossless"]
    x, _, generated = condition.points.T
    # Twice the standard error of an AUC of these numbers of points is 0.03.
    greater = (x[generated == 1][:, None] > x[generated == 0][None]).mean()
    assert greater == pytest.approx(condition.projection_auc, abs=0.05)
    assert condition.projection_auc > 0.8


def test_saved_and_loaded(table, tmp_path):
    found = summarise(table)
    found.save(tmp_path / "r.npz")
    again = ReferenceSet.load(tmp_path / "r.npz")
    assert set(again.conditions) == set(found.conditions)
    for name, one in found.conditions.items():
        for field in dataclasses.fields(one):
            before, after = getattr(one, field.name), getattr(again.conditions[name], field.name)
            if isinstance(before, np.ndarray):
                np.testing.assert_allclose(after, before, rtol=2e-3, atol=1e-4)
            else:
                assert after == before
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(ConvtraceError, match="install"):
        ReferenceSet.load(tmp_path / "bad.npz")


def test_the_packaged_file_has_all_that_is_needed():
    found = references()
    assert module.references_path().stat().st_size < 400_000
    assert {"lossless", "jpeg-95-100", "jpeg-85-94", "jpeg-70-84", "jpeg-1-69"} == set(
        found.conditions
    )
    for one in found.conditions.values():
        assert one.real_quantiles.shape == (len(feature_names()), 41)
        assert np.all(np.diff(one.real_quantiles) >= 0)
        assert len(one.real_names) >= 5
        assert len(one.generated_names) >= 5


def test_a_table_without_the_columns_is_refused(table):
    less = dataclasses.replace(table, names=table.names.astype(str).copy())
    less.names[:] = "other"
    with pytest.raises(ConvtraceError, match="ct7_r_-3_-3"):
        summarise(less)
