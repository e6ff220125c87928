"""``convtrace reproduce``: the paper's experiments to one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from convtrace.cli.arguments import Workers
from convtrace.cli.codes import UNREADABLE_INPUTS
from convtrace.cli.console import (
    compile_if_needed,
    complain,
    complain_of_inputs,
    progress,
    say,
)

__all__ = ["COMMAND", "reproduce"]

_LISTED_FAILURES = 20


class _WithExperiments(TyperCommand):
    """Lists the experiments at the end of the help, when it is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        from convtrace.evaluation.experiments import IN_ORDER

        super().format_help(ctx, formatter)
        width = max(len(one.name) for one in IN_ORDER)
        typer.echo("Experiments:\n")
        typer.echo("\n".join(f"  {one.name.ljust(width)}  {one.question}" for one in IN_ORDER))


COMMAND = _WithExperiments
"""What Typer makes of it."""


def reproduce(
    experiment: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT...]",
            help="Names, listed below; all by default.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder for documents, tables and figures; made if it is not there.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPERIMENT",
            help="The same as naming it as an argument; may be repeated.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer pairs, classifiers and pictures.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Your copies of the paper's data sets, one folder for each (StarGAN, AttGAN, "
            "CelebA/img_align_celeba, ...) or a manifest. The packaged feature tables by default, "
            "which need no picture.",
            show_default=False,
        ),
    ] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COMMAND",
            help="Compare with a detector of your own: a command that is given a file of paths "
            "and prints CSV with the columns path and score. Needs --data.",
            show_default=False,
        ),
    ] = None,
    network: Annotated[
        bool,
        typer.Option(
            "--network",
            help="Train the small convolutional network from scratch on the same folds, where its "
            "packaged scores do not serve. Needs --data and PyTorch; slow without a GPU.",
        ),
    ] = False,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the story to this file, its figures into the folder of its name.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Run nothing; say whether a file by --markdown is what would be written now.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    workers: Workers = None,
) -> None:
    """Run the paper's experiments: tables and figures beside the published figures.

    What was run before on the same data is not run again. Ctrl-C keeps what is done.

    [bold]Examples[/bold]

    convtrace reproduce -o results/

    convtrace reproduce matched-pairs attribution -o results/ --quick

    convtrace reproduce -o results/ --data sets/ --detector "npr=python npr.py {paths}"

    Exit codes: 0 done; 2 wrong usage, or a document that is not current; 3 some pictures or
    experiments could not be done, the rest is.
    """
    from convtrace import evaluation
    from convtrace.evaluation import outside

    if check is not None:
        _check(check, workers)
        return
    if output is None:
        raise typer.BadParameter("name a folder for the results", param_hint="--output")
    detectors = [outside.parse(text) for text in detector or ()]
    with progress("experiments", unit="experiments") as (report, _):
        done = evaluation.reproduce(
            output,
            experiments=(*(experiment or ()), *(only or ())),
            quick=quick,
            data=data,
            detectors=detectors,
            network=network,
            markdown=markdown,
            seed=seed,
            n_jobs=workers,
            prepare=None if data is None else compile_if_needed,
            progress=report,
            notify=say,
        )
    say(f"wrote {done.index}, and beside it pages, tables and figures")
    complain_of_inputs(done.errors[:_LISTED_FAILURES], len(done.errors))
    if done.errors or done.failed:
        raise typer.Exit(UNREADABLE_INPUTS)


def _check(path: Path, workers: int | None) -> None:
    from convtrace import evaluation
    from convtrace.cli.codes import USAGE

    wrong = evaluation.check_document(path, n_jobs=workers)
    for line in wrong:
        complain(f"{path}: {line}")
    if wrong:
        say(f"write it anew: convtrace reproduce -o DIR --markdown {path}")
        raise typer.Exit(USAGE)
    say(f"{path}: current")
