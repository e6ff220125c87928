"""Results to files: each written under another name first, so that none is ever half there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convtrace.batch import replacing
from convtrace.detection import Table
from convtrace.errors import DatasetError
from convtrace.evaluation import plots
from convtrace.evaluation.experiments import Plot
from convtrace.evaluation.reproduction.document import FIGURES, experiment_page
from convtrace.evaluation.reproduction.formats import slug, to_csv, to_latex
from convtrace.evaluation.reproduction.outcome import Outcome

__all__ = ["made_folder", "write_bytes", "write_experiment", "write_figures", "write_text"]

TABLES = "tables"


def made_folder(path: Path) -> Path:
    """Make a folder for results, if it is not there.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    DatasetError
        If a file is in its place, or it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise DatasetError(f"{path}: is not a folder; name a folder for the results") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be made: {error.strerror}") from error
    return path


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, or leave what was there.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        What is to be in it.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, or leave what was there.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        What is to be in it.
    """
    write_bytes(path, text.encode("utf-8"))


def write_figures(shown: Sequence[Plot], folder: Path, formats: Sequence[str]) -> dict[str, bytes]:
    """Draw plots and write them.

    Parameters
    ----------
    shown : sequence of Plot
        The plots.
    folder : Path
        Made if it is not there.
    formats : sequence of str
        Out of "png" and "svg".

    Returns
    -------
    dict of str to bytes
        What was written, by file name.
    """
    made_folder(folder)
    files: dict[str, bytes] = {}
    for plot in shown:
        for suffix, data in plots.written(plots.draw(plot), formats).items():
            files[f"{plot.name}.{suffix}"] = data
            write_bytes(folder / f"{plot.name}.{suffix}", data)
    return files


def write_experiment(outcome: Outcome, pictures: Table, folder: Path) -> None:
    """Write an experiment's page, tables and figures.

    Parameters
    ----------
    outcome : Outcome
        What came of it.
    pictures : Table
        Its pictures, class by class.
    folder : Path
        Of all results.
    """
    name = outcome.experiment.name
    if outcome.result is not None:
        tables = made_folder(folder / TABLES)
        for table in (*outcome.result.tables, pictures):
            path = tables / f"{name}-{slug(table.title)}"
            write_text(path.with_name(f"{path.name}.csv"), to_csv(table))
            write_text(path.with_name(f"{path.name}.tex"), to_latex(table))
        write_figures(outcome.result.plots, folder / FIGURES, ("png", "svg"))
    # Last, so that what it links to is there.
    write_text(folder / f"{name}.md", experiment_page(outcome, pictures))
