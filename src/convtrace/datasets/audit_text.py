"""An audit report as plain text."""

from __future__ import annotations

import textwrap

from convtrace.datasets.audit_report import AuditReport, Finding
from convtrace.datasets.dataset import FAKE, REAL

__all__ = ["render_audit"]

_MAX_UNREADABLE = 10


def render_audit(report: AuditReport, *, width: int = 88) -> str:
    """Write an audit report for people.

    Parameters
    ----------
    report : AuditReport
        By `convtrace.datasets.audit`.
    width : int
        Columns at which sentences are wrapped.

    Returns
    -------
    str
        Several lines, without a newline at the end.
    """
    counts = report.counts
    lines = [
        f"Audit of {report.root} ({report.layout})",
        f"{counts['real']} real and {counts['fake']} fake pictures in {counts['groups']} groups, "
        f"{len(counts['generators'])} generators",
        *(f"note: {note}" for note in report.notes),
        "",
        "How well each fact alone tells real from fake, without looking at a pixel",
        f"(grouped {report.n_splits}-fold AUC with 95% interval; 0.50 is a coin's toss)",
        "",
        *_findings(report.findings),
        "",
    ]
    if report.warnings:
        lines.append("Warnings")
        for warning in report.warnings:
            lines += textwrap.wrap(warning, width, initial_indent="  ! ", subsequent_indent="    ")
    else:
        lines.append("No warning: none of these facts tells the classes apart.")
    for name, table in report.tables.items():
        lines += ["", *_table(name, table, counts["real"], counts["fake"])]
    lines += _unreadable(report)
    return "\n".join(lines)


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    longest = max(len(one.name) for one in findings)
    lines = []
    for one in findings:
        value = str(one.auc) if one.auc is not None else one.message
        mark = {"strong": "!!!", "clear": "!!", "hint": "!"}.get(one.level, "")
        lines.append(f"  {one.name:<{longest}}  {value}  {mark}".rstrip())
    return lines


def _table(name: str, table: dict[str, dict[str, int]], reals: int, fakes: int) -> list[str]:
    longest = max(len(name), *(len(value) for value in table))
    lines = [f"{name:<{longest}}  {'real':>14}  {'fake':>14}"]
    for value, row in table.items():
        cells = (_cell(row[REAL], reals), _cell(row[FAKE], fakes))
        lines.append(f"{value:<{longest}}  {cells[0]:>14}  {cells[1]:>14}")
    return lines


def _cell(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})" if total else str(count)


def _unreadable(report: AuditReport) -> list[str]:
    if not report.unreadable:
        return []
    lines = ["", f"{len(report.unreadable)} files could not be read and were left out:"]
    lines += [f"  {path}: {why}" for path, why in report.unreadable[:_MAX_UNREADABLE]]
    more = len(report.unreadable) - _MAX_UNREADABLE
    return [*lines, f"  and {more} more"] if more > 0 else lines
