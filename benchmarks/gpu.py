"""The solver of batches beside the CPU solver: agreement, and its rates on a GPU.

    python benchmarks/gpu.py --pictures 300 -o benchmarks/results/gpu.md

Without a GPU it measures the agreement on PyTorch's CPU build, and no rate: one of a CPU
says nothing about a GPU. With one it measures

- ``agreement``: kernels of all channels of the pictures beside those of the CPU solver, with the
  planes in doubt fitted anew by it, and of the batch alone; how many those planes are and how long
  that takes;
- ``rate``: pictures a second, RGB, data in the memory of the host, the copy to the card included,
  with the planes in doubt fitted anew and without, and what of the card's arithmetic and memory
  bandwidth it takes without;
- ``passes``: each kernel alone;
- ``jpeg``: the same from JPEG files in memory, decoded by worker processes beside the fits;
- ``files``: ``convtrace extract --device cuda`` from JPEG files to the table, beside ``--device
  cpu`` on an eighth of them, and how far the kernels of the two tables are apart;
- ``profile``: where the time of the card goes.

Pictures are tiles of the files of a folder (``--files``), by default of the corpus
(``CONVTRACE_CORPUS`` or ``../shared/corpus``). For rates every tile stands for eight, turned and
mirrored.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import platform
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image

from convtrace import image, traces
from convtrace.batch import extract_many
from convtrace.traces import _doubt, _passes, gpu
from convtrace.traces.solver import MAX_PASSES, TOLERANCE

MODES = {
    _passes.GRADIENT: "gradient",
    _passes.EXPECTED: "expected information",
    _passes.OBSERVED: "observed information",
    _passes.LEAST_SQUARES: "least squares",
}
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
CORES = len(os.sched_getaffinity(0))


def tiles(folder: Path, count: int, side: int, each: int, seed: int) -> NDArray[np.uint8]:
    """Return tiles of the pictures of a folder, (count, side, side, 3), in random order."""
    rng = np.random.default_rng(seed)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    found: list[NDArray[np.uint8]] = []
    for index in rng.permutation(len(paths)):
        pixels = image.to_uint8(image.read(paths[int(index)]).pixels)
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        places = [
            (top, left)
            for top in range(0, pixels.shape[0] - side + 1, side)
            for left in range(0, pixels.shape[1] - side + 1, side)
        ]
        for place in rng.permutation(len(places))[:each]:
            top, left = places[int(place)]
            found.append(pixels[top : top + side, left : left + side])
        if len(found) >= count:
            break
    return np.stack(found[:count])


def flattest(pictures: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return the pictures with the most pixels that equal their right neighbours."""
    alike = (pictures[:, :, 1:] == pictures[:, :, :-1]).all(axis=3).mean(axis=(1, 2))
    return pictures[np.argsort(-alike)[:count]]


def turned(pictures: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return so many planes, those of the pictures turned and mirrored in eight ways."""
    planes = pictures.transpose(0, 3, 1, 2).reshape(-1, *pictures.shape[1:3])
    ways = [np.rot90(planes, turn, (1, 2)) for turn in range(4)]
    ways += [way[:, :, ::-1] for way in ways]
    repeats = -(-3 * count // (8 * len(planes)))
    return np.ascontiguousarray(np.concatenate(ways * repeats)[: 3 * count])


def fitted_on_cpu(planes: NDArray[np.uint8], size: int, keep: Path | None) -> traces.Trace:
    """Return the traces of the CPU solver, from a file if it has those of these planes."""
    names = [field.name for field in fields(traces.Trace)]
    key = f"{size}-{zlib.crc32(planes.tobytes()):08x}"
    kept = dict(np.load(keep)) if keep and keep.exists() else {}
    if f"{key}-{names[0]}" not in kept:
        found = traces.fit(list(planes), size, threads=CORES)
        kept |= {f"{key}-{name}": getattr(found, name) for name in names}
        if keep:
            np.savez_compressed(keep, **kept)
    return traces.Trace(*(kept[f"{key}-{name}"] for name in names))


def agreement(planes: NDArray[np.uint8], size: int, device: str, keep: Path | None) -> list[str]:
    """Return the row of one kernel size."""
    expected = fitted_on_cpu(planes, size, keep)
    found = gpu.fit_batch(planes, size, device=device, settle=False)
    begin = time.perf_counter()
    settled = _doubt.settled(
        planes, found, tolerance=TOLERANCE, max_passes=MAX_PASSES, threads=CORES
    )
    seconds = time.perf_counter() - begin
    distance, alone = (
        np.abs(trace.kernels - expected.kernels).max(axis=(1, 2)) for trace in (settled, found)
    )
    rise = found.log_likelihood - expected.log_likelihood
    far = alone > 1e-4
    # Less than rounding to whole grey levels leaves is left by flat areas alone.
    rough = expected.sigma >= np.sqrt(1 / 12)
    for index in np.flatnonzero(far):
        print(
            f"N={size} plane {index}: distance {alone[index]:.1e}, log-likelihood "
            f"{expected.log_likelihood[index]:.6f} and {rise[index]:+.1e}, sigma "
            f"{expected.sigma[index]:.4f} and {found.sigma[index]:.4f}, passes "
            f"{expected.iterations[index]} and {found.iterations[index]}, converged "
            f"{expected.converged[index]} and {found.converged[index]}, dependent "
            f"{expected.regularized[index]} and {found.regularized[index]}, "
            f"fitted anew {settled.anew[index]}",
            flush=True,
        )
    return [
        str(size),
        str(len(planes)),
        f"{np.mean(distance <= 1e-4):.2%}",
        f"{np.mean(distance.reshape(-1, 3).max(axis=1) <= 1e-4):.2%}",
        f"{distance.max():.1e}",
        f"{np.mean(settled.anew):.2%}",
        f"{seconds:.1f}",
        f"{np.mean(~far):.2%}",
        f"{np.mean(~far.reshape(-1, 3).any(axis=1)):.2%}",
        f"{np.mean(~far[rough]):.2%} of {rough.sum()}",
        f"{np.median(alone):.1e}",
        f"{np.quantile(alone, 0.99):.1e}",
        f"{alone.max():.1e}",
        f"{np.mean(np.abs(rise) <= 1e-6):.2%}",
        f"{(far & (rise > 1e-6)).sum()} / {(far & (rise < -1e-6)).sum()}",
        f"{np.mean(found.iterations):.2f} / {np.mean(expected.iterations):.2f}",
        f"{np.mean(found.converged):.2%} / {np.mean(expected.converged):.2%}",
    ]


def best(work: Callable[[], Any], rounds: int = 10) -> float:
    """Return the median seconds that the card takes for some work."""
    work()
    times = []
    for _ in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return float(np.median(times))


def ceilings() -> dict[str, float]:
    """Return what the card does in practice a second: operations by kind, and bytes."""
    found = {}
    for name, kind, side in [
        ("float16", torch.float16, 8192),
        ("float32", torch.float32, 8192),
        ("float64", torch.float64, 4096),
    ]:
        one = torch.randn((side, side), device="cuda").to(kind)
        found[name] = 2 * side**3 / best(lambda one=one: one @ one)
    source = torch.empty(1 << 31, dtype=torch.uint8, device="cuda")
    found["bytes"] = 2 * source.numel() / best(source.clone)
    return found


def cost(mode: int, precise: bool, size: int, shape: tuple[int, int]) -> dict[str, float]:
    """Return the least operations and bytes of a pass over one plane, by kind.

    A multiply-add is two operations. The residual takes one a neighbour and the centre, and so
    does the gradient; the matrix takes two products of float16, of which the gradient is a column.
    Every pixel is read once.
    """
    height, width = shape
    pixels = (height - size + 1) * (width - size + 1)
    cells = size * size
    found = {"float16": 0.0, "float32": 0.0, "float64": 0.0, "bytes": 4.0 * height * width}
    found["float64" if precise else "float32"] += 2.0 * cells * pixels
    if mode == _passes.GRADIENT:
        found["float64" if precise else "float32"] += 2.0 * cells * pixels
    else:
        found["float16"] += 2 * 2.0 * cells * (cells + 1) * pixels
    return found


@contextmanager
def counted() -> Iterator[Counter[tuple[int, bool]]]:
    """Count the passes by mode and precision."""
    from convtrace.traces import _triton

    taken: Counter[tuple[int, bool]] = Counter()
    original = _triton.evaluate

    def evaluate(planes: Any, rows: Any, theta: Any, size: int, mode: int, **options: Any) -> Any:
        # A precise pass with a matrix is two, and calls this again for both.
        if mode == _passes.GRADIENT or not options["precise"]:
            taken[mode, options["precise"]] += len(rows)
        return original(planes, rows, theta, size, mode, **options)

    _triton.evaluate = evaluate
    try:
        yield taken
    finally:
        _triton.evaluate = original


def rate(planes: NDArray[np.uint8], size: int, settled: int, limits: dict[str, float]) -> list[str]:
    """Return the row of one kernel size; the planes of ``settled`` pictures are fitted anew."""
    gpu.fit_batch(planes[:1536], size, device="cuda")
    # Some of each turn, as all of them are.
    some = planes[:: max(1, len(planes) // (3 * settled))]
    begin = time.perf_counter()
    anew = gpu.fit_batch(some, size, device="cuda")
    whole = time.perf_counter() - begin
    seconds = []
    # Counting takes no time worth speaking of.
    for _ in range(2):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        with counted() as taken:
            found = gpu.fit_batch(planes, size, device="cuda", settle=False)
        seconds.append(time.perf_counter() - begin)
    total: Counter[str] = Counter()
    for (mode, precise), times in taken.items():
        for kind, amount in cost(mode, precise, size, planes.shape[1:]).items():
            total[kind] += int(times * amount)
    least = min(seconds)
    matrix = sum(times for (mode, _), times in taken.items() if mode != _passes.GRADIENT)
    double = sum(times for (_, precise), times in taken.items() if precise)
    return [
        str(size),
        f"{len(some) / 3 / whole:.0f}",
        f"{np.mean(anew.anew):.2%}",
        f"{len(planes) / 3 / least:.0f}",
        f"{len(planes) / 3 / max(seconds):.0f}",
        f"{sum(taken.values()) / len(planes):.1f} ({matrix / len(planes):.1f}, "
        f"{double / len(planes):.1f})",
        *(f"{total[kind] / least / limits[kind]:.1%}" for kind in limits),
        f"{np.mean(found.converged):.2%}",
    ]


def passes(planes: NDArray[np.uint8], size: int, limits: dict[str, float]) -> list[list[str]]:
    """Return a row for every kernel: what it takes a plane, and of which ceilings."""
    from convtrace.traces import _triton

    given = torch.from_numpy(planes).cuda()
    whole = _triton.Planes.of(given)
    fractions = replace(whole, whole=False)
    n, d = len(planes), size * size - 1
    rows = torch.arange(n, device="cuda")
    theta = torch.full((n, d + 1), 1.0 / d, dtype=torch.float64, device="cuda")
    theta[:, d] = 4.0
    out = []
    for mode, precise in [
        (_passes.GRADIENT, False), (_passes.GRADIENT, True), (_passes.LEAST_SQUARES, False),
        (_passes.EXPECTED, False), (_passes.OBSERVED, False),
    ]:  # fmt: skip
        seconds = best(
            lambda mode=mode, precise=precise: _triton.evaluate(
                whole, rows, theta, size, mode, precise=precise
            )
        )
        done = cost(mode, precise, size, planes.shape[1:])
        out.append(
            [str(size), MODES[mode] + (", float64" if precise else ""), f"{1e6 * seconds / n:.2f}"]
            + [f"{n * done[kind] / seconds / limits[kind]:.1%}" for kind in limits]
        )
    some = slice(0, 1024)
    seconds = best(
        lambda: _triton.evaluate(
            fractions, rows[some], theta[some], size, _passes.OBSERVED, precise=False
        )
    )
    name = "observed information, pixels with fractions"
    out.append([str(size), name, f"{1e6 * seconds / 1024:.2f}"] + ["" for _ in limits])
    _, _, matrix = _triton.evaluate(whole, rows, theta, size, _passes.EXPECTED, precise=False)
    seconds = best(lambda: _triton.invert(matrix, ridge=True))
    out.append([str(size), "inversion", f"{1e6 * seconds / n:.2f}"] + [""] * len(limits))
    return out


def _decode(job: tuple[str, tuple[int, ...], int, list[bytes]]) -> int:
    """Decode some JPEG files into a mapped file, from a place on; return how many."""
    name, shape, begin, files = job
    out = np.memmap(name, np.uint8, "r+", shape=shape)
    for index, data in enumerate(files):
        out[begin + index] = image.read(data).pixels.transpose(2, 0, 1)
    return len(files)


def jpeg(planes: NDArray[np.uint8], size: int, workers: int, batch: int) -> list[str]:
    """Return pictures a second from JPEG files in memory, quality 92."""
    pictures = planes.reshape(-1, 3, *planes.shape[1:])
    files = []
    for picture in pictures[: len(pictures) // 8]:
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(
            stream, "JPEG", quality=92
        )
        files.append(stream.getvalue())
    files = (files * 8)[: len(pictures)]
    seconds = {}
    # Workers that are forked start at once; they never use the card.
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,
        ProcessPoolExecutor(workers, mp_context=context) as pool,
    ):
        name = str(Path(folder) / "pixels")
        out = np.memmap(name, np.uint8, "w+", shape=pictures.shape)
        jobs = [
            (name, pictures.shape, begin, files[begin : begin + 64])
            for begin in range(0, len(files), 64)
        ]
        # Every worker must have started.
        list(pool.map(_decode, jobs[: 4 * workers]))
        begin = time.perf_counter()
        list(pool.map(_decode, jobs))
        seconds["decoded"] = time.perf_counter() - begin
        begin = time.perf_counter()
        done = fitted = 0
        fits = []
        # The last planes of one fit go beside the many of the next.
        with ThreadPoolExecutor(2) as threads:
            for amount in pool.map(_decode, jobs):
                done += amount
                while done - fitted >= batch or (done == len(files) and fitted < done):
                    last = min(fitted + batch, done)
                    part = np.asarray(out[fitted:last]).reshape(-1, *planes.shape[1:])
                    fits.append(threads.submit(gpu.fit_batch, part, size, device="cuda"))
                    fitted = last
            for fit in fits:
                fit.result()
        seconds["fitted"] = time.perf_counter() - begin
    return [
        str(size),
        str(len(files)),
        f"{len(files) / seconds['decoded']:.0f}",
        f"{len(files) / seconds['fitted']:.0f}",
    ]


def files(planes: NDArray[np.uint8], size: int, workers: int) -> list[str]:
    """Return pictures a second from JPEG files on a file system in memory to the table."""
    pictures = planes.reshape(-1, 3, *planes.shape[1:])
    seconds, kernels = {}, {}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        paths = [Path(folder) / f"{index:06d}.jpg" for index in range(len(pictures))]

        def write(index: int) -> None:
            colour = np.ascontiguousarray(pictures[index].transpose(1, 2, 0))
            Image.fromarray(colour).save(paths[index], quality=92)

        with ThreadPoolExecutor(workers) as threads:
            list(threads.map(write, range(len(pictures))))
        for device, some in [("cuda", paths), ("cpu", paths[: len(paths) // 8])]:
            out = Path(folder) / f"{device}.parquet"
            begin = time.perf_counter()
            extract_many(some, out, kernel_sizes=(size,), device=device, workers=workers)
            seconds[device] = (time.perf_counter() - begin) / len(some)
            table = pq.read_table(out, columns=["path", f"trace_{size}"]).sort_by("path")
            found = table.column(f"trace_{size}").to_pylist()[: len(paths) // 8]
            kernels[device] = np.array(found)
    distance = np.abs(kernels["cuda"] - kernels["cpu"]).max(axis=1)
    return [
        str(size),
        str(len(paths)),
        f"{1 / seconds['cuda']:.0f}",
        f"{1 / seconds['cpu']:.0f}",
        f"{np.mean(distance <= 1e-4):.2%} of {len(distance)}",
        f"{distance.max():.1e}",
    ]


def profile(planes: NDArray[np.uint8], size: int) -> str:
    """Return the table of what the card does in a run."""
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as found:
        gpu.fit_batch(planes, size, device="cuda", settle=False)
    averages = found.key_averages()
    device = averages.table(sort_by="self_cuda_time_total", row_limit=22, max_name_column_width=60)
    host = averages.table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=40)
    return f"{device}\n{host}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    parser.add_argument("--files", type=Path, default=os.environ.get("CONVTRACE_CORPUS", default))
    parser.add_argument("--pictures", type=int, default=300, help="for the agreement")
    parser.add_argument("--tiles", type=int, default=1, help="of one file, at most")
    parser.add_argument("--skip", type=int, default=0, help="tiles to leave out before these")
    parser.add_argument(
        "--out-of", type=int, help="tiles of which the flattest are taken for the agreement"
    )
    parser.add_argument("--side", type=int, help="256 on a GPU, else 128")
    parser.add_argument("--kernel-size", type=int, nargs="+", default=[3, 5, 7])
    parser.add_argument("--many", type=int, default=16384, help="pictures, for rates")
    parser.add_argument(
        "--settled", type=int, help="pictures for the rate with planes fitted anew, if fewer"
    )
    parser.add_argument(
        "--sections", nargs="+", default=["agreement", "rate", "passes", "jpeg"],
        choices=["agreement", "rate", "passes", "jpeg", "files", "profile"],
    )  # fmt: skip
    parser.add_argument("--keep", type=Path, help="file (.npz) of what the CPU solver found")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()

    device = gpu.choose_device("auto")
    side = options.side or (256 if device == "cuda" else 128)
    last = options.skip + (options.out_of or options.pictures)
    pictures = tiles(Path(options.files), last, side, options.tiles, seed=0)[options.skip :]
    given = f"--pictures {options.pictures} --tiles {options.tiles} --side {side}"
    if options.skip:
        given += f" --skip {options.skip}"
    if options.out_of:
        pictures = flattest(pictures, options.pictures)
        given += f" --out-of {options.out_of}"
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    parts = [
        "# The solver of batches, measured",
        f"`python benchmarks/gpu.py {given}` on {name}, {CORES} cores, PyTorch "
        f"{torch.__version__}, device {device}.",
    ]

    def report(*texts: str) -> None:
        parts.extend(texts)
        print("\n\n".join(texts), flush=True)
        if options.output:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text("\n\n".join(parts) + "\n")

    report()
    if "agreement" in options.sections:
        planes = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).reshape(-1, side, side)
        report(
            f"## Agreement with the CPU solver, {len(pictures)} tiles of {side}x{side}, RGB",
            table(
                [
                    "N", "planes", "at most 1e-4", "pictures", "largest distance", "fitted anew",
                    "seconds of that", "batch alone: at most 1e-4", "pictures, batch alone",
                    "planes of sigma at least 0.29, batch alone", "median distance",
                    "99th percentile", "largest", "likelihood alike to 1e-6",
                    "farther, and likelier here / there", "mean passes, batch / CPU",
                    "converged, batch / CPU",
                ],
                [agreement(planes, size, device, options.keep) for size in options.kernel_size],
            ),
        )  # fmt: skip
    if device != "cuda":
        report("No GPU was to be had: no rate was measured.")
        return
    limits = ceilings()
    # One tile of a file, or the large files would count for more than the small ones.
    single = tiles(Path(options.files), options.many, side, 1, seed=0)
    many = turned(single, options.many)
    units = {"bytes": "TB/s"}
    report(
        "Ceilings, measured on products of matrices (float32 without TensorFloat-32) and a copy: "
        + ", ".join(
            f"{kind} {value / 1e12:.1f} {units.get(kind, 'TFLOP/s')}"
            for kind, value in limits.items()
        )
        + "."
    )
    shares = [f"of {kind}" for kind in limits]
    if "rate" in options.sections:
        report(
            f"## Rate, {options.many} pictures of {side}x{side}, RGB, in memory "
            f"({len(single)} files, one tile each, turned and mirrored)",
            table(
                [
                    "N", "pictures a second", "fitted anew", "batch alone", "slower of two",
                    "passes (with matrix, float64)", *shares, "converged",
                ],
                [
                    rate(many, size, options.settled or options.many, limits)
                    for size in options.kernel_size
                ],
            ),
        )  # fmt: skip
    if "passes" in options.sections:
        report(
            "## Each kernel alone",
            table(
                ["N", "kernel", "µs a plane", *shares],
                passes(many[:6144], max(options.kernel_size), limits),
            ),
        )
    if "jpeg" in options.sections:
        report(
            f"## From JPEG files, quality 92, {CORES} worker processes decode beside the fits",
            table(
                ["N", "pictures", "decoded a second", "decoded and fitted a second"],
                [jpeg(many, max(options.kernel_size), CORES, options.many // 2)],
            ),
        )
    if "files" in options.sections:
        report(
            f"## `convtrace extract`, JPEG files of quality 92, {CORES} workers",
            table(
                [
                    "N", "files", "a second, --device cuda", "a second, --device cpu",
                    "within 1e-4 of each other", "largest distance",
                ],
                [files(many, size, CORES) for size in options.kernel_size],
            ),
        )  # fmt: skip
    if "profile" in options.sections:
        print(profile(many[:12288], max(options.kernel_size)), flush=True)


if __name__ == "__main__":
    main()
