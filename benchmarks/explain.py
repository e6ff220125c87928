"""Seconds that an explanation takes, and where they go; beside another version.

    python benchmarks/explain.py -o benchmarks/results/explain.md --beside ../other/src

The photograph of the demo (640x427, JPEG) is explained and written as HTML in processes of
their own, one version after the other in turns, since other work on the machine comes and
goes. Processor seconds do not depend on that, wall-clock seconds do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from convtrace import __version__
from convtrace.batch.engines import default_workers

PROGRAM = """
import json, sys, time
from convtrace.datasets import examples
from convtrace.detection import bundled
from convtrace.report import explain, render_html
path, threads, rounds = examples.pictures()[0].path, int(sys.argv[1]), int(sys.argv[2])
render_html(explain(path, bundled(), threads=threads))
for _ in range(rounds):
    wall, cpu = time.perf_counter(), time.process_time()
    explanation = explain(path, bundled(), threads=threads)
    explained = time.perf_counter()
    render_html(explanation)
    end = time.perf_counter()
    print(json.dumps([explained - wall, end - explained, time.process_time() - cpu]))
"""


def measured(source: Path, threads: int, rounds: int) -> list[list[float]]:
    """Explain in a fresh process; return seconds of explaining, of writing, of processors."""
    done = subprocess.run(  # noqa: S603, the program above
        [sys.executable, "-c", PROGRAM, str(threads), str(rounds)],
        env={**os.environ, "PYTHONPATH": os.fspath(source.resolve())},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path, help="the folder src of another version")
    parser.add_argument("--rounds", type=int, default=4, help="explanations in each turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--note", default="", help="on what else was running")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1] / "src"
    versions = {"this": here} | ({"beside": options.beside} if options.beside else {})
    cores = default_workers()
    found: dict[tuple[str, int], list[list[float]]] = {}
    for _ in range(options.turns):
        for threads in (1, cores):
            for name, source in versions.items():
                rows = measured(source, threads, options.rounds)
                found.setdefault((name, threads), []).extend(rows)

    lines = [
        "# One explanation",
        "",
        f"`{' '.join(['python', 'benchmarks/explain.py', *sys.argv[1:]])}`, convtrace "
        f"{__version__}, Python {platform.python_version()}, {cores} cores, the demo's photograph "
        f"of 640x427; medians of {options.turns * options.rounds}, least and most. "
        f"{options.note}".strip(),
        "",
        "| version | threads | explain, s | HTML, s | processor, s |",
        "|---|---|---|---|---|",
    ]
    for (name, threads), rows in found.items():
        cells = [
            f"{statistics.median(column):.2f} ({min(column):.2f} to {max(column):.2f})"
            for column in zip(*rows, strict=True)
        ]
        lines.append(f"| {name} | {threads} | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
