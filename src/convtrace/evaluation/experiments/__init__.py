"""The experiments, each a question with a declared protocol, in one registry."""

from __future__ import annotations

from convtrace.descriptors.registry import Registry
from convtrace.evaluation.experiments import (
    appearance,
    attribution,
    curves,
    kernel_size,
    matched_pairs,
    peers,
    pooled,
    robustness,
    subjects,
    unseen_generators,
)
from convtrace.evaluation.experiments.base import Context, Experiment, Plot, Result

__all__ = ["EXPERIMENTS", "IN_ORDER", "Context", "Experiment", "Plot", "Result"]

EXPERIMENTS: Registry[Experiment] = Registry("experiment")
"""By name."""

IN_ORDER = (
    matched_pairs.EXPERIMENT,
    pooled.ALL,
    attribution.EXPERIMENT,
    appearance.EXPERIMENT,
    kernel_size.EXPERIMENT,
    subjects.EXPERIMENT,
    pooled.EDITING_APP,
    robustness.EXPERIMENT,
    curves.TRAINING_SIZE,
    curves.PICTURE_SIZE,
    unseen_generators.EXPERIMENT,
    peers.EXPERIMENT,
)
"""In the order of the report."""

for _experiment in IN_ORDER:
    EXPERIMENTS.add(_experiment.name, _experiment)
