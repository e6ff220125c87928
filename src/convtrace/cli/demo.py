"""``convtrace demo``: verdicts on the built-in pictures, with the truth beside them."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import Annotated

import typer
from rich.text import Text

from convtrace.cli.arguments import Workers, load_detector
from convtrace.cli.codes import INTERRUPTED, UNREADABLE_INPUTS
from convtrace.cli.console import compile_if_needed, progress, say
from convtrace.cli.human import Tally, verdict_lines
from convtrace.cli.loading import loading
from convtrace.cli.scan import Model

__all__ = ["demo"]

_ABOUT = (
    "Photographs that come with scikit-learn and Matplotlib, and pictures by two small "
    "generators of this project. The bundled detector was trained on none of them, and this "
    "shows whatever it says: two dozen pictures are a demonstration, not a measurement. What "
    "was measured: convtrace models show"
)
_TRUTH = {"real": "real", "fake": "generated"}


def demo(
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON object per picture and line, as of scan, and its truth."
        ),
    ] = False,
    model: Model = None,
    workers: Workers = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every reason, not only the first.")
    ] = False,
) -> None:
    """Print a verdict for each picture of a small built-in set.

    [bold]Examples[/bold]

    convtrace demo

    convtrace demo -v

    convtrace demo --json
    """
    with loading():
        from convtrace.batch import scan_many
        from convtrace.datasets import examples

        pictures = examples.pictures()
        detector = load_detector(model)
        compile_if_needed()
    tally = Tally()
    right = wrong = 0
    paths = [picture.path for picture in pictures]
    try:
        with (
            progress("scanning") as (report, screen),
            closing(scan_many(paths, detector, workers=workers)) as verdicts,
        ):
            if not as_json:
                screen.print(Text(f"{'verdict':9}  {'P':>4}  {'truth':9}  picture", "bold"))
            for picture, verdict in zip(pictures, verdicts, strict=True):
                truth = _TRUTH[picture.label]
                tally.add(verdict)
                right += verdict.label == truth
                wrong += verdict.label in _TRUTH.values() and verdict.label != truth
                if as_json:
                    screen.print(Text(json.dumps({**verdict.to_dict(), "truth": truth})))
                else:
                    short = "/".join(picture.path.parts[-2:])
                    verdict = replace(verdict, path=short)
                    screen.print(verdict_lines(verdict, truth=truth, all_reasons=verbose))
                report(tally.done, len(pictures))
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    say(f"{tally.summary()}; {right} right, {wrong} wrong")
    say(_ABOUT)
    if tally.failed:
        raise typer.Exit(UNREADABLE_INPUTS)
