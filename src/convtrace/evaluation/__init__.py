"""A protocol to tables and figures: metrics with intervals, training, cross-validation."""

from convtrace.evaluation.bundled_table import bundled_table
from convtrace.evaluation.evaluate import ATTACKS, Evaluation, evaluate
from convtrace.evaluation.metrics import METRICS, interval, summarise
from convtrace.evaluation.reproduction import Reproduction, check_document, reproduce
from convtrace.evaluation.tables import FeatureTable, measure, read_table, resolve, write_table
from convtrace.evaluation.training import (
    BUNDLED,
    train,
    train_bundled,
    train_on_table,
)

__all__ = [
    "ATTACKS",
    "BUNDLED",
    "METRICS",
    "Evaluation",
    "FeatureTable",
    "Reproduction",
    "bundled_table",
    "check_document",
    "evaluate",
    "interval",
    "measure",
    "read_table",
    "reproduce",
    "resolve",
    "summarise",
    "train",
    "train_bundled",
    "train_on_table",
    "write_table",
]
