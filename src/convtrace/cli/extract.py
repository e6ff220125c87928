"""``convtrace extract``: traces to Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from convtrace.cli.arguments import (
    Channels,
    KernelSizes,
    Paths,
    Workers,
    find,
    parse_kernel_sizes,
)
from convtrace.cli.codes import INTERRUPTED, UNREADABLE_INPUTS
from convtrace.cli.console import compile_if_needed, complain_of_inputs, progress, say

__all__ = ["extract"]


def extract(
    paths: Paths,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="F.parquet for one file; any other name for a folder of parts.",
            show_default=False,
        ),
    ],
    kernel_size: KernelSizes = None,
    channels: Channels = "rgb",
    crop: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="SIDE",
            help="Measure only the central square of this side, in pixels.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="What runs the work.")] = "local",
    workers: Workers = None,
    resume: Annotated[
        bool, typer.Option(help="Keep the rows that are there, and measure what is missing.")
    ] = True,
) -> None:
    """Write the convolutional traces of pictures to a Parquet table, one row a picture.

    The kernel sizes are 3, 5 and 7 if none are given. A second call measures only what is
    missing: new pictures, changed ones, those that could not be read, and whatever an
    interrupted call left.

    [bold]Examples[/bold]

    convtrace extract photos/ -o traces.parquet

    convtrace extract photos/ --kernel-size 3 5 -o traces.parquet

    convtrace extract archive/ -o parts --channels g --crop 512

    Exit codes: 0 done; 2 wrong usage; 3 some pictures could not be read, the rest is done.
    """
    sizes = parse_kernel_sizes(kernel_size, default=(3, 5, 7))
    from convtrace.batch import extract_many

    found = find(paths)
    compile_if_needed()
    done = 0
    try:
        with progress("extracting") as (report, _):

            def count(finished: int, total: int) -> None:
                nonlocal done
                done = finished
                report(finished, total)

            summary = extract_many(
                found,
                output,
                kernel_sizes=sizes,
                channels=channels,
                crop=crop,
                workers=workers,
                engine=engine,
                resume=resume,
                progress=count,
            )
    except KeyboardInterrupt:
        say(
            f"interrupted: {done} of {len(found)} pictures are done and kept; "
            "run the same command again to go on"
        )
        raise typer.Exit(INTERRUPTED) from None
    complain_of_inputs(summary.failures, summary.failed)
    kept = f", {summary.kept} kept from before" if summary.kept else ""
    failed = f", {summary.failed} could not be read" if summary.failed else ""
    say(f"{output}: {summary.measured} pictures measured{kept}{failed}")
    if summary.failed:
        raise typer.Exit(UNREADABLE_INPUTS)
