"""Encoded bytes of a stranger to a verdict or an explanation."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from convtrace.detection import Detector, Verdict
from convtrace.errors import ImageError
from convtrace.image import read
from convtrace.image.containers import sniff
from convtrace.image.picture import Picture
from convtrace.image.reading import Limits
from convtrace.service.settings import Settings
from convtrace.service.uploads import Upload

if TYPE_CHECKING:
    from convtrace.report import Explanation

__all__ = ["Explained", "Outcome", "crashed", "explain_upload", "judge_upload"]


class Unjudgeable(Exception):  # noqa: N818  # no fault of the program
    """A file for which there is no verdict.

    Parameters
    ----------
    name : str
        The file.
    reason : str
        Why, and the way out.
    status : int
        415 for what is no picture, 422 for a picture that cannot be judged.
    """

    def __init__(self, name: str, reason: str, status: int) -> None:
        super().__init__(f"{name}: {reason}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one upload.

    Parameters
    ----------
    verdict : Verdict
        With an error where there is none.
    status : int
        200; or that of the error: 415 or 422.
    """

    verdict: Verdict
    status: int


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation, written.

    Parameters
    ----------
    body : bytes
        JSON or HTML; empty where there is none.
    status : int
        200; or that of the error: 415 or 422.
    error : str
        Why there is none.
    """

    body: bytes
    status: int = 200
    error: str = ""


def crashed(upload: Upload) -> Outcome:
    """Return the outcome for a picture at which the process ended.

    Parameters
    ----------
    upload : Upload
        The file.

    Returns
    -------
    Outcome
    """
    reason = (
        f"{upload.name}: reading it crashed, or took too much memory or time; it may be malformed"
    )
    return Outcome(Verdict.failed(upload.name, reason), 422)


def judge_upload(detector: Detector, upload: Upload, settings: Settings) -> Outcome:
    """Judge one upload.

    Parameters
    ----------
    detector : Detector
        What judges it.
    upload : Upload
        The file.
    settings : Settings
        The limits.

    Returns
    -------
    Outcome
        Also where the file is no picture, or damaged.
    """
    try:
        return Outcome(_judge(detector, upload, settings), 200)
    except Unjudgeable as error:
        return Outcome(Verdict.failed(upload.name, str(error)), error.status)


def _judge(detector: Detector, upload: Upload, settings: Settings) -> Verdict:
    picture = _read(upload, settings)
    try:
        # Put beside the verdict, after it: the detector is not told.
        return replace(detector.verdict(picture), provenance=picture.provenance)
    except ImageError as error:
        raise _of_image_error(upload, error) from error
    except MemoryError as error:
        raise _no_memory(upload) from error


def explain_upload(
    detector: Detector, upload: Upload, settings: Settings, *, as_html: bool
) -> Explained:
    """Explain the verdict on one upload.

    Parameters
    ----------
    detector : Detector
        What judges it.
    upload : Upload
        The file.
    settings : Settings
        The limits.
    as_html : bool
        Whether as a report, or as JSON with the pictures as data addresses.

    Returns
    -------
    Explained
        Also where the file is no picture, or damaged.
    """
    try:
        explanation = _explain(detector, upload, settings)
    except Unjudgeable as error:
        return Explained(b"", error.status, str(error))
    if not as_html:
        return Explained(_json(explanation))
    from convtrace.report import render_html

    return Explained(render_html(explanation).encode())


def _explain(detector: Detector, upload: Upload, settings: Settings) -> Explanation:
    # Matplotlib with its fonts is slow to load, and many services never explain.
    from convtrace.report import explain

    try:
        # With all cores: somebody waits for it, and is mostly the only one.
        threads = settings.at_once
        return explain(
            upload.data, detector, upload.name, limits=_limits(settings), threads=threads
        )
    except ImageError as error:
        raise _of_image_error(upload, error) from error
    except MemoryError as error:
        raise _no_memory(upload) from error


def _json(explanation: Explanation) -> bytes:
    images = {
        "overlay": explanation.overlay_png,
        "map": explanation.map_png,
        "misfit": explanation.misfit_png,
        "spectrum": explanation.spectrum_png,
        "kernels": explanation.kernels_png,
    }
    encoded = {
        name: "data:image/png;base64," + base64.b64encode(png).decode()
        for name, png in images.items()
    }
    found = {**explanation.to_dict(), "images": encoded}
    return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _read(upload: Upload, settings: Settings) -> Picture:
    try:
        picture = read(upload.data, limits=_limits(settings), provenance=True)
    except ImageError as error:
        raise _of_image_error(upload, error) from error
    except MemoryError as error:
        raise _no_memory(upload) from error
    return replace(picture, name=upload.name)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        max_seconds=settings.decode_seconds,
    )


def _of_image_error(upload: Upload, error: ImageError) -> Unjudgeable:
    hint = error.hint
    if hint.startswith("raise max_"):
        # A hint for programmers, who can; visitors cannot.
        hint = "judge it with the command 'convtrace scan'"
    reason = f"{error.reason}; {hint}" if hint else error.reason
    is_picture = not upload.data or sniff(upload.data) is not None
    return Unjudgeable(upload.name, reason, 422 if is_picture else 415)


def _no_memory(upload: Upload) -> Unjudgeable:
    return Unjudgeable(upload.name, "not enough memory to judge it; use a smaller picture", 422)
