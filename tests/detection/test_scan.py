"""One picture, one verdict, whatever the picture is."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from convtrace.detection import Detector, scan
from convtrace.errors import ModelError
from convtrace.image import Provenance


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


def test_what_the_file_says_of_itself_changes_no_verdict(
    picture_detector: Detector, make_pictures: Any
) -> None:
    """A stripped tag, and a forged one, leave everything but the provenance as it was."""
    for kind in ("real", "fake"):
        image = Image.fromarray(make_pictures(kind, 1, seed=5)[0])
        camera = Image.Exif()
        camera[0x010F], camera[0x0110] = "Canon", "EOS 5D"
        claims = PngImagePlugin.PngInfo()
        claims.add_text("parameters", "a cat, Steps: 20, Sampler: Euler")
        for form, options in {
            "PNG": [{}, {"exif": camera}, {"pnginfo": claims}],
            "JPEG": [
                {"quality": 95, **more}
                for more in ({}, {"exif": camera}, {"comment": b"Made with Google AI"})
            ],
        }.items():
            found = []
            for option in options:
                stream = io.BytesIO()
                image.save(stream, form, **option)
                found.append(scan(stream.getvalue(), detector=picture_detector))
            bare, forged, told = found
            assert bare.provenance == Provenance()
            assert forged.provenance is not None
            assert [one.value for one in forged.provenance.of_kind("camera")] == ["Canon", "EOS 5D"]
            assert told.provenance is not None
            assert told.provenance.statements
            for other in (forged, told):
                assert replace(other, provenance=bare.provenance) == bare
            assert bare.to_dict()["provenance"] == {
                "summary": [], "statements": [], "credentials": None,
            }  # fmt: skip


def test_missing_files_folders_and_specks(picture_detector: Detector, tmp_path: Path) -> None:
    assert scan(tmp_path / "none.png", detector=picture_detector).error
    assert scan(tmp_path, detector=picture_detector).error
    speck = scan(np.zeros((2, 2, 3), np.uint8), detector=picture_detector)
    assert speck.error is not None
    assert speck.label is None


def test_a_missing_model_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        scan(np.zeros((64, 64)), detector=tmp_path / "none.convtrace")
