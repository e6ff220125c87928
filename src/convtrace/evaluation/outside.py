"""Detectors of other people, as commands from pictures to scores.

A command is run once for each set of pictures. It gets the name of a text file, one path a
line, as its last argument (or where ``{paths}`` stands), and prints CSV with the columns
``path`` and ``score`` to standard output: the higher, the likelier generated.
"""

from __future__ import annotations

import csv
import io
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convtrace.errors import ConvtraceError

__all__ = ["OutsideDetector", "parse", "score"]

_PLACE = "{paths}"


@dataclass(frozen=True, slots=True)
class OutsideDetector:
    """A command that scores pictures.

    Attributes
    ----------
    name : str
        For tables.
    command : tuple of str
        The program and its arguments.
    """

    name: str
    command: tuple[str, ...]


def parse(text: str) -> OutsideDetector:
    """Read ``NAME=COMMAND``.

    Parameters
    ----------
    text : str
        As on the command line; the command is split as a shell would, but no shell runs it.

    Returns
    -------
    OutsideDetector

    Raises
    ------
    ConvtraceError
        If it is not of this form.

    Examples
    --------
    >>> parse("npr=python npr.py --list {paths}").command
    ('python', 'npr.py', '--list', '{paths}')
    """
    name, sign, command = text.partition("=")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ConvtraceError(f"detector {text!r}: the command cannot be split: {error}") from error
    if not sign or not name.strip() or not words:
        raise ConvtraceError(
            f"detector {text!r} is not NAME=COMMAND, such as npr='python npr.py --list {_PLACE}'"
        )
    return OutsideDetector(name.strip(), words)


def score(detector: OutsideDetector, paths: Sequence[Path]) -> NDArray[np.float64]:
    """Let a detector score pictures.

    Parameters
    ----------
    detector : OutsideDetector
        The command.
    paths : sequence of Path
        The pictures.

    Returns
    -------
    ndarray of shape (n,), float64
        In the order of the paths.

    Raises
    ------
    ConvtraceError
        If the command cannot be run or fails, prints no such table, or leaves out a picture.
    """
    with tempfile.TemporaryDirectory(prefix="convtrace-") as folder:
        listing = Path(folder) / "paths.txt"
        listing.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        words = [word.replace(_PLACE, str(listing)) for word in detector.command]
        if not any(_PLACE in word for word in detector.command):
            words.append(str(listing))
        try:
            # The user's own command, word by word; no shell sees it.
            done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
        except OSError as error:
            raise ConvtraceError(
                f"detector {detector.name}: {words[0]} cannot be run: {error.strerror}"
            ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed no error"])[-1]
        raise ConvtraceError(
            f"detector {detector.name}: the command ended with {done.returncode}: {last}"
        )
    return _scores(detector.name, done.stdout, paths)


def _scores(name: str, text: str, paths: Sequence[Path]) -> NDArray[np.float64]:
    reader = csv.DictReader(io.StringIO(text))
    if not {"path", "score"} <= set(reader.fieldnames or ()):
        raise ConvtraceError(
            f"detector {name}: its output has no columns path and score, "
            f"but {', '.join(reader.fieldnames or ()) or 'nothing'}"
        )
    found: dict[str, float] = {}
    for row in reader:
        try:
            found[str(row["path"])] = float(str(row["score"]))
        except ValueError as error:
            raise ConvtraceError(
                f"detector {name}: the score {row['score']!r} of {row['path']} is no number"
            ) from error
    missing = [path for path in paths if not np.isfinite(found.get(str(path), np.nan))]
    if missing:
        raise ConvtraceError(
            f"detector {name}: no finite score for {missing[0]}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
        )
    return np.array([found[str(path)] for path in paths])
