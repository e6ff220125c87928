"""What is said of one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convtrace.errors import ConvtraceError
from convtrace.image import Provenance

__all__ = ["LABELS", "Verdict"]

LABELS = ("real", "generated", "unsure")
"""The labels of a verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one picture, or why there is none.

    Parameters
    ----------
    path : str
        The picture: its path, or "<bytes>", "<array>", "<PIL image>".
    label : {"real", "generated", "unsure"} or None
        What it is held to be; None where there is an error.
    probability : float or None
        Of being generated, 0 to 1, if it was as likely real as generated before; None where
        there is an error.
    generator : str or None
        For "generated": the known generator that its trace points to, or "unknown". None
        for other labels, and for detectors that know no generators.
    reasons : tuple of str
        Plain sentences; empty where there is an error.
    error : str or None
        Why the picture could not be judged; None where it could.
    provenance : Provenance or None
        What the file says of its origin: evidence of its own, of which nothing above makes
        use. None where the picture came from no file, and where there is an error.

    Examples
    --------
    >>> Verdict.failed("a.jpg", "a.jpg: the file is empty").to_dict()["label"] is None
    True
    """

    path: str
    label: str | None
    probability: float | None
    generator: str | None
    reasons: tuple[str, ...]
    error: str | None = None
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        if self.error is None:
            if self.label not in LABELS:
                raise ConvtraceError(
                    f"{self.path}: label {self.label!r} is none of {', '.join(LABELS)}"
                )
            if self.probability is None or not 0.0 <= self.probability <= 1.0:
                raise ConvtraceError(f"{self.path}: probability {self.probability} is not in 0..1")

    @classmethod
    def failed(cls, path: str, error: str) -> Verdict:
        """Return the record of a picture that could not be judged.

        Parameters
        ----------
        path : str
            The picture.
        error : str
            One line on why.

        Returns
        -------
        Verdict
        """
        return cls(path, None, None, None, (), error)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``scan --json`` prints.

        Returns
        -------
        dict
            Keys path, label, probability, generator, reasons (a list), error and provenance
            (see `Provenance.to_dict`). Where there is an error, all but path and error are
            None; elsewhere error is None.
        """
        failed = self.error is not None
        return {
            "path": self.path,
            "label": self.label,
            "probability": self.probability,
            "generator": self.generator,
            "reasons": None if failed else list(self.reasons),
            "error": self.error,
            "provenance": None if self.provenance is None else self.provenance.to_dict(),
        }
