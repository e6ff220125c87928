"""What a hundred million pictures take, from a measured rate: cores, storage, network, money.

    python benchmarks/arithmetic.py --rate R --cores C

R is the pictures a second of 512x512 from JPEG files to table at N=5 that
`python benchmarks/batch.py --sections rate` prints, on C cores. What a row and a picture take
is measured here: rows of the demo pictures, JPEG files as of that benchmark. Prices are
assumptions, to be replaced by one's own; nothing here is a quotation. ``--gpu-rate`` is the
pictures of 256x256 a second at N=7 on one GPU that `python benchmarks/gpu.py` prints.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from batch import mosaics
from convtrace.batch import extract_many
from convtrace.datasets import examples

DAY = 86_400.0


def row_bytes(sizes: tuple[int, ...]) -> float:
    """Return the bytes of Parquet that a row takes, the head and foot of the file aside."""
    paths = [each.path for each in examples.pictures()]
    with tempfile.TemporaryDirectory() as name:
        part, whole = Path(name) / "a.parquet", Path(name) / "b.parquet"
        extract_many(paths[:4], part, kernel_sizes=sizes)
        extract_many(paths, whole, kernel_sizes=sizes)
        return (whole.stat().st_size - part.stat().st_size) / (len(paths) - 4)


def picture_bytes(corpus: Path) -> float:
    """Return the mean bytes of a JPEG file of 512x512."""
    with tempfile.TemporaryDirectory() as name:
        found = mosaics(corpus, 40, Path(name))
        return sum(path.stat().st_size for path in found) / len(found)


def main() -> None:
    """Measure what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    parser.add_argument("--corpus", type=Path, default=os.environ.get("CONVTRACE_CORPUS", default))
    parser.add_argument("--rate", type=float, required=True, help="pictures a second")
    parser.add_argument("--cores", type=int, required=True, help="with which it was measured")
    parser.add_argument("--pictures", type=float, default=1e8)
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of a core for an hour")
    parser.add_argument("--stored", type=float, default=0.023, help="price of a GB for a month")
    parser.add_argument("--egress", type=float, default=0.09, help="price of a GB that leaves")
    parser.add_argument("--gpu-rate", type=float, help="pictures of 256x256 a second on one GPU")
    parser.add_argument("--gpu-hour", type=float, default=4.0, help="price of a GPU for an hour")
    options = parser.parse_args()
    count, each = options.pictures, options.rate / options.cores
    core_hours = count / each / 3600
    size, row5, row_all = picture_bytes(Path(options.corpus)), row_bytes((5,)), row_bytes((3, 5, 7))
    print(
        f"`python benchmarks/arithmetic.py {' '.join(sys.argv[1:])}`\n\n"
        f"{count:.0e} JPEG pictures of 512x512, N=5; {each:.2f} pictures a second and core.\n"
    )
    rows = [
        ("core hours", f"{core_hours:,.0f}"),
        ("at the price of a core hour of " + f"{options.core_hour:g}",
         f"{core_hours * options.core_hour:,.0f}"),
        *((f"days on {cores:,} cores", f"{count / each / cores / DAY:,.2f}")
          for cores in (64, 1_000, 10_000)),
        ("bytes of a picture, measured", f"{size:,.0f}"),
        ("pictures, TB", f"{count * size / 1e12:,.1f}"),
        *((f"network to read them on {cores:,} cores, Gbit/s",
           f"{8 * each * cores * size / 1e9:,.2f}") for cores in (64, 1_000, 10_000)),
        ("bytes of a row of the table, N=5, measured", f"{row5:,.0f}"),
        ("table, N=5, GB", f"{count * row5 / 1e9:,.0f}"),
        ("bytes of a row, N=3, 5 and 7, measured", f"{row_all:,.0f}"),
        ("table, N=3, 5 and 7, GB", f"{count * row_all / 1e9:,.0f}"),
        (f"that table stored for a month at {options.stored:g} a GB",
         f"{count * row_all / 1e9 * options.stored:,.0f}"),
        (f"pictures read from another region at {options.egress:g} a GB",
         f"{count * size / 1e9 * options.egress:,.0f}"),
    ]  # fmt: skip
    if options.gpu_rate:
        gpu_hours = count / options.gpu_rate / 3600
        what = "pictures of 256x256 in memory, N=7"
        rows += [
            (f"GPU hours, {what}", f"{gpu_hours:,.1f}"),
            (f"at the price of a GPU hour of {options.gpu_hour:g}",
             f"{gpu_hours * options.gpu_hour:,.0f}"),
            (f"hours on 8 GPUs, {what}", f"{gpu_hours / 8:,.2f}"),
        ]  # fmt: skip
    print("| what | how much |\n|---|---|")
    for what, value in rows:
        print(f"| {what} | {value} |")


if __name__ == "__main__":
    main()
