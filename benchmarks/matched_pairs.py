"""Real against generated within sets that went through the same processing, from the table.

    python benchmarks/matched_pairs.py -o benchmarks/results/matched_pairs.md

The honest question about the trace: both classes of a pair have the same format, size and
history, so that only the generator is left to tell them apart. The 7x7 kernels of R, G and B
and a support vector machine with a Gaussian kernel, grouped 5-fold, from the packaged
feature table; no picture is needed.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from convtrace.detection import classifiers
from convtrace.detection.held_out import folds_by_group, held_out_scores
from convtrace.detection.labels import balanced_weights
from convtrace.evaluation import read_table
from convtrace.evaluation.bundled_table import BUNDLED_TABLES
from convtrace.evaluation.metrics import METRICS, interval

# Generated sets, real sets: the pairs of the corpus's README.
PAIRS = {
    "DCGAN": (("dcgan-lfw64",), ("real-lfw64",)),
    "STGAN": (("stgan-celeba128",), ("real-celeba128",)),
    "StyleGAN2": (("stylegan2-ffhq1024",), ("real-ffhq1024",)),
    "pix2pix": (
        ("pix2pix-pretrained", "pix2pix-trained", "pix2pix-tf-facades"),
        ("real-pix2pix-targets",),
    ),
    "CycleGAN": (("cyclegan-horse2zebra-png",), ("real-horse2zebra-png",)),
    "StarGAN, JPEG": (("stargan-celeba128-jpegstrip",), ("real-celeba128-jpegstrip",)),
    **{
        f"FaceForensics++ {name}, video c40": (
            (f"ffpp-c40-{name.lower()}",),
            ("real-ffpp-original-c40",),
        )
        for name in ("DeepFakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")
    },
}
LOSSLESS = ("DCGAN", "STGAN", "StyleGAN2", "pix2pix", "CycleGAN")
DEGRADATIONS = ("none", "jpeg-90", "jpeg-75", "jpeg-50")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel-size", type=int, default=7)
    parser.add_argument("--classifier", default="svm")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()

    table = read_table(BUNDLED_TABLES["traces"].path)
    kernel = [
        name.startswith(f"ct{options.kernel_size}_") and name.count("_") == 3
        and name.split("_")[2][0] in "+-"
        for name in table.names
    ]  # fmt: skip
    lines = [
        "# Matched pairs",
        "",
        f"`python benchmarks/matched_pairs.py --kernel-size {options.kernel_size} --classifier "
        f"{options.classifier} --seed {options.seed}`: balanced accuracy, grouped 5-fold, with "
        "95% intervals by bootstrap over groups. Both classes of a pair have the same format, "
        "size and history, and are degraded alike in training and testing.",
        "",
        "| pair | real | generated | " + " | ".join(DEGRADATIONS) + " |",
        "|" + "---|" * (3 + len(DEGRADATIONS)),
    ]
    lossless: dict[str, list[float]] = {name: [] for name in DEGRADATIONS}
    for pair, (fakes, reals) in PAIRS.items():
        cells = []
        for degradation in DEGRADATIONS:
            rows = np.isin(table.subsets, [*fakes, *reals]) & (table.templates == degradation)
            X = table.features[rows][:, kernel].astype(np.float64)
            generated, groups = table.labels[rows] == "fake", table.groups[rows]
            codes = generated.astype(np.intp)
            scores = held_out_scores(
                partial(classifiers.create, options.classifier, seed=options.seed),
                X,
                codes,
                balanced_weights(generated),
                folds_by_group(codes, groups, seed=options.seed),
            )
            called = (scores[:, 1] > scores[:, 0]).astype(np.float64)
            found = interval(METRICS["balanced accuracy"], generated, called, groups)
            cells.append("{:.3f} ({:.3f} to {:.3f})".format(*found))
            if pair in LOSSLESS:
                lossless[degradation].append(found[0])
        counts = f"{int((~generated).sum())} | {int(generated.sum())}"
        lines.append(f"| {pair} | {counts} | " + " | ".join(cells) + " |")
    means = " | ".join(f"{np.mean(lossless[name]):.3f}" for name in DEGRADATIONS)
    lines.append(f"| mean of the first five | | | {means} |")
    text = "\n".join(lines)
    print(text)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
