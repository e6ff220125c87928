"""What came of the experiments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from convtrace.datasets import MissingSet
from convtrace.evaluation.experiments import Experiment, Result

__all__ = ["Outcome", "Reproduction"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one experiment.

    Attributes
    ----------
    experiment : Experiment
        Which.
    result : Result or None
        What it found; None where it could not be run.
    reason : str
        Why it could not be run.
    seconds : float
        How long it took, when it was run.
    cached : bool
        Whether it was run before, on the same data, code and options.
    """

    experiment: Experiment
    result: Result | None
    reason: str = ""
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of all.

    Attributes
    ----------
    outcomes : tuple of Outcome
        In the order of the report.
    index : Path
        The document that tells the story.
    missing : tuple of MissingSet
        Data sets of the paper that the user's folder does not hold; none without such a folder.
    errors : tuple of str
        One line for each picture that could not be measured.
    """

    outcomes: tuple[Outcome, ...]
    index: Path
    missing: tuple[MissingSet, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that could not be run."""
        return tuple(one for one in self.outcomes if one.result is None)
