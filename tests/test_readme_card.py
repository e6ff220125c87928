"""The README and the report show the card of the detector that is shipped."""

from __future__ import annotations

import runpy
from pathlib import Path

from convtrace.detection import bundled_path, read_card

ROOT = Path(__file__).resolve().parents[1]


def test_readme_has_the_tables_of_the_card():
    tool = runpy.run_path(str(ROOT / "tools" / "readme_card.py"))
    text = tool["README"].read_text(encoding="utf-8")
    assert text.count("<!-- card:") >= 4
    assert tool["filled"](text) == text


def test_the_report_is_of_the_detector_that_is_shipped():
    report = (ROOT / "docs" / "detector.md").read_text(encoding="utf-8")
    card = read_card(bundled_path())
    assert card.sha256
    assert card.sha256 in report
    body = card.to_markdown().replace("\n#", "\n##").strip()
    assert body in report
