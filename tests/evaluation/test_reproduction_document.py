"""The document in the repository says what the command would print now."""

from __future__ import annotations

import re
from pathlib import Path

from convtrace.evaluation import check_document
from convtrace.evaluation.experiments import IN_ORDER

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reproduction.md"


def test_document_is_current():
    assert check_document(DOCUMENT, n_jobs=1) == []


def test_every_experiment_and_every_figure_is_in_it():
    text = DOCUMENT.read_text(encoding="utf-8")
    for one in IN_ORDER:
        assert f"\n## {one.title}\n" in text
    shown = set(re.findall(r"\]\(reproduction/([^)]+)\)", text))
    figures = list((DOCUMENT.with_suffix("")).iterdir())
    assert shown == {path.name for path in figures}
    assert sum(path.stat().st_size for path in figures) < 1_500_000
