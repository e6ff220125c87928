"""What a person looks at: one picture explained, and reports on folders.

The names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convtrace.report.explanation import Explanation, explain
    from convtrace.report.html import render_html

__all__ = ["Explanation", "explain", "render_html"]

_HOMES = {
    "Explanation": "convtrace.report.explanation",
    "explain": "convtrace.report.explanation",
    "render_html": "convtrace.report.html",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'convtrace.report' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
