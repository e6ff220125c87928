"""``convtrace audit``: whether facts about the files alone tell the classes apart."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.text import Text

from convtrace.cli.arguments import DatasetPath, Layout, Workers
from convtrace.cli.codes import UNREADABLE_INPUTS
from convtrace.cli.console import Screen, progress

__all__ = ["audit"]


def audit(
    dataset: DatasetPath,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as one JSON object.")
    ] = False,
    layout: Layout = None,
    seed: Annotated[int, typer.Option(min=0, help="Of folds and bootstrap.")] = 0,
    workers: Workers = None,
) -> None:
    """Tell whether format, size, JPEG quality, metadata or names alone separate the classes.

    A detector trained on such data learns these instead of traces. Only headers are read.

    [bold]Examples[/bold]

    convtrace audit pictures/

    convtrace audit manifest.csv --json | jq .warnings

    Exit codes: 0 done; 2 wrong usage; 3 some pictures could not be read and were left out.
    """
    from convtrace import datasets

    found = datasets.load(dataset, layout=layout)
    with progress("reading headers") as (show, _):
        report = datasets.audit(found, seed=seed, n_jobs=workers, progress=show)
    text = json.dumps(report.to_dict()) if as_json else datasets.render_audit(report)
    Screen().print(Text(text))
    if report.unreadable:
        raise typer.Exit(UNREADABLE_INPUTS)
