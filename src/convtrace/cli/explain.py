"""``convtrace explain``: a report on one picture."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from convtrace.cli.arguments import load_detector
from convtrace.cli.codes import UNREADABLE_INPUTS
from convtrace.cli.console import Screen, compile_if_needed, complain, say
from convtrace.cli.human import verdict_lines
from convtrace.cli.loading import loading
from convtrace.cli.scan import Model

__all__ = ["explain"]


def explain(
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="The picture: a file, a member of an archive (`a.zip/b.png`) or an address.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The report: .html (one file, nothing from outside), .pdf or .png.",
            show_default=False,
        ),
    ],
    model: Model = None,
) -> None:
    """Write a report on one picture: verdict, reasons, kernels, map, spectrum, metadata.

    [bold]Examples[/bold]

    convtrace explain photo.jpg -o report.html

    convtrace explain photo.jpg -o report.pdf

    Exit codes: 0 done; 2 wrong usage; 3 the picture could not be read.
    """
    with loading():
        from convtrace import report
        from convtrace.batch import find_inputs
        from convtrace.errors import ImageError
        from convtrace.report.writing import check_report_file, write_report

        check_report_file(output)
        found = list(islice(find_inputs([image]), 2))
        if len(found) != 1:
            many = "several pictures" if found else "no picture"
            raise typer.BadParameter(f"{image} names {many}; one is explained at a time")
        detector = load_detector(model)
        compile_if_needed()
    try:
        explanation = report.explain(found[0].picture(provenance=True), detector)
    except ImageError as error:
        complain(str(error))
        raise typer.Exit(UNREADABLE_INPUTS) from error
    write_report(explanation, output)
    Screen().print(verdict_lines(explanation.verdict, all_reasons=True))
    say(f"the report is in {output}")
