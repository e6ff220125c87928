"""Interrupted and resumed extraction ends with the table of an undisturbed run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from PIL import Image

from convtrace.batch import ThreadEngine, extract_many, parts
from convtrace.errors import ConvtraceError


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    out = []
    for index in range(12):
        path = root / f"{index:02d}.png"
        Image.fromarray(rng.integers(0, 256, size=(20, 20, 3), dtype=np.uint8)).save(path)
        out.append(path)
    return out


def _rows(folder):
    return ds.dataset(folder, format="parquet").to_table().sort_by("path").to_pylist()


def test_resumed_equals_undisturbed(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_ROWS", 3)
    extract_many(paths, tmp_path / "whole", kernel_sizes=(3,))

    def stop(done: int, _total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_many(paths, tmp_path / "cut", kernel_sizes=(3,), progress=stop)
    result = extract_many(paths, tmp_path / "cut", kernel_sizes=(3,))
    assert result.kept >= 6
    assert result.kept + result.measured == 12
    assert _rows(tmp_path / "cut") == _rows(tmp_path / "whole")


def test_file_and_folder_hold_the_same(paths, tmp_path):
    extract_many(paths, tmp_path / "one.parquet", kernel_sizes=(3,))
    extract_many(paths, tmp_path / "folder", kernel_sizes=(3,))
    frame = pd.read_parquet(tmp_path / "one.parquet")
    assert len(frame) == 12
    assert frame["error"].isna().all()
    assert _rows(tmp_path / "one.parquet") == _rows(tmp_path / "folder")
    assert not (tmp_path / "one.parquet.parts").exists()


def test_changed_picture_is_measured_again(paths, tmp_path):
    copy = tmp_path / "a.png"
    copy.write_bytes(paths[0].read_bytes())
    extract_many([copy], tmp_path / "out", kernel_sizes=(3,))
    copy.write_bytes(paths[1].read_bytes() + b"\0")
    assert extract_many([copy], tmp_path / "out", kernel_sizes=(3,)).measured == 1


def test_second_call_measures_nothing(paths, tmp_path):
    extract_many(paths, tmp_path / "one.parquet", kernel_sizes=(3,))
    before = (tmp_path / "one.parquet").read_bytes()
    again = extract_many(paths, tmp_path / "one.parquet", kernel_sizes=(3,))
    assert (again.kept, again.measured) == (12, 0)
    assert (tmp_path / "one.parquet").read_bytes() == before
    with pytest.raises(ConvtraceError, match=r"one\.parquet"):
        extract_many(paths, tmp_path / "one.parquet", kernel_sizes=(5,))


def test_unreadable_picture_has_a_row_with_the_reason(paths, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    result = extract_many([bad, paths[0]], tmp_path / "out", kernel_sizes=(3,))
    assert (result.measured, result.failed) == (2, 1)
    rows = {row["path"]: row for row in _rows(tmp_path / "out")}
    assert "bad.jpg" in rows[str(bad)]["error"]
    assert rows[str(bad)]["trace_3"] is None
    assert rows[str(paths[0])]["error"] is None


def test_order_is_kept_and_work_is_bounded():
    taken = 0

    def items():
        nonlocal taken
        for index in range(1000):
            taken += 1
            yield index

    results = ThreadEngine().map(lambda n: n * n, items(), workers=2)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert taken <= 5 + 16
    results.close()
