"""The record of a verdict."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from convtrace.detection.verdict import Verdict
from convtrace.errors import ConvtraceError


def test_a_verdict_as_an_object() -> None:
    verdict = Verdict("a.png", "generated", 0.75, "StyleGAN2", ("because", "also"))
    assert json.loads(json.dumps(verdict.to_dict())) == {
        "path": "a.png",
        "label": "generated",
        "probability": 0.75,
        "generator": "StyleGAN2",
        "reasons": ["because", "also"],
        "error": None,
        "provenance": None,
    }


def test_a_failure_has_nothing_but_its_error() -> None:
    assert Verdict.failed("a.png", "a.png: empty").to_dict() == {
        "path": "a.png",
        "label": None,
        "probability": None,
        "generator": None,
        "reasons": None,
        "error": "a.png: empty",
        "provenance": None,
    }


def test_it_cannot_be_changed_or_wrong() -> None:
    verdict = Verdict("a.png", "real", 0.1, None, ())
    with pytest.raises(FrozenInstanceError):
        verdict.label = "generated"  # type: ignore[misc]
    with pytest.raises(ConvtraceError, match="label 'fake'"):
        Verdict("a.png", "fake", 0.9, None, ())
    with pytest.raises(ConvtraceError, match="probability"):
        Verdict("a.png", "real", 1.5, None, ())
    with pytest.raises(ConvtraceError, match="probability"):
        Verdict("a.png", "real", None, None, ())
