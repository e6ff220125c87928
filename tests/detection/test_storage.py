"""One file, safe to load."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skops import io as skops_io

from convtrace.detection import Detector, classifiers, load, read_card, save, storage
from convtrace.errors import ModelError


@pytest.fixture
def model_file(fitted: Detector, tmp_path: Path) -> Path:
    path = tmp_path / "model.convtrace"
    fitted.save(path)
    return path


def resealed(parts: dict[str, bytes]) -> bytes:
    """Pack parts the way an attacker can, manifest and seal in order."""
    manifest = json.loads(parts["manifest.json"])
    for name in manifest["parts"]:
        manifest["parts"][name]["sha256"] = hashlib.sha256(parts[name]).hexdigest()
    parts = {**parts, "manifest.json": json.dumps(manifest).encode()}
    packed = storage._zip(parts, zipfile.ZIP_DEFLATED)
    body = packed[: -storage._SEAL_LENGTH] + b"sha256:"
    return body + hashlib.sha256(body).hexdigest().encode()


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("recipe", [*classifiers.names(), "svm+lda"])
def test_a_loaded_detector_gives_the_same_bits(rows: Any, tmp_path: Path, recipe: str) -> None:
    detector = Detector(recipe, n_splits=2, attribution=recipe in ("lda", "svm")).fit(
        rows.X[:120], rows.y[:120], generators=rows.generators[:120]
    )
    card = save(detector, tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(rows.X), detector.predict_proba(rows.X))
    np.testing.assert_array_equal(again.predict(rows.X), detector.predict(rows.X))
    assert again.card_ == card
    assert again.notes_ == ()
    if detector.attribution_ is not None:
        names, probabilities = again.attribute(rows.X)
        assert names == detector.attribute(rows.X)[0]
        np.testing.assert_array_equal(probabilities, detector.attribute(rows.X)[1])


def test_conditions_and_limits_are_kept(fitted: Detector, model_file: Path, rows: Any) -> None:
    again = Detector.load(model_file)
    np.testing.assert_array_equal(
        again.predict(rows.X, conditions=rows.conditions),
        fitted.predict(rows.X, conditions=rows.conditions),
    )
    assert again.get_params()["n_splits"] == 4
    assert again.held_out_ is None


def test_a_loaded_detector_judges_pictures(
    picture_detector: Detector, make_pictures: Any, tmp_path: Path
) -> None:
    picture_detector.save(tmp_path / "m")
    pixels = make_pictures("fake", 1, seed=3)[0]
    assert load(tmp_path / "m").verdict(pixels) == picture_detector.verdict(pixels)


def test_equal_detectors_make_equal_files(fitted: Detector, tmp_path: Path) -> None:
    fitted.save(tmp_path / "a")
    again = load(tmp_path / "a")
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_is_a_plain_zip_with_its_hash(model_file: Path) -> None:
    parts = unpacked(model_file)
    assert set(parts) == {"manifest.json", "card.json", "detector.json", "classifiers.skops"}
    data = model_file.read_bytes()
    assert hashlib.sha256(data[:-64]).hexdigest().encode() == data[-64:]
    # What `sha256sum` prints.
    assert read_card(model_file).sha256 == hashlib.sha256(data).hexdigest()
    assert Detector.load(model_file).card_.sha256 == hashlib.sha256(data).hexdigest()
    assert all(b"pickle" not in part for part in parts.values())


def test_saving_replaces_whole_files_only(
    fitted: Detector, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = model_file.read_bytes()

    def broken(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(ModelError, match="No space left"):
        fitted.save(model_file)
    assert model_file.read_bytes() == before
    assert list(model_file.parent.iterdir()) == [model_file]


def test_any_altered_byte_is_noticed(model_file: Path) -> None:
    whole = model_file.read_bytes()
    for place in [*range(0, len(whole), len(whole) // 60), len(whole) - 70, len(whole) - 1]:
        altered = bytearray(whole)
        altered[place] ^= 0x10
        model_file.write_bytes(altered)
        with pytest.raises(ModelError, match="not loaded"):
            load(model_file)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(model_file: Path, share: float) -> None:
    whole = model_file.read_bytes()
    model_file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match="truncated"):
        load(model_file)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        load(tmp_path / "missing")
    with pytest.raises(ModelError, match="no such model file"):
        load(tmp_path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("hello", "world")
    with pytest.raises(ModelError, match="no convtrace model"):
        load(tmp_path / "other.zip")
    (tmp_path / "wrong").write_bytes(
        resealed({"manifest.json": b'{"parts": {}}', "hello": b"world"})
    )
    with pytest.raises(ModelError, match="its parts are not those"):
        load(tmp_path / "wrong")


def test_another_format_version_says_what_to_do(model_file: Path) -> None:
    parts = unpacked(model_file)
    parts["manifest.json"] = parts["manifest.json"].replace(
        b'"format_version":2', b'"format_version":9'
    )
    model_file.write_bytes(resealed(parts))
    with pytest.raises(ModelError, match=r"format version 9.*update convtrace"):
        load(model_file)


def test_a_part_that_is_not_the_stated_one(model_file: Path) -> None:
    parts = unpacked(model_file)
    manifest = parts["manifest.json"]
    parts["card.json"] = parts["card.json"].replace(b"lda", b"svm")
    data = resealed(parts)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["manifest.json"] = manifest
    packed = storage._zip(parts, zipfile.ZIP_STORED)
    body = packed[: -storage._SEAL_LENGTH] + b"sha256:"
    model_file.write_bytes(body + hashlib.sha256(body).hexdigest().encode())
    with pytest.raises(ModelError, match=r"card\.json is not what the manifest says"):
        load(model_file)


class Foreign:
    """Something that no detector of ours holds."""

    def __init__(self) -> None:
        self.value = 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (Foreign(), "Foreign"),
        (os.system, "system"),
        (eval, "eval"),
        (np.save, "save"),
        (type, "builtins.type"),
    ],
    ids=["object", "os.system", "eval", "numpy.save", "type"],
)
def test_untrusted_content_is_refused_by_name(model_file: Path, content: Any, name: str) -> None:
    parts = unpacked(model_file)
    parts["classifiers.skops"] = skops_io.dumps({"members": [content], "attribution": None})
    model_file.write_bytes(resealed(parts))
    with pytest.raises(ModelError, match=f"not to be trusted.*{name}"):
        load(model_file)


def test_a_function_of_numpy_is_not_trusted_as_skops_does(model_file: Path) -> None:
    data = skops_io.dumps({"members": [np.add], "attribution": None})
    assert skops_io.get_untrusted_types(data=data) == []
    parts = unpacked(model_file)
    parts["classifiers.skops"] = data
    model_file.write_bytes(resealed(parts))
    with pytest.raises(ModelError, match=r"not to be trusted.*add"):
        load(model_file)


def test_a_crafted_tree_is_refused_before_it_predicts(rows: Any, tmp_path: Path) -> None:
    detector = Detector("random-forest", n_splits=2, attribution=False).fit(
        rows.X[:100], rows.y[:100]
    )
    detector.members_[0].model.steps[-1][1].estimators_[0].tree_.children_left[0] = 10**9
    detector.save(tmp_path / "m")
    with pytest.raises(ModelError, match="decision tree in it does not fit together"):
        load(tmp_path / "m")


@pytest.mark.parametrize(
    ("part", "data"),
    [
        ("detector.json", b"{}"),
        ("detector.json", b"[" * 100_000),
        ("detector.json", b"\xff\xfe"),
        ("card.json", b"[]"),
        ("classifiers.skops", b"no zip"),
        ("classifiers.skops", b""),
    ],
)
def test_sealed_nonsense_is_refused_in_a_line(model_file: Path, part: str, data: bytes) -> None:
    model_file.write_bytes(resealed({**unpacked(model_file), part: data}))
    with pytest.raises(ModelError, match="makes no sense") as caught:
        load(model_file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("columns", [[[0, 9]], [[-1, 7]], [[3, 3]], [[0]], [["a", 8]], 7])
def test_columns_that_are_not_there_are_refused(model_file: Path, columns: Any) -> None:
    parts = unpacked(model_file)
    state = json.loads(parts["detector.json"])
    state["members"][0]["columns"] = columns
    parts["detector.json"] = json.dumps(state).encode()
    model_file.write_bytes(resealed(parts))
    with pytest.raises(ModelError):
        load(model_file)


def test_a_model_of_before_members_named_columns_loads(model_file: Path, rows: Any) -> None:
    expected = load(model_file).decision_function(rows.X)
    parts = unpacked(model_file)
    state = json.loads(parts["detector.json"])
    for member in state["members"]:
        del member["columns"]
    parts["detector.json"] = json.dumps(state).encode()
    model_file.write_bytes(resealed(parts))
    np.testing.assert_array_equal(load(model_file).decision_function(rows.X), expected)


def test_a_number_of_the_wrong_kind_is_refused(model_file: Path) -> None:
    parts = unpacked(model_file)
    state = json.loads(parts["detector.json"])
    state["calibration"]["score_map"]["first"] = ["steep"]
    parts["detector.json"] = json.dumps(state).encode()
    model_file.write_bytes(resealed(parts))
    with pytest.raises(ModelError, match="makes no sense"):
        load(model_file)


def test_a_file_that_unpacks_to_too_much_is_refused(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = unpacked(model_file)
    parts["card.json"] = b" " * 3_000_000
    model_file.write_bytes(resealed(parts))
    assert model_file.stat().st_size < 1_000_000
    monkeypatch.setattr(storage, "MAX_UNPACKED_BYTES", 2_000_000)
    with pytest.raises(ModelError, match="too large"):
        load(model_file)


def test_classifiers_of_ones_own_load_when_named(rows: Any, tmp_path: Path) -> None:
    from sklearn.naive_bayes import GaussianNB

    classifiers.register("naive-bayes")(lambda seed: GaussianNB())  # noqa: ARG005
    try:
        detector = Detector("naive-bayes", attribution=False).fit(rows.X, rows.y)
    finally:
        classifiers.CLASSIFIERS.remove("naive-bayes")
    detector.save(tmp_path / "m")
    with pytest.raises(ModelError, match=r"sklearn\.naive_bayes\.GaussianNB"):
        load(tmp_path / "m")
    again = load(tmp_path / "m", trusted=["sklearn.naive_bayes.GaussianNB"])
    np.testing.assert_array_equal(again.predict_proba(rows.X), detector.predict_proba(rows.X))


def test_another_scikit_learn_is_a_note_and_no_failure(model_file: Path, rows: Any) -> None:
    parts = unpacked(model_file)
    card = json.loads(parts["card.json"])
    card["versions"]["scikit-learn"] = "1.6.0"
    parts["card.json"] = json.dumps(card).encode()
    model_file.write_bytes(resealed(parts))
    again = load(model_file)
    assert len(again.notes_) == 1
    assert "scikit-learn 1.6.0" in again.notes_[0]
    assert len(again.predict(rows.X)) == 600
