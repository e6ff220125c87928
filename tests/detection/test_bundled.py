"""The detector that comes with the package."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from convtrace.detection import Detector, bundled, bundled_path
from convtrace.errors import ModelError

module = importlib.import_module("convtrace.detection.bundled")


def test_it_lies_inside_the_package() -> None:
    import convtrace.detection

    folder = Path(convtrace.detection.__file__).parent
    assert bundled_path() == folder / "models" / "default.convtrace"


def test_it_is_loaded_once(
    fitted: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted.save(tmp_path / "default.convtrace")
    monkeypatch.setattr(module, "bundled_path", lambda: tmp_path / "default.convtrace")
    assert bundled() is bundled()
    assert bundled().n_features_in_ == 8


def test_its_absence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "bundled_path", lambda: tmp_path / "default.convtrace")
    with pytest.raises(ModelError, match="bundled detector is missing; install"):
        bundled()
