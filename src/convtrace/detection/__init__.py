"""From vectors to a verdict: classifiers, calibration, abstention, attribution, storage.

A new classifier is one factory under `classifiers.register`; an outside package names its
own in the entry point group ``convtrace.classifiers``.
"""

from __future__ import annotations

from convtrace.detection import classifiers, conditions, recipes
from convtrace.detection.attribution import Attribution, fit_attribution
from convtrace.detection.bundled import bundled, bundled_path
from convtrace.detection.calibration import (
    Calibration,
    Rates,
    ScoreMap,
    Unseen,
    calibrate,
    error_rate_limits,
)
from convtrace.detection.card import Card, Table, current_versions
from convtrace.detection.detector import Detector, Examination
from convtrace.detection.held_out import HeldOut
from convtrace.detection.labels import balanced_weights, is_generated
from convtrace.detection.members import Member
from convtrace.detection.recipes import Recipe
from convtrace.detection.scan import scan
from convtrace.detection.storage import load, read_card, save
from convtrace.detection.training import TrainingTable, training_table
from convtrace.detection.usability import LEAST_SIDE, usable_share
from convtrace.detection.verdict import LABELS, Verdict

__all__ = [
    "LABELS",
    "LEAST_SIDE",
    "Attribution",
    "Calibration",
    "Card",
    "Detector",
    "Examination",
    "HeldOut",
    "Member",
    "Rates",
    "Recipe",
    "ScoreMap",
    "Table",
    "TrainingTable",
    "Unseen",
    "Verdict",
    "balanced_weights",
    "bundled",
    "bundled_path",
    "calibrate",
    "classifiers",
    "conditions",
    "current_versions",
    "error_rate_limits",
    "fit_attribution",
    "is_generated",
    "load",
    "read_card",
    "recipes",
    "save",
    "scan",
    "training_table",
    "usable_share",
]
