"""A report on many pictures: one table with thumbnails, written as the verdicts come."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from convtrace._version import __version__
from convtrace.batch import OutputError, check_output_file, engines, judged
from convtrace.batch.inputs import Input, streamed
from convtrace.batch.output import temporary_beside
from convtrace.batch.scanning import lost, record_of
from convtrace.detection import Detector, Verdict
from convtrace.errors import ConvtraceError, ImageError
from convtrace.image import Picture
from convtrace.report.explanation import explain
from convtrace.report.html import environment
from convtrace.report.pictures import thumbnail_jpeg
from convtrace.report.text import shown
from convtrace.report.writing import write_report

__all__ = ["BINS", "FolderReport", "Row", "explanations_folder", "scan_rows"]

BINS = 20
"""Bins of the histogram of probabilities."""

_COPYING = 1 << 20
# The name of a frame of a video, which is explained by --explain only.
_FRAME = re.compile(r"#t=[0-9.]+$")


@dataclass(frozen=True, slots=True)
class Row:
    """One picture in the report; its pixels are gone, but for the thumbnail.

    Attributes
    ----------
    verdict : Verdict
        What is said of it.
    thumbnail : bytes
        A small JPEG; empty where the picture could not be read.
    width, height, nbytes : int
        Of the picture; 0 where it could not be read.
    format : str
        Of the file; empty where it could not be read.
    explanation : str
        The name of its explanation in the folder of the report; empty where there is none.
    """

    verdict: Verdict
    thumbnail: bytes = b""
    width: int = 0
    height: int = 0
    nbytes: int = 0
    format: str = ""
    explanation: str = ""


def explanations_folder(report: str | os.PathLike[str]) -> Path:
    """Return the folder beside a report in which its explanations lie.

    Parameters
    ----------
    report : str or os.PathLike
        The HTML file.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> explanations_folder("out/report.html").as_posix()
    'out/report_files'
    """
    path = Path(report)
    return path.with_name(f"{path.stem}_files")


def scan_rows(
    paths: Iterable[str | os.PathLike[str] | Input],
    detector: Detector,
    *,
    workers: int | None = None,
    engine: str | engines.Engine = "local",
    time_limit: float | None = None,
    explanations: Path | None = None,
) -> Generator[Row, None, None]:
    """Judge many pictures and make their thumbnails, each read once.

    Parameters
    ----------
    paths : iterable of path or Input
        The pictures.
    detector : Detector
        What judges them.
    workers : int, optional
        Pictures at once, and so held in memory; by default one for each core.
    engine : str or Engine, default "local"
        One of `convtrace.batch.engines.names`, or an engine.
    time_limit : float, optional
        Seconds after which a picture is given up.
    explanations : Path, optional
        A folder in which an explanation of each picture is written.

    Returns
    -------
    generator of Row
        In the order of the paths.
    """
    if explanations is not None:
        try:
            explanations.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError.of(explanations, error) from error
    run = engines.create(engine) if isinstance(engine, str) else engine
    return run.map(
        partial(_row, detector, explanations),
        streamed(map(record_of, paths)),
        workers=workers,
        time_limit=time_limit,
        lost=_lost_row,
    )


def _lost_row(one: Input, reason: str) -> Row:
    return Row(lost(one, reason))


def _row(detector: Detector, explanations: Path | None, one: Input) -> Row:
    verdict, picture = judged(one, detector)
    if picture is None:
        return Row(verdict)
    link = ""
    if explanations is not None and verdict.error is None:
        # One thread each: the pictures beside it keep the other cores busy.
        with contextlib.suppress(ImageError):  # judged, but smaller than the kernels compared
            explanation = explain(picture, detector, threads=1)
            link = _explanation_name(one.name)
            write_report(explanation, explanations / link)
    return _row_of(verdict, picture, link)


def _row_of(verdict: Verdict, picture: Picture, link: str) -> Row:
    return Row(
        verdict,
        thumbnail_jpeg(picture),
        picture.width,
        picture.height,
        picture.nbytes,
        picture.format,
        link,
    )


def _explanation_name(path: str | os.PathLike[str]) -> str:
    """Name an explanation by its picture: safe anywhere, and no two alike."""
    whole = os.fsencode(Path(path).absolute())
    stem = "".join(
        one if one.isascii() and (one.isalnum() or one in "-_") else "-" for one in Path(path).stem
    )
    return f"{stem[:40]}-{hashlib.sha256(whole).hexdigest()[:12]}.html"


class FolderReport:
    """A sink of rows that becomes one HTML file.

    Rows go to the disk as they come: no more than one is held. The file appears when the
    context ends, also by an exception such as Ctrl-C, with the rows until then.

    Parameters
    ----------
    path : str or os.PathLike
        The HTML file; replaced where it exists.
    title : str
        What was scanned, for people; untrusted text.
    detector : Detector
        What judged, to be named.
    model : str or None
        The ``--model`` of the command by which a picture is explained.

    Raises
    ------
    OutputError
        If it cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        title: str,
        detector: Detector,
        model: str | None = None,
    ) -> None:
        self._name = os.fspath(path)
        self._target = check_output_file(path)
        self._spool = temporary_beside(self._target)
        self._temporary = temporary_beside(self._target)
        self._links = f"{explanations_folder(self._target).name}/"
        self._title = title
        self._card = detector.card_
        self._model = model
        self._file: IO[str] | None = None
        self._sound = True
        self._count = 0
        self._labels: Counter[str] = Counter()
        self._bins = {name: [0] * BINS for name in ("real", "generated", "unsure")}

    def __enter__(self) -> Self:
        try:
            self._file = self._spool.open("x", encoding="ascii")
        except OSError as error:
            self._drop()
            raise OutputError.of(self._name, error) from error
        return self

    def write(self, row: Row) -> None:
        """Write a row.

        Parameters
        ----------
        row : Row
            What to write.

        Raises
        ------
        OutputError
            If the disk is full or broken.
        """
        verdict = row.verdict
        label = verdict.label or "error"
        self._labels[label] += 1
        if verdict.probability is not None and label in self._bins:
            self._bins[label][min(int(verdict.probability * BINS), BINS - 1)] += 1
        if self._file is None:
            raise ConvtraceError(f"{self._name}: the report is not open")
        try:
            self._file.write((",\n" if self._count else "") + _json(self._cells(row)))
        except OSError as error:
            self._sound = False
            raise OutputError.of(self._name, error) from error
        self._count += 1

    def _cells(self, row: Row) -> list[Any]:
        """Return what the page needs of a row, in the order that its script knows."""
        verdict = row.verdict
        probability = verdict.probability
        return [
            shown(verdict.path),
            verdict.label or "error",
            None if probability is None else round(probability, 4),
            shown(verdict.generator or ""),
            [shown(reason) for reason in verdict.reasons],
            shown(verdict.error or ""),
            row.width,
            row.height,
            row.nbytes,
            row.format,
            base64.b64encode(row.thumbnail).decode(),
            self._links + row.explanation if row.explanation else "",
            "" if row.explanation or verdict.error else self._command(verdict.path),
        ]

    def _command(self, path: str) -> str:
        """Return the command that explains a picture, where there is one that can be typed."""
        if not path.isprintable() or _FRAME.search(path):
            return ""
        words = ["convtrace", "explain", path, "-o", "report.html"]
        if path.startswith("-"):
            words[2] = f"./{path}"
        if self._model is not None:
            words += ["--model", self._model]
        return shlex.join(words)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the file in place.

        Raises
        ------
        OutputError
            If the disk is full or broken.
        """
        if self._file is None or not self._sound:
            self._drop()
            return
        try:
            self._file.close()
            self._assemble(partial_scan=error is not None)
            self._temporary.replace(self._target)
        except OSError as failure:
            raise OutputError.of(self._name, failure) from failure
        finally:
            self._drop()

    def _assemble(self, *, partial_scan: bool) -> None:
        """Write what comes before the rows, the rows, and what comes after them."""
        marker = "@@ROWS@@"
        page = (
            environment()
            .get_template("folder.html.j2")
            .render(
                title=shown(self._title),
                counts={
                    name: self._labels[name] for name in ("real", "generated", "unsure", "error")
                },
                count=self._count,
                bins=self._bins,
                highest=max(1, *map(sum, zip(*self._bins.values(), strict=True))),
                partial_scan=partial_scan,
                version=__version__,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                model=self._card.name,
                model_hash=self._card.sha256,
                limits=self._card.limits,
                marker=marker,
            )
        )
        # The last one is ours: a title with the same letters stands before it.
        before, _, after = page.rpartition(marker)
        with self._temporary.open("x", encoding="utf-8") as out:
            out.write(before)
            with self._spool.open(encoding="ascii") as rows:
                while part := rows.read(_COPYING):
                    out.write(part)
            out.write(after)

    def _drop(self) -> None:
        if self._file is not None:
            # A full disk refuses the last rows again; the file goes anyway.
            with contextlib.suppress(OSError):
                self._file.close()
        self._spool.unlink(missing_ok=True)
        self._temporary.unlink(missing_ok=True)


def _json(value: Any) -> str:
    """Write JSON that can stand inside a ``script`` element: no ``<``, ASCII only."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
