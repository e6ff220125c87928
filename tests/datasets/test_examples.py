from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convtrace.datasets import examples
from convtrace.errors import ConvtraceError

GENERATORS = ("transposed-convolution", "upsample-convolution")


@pytest.fixture
def no_package(monkeypatch):
    """Hide a package from the import system for one test."""

    def hide(name):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda asked, *rest: None if asked == name else find(asked, *rest),
        )

    return hide


def test_counts_labels_and_order():
    pictures = examples.pictures()
    assert pictures == examples.pictures()
    assert [picture.label for picture in pictures] == ["real"] * 3 + ["fake"] * 24
    assert [picture.generator for picture in pictures] == (
        [""] * 3 + [GENERATORS[0]] * 12 + [GENERATORS[1]] * 12
    )
    assert len({picture.path for picture in pictures}) == len(pictures)
    assert len({picture.title + picture.source for picture in pictures}) == len(pictures)
    assert all(picture.title and picture.source for picture in pictures)


def test_photographs_are_jpeg_of_installed_packages():
    real = [picture for picture in examples.pictures() if picture.label == "real"]
    assert [picture.path.name for picture in real] == [
        "china.jpg",
        "flower.jpg",
        "grace_hopper.jpg",
    ]
    for picture in real:
        with Image.open(picture.path) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert min(image.size) >= 400


@pytest.mark.parametrize("generator", GENERATORS)
def test_generated_pictures_are_plain_png(generator):
    fake = [picture for picture in examples.pictures() if picture.generator == generator]
    assert [picture.path.name for picture in fake] == [f"{index:02d}.png" for index in range(12)]
    stack = []
    for picture in fake:
        assert picture.path.parent.name == generator
        with Image.open(picture.path) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (128, 128))
            stack.append(np.asarray(image, dtype=np.float64))
    # Pictures of something, and each of something else: no flat, collapsed or repeated ones.
    assert min(pixels.std() for pixels in stack) > 10
    assert min(np.abs(a - b).mean() for a, b in itertools.combinations(stack, 2)) > 5


def test_the_folder_is_small_described_and_holds_nothing_else():
    folder = examples.pictures()[-1].path.parents[1]
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    listed = {picture.path.relative_to(folder) for picture in examples.pictures()[3:]}
    assert files == {*listed, Path("README.md")}
    assert sum((folder / path).stat().st_size for path in files) < 2_000_000
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "not photographs" in text
    assert "not used to train" in text
    assert all(generator in text for generator in GENERATORS)


def test_missing_package_is_one_clear_line(no_package):
    no_package("matplotlib")
    with pytest.raises(ConvtraceError, match=r"^matplotlib/.*grace_hopper\.jpg: .*reinstall.*pip$"):
        examples.pictures()


def test_package_without_its_sample_is_one_clear_line(monkeypatch, tmp_path):
    spec = importlib.machinery.ModuleSpec("sklearn", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: spec)
    with pytest.raises(ConvtraceError, match=r"^sklearn/datasets/images/china\.jpg: .*pip$"):
        examples.pictures()


def test_missing_folder_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setattr(examples, "__file__", str(tmp_path / "a/b/c/convtrace/datasets/x.py"))
    with pytest.raises(ConvtraceError, match=r"examples: .*missing; reinstall convtrace$"):
        examples.pictures()


@pytest.mark.parametrize("inside", ["src/convtrace/examples", "examples"])
def test_folder_is_found_in_package_and_in_checkout(monkeypatch, tmp_path, inside):
    for generator in GENERATORS:
        folder = tmp_path / inside / generator
        folder.mkdir(parents=True)
        (folder / "00.png").touch()
    monkeypatch.setattr(examples, "__file__", str(tmp_path / "src/convtrace/datasets/examples.py"))
    fake = [picture.path for picture in examples.pictures() if picture.label == "fake"]
    assert fake == [tmp_path.resolve() / inside / name / "00.png" for name in GENERATORS]


def test_empty_generator_folder_is_one_clear_line(monkeypatch, tmp_path):
    (tmp_path / "examples" / GENERATORS[0]).mkdir(parents=True)
    monkeypatch.setattr(examples, "__file__", str(tmp_path / "src/convtrace/datasets/examples.py"))
    with pytest.raises(ConvtraceError, match=r"transposed-convolution: no generated pictures"):
        examples.pictures()
