"""The reports in a real browser, looked at by axe-core: Debian's chromium by Playwright."""

from __future__ import annotations

import os
import shutil

import pytest

from convtrace.datasets import examples
from convtrace.detection import bundled
from convtrace.report import render_html
from convtrace.report.folder import FolderReport, scan_rows

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install '.[browser-test]'"
)
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-core is not installed"
)
CHROMIUM = os.environ.get("CONVTRACE_CHROMIUM") or shutil.which("chromium")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory, hostile, photograph):
    folder = tmp_path_factory.mktemp("reports")
    for name, explanation in (("hostile", hostile), ("photograph", photograph)):
        (folder / f"{name}.html").write_text(render_html(explanation), encoding="utf-8")
    bad = folder / "bad.png"
    bad.write_text("no picture")
    paths = [*(each.path for each in examples.pictures()[:2]), bad]
    with FolderReport(folder / "folder.html", title="demo", detector=bundled()) as report:
        for row in scan_rows(paths, bundled(), engine="threads"):
            report.write(row)
    return folder


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["hostile", "photograph", "folder"])
def test_axe_finds_nothing_and_nothing_runs_over(browser, reports, name, scheme, width):
    # The reports' own policy admits no script but theirs; axe-core is one.
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto((reports / f"{name}.html").as_uri())
    for summary in page.locator("summary").all():
        summary.click()
    found = axe.Axe().run(page).response["violations"]
    assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert not faults
