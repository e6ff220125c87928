"""``convtrace train``: a data set to a detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convtrace.cli.arguments import (
    BUNDLED_NAME,
    KernelSizes,
    Layout,
    Workers,
    parse_kernel_sizes,
)
from convtrace.cli.codes import UNREADABLE_INPUTS
from convtrace.cli.console import compile_if_needed, complain, progress, say
from convtrace.cli.measured import kept_until_done

if TYPE_CHECKING:
    from convtrace.detection import Detector, Recipe

__all__ = ["train"]


def train(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="MODEL",
            help="The file of the detector, by convention .convtrace.",
            show_default=False,
        ),
    ],
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET",
            help="A folder in a known layout (for instance real/ and fake/), or a CSV, TSV, JSON "
            "or Parquet manifest with the columns path and label.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How to train: 'bundled' (the default), or a recipe of the paper such as "
            "ct7-random-forest.",
            show_default=False,
        ),
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instead of the recipe's: random-forest, svm, lda, knn, ... or several joined "
            "by '+'.",
            show_default=False,
        ),
    ] = None,
    kernel_size: KernelSizes = None,
    layout: Layout = None,
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out", help="Also measure on each generator left out; takes much longer."
        ),
    ] = False,
    bundled: Annotated[
        bool,
        typer.Option(
            "--bundled",
            help="Rebuild the bundled detector from the packaged feature table; no DATASET.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    workers: Workers = None,
) -> None:
    """Train a detector on a data set, and measure it by grouped cross-validation.

    Measured results, counts and limits are in its card: convtrace models show MODEL.

    [bold]Examples[/bold]

    convtrace train pictures/ -o my.convtrace

    convtrace train manifest.csv -o svm.convtrace --classifier svm --kernel-size 3 5 7

    convtrace train pictures/ -o paper.convtrace --recipe ct7-random-forest

    convtrace train --bundled -o rebuilt.convtrace

    What an interrupted call has measured is kept beside MODEL; the same command goes on from there.

    Exit codes: 0 done; 2 wrong usage; 3 some pictures could not be read and were left out.
    """
    if bundled and (dataset or recipe or classifier or kernel_size or layout):
        raise typer.BadParameter(
            "takes no DATASET, --recipe, --classifier, --kernel-size or --layout",
            param_hint="--bundled",
        )
    if not bundled and dataset is None:
        raise typer.BadParameter("name a data set, or give --bundled", param_hint="DATASET")
    sizes = parse_kernel_sizes(kernel_size, default=())
    from convtrace.batch import check_output_file

    check_output_file(output)
    if bundled:
        from convtrace.evaluation import train_bundled

        detector = train_bundled(seed=seed, n_jobs=workers, leave_out=leave_out)
        card = detector.save(output)
    else:
        from convtrace import datasets, evaluation
        from convtrace.evaluation.confounders import IN_TRAINING

        assert dataset is not None  # noqa: S101  # checked above
        chosen = _recipe(recipe, classifier, sizes)
        pictures = datasets.load(dataset, layout=layout)
        compile_if_needed()
        with kept_until_done(output.with_name(f".{output.name}.measured")) as cache:
            with progress("measuring") as (report, _):
                detector = evaluation.train(
                    pictures,
                    recipe=chosen,
                    progress=report,
                    n_jobs=workers,
                    seed=seed,
                    leave_out=leave_out,
                    cache=cache,
                )
            card = detector.save(output)
        for limit in card.limits:
            if limit.startswith(IN_TRAINING):
                say(f"note: {limit} See: convtrace audit {dataset}")
    say(f"{output}: saved, SHA-256 {card.sha256}; its card: convtrace models show {output}")
    if _report_notes(detector):
        raise typer.Exit(UNREADABLE_INPUTS)


def _recipe(name: str | None, classifier: str | None, sizes: tuple[int, ...]) -> Recipe:
    from dataclasses import replace

    from convtrace.detection import members, recipes
    from convtrace.evaluation import BUNDLED

    recipe = BUNDLED if name in (None, BUNDLED_NAME) else recipes.get(str(name))
    changes = []
    if classifier is not None:
        resolved = members.canonical(classifier)
        recipe = replace(recipe, classifier=resolved)
        changes.append(resolved)
    if sizes:
        params = {**recipe.descriptor_params, "kernel_size": sizes}
        recipe = replace(recipe, descriptor_params=params)
        changes.append("kernel size " + ", ".join(map(str, sizes)))
    if changes:
        recipe = replace(recipe, name=f"{recipe.name} with {' and '.join(changes)}")
    return recipe


def _report_notes(detector: Detector) -> bool:
    """Print the pictures that were left out, and tell whether there were any."""
    for note in detector.notes_:
        complain(note)
    return bool(detector.notes_)
