"""The story that the results tell, as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from convtrace.datasets import MissingSet
from convtrace.detection import Table
from convtrace.evaluation.experiments import Experiment, Plot
from convtrace.evaluation.reproduction.outcome import Outcome

__all__ = ["FIGURES", "experiment_page", "read_record", "story"]

FIGURES = "figures"
"""Where figures lie, beside the documents of the folder."""

_LONG = 14
"""Tables of more rows are folded."""

_MARK = "convtrace-reproduction"
_STUDY = (
    'L. Guarnera, O. Giudice, S. Battiato, "Fighting Deepfake by Exposing the Convolutional '
    'Traces on Images", IEEE Access 8, 2020, [arXiv:2008.04095](https://arxiv.org/abs/2008.04095)'
)


def experiment_page(outcome: Outcome, pictures: Table, *, figures: str = FIGURES) -> str:
    """Return the page of one experiment.

    Parameters
    ----------
    outcome : Outcome
        What came of it.
    pictures : Table
        Its pictures, class by class.
    figures : str
        The folder of the figures, relative to the page.

    Returns
    -------
    str
        Markdown.
    """
    parts = [f"# {outcome.experiment.title}", *_body(outcome, figures, svg=True)]
    return "\n\n".join([*parts, _table(pictures)]) + "\n"


def story(
    outcomes: Sequence[Outcome],
    *,
    about: str,
    command: str,
    pictures: Sequence[Table],
    figures: str = FIGURES,
    svg: bool = True,
    quick: bool = False,
    not_run: Sequence[Experiment] = (),
    missing: Sequence[MissingSet] = (),
    errors: Sequence[str] = (),
    machine: str = "",
    matched: bool = True,
    record: Mapping[str, Any] | None = None,
) -> str:
    """Return the document that sets everything side by side.

    Parameters
    ----------
    outcomes : sequence of Outcome
        In order.
    about : str
        Where the features come from.
    command : str
        What prints the document.
    pictures : sequence of Table
        The classes.
    figures : str
        The folder of the figures, relative to the document.
    svg : bool, default True
        Whether SVG lie beside the PNG.
    quick : bool, default False
        Whether it was the small run.
    not_run : sequence of Experiment
        Asked for, but not reached.
    missing : sequence of MissingSet
        Data sets that were not found.
    errors : sequence of str
        Pictures that could not be measured.
    machine : str
        What the times were taken on.
    matched : bool, default True
        Whether there are pairs whose two sides have the same history.
    record : mapping, optional
        What `read_record` is to find again.

    Returns
    -------
    str
        Markdown.
    """
    total = sum(one.seconds for one in outcomes)
    parts = [
        "# The paper's experiments, reproduced",
        f"Printed by `{command}`, from {about}. The paper: {_STUDY}.",
        f"Computed in {total:.0f} seconds{f' on {machine}' if machine else ''}; nothing in this "
        "document was written by hand.",
    ]
    if quick:
        parts.append("**A quick run: fewer pairs and classifiers; these figures are no result.**")
    parts += ["## Published and measured", _summary(outcomes, not_run)]
    parts.append(
        "Published figures are given where they are known for certain. They are of other pictures: "
        "ten generators and FACEAPP, each in its own format and size."
    )
    parts += ["## What was found", "\n".join(_findings(outcomes))]
    parts += [
        "## How the pictures were made equal",
        "Every comparison is made twice: as the files are, and with both classes forced through "
        "the same crop, size and compression. Where the two differ by more than 3 points, the "
        "table says that the raw one measures compression"
        + (
            "; of matched pairs, whose classes have one format, size and history anyway, it says "
            "that compression hides the trace."
            if matched
            else ". Nothing is known of the history of these pictures: where a protocol speaks of "
            "matched pairs, a pair here is a generator's pictures and all photographs, and what "
            "tells them apart may be how either was made, stored or scaled."
        ),
    ]
    parts += [_table(one) for one in pictures]
    for one in outcomes:
        parts += [f"## {one.experiment.title}", *_body(one, figures, svg=svg)]
    if missing:
        parts += ["## Data sets of the paper that were not found", _listed(map(str, missing))]
    if errors:
        parts += ["## Pictures that could not be measured", _listed(errors)]
    if record is not None:
        parts.append(f"<!-- {_MARK}\n{json.dumps(record, sort_keys=True, indent=1)}\n-->")
    return "\n\n".join(parts) + "\n"


def read_record(text: str) -> tuple[dict[str, Any], str] | None:
    """Return the record at the end of a document, and the document without it.

    Parameters
    ----------
    text : str
        From `story`.

    Returns
    -------
    (record, body) or None
        None where there is no record.
    """
    found = re.search(rf"\n*<!-- {_MARK}\n(.*?)\n-->\n*\Z", text, flags=re.DOTALL)
    if found is None:
        return None
    try:
        record = json.loads(found[1])
    except ValueError:
        return None
    return (record, text[: found.start()]) if isinstance(record, dict) else None


def _summary(outcomes: Sequence[Outcome], not_run: Sequence[Experiment]) -> str:
    lines = ["| experiment | published | measured | seconds |", "|---|---|---|---|"]
    for one in outcomes:
        measured = (one.result.measured or "no data") if one.result else f"not run: {one.reason}"
        title = f"[{one.experiment.title}](#{_anchor(one.experiment.title)})"
        lines.append(f"| {title} | {one.experiment.published} | {measured} | {one.seconds:.0f} |")
    lines += [f"| {one.title} | {one.published} | not run: interrupted | |" for one in not_run]
    return "\n".join(lines)


def _findings(outcomes: Sequence[Outcome]) -> list[str]:
    return [
        f"- **{one.experiment.title}.** {' '.join(one.result.findings)}"
        for one in outcomes
        if one.result is not None and one.result.findings
    ]


def _body(outcome: Outcome, figures: str, *, svg: bool) -> list[str]:
    experiment = outcome.experiment
    protocol = [f"{name}: {text}" for name, text in experiment.protocol.items()]
    parts = [
        experiment.question,
        _listed([*protocol, f"published: {experiment.published}"]),
    ]
    if outcome.result is None:
        return [*parts, f"Not run: {outcome.reason}"]
    if outcome.result.measured:
        parts.append(f"Measured: {outcome.result.measured}.")
    parts += outcome.result.findings
    parts += [_table(table) for table in outcome.result.tables]
    parts += [_figure(plot, figures, svg=svg) for plot in outcome.result.plots]
    return parts


def _table(table: Table) -> str:
    text = table.to_markdown()
    if len(table.rows) <= _LONG:
        return text
    head, _, rest = text.partition("\n")
    title = head.removeprefix("### ")
    body = rest.strip("\n")
    summary = f"<details><summary>{len(table.rows)} rows</summary>"
    note, _, rows = body.partition("| ")
    return f"### {title}\n\n{note}{summary}\n\n| {rows}\n\n</details>"


def _figure(plot: Plot, figures: str, *, svg: bool) -> str:
    caption = f"{plot.caption} ([SVG]({figures}/{plot.name}.svg))" if svg else plot.caption
    return f"![{plot.caption}]({figures}/{plot.name}.png)\n\n*{caption}*"


def _listed(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _anchor(title: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
