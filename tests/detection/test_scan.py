"""One picture, one verdict, whatever the picture is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convtrace.detection import Detector, scan
from convtrace.errors import ModelError


def test_a_verdict_from_a_detector_or_its_file(
    picture_detector: Detector, make_pictures: Any, tmp_path: Path
) -> None:
    pixels = make_pictures("fake", 1, seed=4)[0]
    verdict = scan(pixels, detector=picture_detector)
    assert verdict.label == "generated"
    picture_detector.save(tmp_path / "m.convtrace")
    assert scan(pixels, detector=tmp_path / "m.convtrace") == verdict
    assert scan(pixels, detector=str(tmp_path / "m.convtrace")) == verdict


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"hello" * 100])
def test_what_cannot_be_read_is_an_error_in_the_verdict(
    picture_detector: Detector, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    verdict = scan(path, detector=picture_detector)
    assert (verdict.label, verdict.probability, verdict.reasons) == (None, None, ())
    assert verdict.path == str(path)
    assert verdict.error is not None
    assert str(path) in verdict.error
    assert "\n" not in verdict.error


def test_missing_files_folders_and_specks(picture_detector: Detector, tmp_path: Path) -> None:
    assert scan(tmp_path / "none.png", detector=picture_detector).error
    assert scan(tmp_path, detector=picture_detector).error
    speck = scan(np.zeros((2, 2, 3), np.uint8), detector=picture_detector)
    assert speck.error is not None
    assert speck.label is None


def test_a_missing_model_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        scan(np.zeros((64, 64)), detector=tmp_path / "none.convtrace")
