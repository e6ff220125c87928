"""What the commands have in common in their arguments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from convtrace.batch import Input
    from convtrace.detection import Detector

__all__ = [
    "Address",
    "Channels",
    "DatasetPath",
    "Device",
    "Engine",
    "FrameStep",
    "KernelSizes",
    "Layout",
    "Paths",
    "TimeLimit",
    "Workers",
    "find",
    "join_kernel_sizes",
    "load_detector",
    "model_path",
    "parse_kernel_sizes",
]

BUNDLED_NAME = "bundled"
_KERNEL_OPTION = "--kernel-size"
_NUMBERS = re.compile(r"\d+([,\s]+\d+)*,?")

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Pictures; folders to be walked to their ends; patterns in quotes; archives and tar "
        "shards; manifests with a column path; videos; addresses such as s3://bucket/folder.",
        show_default=False,
    ),
]
DatasetPath = Annotated[
    Path,
    typer.Argument(
        metavar="DATASET",
        help="A folder in a known layout (for instance real/ and fake/), or a CSV, TSV, JSON or "
        "Parquet manifest with the columns path and label.",
        show_default=False,
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(help="Name of the layout, instead of finding it out.", show_default=False),
]
KernelSizes = Annotated[
    list[str] | None,
    typer.Option(
        _KERNEL_OPTION,
        "-k",
        metavar="N...",
        help="Odd kernel sizes 3 to 9: --kernel-size 3 5 7, or 3,5,7, or the option repeated.",
        show_default=False,
    ),
]
Channels = Annotated[
    str, typer.Option(help="'rgb', letters out of it such as 'g', or 'luminance'.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", "-j", min=1, help="Pictures at once; one a core by default.", metavar="N"
    ),
]


def join_kernel_sizes(args: list[str]) -> list[str]:
    """Join the numbers after ``--kernel-size`` to one value.

    Parameters
    ----------
    args : list of str
        Arguments of the command line.

    Returns
    -------
    list of str
        Numbers after ``--`` are left alone; so is a path that is a number if it is written
        as ``./5``.

    Examples
    --------
    >>> join_kernel_sizes(["photos", "--kernel-size", "3", "5", "7", "-o", "t.parquet"])
    ['photos', '--kernel-size', '3,5,7', '-o', 't.parquet']
    """
    joined: list[str] = []
    position = 0
    while position < len(args):
        joined.append(args[position])
        position += 1
        if joined[-1] == "--":
            return joined + args[position:]
        if joined[-1] in (_KERNEL_OPTION, "-k"):
            start = position
            while position < len(args) and _NUMBERS.fullmatch(args[position]):
                position += 1
            if position > start:
                joined.append(",".join(args[start:position]))
    return joined


def parse_kernel_sizes(values: list[str] | None, *, default: tuple[int, ...]) -> tuple[int, ...]:
    """Read the values of ``--kernel-size``.

    Parameters
    ----------
    values : list of str or None
        Each one or several numbers, separated by commas or spaces.
    default : tuple of int
        Taken where the option was not given.

    Returns
    -------
    tuple of int
        Each size once; whether it can be fitted is found out by what fits it.

    Raises
    ------
    typer.BadParameter
        Where a value is not made of numbers.

    Examples
    --------
    >>> parse_kernel_sizes(["3,5", "7"], default=(5,))
    (3, 5, 7)
    """
    if not values:
        return default
    sizes: list[int] = []
    for value in values:
        if not _NUMBERS.fullmatch(value.strip()):
            raise typer.BadParameter(
                f"{value!r} is not made of numbers; give for instance {_KERNEL_OPTION} 3 5 7"
            )
        sizes += [int(number) for number in re.findall(r"\d+", value)]
    return tuple(dict.fromkeys(sizes))


Engine = Annotated[
    str, typer.Option(metavar="local|ray", help="What runs the work: this machine, or Ray.")
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Of the Ray cluster; a Ray of this machine is started if none is given.",
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|cuda",
        help="Where the kernels are fitted. cuda: many pictures together on a GPU of this machine "
        "(extra 'gpu'), within 1e-4 of cpu; the nearly flat are fitted once more as by cpu. auto: "
        "cuda where there is one.",
    ),
]
TimeLimit = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0.1, help="After which a picture is given up."),
]
FrameStep = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Of videos take every N-th frame, and take videos in folders too. The key frames "
        "of the videos named are taken by default.",
        show_default=False,
    ),
]


def find(paths: list[str], frame_step: int | None = None) -> list[Input]:
    """List the pictures that the arguments name.

    Parameters
    ----------
    paths : list of str
        Paths and addresses.
    frame_step : int, optional
        Which frames of videos.

    Returns
    -------
    list of Input

    Raises
    ------
    ConvtraceError
        Where there is none.
    """
    from convtrace.batch import find_inputs
    from convtrace.errors import ConvtraceError

    found = list(find_inputs(paths, frame_step=frame_step, videos=frame_step is not None))
    if not found:
        named = ", ".join(paths)
        raise ConvtraceError(f"{named}: no pictures found there; name pictures, or folders of them")
    return found


def model_path(model: str | None) -> Path:
    """Return the file of a model.

    Parameters
    ----------
    model : str or None
        A path, or "bundled"; None is the bundled one.

    Returns
    -------
    Path
    """
    from convtrace.detection import bundled_path

    if model is None or (model == BUNDLED_NAME and not Path(model).exists()):
        return bundled_path()
    return Path(model)


def load_detector(model: str | None) -> Detector:
    """Load a model, and tell what it has to remark.

    Parameters
    ----------
    model : str or None
        As for `model_path`.

    Returns
    -------
    Detector

    Raises
    ------
    ModelError
        Where it cannot be used.
    """
    from convtrace.cli.console import say
    from convtrace.detection import Detector, bundled, bundled_path

    path = model_path(model)
    detector = bundled() if path == bundled_path() else Detector.load(path)
    for note in detector.notes_:
        say(f"note: {note}")
    return detector
