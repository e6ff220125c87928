"""Tables of results as CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from convtrace.detection import Table

__all__ = ["slug", "to_csv", "to_latex"]

_PAGE = 40
"""Rows that a page holds."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


def slug(text: str) -> str:
    """Return a title as a file name.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str

    Examples
    --------
    >>> slug("Methods compared, crop-128+jpeg-95")
    'methods-compared-crop-128-jpeg-95'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def to_csv(table: Table) -> str:
    """Return a table as CSV; a value with its interval takes three columns.

    Parameters
    ----------
    table : Table
        The table.

    Returns
    -------
    str

    Examples
    --------
    >>> print(to_csv(Table("t", ("pair", "AUC"), (("a", (0.5, 0.4, 0.6)),))), end="")
    pair,AUC,AUC low,AUC high
    a,0.5,0.4,0.6
    """
    wide = _with_intervals(table)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    heads = [
        [name, f"{name} low", f"{name} high"] if interval else [name]
        for name, interval in zip(table.columns, wide, strict=True)
    ]
    writer.writerow([name for group in heads for name in group])
    for row in table.rows:
        cells: list[Any] = []
        for cell, interval in zip(row, wide, strict=True):
            if isinstance(cell, tuple):
                cells += cell
            else:
                cells += ["" if cell is None else cell] + [""] * (2 * interval)
        writer.writerow(cells)
    return buffer.getvalue()


def to_latex(table: Table) -> str:
    r"""Return a table as LaTeX, for the package booktabs; a long one for longtable.

    Parameters
    ----------
    table : Table
        The table.

    Returns
    -------
    str

    Examples
    --------
    >>> print(to_latex(Table("t", ("pair", "share"), (("a & b", 0.5),))), end="")
    \begin{table}
    \caption{t}
    \begin{tabular}{lr}
    \toprule
    pair & share \\
    \midrule
    a \& b & 0.500 \\
    \bottomrule
    \end{tabular}
    \end{table}
    """
    numeric = [
        any(isinstance(row[i], int | float | tuple) for row in table.rows)
        for i in range(len(table.columns))
    ]
    caption = f"{table.title}. {table.note}" if table.note else table.title
    rows = [" & ".join(map(_latex_cell, row)) + r" \\" for row in table.rows]
    alignment = "".join("r" if one else "l" for one in numeric)
    head = [r"\toprule", " & ".join(map(_escaped, table.columns)) + r" \\", r"\midrule"]
    if len(rows) > _PAGE:
        # A float is no longer than a page.
        lines = [
            rf"\begin{{longtable}}{{{alignment}}}",
            rf"\caption{{{_escaped(caption)}}} \\",
            *head,
            r"\endhead",
            *rows,
            r"\bottomrule",
            r"\end{longtable}",
        ]
    else:
        lines = [
            r"\begin{table}",
            rf"\caption{{{_escaped(caption)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            *head,
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(lines) + "\n"


def _with_intervals(table: Table) -> list[bool]:
    return [any(isinstance(row[i], tuple) for row in table.rows) for i in range(len(table.columns))]


def _latex_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, tuple):
        value, low, high = cell
        return f"{value:.3f} ({low:.3f} to {high:.3f})"
    return f"{cell:.3f}" if isinstance(cell, float) else _escaped(str(cell))


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(one, one) for one in text)
