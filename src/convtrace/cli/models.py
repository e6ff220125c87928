"""``convtrace models``: what detectors there are, and what they are."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from convtrace.cli.arguments import BUNDLED_NAME, model_path
from convtrace.cli.console import Screen, say

__all__ = ["app"]

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="rich",
    help="List detectors, show the card of one, verify one.",
)

_Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A file, or 'bundled'.", show_default=False)
]


@app.callback()
def _default(ctx: typer.Context) -> None:
    """List detectors, show the card of one, verify one.

    [bold]Examples[/bold]

    convtrace models

    convtrace models show

    convtrace models verify my.convtrace
    """
    if ctx.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models() -> None:
    """List the detectors that come with the package.

    [bold]Examples[/bold]

    convtrace models list
    """
    from convtrace.detection import read_card

    path = model_path(BUNDLED_NAME)
    card = read_card(path)
    size = path.stat().st_size / 1e6
    line = f"{BUNDLED_NAME}  {size:.1f} MB  made {card.created}  SHA-256 {card.sha256}\n  {path}"
    Screen().print(Text(line))


@app.command("show")
def show(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A file, or 'bundled'.")
    ] = BUNDLED_NAME,
) -> None:
    """Print the card of a detector, as Markdown: data, results with intervals, limits.

    [bold]Examples[/bold]

    convtrace models show

    convtrace models show my.convtrace
    """
    from convtrace.detection import read_card

    Screen().print(Text(read_card(model_path(model)).to_markdown().rstrip()))


@app.command("verify")
def verify(model: _Model) -> None:
    """Load a detector with all checks, and print its hash.

    [bold]Examples[/bold]

    convtrace models verify bundled

    convtrace models verify my.convtrace
    """
    from convtrace.detection import Detector

    detector = Detector.load(model_path(model))
    for note in detector.notes_:
        say(f"note: {note}")
    Screen().print(Text(f"sound  SHA-256 {detector.card_.sha256}  {model}"))
