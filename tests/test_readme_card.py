"""The tables of the README are those of the card that is shipped."""

from __future__ import annotations

import runpy
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1] / "tools" / "readme_card.py"


def test_readme_has_the_card_of_the_bundled_detector():
    tool = runpy.run_path(str(TOOL))
    text = tool["README"].read_text(encoding="utf-8")
    assert text.count("<!-- card:") >= 4
    assert tool["filled"](text) == text
