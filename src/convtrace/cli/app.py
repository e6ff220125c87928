"""The application: its commands, and what every one of them does about errors."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from convtrace._version import __version__
from convtrace.cli import (
    audit,
    demo,
    evaluate,
    explain,
    extract,
    models,
    reproduce,
    scan,
    serve,
    train,
)
from convtrace.cli.arguments import join_kernel_sizes
from convtrace.cli.codes import BROKEN_PIPE, INTERRUPTED, of_error
from convtrace.cli.console import complain, say
from convtrace.errors import ConvtraceError

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """A group whose commands end with one clear line where they fail."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let ``--kernel-size 3 5 7`` be one option."""
        return super().parse_args(ctx, join_kernel_sizes(args))

    def invoke(self, ctx: Any) -> Any:
        """Run a command; turn its errors into a line and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader (`| head`) has gone. What is still buffered must not complain at exit.
            _abandon_stdout()
            raise typer.Exit(BROKEN_PIPE) from None
        except (ConvtraceError, OSError) as error:
            complain(str(error))
            raise typer.Exit(of_error(error)) from error
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        return result


def _abandon_stdout() -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


app = typer.Typer(
    cls=_Commands,
    name="convtrace",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"convtrace {__version__}")
        raise typer.Exit


@app.callback()
def _callback(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Tell camera photographs from generated images by their convolutional traces.

    A verdict is one piece of evidence, never proof: see `convtrace models show` for what
    the detector was measured to do, and not to do.

    Exit codes: 0 done; 2 wrong usage; 3 some inputs could not be read, the rest is done.
    """


app.command("scan")(scan.scan)
app.command("explain")(explain.explain)
app.command("extract")(extract.extract)
app.command("train")(train.train)
app.command("evaluate", cls=evaluate.COMMAND)(evaluate.evaluate)
app.command("audit")(audit.audit)
app.command("reproduce", cls=reproduce.COMMAND)(reproduce.reproduce)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.add_typer(models.app, name="models")


def main() -> None:
    """Run the command line on the arguments of this process, and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A file name may hold what the terminal's encoding cannot show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code: Any = 0
    try:
        app(prog_name="convtrace")
    except SystemExit as ending:
        code = ending.code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        code = BROKEN_PIPE
    if code in (INTERRUPTED, BROKEN_PIPE):
        # Without waiting for the threads that still work on a picture nobody wants now; but what
        # joblib and multiprocessing registered is cleaned up, or their tracker complains of it.
        atexit._run_exitfuncs()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
