"""Train the small network on the matched pairs of the corpus: the packaged scores.

    python tools/build_network_scores.py --corpus ../shared/corpus [--missing]

Same pictures, folds and degradations as in the experiment `peers`. Needs PyTorch, and minutes on
a GPU or hours without one. With --missing the scores that there are stay, and only those of other
pairs and degradations are added. Only numbers are stored.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from convtrace import datasets
from convtrace.detection.held_out import folds_by_group
from convtrace.evaluation.bundles import TRACES
from convtrace.evaluation.experiments.base import pairs_of
from convtrace.evaluation.experiments.peers import conditions_of
from convtrace.evaluation.network import BATCH, STEPS, network_scores, require_torch
from convtrace.evaluation.network_scores import (
    PACKAGED,
    SEED,
    Row,
    read_scores,
    write_scores,
)
from convtrace.evaluation.pairs import MATCHED_SUBSETS, Pair
from convtrace.evaluation.pixels import degraded_pixels, paths_by_name
from convtrace.evaluation.store import BundledStore

ROOT = Path(__file__).resolve().parents[1]


def scored(pair: Pair, template: str, paths: dict[str, Path], steps: int) -> list[Row]:
    """Train on the folds of a pair after a degradation, and score every picture once."""
    table = BundledStore().table(TRACES, template, (*pair.fakes, *pair.reals))
    codes = (table.labels == "fake").astype(np.intp)
    folds = folds_by_group(codes, table.groups, seed=SEED)
    names = table.picture.tolist()
    pixels = [degraded_pixels(paths[name], template) for name in names]
    scores = network_scores(pixels, codes, folds, seed=SEED, steps=steps)
    return [
        (pair.name, template, names[row], number, float(scores[row]))
        for number, (_, test) in enumerate(folds)
        for row in test
    ]


def main() -> int:
    """Train and write. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--output", type=Path, default=PACKAGED)
    parser.add_argument("--pairs", nargs="*", help="names of pairs; all by default")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--missing", action="store_true", help="keep what there is, add the rest")
    options = parser.parse_args()
    torch = require_torch()
    corpus = datasets.load(options.corpus)
    paths = paths_by_name(corpus.select(np.isin(corpus.subset, MATCHED_SUBSETS)))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "a CPU"
    how = (
        f"trained on {device} with PyTorch {torch.__version__}: {options.steps} batches of {BATCH} "
        f"for each fold, seed {SEED}"
    )
    kept = read_scores(options.output) if options.missing else None
    rows = [] if kept is None else list(kept.rows())
    about = how if kept is None else kept.about
    added: list[str] = []
    for pair in pairs_of(BundledStore()):
        if options.pairs and pair.name not in options.pairs:
            continue
        for template in conditions_of(pair):
            if kept is not None and kept.has(pair.name, template):
                continue
            started = time.monotonic()
            rows += scored(pair, template, paths, options.steps)
            added.append(f"{pair.name} after {template}")
            print(f"{added[-1]}: {time.monotonic() - started:.0f} s", flush=True)
            if kept is not None:
                about = f"{kept.about}; {', '.join(added)}: {how}"
            # Each time, so that with --missing a training that was cut off goes on.
            write_scores(rows, about, options.output)
    print(f"{options.output}: {len(rows)} scores, {about}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
