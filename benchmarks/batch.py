"""The batch engine, measured: from files to table, memory, resuming, engines beside each other.

    python benchmarks/batch.py -o benchmarks/results/batch.md

Each section prints the figures that docs/scaling.md cites. The pictures are made of crops of
the corpus (``CONVTRACE_CORPUS`` or ``../shared/corpus``), the small ones of noise.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from convtrace import datasets, image, traces
from convtrace.batch import LocalEngine, extract_many, find_inputs
from convtrace.batch.schema import ExtractionOptions, schema

SECTIONS = ["rate", "ray", "many", "resume"]


def mosaics(corpus: Path, count: int, folder: Path) -> list[Path]:
    """Write JPEG files of 512x512, each of four central crops of pictures of the corpus."""
    table = datasets.load(corpus)
    crops: list[NDArray[np.uint8]] = []
    for index in np.random.default_rng(0).permutation(len(table)):
        pixels = image.to_uint8(image.read(table.paths[int(index)]).pixels)
        height, width = pixels.shape[:2]
        if min(height, width) < 256 or pixels.ndim == 2:
            continue
        top, left = (height - 256) // 2, (width - 256) // 2
        crops.append(pixels[top : top + 256, left : left + 256])
        if len(crops) == 64:
            break
    found = []
    for index in range(count):
        four = [crops[(7 * index + 11 * part) % len(crops)] for part in range(4)]
        whole = np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])
        found.append(folder / f"{index:05d}.jpg")
        Image.fromarray(whole).save(found[-1], quality=92)
    return found


def solve(pictures: list[NDArray[np.uint8]], index: int) -> int:
    """Fit one picture that is in memory already."""
    traces.extract(pictures[index % len(pictures)], kernel_size=5)
    return index


def solver_rate(paths: list[Path], workers: int) -> float:
    """Return pictures a second of the solver alone, in as many processes."""
    pictures = [image.read(path).pixels for path in paths[:40]]
    results = LocalEngine().map(
        partial(solve, pictures), range(len(paths)), workers=workers, ordered=False
    )
    for _ in range(workers):
        next(results)
    begin = time.perf_counter()
    left = sum(1 for _ in results)
    return left / (time.perf_counter() - begin)


def table_rate(paths: list[Path], out: Path, engine: str, workers: int) -> tuple[float, float]:
    """Return pictures a second from files to table, of the whole call and once it runs."""
    seen: list[float] = []
    begin = time.perf_counter()
    extract_many(
        paths, out, kernel_sizes=(5,), engine=engine, workers=workers, resume=False,
        progress=lambda done, _: seen.append(time.perf_counter()) if done >= workers else None,
    )  # fmt: skip
    end = time.perf_counter()
    return len(paths) / (end - begin), (len(paths) - workers) / (end - seen[0])


def spread(values: Sequence[float], form: str) -> str:
    """Return the median, and the least and the most, as text."""
    numbers = (float(np.median(values)), min(values), max(values))
    middle, least, most = (format(one, form) for one in numbers)
    return f"{middle} ({least} to {most})"


def tree_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if int(entry.name) == pid or parent == pid:
                total += int((entry / "statm").read_text().split()[1]) * page
        except OSError:
            continue  # It has ended meanwhile.
    return total


def many_small(count: int, folder: Path, workers: int) -> list[list[str]]:
    """Return memory and rate of a run over many small pictures, tenth by tenth."""
    rng = np.random.default_rng(0)
    paths = []
    for index in range(count):
        if index % 1000 == 0:
            (folder / f"{index // 1000:04d}").mkdir()
        path = folder / f"{index // 1000:04d}" / f"{index:07d}.png"
        Image.fromarray(rng.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)).save(path)
        paths.append(path)
    rows: list[list[str]] = []
    last = [time.perf_counter(), 0]

    def watch(done: int, total: int) -> None:
        if done and done % (total // 10) == 0:
            now = time.perf_counter()
            rate = (done - last[1]) / (now - last[0])
            last[:] = [now, done]
            rows.append(
                [str(done), f"{tree_bytes(os.getpid()) / 2**20:.0f}", f"{rate:.0f}"]
            )  # fmt: skip

    extract_many(
        find_inputs([folder]), folder / "table", kernel_sizes=(3,), workers=workers, progress=watch
    )
    return rows


RESUME = """
import resource, sys, time
begin = time.perf_counter()
from convtrace.batch import extract_many, find_inputs
def watch(done, total):
    global begin
    if begin is not None:
        print(f"{time.perf_counter() - begin:.1f}", done, total, flush=True)
        begin = None
summary = extract_many(find_inputs([sys.argv[1]]), sys.argv[2], kernel_sizes=(3, 5, 7),
                       progress=watch)
print(summary.measured, summary.kept,
      f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}")
"""


def resumed(count: int, missing: int, folder: Path) -> list[str]:
    """Return how long a run over listed pictures takes to begin, and its memory."""
    options = ExtractionOptions((3, 5, 7))
    declared = schema(options)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    out = folder / "table"
    out.mkdir()
    paths: list[str] = []
    rows: list[dict[str, object]] = []
    for index in range(count):
        if index % 1000 == 0:
            (folder / f"{index // 1000:04d}").mkdir()
        path = folder / f"{index // 1000:04d}" / f"picture-{index:07d}.png"
        paths.append(os.fspath(path))
        if index >= count - missing:
            picture.save(path)
            continue
        # Size and time are all that resuming looks at.
        path.touch()
        status = path.stat()
        rows.append(
            {
                "path": paths[-1], "sha256": f"{index:064x}", "bytes": status.st_size,
                "mtime_ns": status.st_mtime_ns, "trace_3": [0.1] * 24, "trace_5": [0.1] * 72,
                "trace_7": [0.1] * 144,
            }
        )  # fmt: skip
        if len(rows) == 5000 or index == count - missing - 1:
            table = pa.Table.from_pylist(rows, schema=declared)
            pq.write_table(table, out / f"part-{index // 5000 + 1:06d}-0.parquet")
            rows.clear()
    pq.write_table(pa.table({"path": paths}), folder / "list.parquet")
    done = subprocess.run(  # noqa: S603, the program above
        [sys.executable, "-c", RESUME, folder / "list.parquet", out],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, last = (line.split() for line in done.stdout.splitlines())
    return [str(count), last[1], last[0], first[0], last[2]]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    parser.add_argument("--corpus", type=Path, default=os.environ.get("CONVTRACE_CORPUS", default))
    parser.add_argument("--pictures", type=int, default=300, help="of 512x512")
    parser.add_argument("--rounds", type=int, default=3, help="of each engine")
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--listed", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--note", default="", help="on what else was running")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--append", action="store_true", help="to what an earlier call wrote")
    options = parser.parse_args()
    traces.warm_up()
    command = " ".join(["python", "benchmarks/batch.py", *sys.argv[1:]])
    parts = [] if options.append else ["# The batch engine, measured"]
    parts.append(
        f"`{command}` on {platform.machine()}, {os.cpu_count()} cores, {options.workers} workers, "
        f"Python {platform.python_version()}. {options.note}".strip()
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if {"rate", "ray"} & set(options.sections):
            paths = mosaics(Path(options.corpus), options.pictures, folder)
            names = ["local", *(["ray"] if "ray" in options.sections else [])]
            alone = [solver_rate(paths, options.workers)]
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
            for _ in range(options.rounds):
                for engine in names:
                    out = folder / f"{engine}.parquet"
                    whole, running = table_rate(paths, out, engine, options.workers)
                    alone.append(solver_rate(paths, options.workers))
                    # Beside the solver just before and just after: other work comes and goes.
                    found[engine].append((running, running / np.mean(alone[-2:]), whole))
            rows = [["solver alone, pixels in memory", spread(alone, ".2f"), "", ""]]
            for engine, each in found.items():
                running, share, whole = zip(*each, strict=True)
                rows.append(
                    [f"{engine}, JPEG files to Parquet", spread(running, ".2f"),
                     spread(share, ".0%"), spread(whole, ".2f")]
                )  # fmt: skip
            if "ray" in options.sections:
                shares = [
                    one[1] / other[1]
                    for one, other in zip(found["ray"], found["local"], strict=True)
                ]
                rows.append(["ray beside local", "", spread(shares, ".0%"), ""])
            parts += [
                f"## {options.pictures} JPEG pictures of 512x512, N=5, RGB\n\nMedians of "
                f"{options.rounds} rounds, least and most; each beside the solver alone just "
                "before and just after.",
                table(["what", "pictures a second", "of the solver", "with the start"], rows),
            ]
    if "many" in options.sections:
        with tempfile.TemporaryDirectory() as name:
            rows = many_small(options.small, Path(name), options.workers)
        parts += [
            f"## {options.small} pictures of 32x32, N=3: memory of all processes",
            table(["pictures done", "MiB resident", "pictures a second"], rows),
        ]
    if "resume" in options.sections:
        with tempfile.TemporaryDirectory() as name:
            row = resumed(options.listed, 100, Path(name))
        parts += [
            "## Start of a resumed run, from a Parquet list",
            table(["listed", "kept", "measured", "seconds to begin", "GiB at most"], [row]),
        ]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    parts.append(f"The process of the benchmark itself: {most:.2f} GiB at most.")
    text = "\n\n".join(parts)
    print(text)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        with options.output.open("a" if options.append else "w", encoding="utf-8") as out:
            out.write(("\n" if options.append else "") + text + "\n")


if __name__ == "__main__":
    main()
