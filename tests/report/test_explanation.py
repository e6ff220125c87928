"""What is explained, against what other rooms say of the same picture."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import convtrace
from convtrace.datasets import examples
from convtrace.detection import bundled
from convtrace.detection.conditions import of_window
from convtrace.detection.windows import WINDOW
from convtrace.errors import ImageError
from convtrace.report import explain, render_html
from convtrace.report.writing import write_report

from .conftest import encoded, scene


def test_agrees_with_the_other_rooms(photograph):
    path = examples.pictures()[0].path
    verdict = convtrace.scan(path)
    assert photograph.verdict.label == verdict.label
    assert photograph.verdict.probability == verdict.probability
    assert photograph.verdict.reasons == verdict.reasons
    pixels = convtrace.read(path).pixels
    top, left = (pixels.shape[0] - 256) // 2, (pixels.shape[1] - 256) // 2
    trace = convtrace.extract(
        np.ascontiguousarray(pixels[top : top + 256, left : left + 256]), kernel_size=7
    )
    np.testing.assert_array_equal(photograph.trace.kernels, trace.kernels)
    assert photograph.facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert photograph.name == path.name


def test_all_of_it_is_json(photograph, hostile):
    for explanation in (photograph, hostile):
        state = json.loads(json.dumps(explanation.to_dict(), allow_nan=False))
        assert {
            "verdict", "kernels", "sigma", "map", "spectrum", "compression",
            "settings", "sha256", "versions", "model", "windows", "features", "nearest",
        } <= set(state)  # fmt: skip
        assert state["verdict"]["path"] == explanation.name
        assert state["model"]["sha256"] == bundled().card_.sha256
        assert np.shape([one["values"] for one in state["kernels"]]) == (3, 7, 7)
    told = hostile.to_dict()
    assert told["verdict"]["provenance"] == hostile.provenance.to_dict()
    assert [(one.name, one.kind) for one in hostile.provenance.statements] == [
        ("parameters", "generator"), ("<b>key</b>", "other"),
    ]  # fmt: skip
    # Once, and not in a second form beside the verdict.
    assert json.dumps(told).count("<b>key</b>") == 1
    assert photograph.to_dict()["compression"]["jpeg"]["quality"] == photograph.jpeg.quality
    assert hostile.to_dict()["compression"]["jpeg"] is None


def test_pictures_open_and_have_the_shape_of_the_picture(photograph):
    preview = Image.open(io.BytesIO(photograph.preview_jpeg))
    overlay = Image.open(io.BytesIO(photograph.overlay_png))
    assert preview.size == overlay.size == (640, 427)
    assert overlay.mode == "RGBA"
    for name in ("map_png", "misfit_png", "kernels_png", "spectrum_png"):
        image = Image.open(io.BytesIO(getattr(photograph, name)))
        assert image.format == "PNG"
        image.load()
    assert Image.open(io.BytesIO(photograph.map_png)).size == (634, 421)


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def test_windows_are_judged_as_the_detector_judges_them(photograph):
    windows = photograph.windows
    assert not windows.reason
    assert windows.probabilities.shape == (len(windows.tops), len(windows.lefts))
    assert 2 <= windows.probabilities.size <= 6
    assert all(start % 8 == 0 for start in windows.tops + windows.lefts)
    pixels = convtrace.read(examples.pictures()[0].path)
    part = pixels.pixels[windows.tops[0] :, windows.lefts[0] :][:WINDOW, :WINDOW]
    alone = bundled().examine(np.ascontiguousarray(part))
    score = bundled().decision_function(alone.vector[None])
    own = bundled().calibration_for(of_window(photograph.condition))
    assert own is not photograph.calibration
    expected = own.probability(score)
    if not np.isnan(windows.probabilities[0, 0]):
        assert windows.probabilities[0, 0] == pytest.approx(float(expected[0]))


def test_the_misfit_lies_as_the_verdicts_by_parts_do():
    lying, turned = (
        explain(encoded(scene(200, 320), "JPEG", exif=_turned(orientation)), most_windows=2)
        for orientation in (1, 6)
    )
    drawn = {
        name: [Image.open(io.BytesIO(getattr(each, name))) for each in (lying, turned)]
        for name in ("misfit_png", "map_png")
    }
    before, after = drawn["misfit_png"]
    assert np.array_equal(after, before.transpose(Image.Transpose.ROTATE_270))
    # The posterior map is that of the stored pixels, and says so.
    assert np.array_equal(*map(np.asarray, drawn["map_png"]))
    assert "it lies as the file stores the picture" in render_html(turned)
    assert "it lies as the file stores the picture" not in render_html(lying)


def test_a_small_picture_says_that_it_is_too_small(hostile):
    assert "too small" in hostile.windows.reason
    assert hostile.windows.probabilities.size == 0
    overlay = Image.open(io.BytesIO(hostile.overlay_png))
    assert overlay.getextrema()[3] == (0, 0)


def test_no_part_is_real_in_a_picture_that_is_not(photograph):
    labels = np.array([["real", "generated"], ["unsure", "real"]])
    windows = replace(photograph.windows, labels=labels)
    assert windows.within("real").labels.tolist() == labels.tolist()
    for label in ("generated", "unsure"):
        kept = [["unsure", "generated"], ["unsure", "unsure"]]
        assert windows.within(label).labels.tolist() == kept
    if photograph.verdict.label != "real":
        assert "real" not in photograph.windows.labels


def test_windows_that_lie_apart_are_drawn_as_samples():
    found = explain(encoded(scene(640, 640)), most_windows=4)
    assert found.windows.apart
    assert found.windows.tops == found.windows.lefts == (0, 512)
    opacity = np.asarray(Image.open(io.BytesIO(found.overlay_png)))[..., 3].astype(float)
    for row, place in ((0, 60), (1, 580)):
        probability = found.windows.probabilities[row, 0]
        assert opacity[place, 60] == round(215 * abs(probability - 0.5) * 2)
        # 70 pixels farther in no window measures.
        inside = 60 + 140 if row == 0 else 580 - 140
        assert opacity[inside, 60] == pytest.approx(0.45 * opacity[place, 60], abs=1)


def test_a_turned_picture_has_a_turned_overlay_and_preview():
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(scene(160, 320), "JPEG", quality=95, exif=exif)
    found = explain(data, most_windows=4)
    assert Image.open(io.BytesIO(found.preview_jpeg)).size == (160, 320)
    assert Image.open(io.BytesIO(found.overlay_png)).size == (160, 320)
    assert found.name == "<bytes>"
    assert any(one.name == "Orientation" for one in found.provenance.statements)


def test_a_grey_picture_and_another_lossy_format():
    grey = explain(encoded(scene(96, 96).convert("L")))
    np.testing.assert_array_equal(grey.trace.kernels[0], grey.trace.kernels[2])
    webp = explain(encoded(scene(96, 96), "WEBP", quality=80))
    assert webp.condition == "other-lossy"
    assert webp.compared_with == "lossless"


def test_a_picture_that_was_read_is_explained_as_its_file(photograph, tmp_path):
    path = examples.pictures()[0].path
    again = explain(convtrace.read(path), most_windows=6)
    assert again.name == photograph.name
    assert again.verdict.probability == photograph.verdict.probability
    assert again.facts == photograph.facts
    # It was read without; the report must not say that the file says nothing.
    assert again.provenance is None
    assert again.to_dict()["verdict"]["provenance"] is None
    assert "It was not read" in render_html(again)
    assert "the file has no EXIF" not in render_html(again)
    write_report(again, tmp_path / "r.pdf")


def test_a_bad_picture_is_one_clear_error(tmp_path):
    with pytest.raises(ImageError, match="not a picture"):
        explain(b"this is no picture at all")
    with pytest.raises(ImageError, match="no such file"):
        explain(tmp_path / "none.png")
    with pytest.raises(ImageError, match="larger picture"):
        explain(encoded(Image.new("RGB", (5, 5), "red")))
