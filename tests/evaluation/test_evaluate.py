"""A detector measured on a data set: tables, files, and what is refused."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from convtrace import datasets
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
    probability = {row["picture"] + row["degradation"]: row["probability"] for row in rows}
    path = dataset.paths[0]
    from convtrace.image import read

    expected = detector.predict_proba([path])[0, 1]
    stored = probability[read(path).sha256[:16] + "none"]
    assert float(stored) == pytest.approx(expected, abs=1e-4)
    assert "bad.png" in found.errors[0]
    assert "bad.png" in (tmp_path / "out" / "report.md").read_text()
    assert "Results by attack" in found.summary()


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
