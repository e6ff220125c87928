"""``convtrace scan``: a verdict for each picture."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convtrace.cli.arguments import (
    Address,
    Engine,
    FrameStep,
    Paths,
    TimeLimit,
    Workers,
    find,
    load_detector,
)
from convtrace.cli.codes import INTERRUPTED, UNREADABLE_INPUTS
from convtrace.cli.console import compile_if_needed, complain_of_inputs, progress, say
from convtrace.cli.human import Tally, verdict_lines
from convtrace.cli.loading import loading

if TYPE_CHECKING:
    from convtrace.detection import Verdict
    from convtrace.report.folder import FolderReport, Row

__all__ = ["Model", "scan"]

_LISTED_FAILURES = 20

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A detector made by `convtrace train`, instead of the bundled one.",
        show_default=False,
    ),
]


def scan(
    paths: Paths,
    json_lines: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One JSON object per picture and line: path, label, probability (of being "
            "generated, 0 to 1), generator, reasons, error, provenance (what the file says of "
            "its origin; the verdict makes no use of it).",
        ),
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a CSV file with these columns, the reasons joined by '; '.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a report: a table to sort and filter, with thumbnails and a histogram.",
            show_default=False,
        ),
    ] = None,
    explanations: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="With --html: also write a report on each picture, into the folder FILE_files "
            "(without the suffix) beside it.",
        ),
    ] = False,
    model: Model = None,
    workers: Workers = None,
    engine: Engine = "local",
    address: Address = None,
    time_limit: TimeLimit = 600.0,
    frame_step: FrameStep = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every reason, not only the first.")
    ] = False,
) -> None:
    """Print a verdict for each picture: real, generated or unsure.

    [bold]Examples[/bold]

    convtrace scan photo.jpg -v

    convtrace scan holiday/ more/*.png --csv verdicts.csv

    convtrace scan holiday/ --html report.html

    convtrace scan holiday/ --json | jq 'select(.label == "generated") | .path'

    Exit codes: 0 done; 2 wrong usage; 3 some pictures could not be read, the rest is done.
    After Ctrl-C the verdicts so far are in the output.
    """
    with loading():
        from convtrace.batch import CsvSink, JsonLinesSink, VerdictSink, engines, scan_many

        if explanations and html is None:
            raise typer.BadParameter("--explain needs --html FILE, to which it links")
        if html is not None:
            from convtrace.report.folder import FolderReport, explanations_folder, scan_rows
            from convtrace.report.writing import check_report_file

            if html.suffix.lower() in (".pdf", ".png"):
                raise typer.BadParameter("a report on many pictures is a page; end it in .html")
            check_report_file(html)
        runner = engines.create(engine, address=address)
        found = find(paths, frame_step)
        sinks: list[VerdictSink] = []
        if csv is not None:
            sinks.append(CsvSink(csv))
        if json_lines:
            sinks.append(JsonLinesSink(sys.stdout))
        detector = load_detector(model)
        compile_if_needed()

    tally = Tally()
    failures: list[str] = []
    try:
        with ExitStack() as stack:
            for sink in sinks:
                stack.enter_context(sink)
            # On one terminal JSON lines and a bar would run into each other.
            hidden = json_lines and sys.stdout.isatty()
            report, screen = stack.enter_context(progress("scanning", hidden=hidden))
            verdicts: Generator[Verdict, None, None]
            if html is None:
                verdicts = scan_many(
                    found, detector, workers=workers, engine=runner, time_limit=time_limit
                )
            else:
                named = ", ".join(map(str, paths))
                page = stack.enter_context(
                    FolderReport(html, title=named, detector=detector, model=model)
                )
                rows = scan_rows(
                    found,
                    detector,
                    workers=workers,
                    engine=runner,
                    time_limit=time_limit,
                    explanations=explanations_folder(html) if explanations else None,
                )
                verdicts = _written(stack.enter_context(closing(rows)), page)
            stack.enter_context(closing(verdicts))
            report(0, len(found))
            for verdict in verdicts:
                tally.add(verdict)
                for sink in sinks:
                    sink.write(verdict)
                if not sinks and html is None:
                    screen.print(verdict_lines(verdict, all_reasons=verbose))
                elif not json_lines and verdict.error is not None:
                    failures += [verdict.error] if tally.failed <= _LISTED_FAILURES else []
                report(tally.done, len(found))
    except KeyboardInterrupt:
        left = len(found) - tally.done
        say(f"interrupted after {tally.summary()}; {left} left; the verdicts so far are kept")
        raise typer.Exit(INTERRUPTED) from None
    if failures:
        complain_of_inputs(failures, tally.failed)
    say(tally.summary())
    if tally.failed:
        raise typer.Exit(UNREADABLE_INPUTS)


def _written(rows: Iterable[Row], page: FolderReport) -> Generator[Verdict, None, None]:
    """Write rows to a report, and hand their verdicts on."""
    for row in rows:
        page.write(row)
        yield row.verdict
