"""Verdicts as lines for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from convtrace.cli.console import printable

if TYPE_CHECKING:
    from convtrace.detection import Verdict

__all__ = ["Tally", "verdict_lines"]

_STYLES = {"real": "green", "generated": "red", "unsure": "yellow", "error": "bold red"}
_LABEL_WIDTH = len("generated")
_INDENT = " " * (_LABEL_WIDTH + 8)


def verdict_lines(verdict: Verdict, *, truth: str = "", all_reasons: bool = False) -> Text:
    """Write a verdict as one line: label, probability, picture, generator, reason.

    Parameters
    ----------
    verdict : Verdict
        What to write.
    truth : str, optional
        What the picture really is, shown beside the label.
    all_reasons : bool, default False
        Add a line for each reason, instead of the first on the same line, and for what the
        file says of its origin.

    Returns
    -------
    rich.text.Text
    """
    label = "error" if verdict.label is None else verdict.label
    probability = "" if verdict.probability is None else f"{verdict.probability:.0%}"
    line = Text.assemble((f"{label:{_LABEL_WIDTH}}", _STYLES[label]), f"  {probability:>4}  ")
    if truth:
        line.append(f"{truth:{_LABEL_WIDTH}}  ")
    if verdict.error is not None:
        line.append(printable(verdict.error))
        return line
    line.append(printable(verdict.path), "bold")
    if verdict.generator is not None:
        line.append(f" (generator: {printable(verdict.generator)})")
    if not all_reasons:
        line.append("".join(f": {printable(reason)}" for reason in verdict.reasons[:1]))
        return line
    for reason in verdict.reasons:
        line.append(f"\n{_INDENT}{printable(reason)}")
    for sentence in () if verdict.provenance is None else verdict.provenance.summary:
        line.append(f"\n{_INDENT}(not part of the verdict) {printable(sentence)}")
    return line


class Tally:
    """Counts verdicts."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, verdict: Verdict) -> None:
        """Count one.

        Parameters
        ----------
        verdict : Verdict
            Of one picture.
        """
        self._counts[verdict.label or "error"] += 1

    @property
    def done(self) -> int:
        """How many in all."""
        return self._counts.total()

    @property
    def failed(self) -> int:
        """How many pictures could not be read."""
        return self._counts["error"]

    def summary(self) -> str:
        """Return the counts in words.

        Returns
        -------
        str
        """
        noun = "picture" if self.done == 1 else "pictures"
        parts = [f"{self._counts[label]} {label}" for label in ("real", "generated", "unsure")]
        if self.failed:
            parts.append(f"{self.failed} could not be read")
        return f"{self.done} {noun}: {', '.join(parts)}"
