"""What the files alone tell, where results are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convtrace import datasets
from convtrace.detection import Recipe
from convtrace.evaluation import train
from convtrace.evaluation.confounders import (
    IN_TRAINING,
    confounders,
    confounders_table,
    in_training,
)


def saved(root, suffix_of):
    """Return a data set of noise; each class in a format of its own, or both in one."""
    rng = np.random.default_rng(0)
    for label, suffix in suffix_of.items():
        (root / label).mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(0, 256, size=(72, 72, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{index:02d}.{suffix}")
    return datasets.load(root)


def test_photographs_in_jpeg_against_images_in_png_are_spoken_of(tmp_path):
    findings, reason = confounders(saved(tmp_path, {"real": "jpg", "fake": "png"}), n_jobs=-1)
    assert not reason
    table = confounders_table(findings)
    auc = {row[0]: row[2] for row in table.rows}
    assert auc["file format"][0] == pytest.approx(1.0)
    assert auc["picture size"][0] == pytest.approx(0.5)
    assert "file name" not in auc
    assert "file format (AUC 1.00)" in table.note
    assert "picture size (" not in table.note
    (sentence,) = in_training(findings)
    assert sentence.startswith(IN_TRAINING)
    assert "file format (AUC 1.00)" in sentence


def test_classes_of_one_kind_are_not_warned_of(tmp_path):
    findings, _ = confounders(saved(tmp_path, {"real": "png", "fake": "png"}))
    assert in_training(findings) == ()
    assert "by itself" not in confounders_table(findings).note


def test_too_few_pictures_say_why_nothing_was_tested(tmp_path):
    few = saved(tmp_path, {"real": "png", "fake": "png"}).select(np.arange(0, 40, 8))
    findings, reason = confounders(few)
    assert findings == ()
    assert "an audit needs 10 of each class" in confounders_table(findings, reason).note
    assert in_training(findings) == ()


def test_the_card_of_a_detector_begins_with_it(tmp_path):
    recipe = Recipe(
        name="small",
        descriptor="ct",
        descriptor_params={"kernel_size": 3},
        classifier="lda",
        degradations=("none",),
    )
    detector = train(saved(tmp_path, {"real": "jpg", "fake": "png"}), recipe=recipe)
    assert detector.card_.limits[0].startswith(IN_TRAINING)
    assert len(detector.card_.limits) > 3
