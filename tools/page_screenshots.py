"""Take the screenshots of the page, by the demo pictures: those of the README.

    python tools/page_screenshots.py -o docs

Needs the extra ``browser-test`` and Debian's chromium. Whatever the bundled detector says is
shown: a photograph, an image, one without a verdict, and a file that is no picture. ``--all`` takes
every size and colour scheme, for looking at them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from convtrace import detection
from convtrace.datasets import examples

ROOT = Path(__file__).resolve().parents[1]
PORT = 8437
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
SECONDS = 180


@contextmanager
def service() -> Iterator[str]:
    """Run the service as its users do."""
    command = [sys.executable, "-m", "convtrace", "serve", "--port", str(PORT)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{PORT}/"
    try:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                urllib.request.urlopen(address + "readyz", timeout=5).close()  # noqa: S310
                break
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def pictures() -> tuple[Path, list[Path]]:
    """Return the picture to be looked at closely; a few of all kinds, and a text file."""
    found = examples.pictures()
    chosen = next(each.path for each in found if each.path.stem == "08" and "up" in each.generator)
    photograph = next(each.path for each in found if each.label == "real")
    images = [each.path for each in found if each.label == "fake"]
    silent = next(path for path in images if detection.scan(path).label == "unsure")
    return chosen, [photograph, chosen, silent, ROOT / "pyproject.toml"]


def save(page: Page, path: Path, *, whole: bool) -> None:
    """Take a screenshot, as small as looks the same."""
    page.screenshot(path=path, full_page=whole, animations="disabled")
    with Image.open(path) as taken:
        taken.convert("RGB").quantize(256, kmeans=2).save(path, optimize=True)


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--all", action="store_true", help="every size and colour scheme")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    chosen, several = pictures()
    views = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
    if not options.all:
        views = [("desktop", "light"), ("phone", "dark")]
    with service() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox"]
        )
        for size, scheme in views:
            width, height = SIZES[size]
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page.goto(address)
            if options.all:
                save(page, options.output / f"page-empty-{size}-{scheme}.png", whole=False)
            if options.all or size == "desktop":
                page.set_input_files("#files", [str(path) for path in several])
                expect(page.locator(".card .verdict:visible")).to_have_count(
                    3, timeout=1000 * SECONDS
                )
                expect(page.locator(".card .failed:visible")).to_have_count(1)
                name = f"page-several-{size}-{scheme}.png" if options.all else "page.png"
                save(page, options.output / name, whole=True)
                page.reload()
            if not options.all and size == "desktop":
                page.close()
                continue
            page.set_input_files("#files", str(chosen))
            expect(page.locator(".evidence .kernels")).to_be_visible(timeout=1000 * SECONDS)
            page.wait_for_load_state("networkidle")
            name = f"page-one-{size}-{scheme}.png" if options.all else f"page-{size}.png"
            save(page, options.output / name, whole=options.all)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
