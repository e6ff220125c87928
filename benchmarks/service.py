"""Requests per second of the service, beside the library's own rate; its memory.

    python benchmarks/service.py -o benchmarks/results/service.md

Bounded: on loopback only, `--turns` for each measurement, `--requests` for the memory, which
are small pictures, since what could be left behind by a request does not depend on its size. The
library (`scan_many`, as `convtrace scan` uses it) and the service judge the same pictures in
turns on the same machine, since other work on it comes and goes; a single client is beside the
library with one worker. Each measurement goes over all of the demo pictures, `--turns` times, in
the same order: they differ tenfold in size, so a part of them would be another mix. The start of
the library's processes is not counted: its clock starts when each has judged one picture more.
The clients run in this process and share the cores with the service.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from convtrace import __version__, detection, traces
from convtrace.batch import engines, scan_many
from convtrace.datasets import examples

PORT = 8438
CLIENTS = (1, 4, 16)
BOUNDARY = "convtrace"
STEP = 200
SMALL = 64


@contextmanager
def service() -> Iterator[None]:
    """Run the service as its users do, and end it in order."""
    command = [sys.executable, "-m", "convtrace", "serve", "--port", str(PORT)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        deadline = time.monotonic() + 300
        while _get("/readyz")[0] != 200:
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit("the service did not start")
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(60)


def _get(path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def bodies(paths: list[Path]) -> list[bytes]:
    """Return the pictures as multipart bodies."""
    return [wrap(path.name, path.read_bytes()) for path in paths]


def wrap(name: str, data: bytes) -> bytes:
    """Return a file as a multipart body."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"'
    return f"{head}\r\n\r\n".encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def small_bodies() -> list[bytes]:
    """Return small pictures of noise as multipart bodies."""
    found = []
    for seed in range(20):
        pixels = np.random.default_rng(seed).integers(0, 256, (SMALL, SMALL, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        found.append(wrap("small.png", stream.getvalue()))
    return found


def load(clients: int, requests: int, wrapped: list[bytes]) -> tuple[float, list[float], int]:
    """Send requests; return their rate, the seconds of each, and how many failed."""
    numbers = count()
    seconds: list[float] = []

    def client() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        failed = 0
        # next() of a counter is one step of the interpreter, so no number comes twice.
        while (number := next(numbers)) < requests:
            start = time.perf_counter()
            connection.request("POST", "/v1/scan", wrapped[number % len(wrapped)], headers)
            answer = connection.getresponse()
            body = answer.read()
            seconds.append(time.perf_counter() - start)
            sound = answer.status == 200 and json.loads(body)[0]["error"] is None
            failed += not sound
        connection.close()
        return failed

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        failed = sum(pool.map(lambda _: client(), range(clients)))
    return requests / (time.perf_counter() - start), seconds, failed


def library(paths: list[Path], turns: int, workers: int) -> float:
    """Return pictures per second of the library, once its processes run as the service does.

    Each process begins with the largest picture, and all begin at the same moment, give or take
    the time by which one starts sooner than another; what it does in that time counts for the
    library.
    """
    largest = max(paths, key=lambda path: path.stat().st_size)
    chosen = [largest] * workers + paths * turns
    start = 0.0
    for place, verdict in enumerate(scan_many(chosen, detection.bundled(), workers=workers), 1):
        if verdict.error is not None:
            raise SystemExit(verdict.error)
        if place == workers:
            start = time.perf_counter()
    return len(paths) * turns / (time.perf_counter() - start)


def resident_megabytes() -> float:
    """Return the resident memory of the service and its processes, as its metrics say."""
    text = _get("/metrics")[1]
    total = 0.0
    for name in ("process_resident_memory_bytes", "convtrace_judges_resident_bytes"):
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        if found is None:
            raise SystemExit("the metrics of the service tell no memory on this system")
        total += float(found[1])
    return total / 1e6


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--turns", type=int, default=4, help="over the demo pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--note", default="", help="on what else was running")
    options = parser.parse_args()
    paths = [each.path for each in examples.pictures()]
    wrapped = bodies(paths)
    cores = engines.default_workers()
    traces.warm_up()
    library(paths, 1, cores)
    pictures = options.turns * len(paths)

    rates: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    own: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    times: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    failed = 0
    memory: list[float] = []
    with service():
        load(4, 2 * len(wrapped), wrapped)
        for _ in range(options.rounds):
            for clients in CLIENTS:
                workers = min(clients, cores)
                before = library(paths, options.turns, workers)
                rate, seconds, wrong = load(clients, pictures, wrapped)
                after = library(paths, options.turns, workers)
                rates[clients].append(rate)
                own[clients].append((before + after) / 2)
                times[clients] += seconds
                failed += wrong
        done = 0
        small = small_bodies()
        failed += load(4, STEP, small)[2]
        memory.append(resident_megabytes())
        while done < options.requests:
            step = min(STEP, options.requests - done)
            failed += load(4, step, small)[2]
            done += step
            memory.append(resident_megabytes())

    lines = [
        "# The service under load",
        "",
        f"`{shlex.join(['python', 'benchmarks/service.py', *sys.argv[1:]])}`, convtrace "
        f"{__version__}, Python {platform.python_version()}, {cores} cores, {len(paths)} demo "
        f"pictures in turn, {options.rounds} rounds of {pictures} requests; the library "
        "just before and just after each measurement. Medians of the rounds."
        + f" {options.note}".rstrip(),
        "",
        "| clients | requests per second | library, pictures per second | share | p50 | p99 |",
        "|---|---|---|---|---|---|",
    ]
    for clients in CLIENTS:
        share = [a / b for a, b in zip(rates[clients], own[clients], strict=True)]
        p50, p99 = (1000 * _percentile(times[clients], each) for each in (0.5, 0.99))
        lines.append(
            f"| {clients} | {statistics.median(rates[clients]):.1f} | "
            f"{statistics.median(own[clients]):.1f} ({min(clients, cores)} workers) | "
            f"{statistics.median(share):.0%} ({min(share):.0%} to {max(share):.0%}) | "
            f"{p50:.0f} ms | {p99:.0f} ms |"
        )
    total = len(CLIENTS) * options.rounds * pictures + STEP + options.requests
    lines += [
        "",
        f"Errors: {failed} of {total} requests.",
        "",
        f"Resident memory before, and after each {STEP} of, {options.requests} requests of "
        f"pictures of {SMALL}x{SMALL} with 4 clients, in MB: "
        + ", ".join(f"{one:.0f}" for one in memory)
        + f". From the first to the last {memory[-1] / memory[0] - 1:+.1%}.",
    ]
    text = "\n".join(lines) + "\n"
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
