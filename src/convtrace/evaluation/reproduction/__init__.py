"""All experiments of the paper to one folder: tables, figures, and the story that they tell."""

from __future__ import annotations

from convtrace.evaluation.reproduction.currency import check_document
from convtrace.evaluation.reproduction.outcome import Outcome, Reproduction
from convtrace.evaluation.reproduction.running import reproduce

__all__ = ["Outcome", "Reproduction", "check_document", "reproduce"]
