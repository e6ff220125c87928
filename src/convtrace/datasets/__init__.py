"""Folders to labelled tables: layouts, manifests, splits, the audit, the catalogue."""

from __future__ import annotations

from convtrace.datasets import catalogue, examples, layouts
from convtrace.datasets.audit_report import AuditReport, Finding
from convtrace.datasets.audit_text import render_audit
from convtrace.datasets.auditing import audit
from convtrace.datasets.dataset import FAKE, REAL, Counts, Dataset
from convtrace.datasets.generator import Generator, Paper
from convtrace.datasets.headers import Header, read_header
from convtrace.datasets.layouts import Layout
from convtrace.datasets.loading import load
from convtrace.datasets.near_duplicates import near_duplicate_groups, with_groups
from convtrace.datasets.paper_sets import MissingSet, PaperSets, load_paper_sets
from convtrace.datasets.splits import grouped_folds, train_test_split

__all__ = [
    "FAKE",
    "REAL",
    "AuditReport",
    "Counts",
    "Dataset",
    "Finding",
    "Generator",
    "Header",
    "Layout",
    "MissingSet",
    "Paper",
    "PaperSets",
    "audit",
    "catalogue",
    "examples",
    "grouped_folds",
    "layouts",
    "load",
    "load_paper_sets",
    "near_duplicate_groups",
    "read_header",
    "render_audit",
    "train_test_split",
    "with_groups",
]
