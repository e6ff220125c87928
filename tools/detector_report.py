"""Write docs/detector.md: the bundled detector's card, and what each part of it is worth.

    python tools/detector_report.py -o docs/detector.md

The ablation leaves out one domain of the corpus after the other (cameras, subjects and
generators at once) and fits shrinkage linear discriminants to the rest, with some of the
descriptors, with and without the simulated generators. It needs the packaged tables, no
picture; about three minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from convtrace.detection import Table, bundled_path, classifiers, read_card
from convtrace.detection.domains import domain_folds
from convtrace.detection.held_out import class_scores, fit_model
from convtrace.evaluation.bundled_table import bundled_table, domains_of, simulated_table

REPORTED = ("none", "jpeg-90", "jpeg-75", "jpeg-50", "rescale-0.75..1.25")
# What the names of the columns begin with.
PARTS = {"traces": "ct", "co-occurrences": "co_", "radial spectrum": "radial"}

INTRODUCTION = """# The bundled detector

Written by `python tools/detector_report.py -o docs/detector.md`.

A picture is measured by three descriptors: its convolutional traces of kernel sizes 3, 5 and 7
on the central 256x256 pixels, the co-occurrences of its rounded differences on the central
512x512, and its radial spectrum. Linear discriminants and a small perceptron score them; the mean
of their log-odds becomes a probability for each class of compression. The limits of the verdicts
are those of split conformal prediction for each class and compression, set so that of held-out
photographs 1 in 100 is called generated and of held-out images 5 in 100 real, or of pictures from
a domain that was left out of training 5 and 10 in 100, whichever is wider; the table of verdicts
says how that holds on pictures that had no part in the limits. What lies between is unsure, and so
is a picture unlike all training rows. A generator is named where the
probability and the distance to its images allow it; otherwise it is unknown.

## What each part is worth

Mean AUC over {count} domains, each left out of training with its cameras, subjects and generators;
linear discriminants alone. Simulated generators are photographs that went through small decoders
(`tools/simulate_generators.py`); they are trained on and never tested.

"""

LIMITS = """
What limits it: of a domain left out, the photographs differ from those of training as much as the
images do. The worst are the compressed video frames (FaceForensics++, of which only the face is
made), told from their originals hardly better than by chance; in JPEG no domain comes near what it
has without (the table of domains left out, below).

"""


def _auc(features: NDArray[np.float32], extra: NDArray[np.float32] | None) -> tuple[float, ...]:
    """Return the mean AUC over the domains for each degradation."""
    table, simulated = bundled_table(), simulated_table()
    domains = domains_of(table.subsets)
    generated = table.labels == "fake"
    codes = generated.astype(np.intp)
    make = partial(classifiers.create, "lda", seed=0)
    found: list[list[float]] = []
    for train, test in domain_folds(domains, table.groups, codes, np.ones(len(table), dtype=bool)):
        X, y = features[train], codes[train]
        if extra is not None:
            apart = domains_of(simulated.subsets) != domains[test[0]]
            apart &= ~np.isin(simulated.groups, table.groups[test])
            X = np.concatenate([X, extra[apart]])
            y = np.concatenate([y, np.ones(int(apart.sum()), dtype=np.intp)])
        model = fit_model(make, X.astype(np.float64), y, np.ones(len(y)), n_jobs=1)
        scores = class_scores(model, features[test].astype(np.float64))
        margins = scores[:, 1] - scores[:, 0]
        rows = [table.templates[test] == name for name in REPORTED]
        found.append([float(roc_auc_score(codes[test][row], margins[row])) for row in rows])
    return tuple(np.mean(found, axis=0).tolist())


def ablation() -> Table:
    """Measure the parts."""
    table, simulated = bundled_table(), simulated_table()
    rows = []
    for names in (("traces",), ("co-occurrences",), ("radial spectrum",), tuple(PARTS)):
        columns = np.zeros(table.features.shape[1], dtype=bool)
        for name in names:
            columns |= np.char.startswith(table.names, PARTS[name])
        if not columns.any():
            raise SystemExit(f"no column of {', '.join(names)}")
        label = "all" if len(names) > 1 else names[0]
        extra = simulated.features[:, columns]
        rows.append((label, int(columns.sum()), *_auc(table.features[:, columns], None)))
        rows.append(
            (f"{label}, simulated", int(columns.sum()), *_auc(table.features[:, columns], extra))
        )
        print(rows[-2], rows[-1], file=sys.stderr, flush=True)
    return Table("", ("trained on", "numbers", *REPORTED), tuple(rows), "")


def main() -> int:
    """Write the report. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    count = len(set(domains_of(bundled_table().subsets).tolist()))
    lines = [line for line in ablation().to_markdown().splitlines() if line.startswith("|")]
    card = read_card(bundled_path()).to_markdown().replace("\n#", "\n##")
    card = "#" + card if card.startswith("#") else card
    text = INTRODUCTION.format(count=count) + "\n".join(lines) + "\n" + LIMITS + card
    temporary = options.output.with_name(options.output.name + ".tmp")
    temporary.write_text(text.rstrip() + "\n")
    temporary.replace(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
