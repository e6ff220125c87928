"""Draw the demo pictures, each with its verdict: the picture in the README.

    python tools/demo_sheet.py -o docs/demo.png

Whatever the bundled detector says is drawn, right or wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from PIL import Image

from convtrace import detection
from convtrace.batch import scan_many
from convtrace.datasets import examples

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = 9
TRUTH = {"real": "real", "fake": "generated"}
# Okabe and Ito's colours, told apart by the colour-blind; the words say the same.
COLOURS = {"right": "#009E73", "wrong": "#D55E00", "unsure": "#555555"}


def main() -> None:
    """Scan and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "demo.png")
    options = parser.parse_args()
    mpl.use("agg")
    pictures = examples.pictures()
    verdicts = list(scan_many([picture.path for picture in pictures], detection.bundled()))
    rows = -(-len(pictures) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(1.4 * COLUMNS, 1.75 * rows))
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, verdict in zip(axes.flat, pictures, verdicts, strict=False):
        with Image.open(picture.path) as opened:
            shown = opened.convert("RGB")
        shown.thumbnail((256, 256))
        axis.imshow(shown)
        truth, label = TRUTH[picture.label], verdict.label or "error"
        outcome = "right" if label == truth else "unsure" if label == "unsure" else "wrong"
        chance = "" if verdict.probability is None else f" {verdict.probability:.0%}"
        axis.set_title(f"{label}{chance}", color=COLOURS[outcome], fontsize=10, weight="bold")
        axis.text(
            0.5, -0.03, f"is {truth}: {outcome}", ha="center", va="top", fontsize=8,
            transform=axis.transAxes,
        )  # fmt: skip
    figure.tight_layout(pad=0.6)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=85, metadata={"Software": None})
    # A palette is a third of the size, and looks the same at this one.
    with Image.open(options.output) as drawn:
        drawn.convert("RGB").quantize(256).save(options.output, optimize=True)


if __name__ == "__main__":
    main()
