"""The production solver beside the reference: speed, accuracy, scaling, arithmetic rate.

    python benchmarks/solver.py --pictures 200 -o benchmarks/results/solver.md

One thread throughout, but for the thread-scaling table; every ratio is of two timings of
the same pictures in the same run. Needs the corpus (``CONVTRACE_CORPUS`` or
``../shared/corpus``).
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from convtrace import datasets, image, traces
from convtrace.traces import _passes, model, reference

SIDE = 256
# EM passes after which the reference counts as not converged.
LIMIT = 2000
SECTIONS = ["reference", "arithmetic", "sizes", "threads"]
SPEED_BARS = {3: 25.0, 7: 40.0}


def crops(corpus: Path, count: int, seed: int) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return the green channel of central crops, drawn evenly from the sets of the corpus."""
    table = datasets.load(corpus)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(table))
    seen: dict[str, int] = {}
    ranked = []
    for index in order:
        subset = str(table.subset[index])
        seen[subset] = seen.get(subset, 0) + 1
        ranked.append((seen[subset], subset, int(index)))
    found = []
    for _, _, index in sorted(ranked):
        pixels = image.read(table.paths[index]).pixels
        height, width = pixels.shape[:2]
        if min(height, width) < SIDE:
            continue
        top, left = (height - SIDE) // 2, (width - SIDE) // 2
        plane = pixels if pixels.ndim == 2 else pixels[..., 1]
        crop = np.ascontiguousarray(plane[top : top + SIDE, left : left + SIDE])
        found.append((str(table.paths[index].relative_to(corpus)), crop))
        if len(found) == count:
            break
    return found


def clock(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the least of the wall times of some runs, in seconds."""
    best = np.inf
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return float(best)


def against_reference(pictures: list[tuple[str, NDArray[np.uint8]]], size: int) -> list[str]:
    """Return the row of one kernel size: speed ratio and distance from the reference."""
    slow = fast = 0.0
    errors, reference_errors, passes, em_passes, unconverged = [], [], [], [], 0
    for _, plane in pictures:
        oracle = reference.fit(plane, size, tolerance=1e-9, max_iterations=LIMIT)
        begin = time.perf_counter()
        same = reference.fit(plane, size, tolerance=traces.solver.TOLERANCE, max_iterations=LIMIT)
        slow += time.perf_counter() - begin
        begin = time.perf_counter()
        found = traces.fit([plane], size)
        fast += time.perf_counter() - begin
        passes.append(int(found.iterations[0]))
        em_passes.append(same.iterations)
        if not oracle.converged:
            unconverged += 1
            continue
        errors.append(float(np.max(np.abs(found.kernels[0] - oracle.kernel))))
        reference_errors.append(float(np.max(np.abs(same.kernel - oracle.kernel))))
    errors_array = np.array(errors)
    bar = SPEED_BARS.get(size)
    return [
        str(size),
        str(len(pictures)),
        f"{slow / len(pictures) * 1e3:.1f}",
        f"{fast / len(pictures) * 1e3:.2f}",
        f"{slow / fast:.1f}" + (f" (bar {bar:.0f})" if bar else ""),
        f"{np.median(em_passes):.0f}",
        f"{np.median(passes):.0f} (max {max(passes)})",
        f"{np.median(reference_errors):.1e}",
        f"{np.median(errors_array):.1e}",
        f"{np.quantile(errors_array, 0.99):.1e}",
        f"{errors_array.max():.1e}",
        f"{np.mean(errors_array <= 1e-5):.1%}",
        str(unconverged),
    ]


def size_rows(pictures: list[tuple[str, NDArray[np.uint8]]], kernel_size: int) -> list[list[str]]:
    """Return time and time a megapixel for mosaics of real crops, 0.06 to 50 MP."""
    rows = []
    for megapixels in (0.06, 0.25, 1, 4, 16, 50):
        side = max(1, round(np.sqrt(megapixels * 1e6) / SIDE))
        mosaic = np.block(
            [
                [pictures[(row * side + column) % len(pictures)][1] for column in range(side)]
                for row in range(side)
            ]
        )
        found: list[traces.Trace] = []
        seconds = clock(lambda: found.append(traces.fit([mosaic], kernel_size)), repeats=2)  # noqa: B023
        passes = int(found[-1].iterations[0])
        mp = mosaic.size / 1e6
        rows.append(
            [
                f"{mp:.2f}",
                f"{seconds * 1e3:.1f}",
                f"{seconds / mp * 1e3:.1f}",
                str(passes),
                str(bool(found[-1].converged[0])),
            ]
        )
    return rows


def thread_rows(pictures: list[tuple[str, NDArray[np.uint8]]]) -> list[list[str]]:
    """Return pictures a second for 1 to all cores."""
    planes = [plane for _, plane in pictures]
    rows, base = [], 0.0
    for threads in range(1, (os.cpu_count() or 1) + 1):
        seconds = clock(lambda: traces.fit(planes, 7, threads=threads), repeats=3)  # noqa: B023
        base = base or seconds
        rows.append([str(threads), f"{len(planes) / seconds:.0f}", f"{base / seconds:.2f}"])
    return rows


def rate_rows(plane: NDArray[np.uint8]) -> list[list[str]]:
    """Return multiply-adds a second of both kinds of pass beside a matrix product's."""
    matrix = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    peak = 1024**3 / clock(lambda: matrix @ matrix, repeats=10) / 1e9
    rows = [["matrix product (BLAS, float32, 1024)", "", "", f"{peak:.1f}", "100%"]]
    line = np.ascontiguousarray(plane, dtype=np.float32).reshape(-1)
    width = plane.shape[1]
    lines = np.zeros((7, _passes.BAND), np.float32)
    for size in model.KERNEL_SIZES:
        d = size * size - 1
        steps = model.offsets(size)
        shifts = (steps[:, 0] * width + steps[:, 1]).astype(np.int64)
        k = np.full(d, 1 / d)
        # Multiply-adds a pixel, of the sums over neighbours alone: residual and gradient,
        # and for the matrix the cross terms and the blocks of its upper triangle.
        for name, mode, cost in (
            ("gradient", _passes.GRADIENT, 2 * d),
            ("matrix", _passes.OBSERVED, 3 * d + d * (d + 4) // 2 + d),
        ):
            seconds = clock(
                lambda: _passes.evaluate(line, width, shifts, k, 4.0, mode, False, lines),  # noqa: B023
                repeats=20,
            )
            rate = cost * line.size / seconds / 1e9
            rows.append(
                [f"N={size}, {name} pass", str(cost), f"{seconds * 1e3:.3f}", f"{rate:.1f}",
                 f"{rate / peak:.0%}"]
            )  # fmt: skip
    return rows


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    parser.add_argument("--corpus", type=Path, default=os.environ.get("CONVTRACE_CORPUS", default))
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--kernel-size", type=int, nargs="+", default=[3, 5, 7])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION",
        help="of " + ", ".join(SECTIONS) + "; all by default",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()

    traces.warm_up()
    pictures = crops(Path(options.corpus), options.pictures, options.seed)
    command = f"--pictures {len(pictures)} --seed {options.seed}"
    if options.sections != SECTIONS:
        command += " --sections " + " ".join(options.sections)
    parts = [
        "# The solver, measured",
        f"`python benchmarks/solver.py {command}` on {platform.machine()}, "
        f"{os.cpu_count()} cores, NumPy {np.__version__}.",
    ]
    with threadpool_limits(1):
        if "reference" in options.sections:
            parts += [
                f"## Against the reference, one thread, {SIDE}x{SIDE} crops, one channel\n\n"
                "The reference is run to the same tolerance as the solver (1e-6), at which it is "
                "the less accurate of the two; distances are the largest of a coefficient from "
                "the reference run to 1e-9.",
                table(
                    [
                        "N",
                        "pictures",
                        "reference, ms",
                        "solver, ms",
                        "ratio",
                        "EM passes, median",
                        "solver passes, median",
                        "reference error, median",
                        "solver error, median",
                        "99th percentile",
                        "largest",
                        "at most 1e-5",
                        "reference not converged",
                    ],
                    [against_reference(pictures, size) for size in options.kernel_size],
                ),
            ]
        if "arithmetic" in options.sections:
            parts += [
                "## Rate of arithmetic, one thread\n\nMultiply-adds of the sums over neighbours "
                "only; exponentials and logarithms come on top.",
                table(
                    ["work", "multiply-adds a pixel", "ms a pass", "10^9 a second", "of BLAS"],
                    rate_rows(pictures[0][1]),
                ),
            ]
        if "sizes" in options.sections:
            parts += [
                "## Cost against size, N=7, one thread, one channel",
                table(
                    ["megapixels", "ms", "ms a megapixel", "passes", "converged"],
                    size_rows(pictures, 7),
                ),
            ]
        if "threads" in options.sections:
            parts += [
                f"## Threads, N=7, {len(pictures)} pictures",
                table(["threads", "pictures a second", "times one thread"], thread_rows(pictures)),
            ]
    text = "\n\n".join(parts)
    print(text)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
