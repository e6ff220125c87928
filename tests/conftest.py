"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder of the real corpus, or skip where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    folder = Path(os.environ.get("CONVTRACE_CORPUS", default))
    if not (folder / "manifest.tsv").is_file():
        pytest.skip(f"the corpus is not at {folder}; set CONVTRACE_CORPUS to its folder")
    return folder
