"""The command line. Each command calls one public function; nothing heavy is imported before."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convtrace._version import __version__
from convtrace.errors import ConvtraceError

if TYPE_CHECKING:
    from convtrace.detection import Detector, Verdict

__all__ = ["app", "main"]

USAGE, UNREADABLE, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    name="convtrace",
    help="Tell camera photographs from generated images by their convolutional traces.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Paths = Annotated[list[str], typer.Argument(help="Pictures and folders.", metavar="PATH...")]
Model = Annotated[
    str | None, typer.Option("--model", help="A stored detector instead of the bundled one.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Threads; one for each core by default.")
]
Sizes = Annotated[
    list[int] | None,
    typer.Option("--kernel-size", help="Kernel sizes out of 3, 5, 7, 9: --kernel-size 3 5 7."),
]


def main() -> None:
    """Run the command line; the entry point of the package."""
    arguments = _spread("--kernel-size", sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # File names need not be text.
            stream.reconfigure(errors="backslashreplace")
    try:
        app(args=arguments, standalone_mode=True)
    except ConvtraceError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader has gone (``| head``); keep the interpreter from writing once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}")


def _spread(option: str, arguments: list[str]) -> list[str]:
    """Write ``--option 3 5 7`` as ``--option 3 --option 5 --option 7``."""
    out: list[str] = []
    taking = False
    for place, argument in enumerate(arguments):
        if taking and argument.isdigit() and place > 0 and arguments[place - 1] != option:
            out += [option, argument]
            continue
        if argument == option:
            taking = True
        elif not argument.isdigit():
            taking = False
        out.append(argument)
    return out


def _fail(message: str, code: int = USAGE) -> None:
    print(f"convtrace: {message}", file=sys.stderr)
    sys.exit(code)


def _note(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"convtrace {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Tell camera photographs from generated images by their convolutional traces."""


@app.command()
def scan(
    paths: Paths,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a picture and line.")
    ] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write a CSV file.")] = None,
    model: Model = None,
    workers: Workers = None,
) -> None:
    """Say for each picture whether it is real, generated, or cannot be told.

    Examples
    --------
        convtrace scan photo.jpg
        convtrace scan --json folder/ > verdicts.jsonl
        convtrace scan --csv verdicts.csv folder/
    """
    found = _pictures(paths)
    detector = _detector(model)
    _announce()
    _scan(found, detector, as_json=as_json, csv=csv, workers=workers)


@app.command()
def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a picture and line.")
    ] = False,
    model: Model = None,
) -> None:
    """Judge a small built-in set: sample photographs, and images of two small generators.

    Example:

        convtrace demo
    """
    from convtrace.datasets import examples

    shown = examples.pictures()
    detector = _detector(model)
    _announce()
    if not as_json:
        _note(
            "Sample photographs, and images of two small generators of our own. None of them was "
            "used in training; the verdicts are whatever the detector says."
        )
    truth = {
        str(each.path): "photograph" if each.label == "real" else f"generated: {each.generator}"
        for each in shown
    }
    _scan([each.path for each in shown], detector, as_json=as_json, truth=truth)


@app.command()
def extract(
    paths: Paths,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A .parquet file, or a folder of parts.")
    ],
    kernel_size: Sizes = None,
    channels: Annotated[
        str, typer.Option(help="'rgb', letters out of it, or 'luminance'.")
    ] = "rgb",
    engine: Annotated[str, typer.Option(help="Where the work is done: local.")] = "local",
    workers: Workers = None,
) -> None:
    """Write the traces of pictures to Parquet; a second call does only what is missing.

    Examples
    --------
        convtrace extract folder/ -o traces.parquet --kernel-size 3 5 7
    """
    if engine != "local":
        _fail(f"engine {engine!r} is not installed; there is: local")
    from convtrace.batch import extract_many
    from convtrace.traces.model import check_kernel_size

    sizes = [check_kernel_size(size) for size in dict.fromkeys(kernel_size or (3, 5, 7))]
    found = _pictures(paths)
    _announce()
    try:
        with _progress(len(found)) as advance:
            result = extract_many(
                found,
                output,
                kernel_sizes=sizes,
                channels=channels,
                workers=workers,
                progress=advance,
            )
    except KeyboardInterrupt:
        _fail("interrupted; what is done is kept, the same command goes on from there", INTERRUPTED)
    for line in result.errors:
        _note(line)
    _note(f"{result.done} measured, {result.skipped} already there, {result.failed} unreadable")
    if result.failed:
        raise typer.Exit(UNREADABLE)


@app.command()
def train(
    dataset: Annotated[
        Path | None, typer.Argument(help="A folder in a known layout, or a manifest.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to store.")] = Path(
        "detector.convtrace"
    ),
    classifier: Annotated[
        str | None, typer.Option(help="random-forest, svm, lda, knn, ...")
    ] = None,
    kernel_size: Sizes = None,
    recipe: Annotated[str | None, typer.Option(help="A named recipe, such as ct7-svm.")] = None,
    bundled: Annotated[
        bool,
        typer.Option("--bundled", help="Train the bundled detector again; no pictures needed."),
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Also measure each generator left out entirely.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    workers: Workers = None,
) -> None:
    """Train a detector and measure it by grouped cross-validation.

    Examples
    --------
        convtrace train dataset/ -o mine.convtrace --classifier random-forest --kernel-size 7
        convtrace train --bundled -o again.convtrace
    """
    from dataclasses import replace

    from convtrace import datasets, evaluation
    from convtrace.detection import recipes

    if bundled == (dataset is not None):
        _fail("name a DATASET, or --bundled, and not both")
    if bundled:
        detector = evaluation.train_bundled(seed=seed, n_jobs=workers, leave_out=leave_out)
    else:
        chosen = recipes.get(recipe) if recipe else evaluation.BUNDLED
        if classifier:
            chosen = replace(chosen, name=f"{chosen.name}-{classifier}", classifier=classifier)
        if kernel_size:
            params = {**chosen.descriptor_params, "kernel_size": tuple(kernel_size)}
            chosen = replace(chosen, descriptor_params=params)
        loaded = datasets.load(dataset)  # type: ignore[arg-type]
        _announce()
        with _progress(len(loaded)) as advance:
            detector = evaluation.train(
                loaded,
                recipe=chosen,
                seed=seed,
                n_jobs=workers,
                leave_out=leave_out,
                progress=lambda done, _total: advance(done),
            )
    card = detector.save(output)
    print(card.to_markdown())
    for line in detector.notes_:
        _note(line)
    if detector.notes_:
        raise typer.Exit(UNREADABLE)


@app.command()
def evaluate(
    dataset: Annotated[Path, typer.Argument(help="A folder in a known layout, or a manifest.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A folder for the results.")],
    model: Model = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            help="Done to both classes alike, several times; none, jpeg-90, jpeg-75, jpeg-50 by "
            "default. Known: none, jpeg-Q, rescale-F, crop-S, randomcrop-S, blur-K, rotate-D, "
            "mirror, noise-SIGMA, and chains of them with +.",
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Measure a detector on a data set: metrics, ROC, confusion, by generator, by attack.

    Examples
    --------
        convtrace evaluate dataset/ --model mine.convtrace -o results/
        convtrace evaluate dataset/ -o results/ --attack none --attack rescale-0.5+jpeg-80
    """
    from convtrace import datasets, evaluation

    loaded = datasets.load(dataset)
    detector = _detector(model)
    _announce()
    with _progress(len(loaded)) as advance:
        found = evaluation.evaluate(
            loaded,
            detector,
            output,
            degradations=tuple(attack or evaluation.ATTACKS),
            n_jobs=workers,
            progress=lambda done, _total: advance(done),
        )
    print(found.summary())
    for file in found.files:
        _note(str(file))
    for line in found.errors:
        _note(line)
    if found.errors:
        raise typer.Exit(UNREADABLE)


@app.command()
def audit(
    dataset: Annotated[Path, typer.Argument(help="A folder in a known layout, or a manifest.")],
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
    workers: Workers = None,
) -> None:
    """Tell how well format, size, quality, metadata or name alone separate the classes.

    Example:

        convtrace audit dataset/
    """
    from convtrace import datasets

    report = datasets.audit(datasets.load(dataset), n_jobs=workers)
    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        print(datasets.render_audit(report))
    if report.unreadable:
        raise typer.Exit(UNREADABLE)


models_app = typer.Typer(
    help="List, show and verify stored detectors.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(models_app, name="models")


@models_app.command("list")
def models_list() -> None:
    """List the detectors that come with the package."""
    from convtrace.detection import bundled_path, read_card

    card = read_card(bundled_path())
    print(f"bundled\t{card.created}\t{card.sha256}\t{bundled_path()}")


@models_app.command("show")
def models_show(
    model: Annotated[str, typer.Argument(help="'bundled' or a file.")] = "bundled",
) -> None:
    """Show the card of a detector: what it was trained on, how it did, its limits."""
    from convtrace.detection import bundled_path, read_card

    print(read_card(bundled_path() if model == "bundled" else model).to_markdown())


@models_app.command("verify")
def models_verify(
    model: Annotated[str, typer.Argument(help="'bundled' or a file.")] = "bundled",
) -> None:
    """Load a detector with every check, and print its hash."""
    from convtrace.detection import bundled_path, load

    path = bundled_path() if model == "bundled" else Path(model)
    print(f"{path}: sound\t{load(path).card_.sha256}")


def _pictures(paths: list[str]) -> list[Path]:
    from convtrace.image import find_pictures

    found = list(find_pictures(paths))
    if not found:
        _fail(f"no pictures in {', '.join(paths)}; name picture files, or a folder with some")
    return found


def _detector(model: str | None) -> Detector:
    from convtrace.detection import bundled, load

    return bundled() if model is None else load(model)


def _announce() -> None:
    from convtrace import traces

    if not traces.is_compiled():
        _note("compiling the solver, once: about half a minute")
        traces.warm_up()


def _scan(
    found: list[Path],
    detector: Detector,
    *,
    as_json: bool,
    csv: Path | None = None,
    workers: int | None = None,
    truth: dict[str, str] | None = None,
) -> None:
    from convtrace.batch import csv_sink, scan_many

    counts: dict[str, int] = {}
    try:
        with csv_sink(csv) if csv else nullcontext() as sink, _progress(len(found)) as advance:
            for done, verdict in enumerate(scan_many(found, detector, workers=workers), start=1):
                if as_json:
                    print(json.dumps(verdict.to_dict()), flush=True)
                else:
                    _show(verdict, truth)
                if sink is not None:
                    sink(verdict)
                kind = "unreadable" if verdict.error is not None else str(verdict.label)
                counts[kind] = counts.get(kind, 0) + 1
                advance(done)
    except KeyboardInterrupt:
        _fail("interrupted; the verdicts so far are kept", INTERRUPTED)
    _note(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    if "unreadable" in counts:
        raise typer.Exit(UNREADABLE)


def _show(verdict: Verdict, truth: dict[str, str] | None) -> None:
    if verdict.error is not None:
        _note(verdict.error)
        return
    generator = f" ({verdict.generator})" if verdict.generator else ""
    told = f"  [{truth[verdict.path]}]" if truth and verdict.path in truth else ""
    print(f"{verdict.label}{generator}  {verdict.probability:.2f}  {verdict.path}{told}")
    for reason in verdict.reasons or ():
        print(f"    {reason}")
    sys.stdout.flush()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with the rate and the time left, if a person is looking at stderr alone."""
    if not sys.stderr.isatty() or sys.stdout.isatty() or total < 2:
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TimeRemainingColumn,
    )

    columns: Iterable[Any] = (
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
