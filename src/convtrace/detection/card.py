"""The card of a detector: what it was made from, what it can do, and what it cannot."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import scipy
import sklearn

from convtrace._version import __version__
from convtrace.errors import ModelError

__all__ = ["Card", "Table", "current_versions"]

Cell = str | int | float | None | tuple[float, float, float]


def current_versions() -> dict[str, str]:
    """Return the versions of what a detector's numbers depend on.

    Returns
    -------
    dict
        Name to version.
    """
    return {
        "convtrace": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }


@dataclass(frozen=True, slots=True)
class Table:
    """A table of measured results.

    Parameters
    ----------
    title : str
        What was measured.
    columns : tuple of str
        The headings.
    rows : tuple of tuple
        Cells: text, numbers, None, or (value, low, high) for a value with its interval.
    note : str
        How it was measured.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ModelError(
                    f"table {self.title!r}: a row has {len(row)} cells, not {len(self.columns)}"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON values.

        Returns
        -------
        dict
        """
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": [
                [list(cell) if isinstance(cell, tuple) else cell for cell in row]
                for row in self.rows
            ],
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Table:
        """Rebuild a table from `to_dict`.

        Parameters
        ----------
        state : mapping
            What `to_dict` returned.

        Returns
        -------
        Table
        """
        rows = tuple(
            tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row)
            for row in state["rows"]
        )
        return cls(str(state["title"]), tuple(map(str, state["columns"])), rows, str(state["note"]))

    def to_markdown(self) -> str:
        """Return the table as Markdown.

        Returns
        -------
        str
        """
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines.append("| " + " | ".join(self.columns) + " |")
        lines.append("|" + "---|" * len(self.columns))
        lines += ["| " + " | ".join(map(_cell_text, row)) + " |" for row in self.rows]
        return "\n".join(lines)


def _cell_text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, tuple):
        value, low, high = cell
        return f"{value:.3f} ({low:.3f} to {high:.3f})"
    text = f"{cell:.3f}" if isinstance(cell, float) else str(cell)
    return text.replace("|", "\\|").replace("\n", " ")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Card:
    """What a detector was trained on, how it did, and its limits.

    Parameters
    ----------
    name : str
        Of the detector.
    recipe : mapping
        From `Recipe.to_dict`, with the further options of the detector.
    training : mapping
        Counts: rows, groups, real, generated, and per_generator, per_format, per_condition
        (name to count).
    results : tuple of Table
        Measured results.
    limits : tuple of str
        Plain sentences on what it cannot do.
    created : str
        Time in ISO 8601, UTC.
    versions : mapping
        From `current_versions`, when it was trained.
    sha256 : str
        Of the stored file, filled in by saving and loading; empty before.
    """

    name: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    results: tuple[Table, ...] = ()
    limits: tuple[str, ...] = ()
    created: str = field(default_factory=_now)
    versions: Mapping[str, str] = field(default_factory=current_versions)
    sha256: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON values.

        Returns
        -------
        dict
        """
        return {
            "name": self.name,
            "created": self.created,
            "versions": dict(self.versions),
            "recipe": dict(self.recipe),
            "training": dict(self.training),
            "results": [table.to_dict() for table in self.results],
            "limits": list(self.limits),
            "sha256": self.sha256,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Card:
        """Rebuild a card from `to_dict`.

        Parameters
        ----------
        state : mapping
            What `to_dict` returned.

        Returns
        -------
        Card
        """
        return cls(
            name=str(state["name"]),
            recipe=dict(state["recipe"]),
            training=dict(state["training"]),
            results=tuple(Table.from_dict(table) for table in state["results"]),
            limits=tuple(map(str, state["limits"])),
            created=str(state["created"]),
            versions={str(key): str(value) for key, value in state["versions"].items()},
            sha256=str(state["sha256"]),
        )

    def to_markdown(self) -> str:
        """Return the card as a Markdown document.

        Returns
        -------
        str
        """
        parts = [f"# {self.name}", ""]
        parts.append(f"Made {self.created}.")
        if self.sha256:
            parts.append(f"SHA-256 of the file: `{self.sha256}`.")
        parts += ["", "## Recipe", "", *_listing(self.recipe)]
        parts += ["", "## Training data", "", *_listing(self.training)]
        if self.results:
            parts += ["", "## Measured results"]
            for table in self.results:
                parts += ["", table.to_markdown()]
        if self.limits:
            parts += ["", "## Limits", "", *(f"- {limit}" for limit in self.limits)]
        parts += ["", "## Versions", "", *_listing(self.versions)]
        return "\n".join(parts) + "\n"


def _listing(values: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, value in values.items():
        label = str(key).replace("_", " ")
        if isinstance(value, Mapping):
            inner = ", ".join(f"{name} {count}" for name, count in value.items())
            lines.append(f"- {label}: {inner or 'none'}")
        elif isinstance(value, (list, tuple)):
            lines.append(f"- {label}: {', '.join(map(str, value)) or 'none'}")
        else:
            lines.append(f"- {label}: {value}")
    return lines
