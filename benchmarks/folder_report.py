"""How fluid a folder report of 10,000 pictures is in Chromium.

    python benchmarks/folder_report.py --rows 10000

Writes a report of made-up rows with real thumbnails, lets Chromium (Debian's, without a window)
open it, sort it and filter it, and prints how long each took, until the page had been laid out.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from convtrace.detection import Verdict, bundled
from convtrace.image import read
from convtrace.report.folder import FolderReport, Row
from convtrace.report.pictures import thumbnail_jpeg

# In place of the page's policy, which admits no script but its own.
_PROBE = """
<script>
function timed(action) {
  var start = performance.now();
  action();
  document.body.offsetHeight;
  return performance.now() - start;
}
var found = { opened: performance.now() };
var headings = document.querySelectorAll("[data-column]");
found["sorted by name"] = timed(function () { headings[0].click(); });
found["sorted by probability"] = timed(function () { headings[2].click(); });
found["next page"] = timed(function () { document.getElementById("next").click(); });
found["filtered by words"] = timed(function () {
  document.getElementById("words").value = "00123";
  document.getElementById("filters").dispatchEvent(new Event("submit", { cancelable: true }));
});
found["rows left"] = document.getElementById("told").textContent;
var out = document.createElement("pre");
out.id = "found";
out.textContent = JSON.stringify(found);
document.body.append(out);
</script>
"""


def write(path: Path, rows: int) -> None:
    """Write the report."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, size=(12, 16, 3), dtype=np.uint8) for _ in range(50)]
    thumbnails = [
        thumbnail_jpeg(read(np.kron(one, np.ones((6, 6, 1), np.uint8)))) for one in pictures
    ]
    detector = bundled()
    tracemalloc.start()
    start = time.perf_counter()
    with FolderReport(path, title="made-up pictures", detector=detector) as report:
        for place in range(rows):
            probability = float(rng.random())
            label = (
                "real" if probability < 0.13 else "generated" if probability > 0.63 else "unsure"
            )
            reasons = (
                f"Its pixels give a probability of {probability:.2f} of being generated: 3 of 100 "
                "real photographs it was tested on score this high.",
                "Stored as a JPEG of quality about 90: of test pictures 70 of 100 were told right.",
            )
            verdict = Verdict(f"holiday/IMG_{place:05d}.jpg", label, probability, None, reasons)
            size = int(rng.integers(1_000_000, 9_000_000))
            report.write(Row(verdict, thumbnails[place % 50], 4000, 3000, size, "JPEG"))
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(
        f"{rows:,} rows: {path.stat().st_size / 1e6:.1f} MB, written in {seconds:.1f} s with at "
        f"most {peak / 1e6:.1f} MB of Python memory"
    )


def main() -> int:
    """Write, open, measure. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--chromium", default="chromium")
    options = parser.parse_args()
    chromium = shutil.which(options.chromium)
    if chromium is None:
        print(f"{options.chromium} is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.html")
        write(path, options.rows)
        page = re.sub(
            r'<meta http-equiv="Content-Security-Policy"[^>]*>',
            "",
            path.read_text("utf-8"),
            count=1,
        )
        path.write_text(page.replace("</body>", f"{_PROBE}</body>"), "utf-8")
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/c",
            "--dump-dom", path.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)  # noqa: S603
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout)
    assert match is not None, "the page did not run"
    for name, value in json.loads(match.group(1)).items():
        print(f"{name}: {value}" if isinstance(value, str) else f"{name}: {value:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
