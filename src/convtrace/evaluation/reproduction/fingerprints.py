"""Digests of all that a result depends on: the code of its experiment, its data, its options."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import scipy
import sklearn

from convtrace.evaluation.experiments import Experiment
from convtrace.evaluation.outside import OutsideDetector
from convtrace.evaluation.store import FeatureStore

__all__ = ["code_digest", "result_key", "stripped"]

_ROOM = "convtrace.evaluation.experiments"

_SHARED = (
    "convtrace.evaluation.bundles",
    "convtrace.evaluation.learning",
    "convtrace.evaluation.metrics",
    "convtrace.evaluation.network_scores",
    "convtrace.evaluation.paired",
    "convtrace.evaluation.pairs",
    "convtrace.evaluation.peers",
    "convtrace.evaluation.store",
    "convtrace.evaluation.tables",
    "convtrace.detection.classifiers",
    "convtrace.detection.held_out",
    "convtrace.detection.labels",
    "convtrace.datasets.splits",
)
"""What experiments compute with, beside their own modules."""

_OF_DETECTORS = (
    "convtrace.evaluation.network",
    "convtrace.evaluation.outside",
    "convtrace.evaluation.outside_scores",
    "convtrace.evaluation.pixels",
)
"""What they compute with only if they are told to."""


def stripped(source: str) -> str:
    r"""Return code without what does not change what it does.

    Parameters
    ----------
    source : str
        Of a module.

    Returns
    -------
    str
        Its lines without docstrings, lines of comment and empty lines.

    Examples
    --------
    >>> stripped("'About.'\n# why\nx = 1\n")
    'x = 1'
    """
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) or not body:
            continue
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            skipped.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    # By lines and not by the tree, which every Python prints in another way.
    lines = [
        line.rstrip()
        for number, line in enumerate(source.splitlines(), start=1)
        if number not in skipped
    ]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def code_digest(experiment: Experiment) -> str:
    """Return a digest of an experiment's code, its files, its protocol and its version.

    Parameters
    ----------
    experiment : Experiment
        Which.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    modules = sorted({*_SHARED, *_own_modules(experiment.run.__module__)})
    facts = [
        experiment.version,
        dict(experiment.protocol),
        list(experiment.descriptors),
        [(name, _module_digest(name)) for name in modules],
        [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in experiment.files],
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def result_key(
    experiment: Experiment,
    store: FeatureStore,
    *,
    seed: int,
    quick: bool,
    detectors: Sequence[OutsideDetector] = (),
    network: bool = False,
) -> str:
    """Return what a result is kept under: another key wherever it might be another result.

    Parameters
    ----------
    experiment : Experiment
        Which.
    store : FeatureStore
        Its data.
    seed : int
        Of everything random.
    quick : bool
        Whether it is the small run.
    detectors : sequence of OutsideDetector
        What is compared with; by name and command, as what they do cannot be seen.
    network : bool
        Whether the network is compared with.

    Returns
    -------
    str
    """
    facts = [
        experiment.name,
        code_digest(experiment),
        store.fingerprint(experiment.descriptors),
        seed,
        quick,
        [(one.name, list(one.command)) for one in detectors],
        [_module_digest(name) for name in _OF_DETECTORS] if detectors or network else [],
        network,
        [np.__version__, scipy.__version__, sklearn.__version__],
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _own_modules(name: str) -> set[str]:
    """Return a module and those of the experiments' room that it imports, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        for node in ast.walk(ast.parse(_source(current))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_ROOM}."):
                waiting.append(str(node.module))
    return found


@cache
def _module_digest(name: str) -> str:
    return hashlib.sha256(stripped(_source(name)).encode()).hexdigest()


@cache
def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return ""
    return Path(spec.origin).read_text(encoding="utf-8")
