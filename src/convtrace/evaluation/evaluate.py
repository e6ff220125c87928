"""A detector on a data set: metrics, confusion, ROC, by generator and by attack."""

from __future__ import annotations

import copy
import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convtrace.batch import engines, replacing
from convtrace.datasets import Dataset
from convtrace.datasets.catalogue import family
from convtrace.detection import LABELS, Detector, Table
from convtrace.errors import DatasetError
from convtrace.evaluation.confounders import confounders, confounders_table
from convtrace.evaluation.figures import confusion_figure, roc_figure, save
from convtrace.evaluation.judging import Judged, judge_dataset
from convtrace.evaluation.metrics import METRICS, interval, share, summarise
from convtrace.image import degradations as attacks

__all__ = ["ATTACKS", "Evaluation", "evaluate"]

ATTACKS = ("none", "jpeg-90", "jpeg-75", "jpeg-50")
"""What is done to the pictures of both classes by default."""

# What is true, its opposite, and whether that is to be generated.
_TRUTHS = (("real", "generated", False), ("generated", "real", True))


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
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a detector on a data set and write a report.

    Every picture is judged as `convtrace.scan` would judge it, after each attack: one that is
    too small or too flat for a verdict is unsure here too.

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
    cache : str or os.PathLike, optional
        A folder in which measured pictures are kept, so that a second call need not measure them.
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
        If an attack is unknown, or a file cannot be written.
    """
    for name in degradations:
        attacks.check(name)
    if out_dir.exists() and not out_dir.is_dir():
        raise DatasetError(f"{out_dir}: is a file; name a folder for the results")
    if cache is not None:
        detector = copy.copy(detector).set_params(cache=cache)
    judged, errors = judge_dataset(
        dataset, detector, degradations, n_jobs=n_jobs, engine=engine, progress=progress
    )
    files_alone = confounders_table(*confounders(dataset, n_jobs=n_jobs))
    tables = (*_tables(judged, degradations), *_named(judged, detector), files_alone)
    out_dir.mkdir(parents=True, exist_ok=True)
    files = [
        _write_text(out_dir / "report.md", _report(dataset, detector, tables, errors)),
        _write_rows(out_dir / "predictions.csv", judged),
        *_figures(out_dir, judged, degradations),
    ]
    return Evaluation(tables, tuple(files), tuple(errors))


def _tables(judged: Judged, degradations: tuple[str, ...]) -> tuple[Table, ...]:
    generated, probability, groups = judged.generated, judged.probability, judged.groups
    overall: list[tuple[Any, ...]] = []
    confusion: list[tuple[Any, ...]] = []
    for name in degradations:
        rows = judged.attacks == name
        found = summarise(generated[rows], probability[rows], groups[rows])
        cells = [None if np.isnan(value[0]) else value for value in found.values()]
        overall.append((name, int(rows.sum()), *cells))
        for label, opposite, truth in _TRUTHS:
            of = rows & (generated == truth)
            said = judged.labels[of]
            counts = [int((said == verdict).sum()) for verdict in LABELS]
            wrong = share(said == opposite, groups[of]) if of.any() else None
            confusion.append((name, label, *counts, wrong))
    kinds = np.where(generated, judged.generators, "real photographs")
    by_kind: list[tuple[Any, ...]] = []
    for kind in sorted(set(kinds.tolist())):
        values: list[Any] = [kind or "not stated", 0]
        for name in degradations:
            rows = (kinds == kind) & (judged.attacks == name)
            values[1] = int(rows.sum())
            values.append(
                interval(METRICS["accuracy"], generated[rows], probability[rows], groups[rows])
            )
        by_kind.append(tuple(values))
    return (
        Table(
            "Results by attack",
            ("attack", "pictures", *METRICS),
            tuple(overall),
            "95% intervals by bootstrap over groups; the same attack on both classes. Of the "
            "probabilities of all pictures, those without a verdict too.",
        ),
        Table(
            "Verdicts",
            ("attack", "truth", *LABELS, "share called the opposite"),
            tuple(confusion),
            "As `convtrace scan` has them; predictions.csv says why a picture is unsure. Exact 95% "
            "intervals (Clopper and Pearson), a group of pictures as one trial. The share of real "
            "photographs called generated is the false positive rate.",
        ),
        Table("Accuracy by generator", ("generator", "pictures", *degradations), tuple(by_kind)),
    )


def _named(judged: Judged, detector: Detector) -> tuple[Table, ...]:
    """Return which generator is named for whose images, where both are known."""
    if detector.attribution_ is None or not any(judged.generators[judged.generated]):
        return ()
    known = detector.attribution_.names
    said = np.array([each.generator or "" for each in judged.verdicts])
    rows: list[tuple[Any, ...]] = []
    for generator in sorted(set(judged.generators[judged.generated].tolist()) - {""}):
        of = judged.generated & (judged.generators == generator)
        called = of & (judged.labels == "generated")
        # Some detectors know a generator by its name, others by that of its family.
        answers = {generator, family(generator)} & set(known)
        names, groups = said[called], judged.groups[called]
        unknown, right = names == "unknown", np.isin(names, [*answers])
        named = share(right[~unknown], groups[~unknown]) if (~unknown).any() else None
        counts = (of.sum(), called.sum(), right.sum(), (~right & ~unknown).sum(), unknown.sum())
        rows.append((generator, "yes" if answers else "no", *map(int, counts), named))
    columns = ("known", "images", "called generated", "named right", "named wrong", "unknown")
    return (
        Table(
            "Generators named",
            ("generator", *columns, "share right of those named"),
            tuple(rows),
            f"All attacks together. The detector knows {', '.join(known)}; of another generator it "
            "should say that it is unknown. Exact 95% intervals, a group as one trial.",
        ),
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


def _figures(folder: Path, judged: Judged, degradations: tuple[str, ...]) -> list[Path]:
    generated, probability = judged.generated, judged.probability
    first = judged.attacks == degradations[0]
    counts = np.array(
        [
            [int((judged.labels[first & (generated == of)] == verdict).sum()) for verdict in LABELS]
            for *_, of in _TRUTHS
        ]
    )
    title = f"verdicts, attack: {degradations[0]}"
    confusion = confusion_figure(counts, [row[0] for row in _TRUTHS], list(LABELS), title)
    files = [save(confusion, folder / "confusion.png")]
    if generated.any() and not generated.all():
        curves = {
            name: (generated[judged.attacks == name], probability[judged.attacks == name])
            for name in degradations
        }
        files.append(save(roc_figure(curves), folder / "roc.png"))
    return files


def _write_text(path: Path, text: str) -> Path:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


_COLUMNS = (
    "path",
    "sha256",
    "label",
    "generator",
    "group",
    "degradation",
    "probability",
    "verdict",
    "named",
    "reasons",
)


def _write_rows(path: Path, judged: Judged) -> Path:
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for sample, sha256, attack, verdict, probability in zip(
            judged.samples,
            judged.sha256,
            judged.attacks.tolist(),
            judged.verdicts,
            judged.probability.round(6).tolist(),
            strict=True,
        ):
            writer.writerow(
                (
                    sample.path,
                    sha256,
                    sample.label,
                    sample.generator,
                    sample.group,
                    attack,
                    probability,
                    verdict.label,
                    verdict.generator or "",
                    "; ".join(verdict.reasons),
                )
            )
    return path
