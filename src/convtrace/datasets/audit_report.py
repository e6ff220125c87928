"""What an audit found, how bad it is, and the words for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from convtrace.datasets.audit_tables import Table
from convtrace.datasets.dataset import Counts
from convtrace.datasets.separability import Auc

__all__ = ["CLEAR", "HINT", "STRONG", "SURE_ABOVE", "AuditReport", "Fact", "Finding", "Level"]

Level = Literal["strong", "clear", "hint", "none", "not tested"]

STRONG: Final = 0.90
"""From this AUC on, a fact alone tells the classes apart."""
CLEAR: Final = 0.75
"""From this AUC on, a fact alone goes a long way."""
HINT: Final = 0.60
"""From this AUC on, a fact alone gives a hint; below it there is no warning."""
SURE_ABOVE: Final = 0.55
"""No warning unless the lower end of the interval is above this."""

_VERBS: Final[dict[str, tuple[str, str]]] = {
    "strong": ("alone tells the classes apart", "tell the classes apart"),
    "clear": (
        "alone goes a long way to tell the classes apart",
        "go a long way to tell the classes apart",
    ),
    "hint": ("alone gives a hint of the class", "give a hint of the class"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One kind of fact that the audit tests, and the words about it.

    Parameters
    ----------
    name : str
        Key of the finding.
    title : str
        How a sentence begins.
    risk : str
        What a detector may learn instead of traces: "A detector ... <risk>."
    remedy : str
        What to do about it, in whole sentences.
    several : bool
        Whether the title is a plural, of many facts at once.
    """

    name: str
    title: str
    risk: str
    remedy: str
    several: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """How well one kind of fact, alone, tells the classes apart.

    Parameters
    ----------
    name : str
        Which fact.
    pictures : int
        How many pictures it was tested on.
    auc : Auc or None
        None if it could not be tested.
    level : str
        ``"strong"``, ``"clear"``, ``"hint"`` or ``"none"``; ``"not tested"``.
    message : str
        The warning, why there was no test, or nothing.
    """

    name: str
    pictures: int
    auc: Auc | None
    level: Level
    message: str

    @classmethod
    def measured(cls, fact: Fact, pictures: int, auc: Auc) -> Finding:
        """Judge an AUC, with a warning where it calls for one."""
        level = _level(auc)
        message = "" if level == "none" else _warning(fact, auc, level)
        return cls(fact.name, pictures, auc, level, message)

    @classmethod
    def untested(cls, fact: Fact, pictures: int, reason: str) -> Finding:
        """Record why a fact could not be tested."""
        return cls(fact.name, pictures, None, "not tested", f"not tested: {reason}")


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of an audit.

    Parameters
    ----------
    root : Path
        Of the data set.
    layout : str
        Of the data set.
    counts : Counts
        What the data set holds, unreadable files included.
    findings : tuple of Finding
        One per kind of fact, then all together.
    tables : dict
        For each fact how many real and fake files have each value, the commonest
        first: ``tables["format"]["PNG"]["real"]``.
    unreadable : tuple of (str, str)
        Path and reason of the files that were left out.
    notes : tuple of str
        From reading the data set.
    n_splits, seed : int
        How it was measured.
    """

    root: Path
    layout: str
    counts: Counts
    findings: tuple[Finding, ...]
    tables: dict[str, Table]
    unreadable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    n_splits: int
    seed: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """The plain-language warnings, the worst first."""
        warned = [one for one in self.findings if one.level in ("strong", "clear", "hint")]
        warned.sort(key=lambda one: -(one.auc.value if one.auc else 0.0))
        return tuple(one.message for one in warned)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return {
            "root": str(self.root),
            "layout": self.layout,
            "counts": dict(self.counts),
            "findings": [asdict(one) for one in self.findings],
            "warnings": list(self.warnings),
            "tables": self.tables,
            "unreadable": [{"path": path, "reason": why} for path, why in self.unreadable],
            "notes": list(self.notes),
            "n_splits": self.n_splits,
            "seed": self.seed,
        }


def _level(auc: Auc) -> Level:
    if auc.value < HINT or auc.low <= SURE_ABOVE:
        return "none"
    if auc.value < CLEAR:
        return "hint"
    return "clear" if auc.value < STRONG else "strong"


def _warning(fact: Fact, auc: Auc, level: Level) -> str:
    verb = _VERBS[level][fact.several]
    return (
        f"{fact.title} {verb}: AUC {auc}. "
        f"A detector trained on this data {fact.risk}. {fact.remedy}"
    )
