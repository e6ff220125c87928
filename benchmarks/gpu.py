"""The solver of batches beside the CPU solver: agreement, and the rate on a GPU.

    python benchmarks/gpu.py --pictures 300 -o benchmarks/results/gpu.md

Without a GPU it measures the agreement on PyTorch's CPU build, and no rate: one of a CPU
says nothing about a GPU. With one it measures pictures of 256x256 (RGB, data in memory), the
share of the ceilings of memory and arithmetic of the card, and the way from JPEG files. Needs
the corpus (``CONVTRACE_CORPUS`` or ``../shared/corpus``).
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from convtrace import datasets, image, traces
from convtrace.traces import gpu


def crops(corpus: Path, count: int, side: int, seed: int) -> NDArray[np.uint8]:
    """Return central crops of pictures drawn from the corpus, (count, side, side, 3)."""
    table = datasets.load(corpus)
    found: list[NDArray[np.uint8]] = []
    for index in np.random.default_rng(seed).permutation(len(table)):
        pixels = image.to_uint8(image.read(table.paths[int(index)]).pixels)
        height, width = pixels.shape[:2]
        if min(height, width) < side:
            continue
        top, left = (height - side) // 2, (width - side) // 2
        crop = pixels[top : top + side, left : left + side]
        found.append(crop if crop.ndim == 3 else np.repeat(crop[..., None], 3, axis=2))
        if len(found) == count:
            break
    return np.stack(found)


def agreement(planes: NDArray[np.uint8], size: int, device: str) -> list[str]:
    """Return the row of one kernel size."""
    expected = traces.fit(list(planes), size)
    found = gpu.fit_batch(planes, size, device=device)
    distance = np.abs(found.kernels - expected.kernels).max(axis=(1, 2))
    rise = found.log_likelihood - expected.log_likelihood
    return [
        str(size),
        str(len(planes)),
        f"{np.median(distance):.1e}",
        f"{np.quantile(distance, 0.99):.1e}",
        f"{distance.max():.1e}",
        f"{np.mean(distance <= 1e-4):.2%}",
        f"{np.mean(np.abs(rise) <= 1e-6):.2%}",
        f"{np.median(found.iterations):.0f} / {np.median(expected.iterations):.0f}",
        f"{np.mean(found.converged):.1%}",
    ]


def ceilings() -> tuple[float, float]:
    """Return what the card does in practice: float32 operations and bytes a second."""
    one = torch.rand((8192, 8192), device="cuda")

    def best(work: Any) -> float:
        least = np.inf
        for _ in range(10):
            torch.cuda.synchronize()
            begin = time.perf_counter()
            work()
            torch.cuda.synchronize()
            least = min(least, time.perf_counter() - begin)
        return float(least)

    operations = 2 * 8192**3 / best(lambda: one @ one)
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    return operations, 2 * source.numel() / best(source.clone)


def rates(pictures: NDArray[np.uint8], size: int, repeats: int) -> list[str]:
    """Return what the card does a second with pictures in memory and with JPEG files."""
    many = np.concatenate([pictures] * repeats)
    planes = np.ascontiguousarray(many.transpose(0, 3, 1, 2)).reshape(-1, *many.shape[1:3])
    gpu.fit_batch(planes[:300], size, device="cuda")
    torch.cuda.synchronize()
    begin = time.perf_counter()
    found = gpu.fit_batch(planes, size, device="cuda")
    torch.cuda.synchronize()
    seconds = time.perf_counter() - begin
    operations, bandwidth = ceilings()
    d = size * size
    passes = float(found.iterations.sum())
    pixels = many.shape[1] * many.shape[2]
    # Of every pass at least the residual and the gradient; a band is written and read twice.
    done = passes * pixels * 4 * d
    moved = passes * pixels * 4 * d * 3
    jpegs = []
    for picture in pictures:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=92)
        jpegs.append(stream.getvalue())
    begin = time.perf_counter()
    with ThreadPoolExecutor() as pool:
        decoded = list(pool.map(lambda data: image.read(data).pixels, jpegs * repeats))
    gpu.extract_batch(decoded, kernel_size=size, device="cuda")
    whole = time.perf_counter() - begin
    return [
        str(size),
        f"{len(many) / seconds:.0f}",
        f"{done / seconds / operations:.0%}",
        f"{moved / seconds / bandwidth:.0%}",
        f"{len(many) / whole:.0f}",
    ]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    parser.add_argument("--corpus", type=Path, default=os.environ.get("CONVTRACE_CORPUS", default))
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--side", type=int, help="256 on a GPU, else 128")
    parser.add_argument("--kernel-size", type=int, nargs="+", default=[3, 5, 7])
    parser.add_argument("--repeats", type=int, default=10, help="of the pictures, for the rate")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()

    device = gpu.choose_device("auto")
    side = options.side or (256 if device == "cuda" else 128)
    pictures = crops(Path(options.corpus), options.pictures, side, seed=0)
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    parts = [
        "# The solver of batches, measured",
        f"`python benchmarks/gpu.py --pictures {len(pictures)} --side {side}` on {name}, "
        f"PyTorch {torch.__version__}, device {device}.",
        f"## Agreement with the CPU solver, green channel of {side}x{side} crops of the corpus",
        table(
            [
                "N", "pictures", "median distance", "99th percentile", "largest",
                "at most 1e-4", "likelihood alike to 1e-6", "passes, batch / CPU", "converged",
            ],
            [
                agreement(np.ascontiguousarray(pictures[..., 1]), size, device)
                for size in options.kernel_size
            ],
        ),
    ]  # fmt: skip
    if device == "cuda":
        parts += [
            f"## Rate, {side}x{side} RGB, {len(pictures) * options.repeats} pictures",
            table(
                ["N", "pictures a second", "of arithmetic", "of bandwidth", "from JPEG"],
                [rates(pictures, size, options.repeats) for size in options.kernel_size],
            ),
        ]
    else:
        parts.append("No GPU was to be had: no rate was measured.")
    text = "\n\n".join(parts)
    print(text)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
