"""``convtrace extract``: traces to Parquet."""

from __future__ import annotations

from typing import Annotated

import typer

from convtrace.cli.arguments import (
    Address,
    Channels,
    Device,
    Engine,
    FrameStep,
    KernelSizes,
    Paths,
    TimeLimit,
    Workers,
    find,
    load_detector,
    parse_kernel_sizes,
)
from convtrace.cli.codes import INTERRUPTED, UNREADABLE_INPUTS
from convtrace.cli.console import compile_if_needed, complain_of_inputs, progress, say

__all__ = ["extract"]


def extract(
    paths: Paths,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="F.parquet for one file; any other name for a folder of parts; or an address.",
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
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Add the verdict of a detector: a file, or 'bundled'.",
            show_default=False,
        ),
    ] = None,
    engine: Engine = "local",
    address: Address = None,
    device: Device = "cpu",
    workers: Workers = None,
    time_limit: TimeLimit = 600.0,
    frame_step: FrameStep = None,
    resume: Annotated[
        bool, typer.Option(help="Keep the rows that are there, and measure what is missing.")
    ] = True,
    checksum: Annotated[
        bool,
        typer.Option(
            "--checksum",
            help="Tell by SHA-256 whether a picture has changed, not by size and time.",
        ),
    ] = False,
) -> None:
    """Write the convolutional traces of pictures to a Parquet table, one row a picture.

    The kernel sizes are 3, 5 and 7 if none are given. A second call measures only what is
    missing: new pictures, changed ones, those that could not be read, and whatever an
    interrupted call left.

    [bold]Examples[/bold]

    convtrace extract photos/ -o traces.parquet

    convtrace extract photos/ --kernel-size 3 5 -o traces.parquet

    convtrace extract archive/ -o parts --channels g --crop 512

    convtrace extract photos/ -o traces.parquet --device auto

    convtrace extract s3://bucket/shards -o s3://bucket/traces --engine ray --address auto

    Exit codes: 0 done; 2 wrong usage; 3 some pictures could not be read, the rest is done.
    """
    sizes = parse_kernel_sizes(kernel_size, default=(3, 5, 7))
    from convtrace.batch import engines, extract_many, solver_device

    runner = engines.create(engine, address=address)
    # Told before anything is compiled or listed.
    solver_device(device)
    found = find(paths, frame_step)
    detector = None if model is None else load_detector(model)
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
                detector=detector,
                workers=workers,
                engine=runner,
                device=device,
                time_limit=time_limit,
                resume=resume,
                checksum=checksum,
                progress=count,
            )
    except KeyboardInterrupt:
        say(
            f"interrupted: {done} of {len(found)} pictures are done and kept; "
            "run the same command again to go on"
        )
        raise typer.Exit(INTERRUPTED) from None
    for note in summary.notes:
        say(f"note: {note}")
    complain_of_inputs(summary.failures, summary.failed)
    kept = f", {summary.kept} kept from before" if summary.kept else ""
    failed = f", {summary.failed} could not be read" if summary.failed else ""
    say(f"{output}: {summary.measured} pictures measured{kept}{failed}")
    if summary.failed:
        raise typer.Exit(UNREADABLE_INPUTS)
