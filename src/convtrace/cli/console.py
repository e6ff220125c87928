"""What people see: lines on stdout and stderr, the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, Task, TaskID

__all__ = [
    "Progress",
    "Screen",
    "compile_if_needed",
    "complain",
    "complain_of_inputs",
    "printable",
    "progress",
    "say",
]

Progress = Callable[[int, int], None]


def _console(*, stderr: bool = False) -> Console:
    # Made anew each time: sys.stdout may have been replaced meanwhile.
    return Console(
        file=sys.stderr if stderr else sys.stdout,
        soft_wrap=True,
        highlight=False,
        markup=False,
        emoji=False,
    )


def printable(text: str) -> str:
    r"""Return text without characters that move a terminal's cursor or hide.

    Parameters
    ----------
    text : str
        For instance a file name.

    Returns
    -------
    str
        Control characters and surrogates as ``\xNN`` and ``\uNNNN``.

    Examples
    --------
    >>> printable("a\x1b[2Jb.png")
    'a\\x1b[2Jb.png'
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def say(message: str) -> None:
    """Print a line for people to stderr.

    Parameters
    ----------
    message : str
        The line.
    """
    _console(stderr=True).print(Text(printable(message)))


def complain(message: str) -> None:
    """Print an error as one line to stderr.

    Parameters
    ----------
    message : str
        The error.
    """
    line = " ".join(message.split())
    text = Text.assemble(("error: ", "bold red"), printable(line))
    _console(stderr=True).print(text)


def complain_of_inputs(failures: list[str] | tuple[str, ...], count: int) -> None:
    """Print the errors of inputs to stderr.

    Parameters
    ----------
    failures : sequence of str
        The first ones.
    count : int
        How many there are in all.
    """
    for failure in failures:
        complain(failure)
    if count > len(failures):
        say(f"and {count - len(failures)} more inputs that could not be read")


def compile_if_needed() -> None:
    """Compile the solver before the work begins, and say so."""
    import numpy as np

    from convtrace import descriptors, traces

    if not traces.is_compiled():
        say("compiling the inner loops, once: less than a minute...")
        traces.warm_up()
        descriptors.create("co-occurrence").describe(np.zeros((16, 16, 3), np.uint8))


class Screen:
    """Prints results to stdout; above the progress bar where both are on a terminal.

    Parameters
    ----------
    bar : rich.progress.Progress, optional
        The bar, if there is one.
    """

    def __init__(self, bar: Bar | None = None) -> None:
        self._bar = bar
        self._console = _console()

    @property
    def is_terminal(self) -> bool:
        """Whether results go to a terminal."""
        return self._console.is_terminal

    def print(self, line: Text) -> None:
        """Print a line.

        Parameters
        ----------
        line : rich.text.Text
            Written through at once.

        Raises
        ------
        BrokenPipeError
            If nobody reads it any more.
        """
        if self._bar is not None and self.is_terminal:
            # The same terminal: the bar's console knows how to make room above it.
            self._bar.console.print(line, soft_wrap=True)
            return
        # Not by the console: it would answer a broken pipe by itself.
        with self._console.capture() as capture:
            self._console.print(line)
        sys.stdout.write(capture.get())
        sys.stdout.flush()


@contextmanager
def progress(
    label: str, *, unit: str = "pictures", hidden: bool = False
) -> Iterator[tuple[Progress, Screen]]:
    """Show a progress bar, if stderr is a terminal.

    Parameters
    ----------
    label : str
        What is going on.
    unit : str, default "pictures"
        What is counted.
    hidden : bool, default False
        Show none.

    Yields
    ------
    report : callable
        To be called with the number done and the number of all.
    screen : Screen
        Prints results while the bar is there.
    """
    console = _console(stderr=True)
    if hidden or not console.is_terminal:
        yield _nothing, Screen()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _rate_column(unit),
        TimeRemainingColumn(),
        console=console,
        redirect_stdout=False,
        redirect_stderr=False,
        transient=True,
    )
    task: TaskID | None = None

    def report(done: int, total: int) -> None:
        nonlocal task
        if task is None:
            # Begun here, so that what an earlier run did does not count as speed.
            task = bar.add_task(label, total=total, completed=done)
        else:
            bar.update(task, completed=done, total=total)

    with bar:
        yield report, Screen(bar)


def _nothing(done: int, total: int) -> None:
    """Take the place of a progress bar."""


def _rate_column(unit: str) -> ProgressColumn:
    from rich.progress import ProgressColumn

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f} {unit}/s")

    return Rate()
