"""Draw the reports for the README, from the demo pictures, with Chromium.

    python tools/report_screenshots.py -o docs

An explanation of a photograph (large enough to be judged by parts) and a report on the whole
demo set, whatever the bundled detector says of them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

from convtrace.batch import replacing
from convtrace.datasets import examples
from convtrace.detection import bundled
from convtrace.report import explain
from convtrace.report.folder import FolderReport, Row, scan_rows
from convtrace.report.writing import write_report

ROOT = Path(__file__).resolve().parents[1]
# Width and height of what is shown, in pixels.
EXPLANATION, FOLDER, PHONE = (1000, 1900), (1200, 1000), (390, 1900)


def shoot(chromium: str, page: Path, size: tuple[int, int], output: Path, profile: Path) -> None:
    """Let Chromium draw the top of a page; store it with a palette, a third of the size."""
    shot = profile.parent / "shot.png"
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}",
        f"--screenshot={shot}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(shot) as drawn, replacing(output) as temporary:
        drawn.convert("RGB").quantize(256, kmeans=2).save(temporary, "PNG", optimize=True)
    print(f"{output}: {output.stat().st_size:,} bytes")


def main() -> int:
    """Report and draw. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs")
    parser.add_argument("--chromium", default="chromium")
    options = parser.parse_args()
    chromium = shutil.which(options.chromium)
    if chromium is None:
        print(f"{options.chromium}: not installed", file=sys.stderr)
        return 2
    pictures = examples.pictures()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = folder / "profile"
        page = folder / "explain.html"
        write_report(explain(pictures[0].path), page)
        shoot(chromium, page, EXPLANATION, options.output / "explain.png", profile)
        shoot(chromium, page, PHONE, options.output / "explain-phone.png", profile)
        page = folder / "scan.html"
        # Short names: where the packages lie on this machine matters to nobody.
        for number, picture in enumerate(pictures):
            kind = picture.generator or "photograph"
            copy = folder / "demo" / f"{kind}-{number:02d}{picture.path.suffix}"
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(picture.path, copy)
        detector = bundled()
        paths = sorted((folder / "demo").iterdir())
        with FolderReport(page, title="demo", detector=detector) as report:
            for row in scan_rows(paths, detector):
                report.write(shortened(row, folder))
        shoot(chromium, page, FOLDER, options.output / "scan.png", profile)
    return 0


def shortened(row: Row, folder: Path) -> Row:
    """Return a row that names its picture from a folder on."""
    path = Path(row.verdict.path).relative_to(folder)
    return replace(row, verdict=replace(row.verdict, path=str(path)))


if __name__ == "__main__":
    sys.exit(main())
