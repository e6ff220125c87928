"""The packaged scores of the network: of the same pictures and folds as all other methods."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convtrace.detection.held_out import folds_by_group
from convtrace.errors import DatasetError
from convtrace.evaluation.bundles import EQUALISED, TRACES
from convtrace.evaluation.network_scores import SEED, read_scores, write_scores
from convtrace.evaluation.pairs import MATCHED
from convtrace.evaluation.store import BundledStore

ROWS = [("a", "none", "p2", 1, -0.5), ("a", "none", "p1", 0, 1.5), ("b", "none", "p1", 0, 2.0)]


def test_what_is_stored_is_read(tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(ROWS, "trained on sand", path)
    found = read_scores(path)
    assert found.about == "trained on sand"
    assert found.has("a", "none")
    assert not found.has("a", "jpeg-75")
    np.testing.assert_array_equal(found.of("a", "none", ["p1", "p2"]), [1.5, -0.5])


def test_a_picture_without_score_is_an_error(tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(ROWS, "", path)
    with pytest.raises(DatasetError, match="lack 1 of 2 pictures of b after none"):
        read_scores(path).of("b", "none", ["p1", "p2"])


def test_what_is_no_table_of_scores_is_named(tmp_path):
    path = tmp_path / "scores.parquet"
    with pytest.raises(DatasetError, match="cannot be read"):
        read_scores(path)
    pq.write_table(pa.table({"pair": ["a"]}), path)
    with pytest.raises(DatasetError, match="not a table of the network's scores"):
        read_scores(path)


@pytest.mark.parametrize("pair", [pair for pair in MATCHED if pair.lossless], ids=lambda p: p.name)
def test_packaged_scores_are_of_the_folds_of_all_methods(pair):
    packaged, store = read_scores(), BundledStore()
    for template in ("none", EQUALISED):
        table = store.table(TRACES, template, (*pair.fakes, *pair.reals))
        codes = (table.labels == "fake").astype(np.intp)
        scores = packaged.of(pair.name, template, table.picture.tolist())
        assert np.isfinite(scores).all()
        stored = packaged.found[pair.name, template]
        assert len(stored) == len(table)
        for number, (_, test) in enumerate(folds_by_group(codes, table.groups, seed=SEED)):
            assert {stored[name][0] for name in table.picture[test].tolist()} == {number}


def test_packaged_scores_hold_every_matched_pair():
    packaged = read_scores()
    assert all(packaged.has(pair.name, "none") for pair in MATCHED)
    assert "NVIDIA" in packaged.about
