"""Milliseconds of a verdict on a picture of 512x512, on one core, by stage.

    python benchmarks/inference.py -o benchmarks/results/inference.md

The central 512x512 pixels of the photograph of the demo (reflected at the border, where it is
smaller) as JPEG of quality 90 and as PNG; medians over rounds, least and most. One thread: the
environment variables that limit threads are set before anything is imported.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from convtrace import __version__, descriptors, image  # noqa: E402
from convtrace.datasets import examples  # noqa: E402
from convtrace.detection import bundled  # noqa: E402
from convtrace.detection.members import looked_at  # noqa: E402

SIDE = 512


def stages(data: bytes) -> dict[str, Callable[[], Any]]:
    """Return what is timed, by name."""
    detector = bundled()
    picture = image.read(data)
    found = detector.examine(picture)
    parts = detector.recipe_.descriptor_params["parts"]
    singles = {
        f"measure: {name}": descriptors.create(name, **options) for name, options in parts.items()
    }
    rows = found.vector[None]
    jobs: dict[str, Callable[[], Any]] = {"decode": lambda: image.read(data)}
    for name, descriptor in singles.items():
        jobs[name] = lambda descriptor=descriptor: descriptor.describe(picture)
    jobs["measure, all of it"] = lambda: detector.examine(picture)
    for member in detector.members_:
        jobs[f"score: {member.name}"] = lambda member=member: member.scores(rows)
    guard, attribution = detector.guard_, detector.attribution_
    if guard is not None:
        ordinary = looked_at(rows, detector.members_[0].columns)
        jobs["guard"] = lambda: guard.strangeness(ordinary)
    if attribution is not None:
        jobs["attribution"] = lambda: [*attribution.likeness(rows)]
    jobs["judge, all of it"] = lambda: detector.judge([found])
    jobs["verdict, from bytes"] = lambda: detector.verdict(data)
    return jobs


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    pixels = image.to_uint8(image.read(examples.pictures()[0].path).pixels)
    short = [max(0, SIDE - length) for length in pixels.shape[:2]]
    pixels = np.pad(pixels, ((0, short[0]), (0, short[1]), (0, 0)), mode="reflect")
    pixels = np.ascontiguousarray(pixels[:SIDE, :SIDE])
    columns: dict[str, dict[str, list[float]]] = {}
    for form, keywords in (("JPEG", {"quality": 90}), ("PNG", {})):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, form, **keywords)
        jobs = stages(out.getvalue())
        for job in jobs.values():
            job()
        # In turns, since other work on the machine comes and goes.
        for _ in range(options.rounds):
            for name, job in jobs.items():
                start = time.perf_counter()
                job()
                columns.setdefault(name, {}).setdefault(form, []).append(
                    1e3 * (time.perf_counter() - start)
                )
    lines = [
        "# A verdict, by stage",
        "",
        f"`{' '.join(['python', 'benchmarks/inference.py', *sys.argv[1:]])}`, convtrace "
        f"{__version__}, Python {platform.python_version()}, one core; {SIDE}x{SIDE} pixels, "
        f"milliseconds, medians of {options.rounds} (least to most).",
        "",
        "| stage | JPEG | PNG |",
        "|---|---|---|",
    ]
    for name, of_form in columns.items():
        cells = [
            f"{statistics.median(of_form[form]):.1f} ({min(of_form[form]):.1f} to "
            f"{max(of_form[form]):.1f})"
            for form in ("JPEG", "PNG")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
