"""``convtrace evaluate``: a detector on a data set."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperCommand

from convtrace.cli.arguments import (
    Address,
    DatasetPath,
    Engine,
    Layout,
    Workers,
    load_detector,
)
from convtrace.cli.codes import UNREADABLE_INPUTS
from convtrace.cli.console import Screen, compile_if_needed, complain_of_inputs, progress, say
from convtrace.cli.measured import kept_until_done

__all__ = ["COMMAND", "evaluate"]

_LISTED_FAILURES = 20


class _WithDegradations(TyperCommand):
    """Lists the degradations at the end of the help, when it is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        from convtrace.image import degradations

        super().format_help(ctx, formatter)
        known = degradations.names()
        width = max(map(len, known))
        lines = [f"  {name.ljust(width)}  {about}" for name, about in known.items()]
        typer.echo("Degradations; join several by +, applied from left to right:\n")
        typer.echo("\n".join(lines))


COMMAND = _WithDegradations
"""What Typer makes of it."""


def evaluate(
    dataset: DatasetPath,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A detector made by `convtrace train`, or 'bundled'.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder for report, tables and figures; made if it is not there.",
            show_default=False,
        ),
    ],
    degradation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Measure after this has been done to every picture, such as jpeg-75 or "
            "rescale-0.8+jpeg-90; may be repeated. Default: none, jpeg-90, jpeg-75, jpeg-50. "
            "All are listed below.",
            show_default=False,
        ),
    ] = None,
    layout: Layout = None,
    workers: Workers = None,
    engine: Engine = "local",
    address: Address = None,
) -> None:
    """Measure a detector on a data set that it was not trained on.

    [bold]Examples[/bold]

    convtrace evaluate pictures/ --model bundled -o results/

    convtrace evaluate test.csv --model my.convtrace -o results/ --degradation none
    --degradation blur-3

    What an interrupted call has measured is kept in DIR, but with Ray; the same command goes on
    from there.

    Exit codes: 0 done; 2 wrong usage; 3 some pictures could not be read and were left out.
    """
    from convtrace import datasets, evaluation
    from convtrace.batch import engines

    runner = engines.create(engine, address=address)
    pictures = datasets.load(dataset, layout=layout)
    detector = load_detector(model)
    compile_if_needed()
    attacks = tuple(degradation) if degradation else evaluation.ATTACKS
    # Workers elsewhere would keep it elsewhere.
    here = engine in ("local", "threads")
    keeping = kept_until_done(output / ".measured") if here else nullcontext()
    with keeping as cache, progress("measuring") as (report, _):
        found = evaluation.evaluate(
            pictures,
            detector,
            output,
            degradations=attacks,
            n_jobs=workers,
            engine=runner,
            cache=cache,
            progress=report,
        )
    Screen().print(Text(found.summary()))
    for path in found.files:
        say(f"wrote {path}")
    complain_of_inputs(found.errors[:_LISTED_FAILURES], len(found.errors))
    if found.errors:
        raise typer.Exit(UNREADABLE_INPUTS)
