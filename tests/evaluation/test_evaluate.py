"""A detector measured on a data set: tables, files, and what is refused."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from convtrace import datasets, scan
from convtrace.descriptors import Joined
from convtrace.detection import Detector
from convtrace.detection.conditions import is_small
from convtrace.errors import ConvtraceError, DatasetError
from convtrace.evaluation import evaluate


@pytest.fixture(scope="module")
def detector():
    from convtrace.detection import bundled

    return bundled()


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("real", "fake"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for index in range(4):
            pixels = rng.integers(0, 256, size=(70, 70, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / label / f"{index}.png")
    (tmp_path / "set" / "real" / "bad.png").write_text("no picture")
    return datasets.load(tmp_path / "set")


def test_writes_report_predictions_and_figures(dataset, detector, tmp_path):
    found = evaluate(dataset, detector, tmp_path / "out", degradations=("none", "jpeg-75"))
    names = {path.name for path in found.files}
    assert names == {"report.md", "predictions.csv", "confusion.png", "roc.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    for row in rows:
        if row["degradation"] == "none":
            verdict = scan(row["path"])
            assert float(row["probability"]) == pytest.approx(verdict.probability, abs=1e-6)
            assert row["verdict"] == verdict.label == "unsure"
            assert row["reasons"] == "; ".join(verdict.reasons)
            assert "70x70 pixels: too small" in row["reasons"]
            assert row["sha256"] == hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest()
    assert {row["label"] for row in rows} == {"real", "fake"}
    assert all(row["group"] for row in rows)
    assert "bad.png" in found.errors[0]
    assert "bad.png" in (tmp_path / "out" / "report.md").read_text()
    assert "Results by attack" in found.summary()


def test_what_no_verdict_is_given_on_is_unsure_and_counted_so(detector, tmp_path):
    """A flat picture, and one that an attack makes too small, whatever their numbers say."""
    always = Detector.from_dict(detector.to_dict(), detector.models(), detector.card_)
    always.guard_ = None
    for name, limits in always.condition_calibrations_.items():
        always.condition_calibrations_[name] = replace(limits, low=-1.0, high=0.0)
    photograph = load_sample_image("flower.jpg")
    for label, pixels in (("real", photograph[:200, :200]), ("fake", np.full((200, 200, 3), 90))):
        (tmp_path / "set" / label).mkdir(parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "set" / label / "0.png")
    found = evaluate(
        datasets.load(tmp_path / "set"), always, tmp_path / "out", degradations=("none", "crop-100")
    )
    counted = {row[:2]: row[2:] for row in found.tables[1].rows}
    assert counted["none", "real"][:3] == (0, 1, 0)
    assert counted["none", "real"][3] == pytest.approx((1.0, 0.025, 1.0))
    for attack, truth in (("none", "generated"), ("crop-100", "real"), ("crop-100", "generated")):
        assert counted[attack, truth][:3] == (0, 0, 1)
        assert counted[attack, truth][3] == pytest.approx((0.0, 0.0, 0.975))


def test_generators_that_are_named_are_counted(detector, tmp_path, monkeypatch):
    """By the family where the detector knows that alone; others should be unknown."""
    always = Detector.from_dict(detector.to_dict(), detector.models(), detector.card_)
    always.guard_ = None
    for name, limits in always.condition_calibrations_.items():
        always.condition_calibrations_[name] = replace(limits, low=-1.0, high=0.0)
    photograph = load_sample_image("flower.jpg")
    rows = ["path,label,generator"]
    named = iter(["FaceForensics++", "DCGAN", "unknown", "DCGAN", None])
    likeness = always.attribution_.likeness

    def told(features):
        name = next(named)
        return [replace(one, name=None if name == "unknown" else name or one.name)
                for one in likeness(features)]  # fmt: skip

    makers = ("FaceForensics++ FaceSwap", "FaceForensics++ FaceSwap", "DCGAN", "my own network", "")
    for place, generator in enumerate(makers):
        Image.fromarray(photograph[:200, place * 80 :][:, :200]).save(tmp_path / f"{place}.png")
        rows.append(f"{place}.png,{'fake' if generator else 'real'},{generator}")
    (tmp_path / "set.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(type(always.attribution_), "likeness", lambda _, features: told(features))
    found = evaluate(
        datasets.load(tmp_path / "set.csv"), always, tmp_path / "out", degradations=("none",),
        engine="threads", n_jobs=1,
    )  # fmt: skip
    table = next(one for one in found.tables if one.title == "Generators named")
    counted = {row[0]: row[1:] for row in table.rows}
    assert counted["FaceForensics++ FaceSwap"][:6] == ("yes", 2, 2, 1, 1, 0)
    assert counted["FaceForensics++ FaceSwap"][6][0] == pytest.approx(0.5)
    assert counted["DCGAN"] == ("yes", 1, 1, 0, 0, 1, None)
    assert counted["my own network"][:6] == ("no", 1, 1, 0, 1, 0)


def test_what_is_in_the_cache_is_not_measured_again(detector, dataset, tmp_path, monkeypatch):
    arguments = {"degradations": ("none", "jpeg-75"), "engine": "threads", "n_jobs": 2}
    for place in range(2):
        evaluate(dataset, detector, tmp_path / f"{place}", cache=tmp_path / "kept", **arguments)
        monkeypatch.setattr(Joined, "_measure", None)
    assert len(list((tmp_path / "kept").rglob("*.npy"))) == 16
    first, second = ((tmp_path / f"{place}" / "predictions.csv").read_bytes() for place in (0, 1))
    assert first == second
    assert detector.cache is None


def test_unknown_attack_and_file_as_folder_are_refused(dataset, detector, tmp_path):
    with pytest.raises(ConvtraceError, match="jpg-75"):
        evaluate(dataset, detector, tmp_path / "out", degradations=("jpg-75",))
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="is a file"):
        evaluate(dataset, detector, tmp_path / "file")


def test_small_pictures_are_judged_by_their_own_limits(detector, tmp_path):
    """As `scan` judges them, also where an attack makes them small."""
    own = Detector.from_dict(detector.to_dict(), detector.models(), detector.card_)
    for name, limits in own.condition_calibrations_.items():
        if is_small(name):
            own.condition_calibrations_[name] = replace(limits, low=-1.0, high=0.0)
    photograph = load_sample_image("china.jpg")
    for label, left in (("real", 100), ("fake", 300)):
        (tmp_path / "set" / label).mkdir(parents=True)
        pixels = photograph[100:300, left : left + 200]
        Image.fromarray(pixels).save(tmp_path / "set" / label / "0.png")
    evaluate(
        datasets.load(tmp_path / "set"), own, tmp_path / "out", degradations=("none", "crop-140")
    )
    with (tmp_path / "out" / "predictions.csv").open() as file:
        verdicts = {
            (row["label"], row["degradation"]): row["verdict"] for row in csv.DictReader(file)
        }
    for label in ("real", "fake"):
        assert verdicts[label, "none"] != "generated"
        assert verdicts[label, "crop-140"] == "generated"
