"""Reasons in plain words."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace.detection.attribution import Attribution, Likeness
from convtrace.detection.calibration import Calibration, Unseen, calibrate
from convtrace.detection.conditions import of_small
from convtrace.detection.reasons import (
    about_compression,
    about_generator,
    about_probability,
    about_region,
    about_strangeness,
    about_unjudged,
)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    scores = np.concatenate([np.linspace(-1, 0.2, 500), np.linspace(-0.2, 1, 500)])
    return calibrate(scores, np.arange(1000) >= 500, np.ones(1000))


def test_the_counts_are_those_of_the_held_out_scores(calibration: Calibration) -> None:
    high = about_probability("generated", 0.93, 0.08, calibration)
    assert "0.93" in high
    assert "10 of 100 real photographs it was tested on score this high" in high
    assert "77 of 100 generated images" in high
    low = about_probability("real", 0.07, -0.08, calibration)
    assert "10 of 100 generated images it was tested on score this low" in low
    assert "gives no verdict" in about_probability("unsure", 0.5, 0.0, calibration)
    assert "0.50 of being generated, which tells little" in about_unjudged(0.5)


def test_the_generator_that_is_missed_most_is_spoken_of() -> None:
    scores = np.concatenate([np.linspace(-1, 0.2, 500), np.linspace(-0.2, 1, 500)])
    names = np.array([""] * 500 + ["hard"] * 100 + ["easy"] * 400)
    by = calibrate(scores, np.arange(1000) >= 500, np.ones(1000), generators=names)
    for label in ("real", "unsure"):
        text = about_probability(label, 0.07, -0.08, by)
        assert "10 of 100 generated images" in text
        assert "this low (50 of 100 of the generator that it misses most)" in text
    assert "misses most" not in about_probability("generated", 0.9, 0.9, by)
    # And where it says no more, it is not said; what was not trained on comes last.
    unseen = Unseen(np.where(names == "hard", -1.0, 0.5), names != "", names)
    both = calibrate(scores, names != "", np.ones(1000), generators=names, unseen=unseen)
    text = about_probability("unsure", 0.07, -0.08, both)
    assert (
        "(50 of 100 of the generator that it misses most, more than 99 of 100 of a generator"
        in text
    )
    assert "misses most" not in about_probability("unsure", 0.9, 5.0, by)


def test_none_and_all_are_never_claimed(calibration: Calibration) -> None:
    text = about_probability("generated", 1.0, 50.0, calibration)
    assert "fewer than 1 of 100 real" in text
    text = about_probability("unsure", 1.0, 50.0, calibration)
    assert "more than 99 of 100 generated images this low" in text


def test_compression(calibration: Calibration) -> None:
    text = about_compression("jpeg-70-84", 75.0, calibration)
    assert text.startswith("Stored as a JPEG of quality about 75")
    assert "83 of 100 were told right" in text
    assert "1000 pictures" in text
    assert "too few" in about_compression("lossless", None, None)
    small = about_compression(of_small("jpeg-70-84"), 75.0, calibration)
    assert small == text.replace("of test pictures", "of small test pictures")
    assert "too few small pictures" in about_compression(of_small("lossless"), None, None)


def test_generators() -> None:
    measured = {"accuracy_named": 0.87}
    known = Attribution(None, ("a", "b", "c"), 1.0, 0.5, np.zeros((3, 3)), np.eye(3), 1.0, measured)
    nearest = (("b", 0.71, 0.4), ("a", 0.2, 1.4), ("c", 0.09, 3.0))
    text = about_generator(known, Likeness("b", nearest))
    assert "most like b" in text
    assert "next a with 0.20" in text
    assert "0.71" in text
    assert "87 of 100" in text
    unlikely = about_generator(known, Likeness(None, nearest))
    assert "unknown: of the 3 generators" in unlikely
    assert "0.71, too little" in unlikely
    far = about_generator(known, Likeness(None, (("b", 0.99, 2.5), *nearest[1:])))
    assert "2.5 times as far" in far


def test_strangeness() -> None:
    assert "3.2 times as far out" in about_strangeness(3.2)


def test_region() -> None:
    assert (
        about_region(300, 100, 256)
        == "Only the central 256x100 of its 300x100 pixels were measured."
    )
    assert about_region(256, 256, 256) is None
    assert about_region(9999, 9999, None) is None
