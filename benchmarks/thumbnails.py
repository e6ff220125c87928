"""How the bundled detector judges photographs that were scaled down.

    python benchmarks/thumbnails.py -o benchmarks/results/thumbnails.md

The largest central square of each photograph of the corpus with sides over 256 pixels is scaled
(Lanczos) to a side of 64 to 256 pixels, as profile pictures and previews are, and judged as a
PNG and as JPEG of quality 75. One photograph of each group, of the half of the groups that had no
part, scaled down, in the limits of small pictures. The detector was trained on these photographs
too, at other sizes, which flatters it.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image
from scipy.stats import binomtest

from convtrace import __version__, datasets, image, scan
from convtrace.evaluation.bundled_table import BUNDLED_TABLES

ROOT = Path(__file__).resolve().parents[1]
SIDES = (127, 128, 144, 159, 160, 192, 256)
FORMATS = {"PNG": {"format": "PNG"}, "JPEG 75": {"format": "JPEG", "quality": 75}}


def verdicts(path: Path) -> list[tuple[int, str, str]]:
    """Return side, format and verdict of one photograph; nothing where it is too small."""
    picture = Image.fromarray(image.to_uint8(image.read(path).pixels)).convert("RGB")
    side = min(picture.size)
    if side <= SIDES[-1]:
        return []
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    found = []
    for smaller in SIDES:
        small = square.resize((smaller, smaller), Image.Resampling.LANCZOS)
        for name, options in FORMATS.items():
            stored = io.BytesIO()
            small.save(stored, **options)
            found.append((smaller, name, scan(stored.getvalue()).label))
    return found


def _share(count: int, of: int) -> str:
    """Write a share with its exact 95% interval (Clopper and Pearson)."""
    low, high = binomtest(count, of).proportion_ci(method="exact")
    return f"{count / of:.3f} ({low:.3f} to {high:.3f})"


def main() -> int:
    """Measure and write. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    options = parser.parse_args()
    corpus = datasets.load(options.corpus)
    real = corpus.select(corpus.labels == "real")
    real = real.select(~BUNDLED_TABLES["small"].chosen(real))
    _, rows = np.unique(real.groups, return_index=True)
    results = Parallel(n_jobs=-1)(delayed(verdicts)(Path(real.paths[row])) for row in rows)
    counts = Counter(each for found in results for each in found)
    pictures = sum(bool(found) for found in results)
    lines = [
        "# Photographs scaled down",
        "",
        f"`python benchmarks/thumbnails.py -o benchmarks/results/thumbnails.md`, convtrace "
        f"{__version__}; {pictures} photographs, the largest central square of each. Shares with "
        "exact 95% intervals; what neither column has is unsure. The detector was trained on these "
        "photographs, at other sizes, but none of their groups had a part, scaled down, in the "
        "limits of small pictures. It is to call 0.010 of photographs generated.",
        "",
        "| side, pixels | stored as | called generated | called real |",
        "|---|---|---|---|",
    ]
    for side in SIDES:
        for name in FORMATS:
            cells = (_share(counts[side, name, label], pictures) for label in ("generated", "real"))
            lines.append(f"| {side} | {name} | {' | '.join(cells)} |")
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
