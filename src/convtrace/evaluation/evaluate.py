"""A detector on a data set: metrics, confusion, ROC, by generator and by attack."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace import descriptors
from convtrace.batch import engines
from convtrace.datasets import Dataset
from convtrace.detection import LABELS, Detector, Table
from convtrace.errors import DatasetError
from convtrace.evaluation.figures import confusion_figure, roc_figure, save
from convtrace.evaluation.metrics import METRICS, interval, summarise
from convtrace.evaluation.tables import FeatureTable, measure
from convtrace.image import degradations as attacks

__all__ = ["ATTACKS", "Evaluation", "evaluate"]

ATTACKS = ("none", "jpeg-90", "jpeg-75", "jpeg-50")
"""What is done to the pictures of both classes by default."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, and the files it was written to.

    Attributes
    ----------
    tables : tuple of Table
        The results.
    files : tuple of Path
        Reports, tables and figures.
    errors : tuple of str
        One line for each picture that could not be measured.
    """

    tables: tuple[Table, ...]
    files: tuple[Path, ...]
    errors: tuple[str, ...]

    def summary(self) -> str:
        """Return the tables as Markdown.

        Returns
        -------
        str
        """
        return "\n\n".join(table.to_markdown() for table in self.tables)


def evaluate(
    dataset: Dataset,
    detector: Detector,
    out_dir: Path,
    *,
    degradations: tuple[str, ...] = ATTACKS,
    n_jobs: int | None = None,
    engine: str | engines.Engine = "local",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a detector on a data set and write a report.

    Parameters
    ----------
    dataset : Dataset
        Pictures that the detector was not trained on; nothing can check that.
    detector : Detector
        What is measured.
    out_dir : Path
        A folder; made if it is not there.
    degradations : tuple of str
        Attacks, names of `convtrace.image.degradations`, done to both classes alike.
    n_jobs : int, optional
        Pictures at once; by default one for each core.
    engine : str or Engine, default "local"
        One of `convtrace.batch.engines.names`, or an engine.
    progress : callable, optional
        Called with the numbers of pictures done and in all.

    Returns
    -------
    Evaluation

    Raises
    ------
    DatasetError
        If the folder is a file, or no picture can be measured.
    ConvtraceError
        If an attack is unknown.
    """
    for name in degradations:
        attacks.check(name)
    if out_dir.exists() and not out_dir.is_dir():
        raise DatasetError(f"{out_dir}: is a file; name a folder for the results")
    recipe = detector.recipe_
    descriptor = descriptors.create(recipe.descriptor, **dict(recipe.descriptor_params))
    table, errors = measure(
        dataset,
        descriptor,
        degradations,
        small_side=detector.small_side,
        n_jobs=n_jobs,
        engine=engine,
        progress=progress,
    )
    features = table.features.astype(np.float64)
    probability = detector.predict_proba(features, conditions=table.conditions)[:, 1]
    verdicts = detector.predict(features, conditions=table.conditions)
    tables = _tables(table, probability, verdicts, degradations)
    out_dir.mkdir(parents=True, exist_ok=True)
    files = [
        _write_text(out_dir / "report.md", _report(dataset, detector, tables, errors)),
        _write_rows(out_dir / "predictions.csv", table, probability, verdicts),
        *_figures(out_dir, table, probability, verdicts, degradations),
    ]
    return Evaluation(tables, tuple(files), tuple(errors))


def _tables(
    table: FeatureTable,
    probability: NDArray[np.float64],
    verdicts: NDArray[np.str_],
    degradations: tuple[str, ...],
) -> tuple[Table, ...]:
    generated = table.labels == "fake"
    overall: list[tuple[Any, ...]] = []
    confusion: list[tuple[Any, ...]] = []
    for name in degradations:
        rows = table.templates == name
        found = summarise(generated[rows], probability[rows], table.groups[rows])
        cells = [None if np.isnan(value[0]) else value for value in found.values()]
        overall.append((name, int(rows.sum()), *cells))
        for label, truth in (("real", ~generated), ("generated", generated)):
            counts = [int((rows & truth & (verdicts == verdict)).sum()) for verdict in LABELS]
            confusion.append((name, label, *counts))
    kinds = np.where(generated, table.generators, "real photographs")
    by_kind: list[tuple[Any, ...]] = []
    for kind in sorted(set(kinds.tolist())):
        values: list[Any] = [kind or "not stated", 0]
        for name in degradations:
            rows = (kinds == kind) & (table.templates == name)
            values[1] = int(rows.sum())
            values.append(
                interval(
                    METRICS["accuracy"], generated[rows], probability[rows], table.groups[rows]
                )
            )
        by_kind.append(tuple(values))
    return (
        Table(
            "Results by attack",
            ("attack", "pictures", *METRICS),
            tuple(overall),
            "95% intervals by bootstrap over groups; the same attack on both classes.",
        ),
        Table("Verdicts", ("attack", "truth", *LABELS), tuple(confusion)),
        Table("Accuracy by generator", ("generator", "pictures", *degradations), tuple(by_kind)),
    )


def _report(
    dataset: Dataset, detector: Detector, tables: tuple[Table, ...], errors: list[str]
) -> str:
    lines = [
        f"# {detector.card_.name} on {dataset.root}",
        f"{len(dataset)} pictures, layout {dataset.layout}; detector {detector.card_.sha256}.",
        *(table.to_markdown() for table in tables),
    ]
    if errors:
        lines.append("## Not measured\n\n" + "\n".join(f"- {error}" for error in errors))
    return "\n\n".join(lines) + "\n"


def _figures(
    folder: Path,
    table: FeatureTable,
    probability: NDArray[np.float64],
    verdicts: NDArray[np.str_],
    degradations: tuple[str, ...],
) -> list[Path]:
    generated = table.labels == "fake"
    first = table.templates == degradations[0]
    counts = np.array(
        [
            [int((first & truth & (verdicts == verdict)).sum()) for verdict in LABELS]
            for truth in (~generated, generated)
        ]
    )
    files = [
        save(
            confusion_figure(counts, ["real", "generated"], list(LABELS)), folder / "confusion.png"
        )
    ]
    if generated.any() and not generated.all():
        curves = {
            name: (generated[table.templates == name], probability[table.templates == name])
            for name in degradations
        }
        files.append(save(roc_figure(curves), folder / "roc.png"))
    return files


def _write_text(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path


def _write_rows(
    path: Path,
    table: FeatureTable,
    probability: NDArray[np.float64],
    verdicts: NDArray[np.str_],
) -> Path:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("picture", "label", "generator", "group", "degradation", "probability", "verdict")
        )
        for row in zip(
            table.picture,
            table.labels,
            table.generators,
            table.groups,
            table.degradations,
            probability.round(6),
            verdicts,
            strict=True,
        ):
            writer.writerow(row)
    temporary.replace(path)
    return path
