"""Manifests in every format, good and bad."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from convtrace.datasets import load
from convtrace.errors import DatasetError

ROWS: list[dict[str, Any]] = [
    {
        "path": "a.png",
        "label": "real",
        "generator": None,
        "group": "one",
        "split": "train",
        "set": "x",
    },
    {
        "path": "sub/b.png",
        "label": "fake",
        "generator": "gaugan",
        "group": "one",
        "split": "test",
        "set": "y",
    },
    {
        "path": "sub/c.png",
        "label": " Fake ",
        "generator": "my net",
        "group": "",
        "split": "",
        "set": "",
    },
]


def write_manifest(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(
                file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ","
            )
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "sub/b.png", "sub/c.png"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl", ".parquet"])
@pytest.mark.parametrize("by_folder", [True, False])
def test_every_format(pictures: Path, suffix: str, by_folder: bool) -> None:
    path = write_manifest(pictures / f"manifest{suffix}", ROWS)
    dataset = load(pictures if by_folder else path)
    assert dataset.layout == "manifest"
    assert dataset.root == pictures
    assert dataset.paths == tuple(pictures / row["path"] for row in ROWS)
    assert dataset.labels.tolist() == ["real", "fake", "fake"]
    assert dataset.generators.tolist() == ["", "SPADE", "my net"]
    assert dataset.groups.tolist() == ["one", "one", "sub/c.png"]
    assert dataset.split.tolist() == ["train", "test", ""]
    assert dataset.subset.tolist() == ["x", "y", ""]
    assert dataset.notes == ()


def test_a_manifest_wins_over_a_layout(pictures: Path) -> None:
    (pictures / "real").mkdir()
    (pictures / "fake").mkdir()
    write_manifest(pictures / "manifest.csv", ROWS)
    assert load(pictures).layout == "manifest"


def test_the_table_of_a_data_set_is_a_manifest(pictures: Path) -> None:
    dataset = load(write_manifest(pictures / "first.csv", ROWS))
    pyarrow.csv.write_csv(dataset.to_table(), pictures / "second.csv")
    again = load(pictures / "second.csv")
    assert again.to_table().equals(dataset.to_table())


def test_paths_outside_the_folder_and_absolute(pictures: Path) -> None:
    rows = [
        {"path": "../a.png", "label": "real"},
        {"path": str(pictures / "sub" / "b.png"), "label": "fake"},
    ]
    dataset = load(write_manifest(pictures / "lists" / "mine.csv", rows))
    assert dataset.paths == (pictures / "a.png", pictures / "sub" / "b.png")


def test_a_relative_manifest_path(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(pictures / "manifest.csv", ROWS)
    monkeypatch.chdir(pictures / "sub")
    assert load(os.path.join("..", "manifest.csv")).groups[2] == "sub/c.png"  # noqa: PTH118


def test_some_missing_files_are_noted(pictures: Path) -> None:
    (pictures / "sub" / "b.png").unlink()
    dataset = load(write_manifest(pictures / "manifest.csv", ROWS))
    assert len(dataset) == 3
    assert dataset.notes == (
        f"1 of 3 files do not exist (the first: {pictures / 'sub' / 'b.png'})",
    )


def test_only_missing_files_are_an_error(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "manifest.csv", ROWS)
    with pytest.raises(DatasetError, match=r"none of its 3 files exists \(the first: .*a\.png\)"):
        load(path)


def test_one_class_is_allowed(pictures: Path) -> None:
    assert load(write_manifest(pictures / "manifest.csv", ROWS[:1])).counts()["fake"] == 0


def test_a_generator_of_a_real_picture_is_left_out(pictures: Path) -> None:
    rows = [{"path": "a.png", "label": "real", "generator": "ProGAN"}]
    dataset = load(write_manifest(pictures / "manifest.csv", rows))
    assert dataset.generators.tolist() == [""]
    assert "1 real pictures name a generator" in dataset.notes[0]


@pytest.mark.parametrize(
    ("suffix", "place"),
    [
        (".csv", "line 3"),
        (".tsv", "line 3"),
        (".json", "record 2"),
        (".jsonl", "line 3"),
        (".parquet", "record 2"),
    ],
)
def test_a_bad_label_is_located(pictures: Path, suffix: str, place: str) -> None:
    rows = [ROWS[0], {**ROWS[1], "label": "fack"}]
    path = write_manifest(pictures / f"manifest{suffix}", rows)
    with pytest.raises(DatasetError, match=f"{place}: label 'fack' is neither real nor fake"):
        load(path)


def test_a_missing_column_is_named(pictures: Path) -> None:
    path = write_manifest(pictures / "manifest.csv", [{"file": "a.png", "label": "real"}])
    with pytest.raises(DatasetError, match=r"column path is missing \(found: file, label\)"):
        load(path)


def test_duplicated_paths_are_located(pictures: Path) -> None:
    rows = [ROWS[0], {**ROWS[0], "path": "sub/../a.png"}]
    path = write_manifest(pictures / "manifest.csv", rows)
    with pytest.raises(DatasetError, match=r"line 3: sub/../a.png was listed before in line 2"):
        load(path)


def test_an_empty_path_is_located(pictures: Path) -> None:
    path = write_manifest(pictures / "manifest.csv", [ROWS[0], {**ROWS[1], "path": ""}])
    with pytest.raises(DatasetError, match="line 3: the path is empty"):
        load(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.csv", b"path,label\n", "no rows"),
        ("manifest.json", b"{not json", "not valid JSON"),
        ("manifest.json", b'{"a.png": "real"}', "holds a JSON dict"),
        ("manifest.jsonl", b'["a.png"]\n', "line 1 is not an object"),
        ("manifest.parquet", b"PAR1 but no more", "not valid PARQUET"),
        ("manifest.csv", b"path,label\n\xff\xfe,real\n", "not valid CSV"),
    ],
)
def test_damaged_manifests(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_corpus(corpus: Path) -> None:
    dataset = load(corpus)
    counts = dataset.counts()
    assert counts["pictures"] == 3486
    assert counts["real"] + counts["fake"] == 3486
    assert len(counts["subset"]) == 38
    assert counts["groups"] == 2950
    assert counts["generators"]["FaceForensics++ DeepFakes"] == 82
    assert dataset.notes == ()
    assert set(dataset.published_format[dataset.subset == "stgan-celeba128"]) == {"tile:PNG"}
    assert all(path.is_file() for path in dataset.paths)
