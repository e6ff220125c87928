"""The page in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from service_support import picture_bytes, running

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install '.[browser-test]'"
)
expect = playwright_api.expect
CHROMIUM = os.environ.get("CONVTRACE_CHROMIUM") or shutil.which("chromium")
SECONDS = 120_000
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(
    params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join
)
def page(request, browser, service):
    size, scheme = request.param
    yield from _page(browser, service, size, scheme)


@pytest.fixture
def desktop(browser, service):
    yield from _page(browser, service, "desktop", "light")


def _page(browser, service, size, scheme):
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda each: (
            each.url.startswith((service.url, "blob:", "data:")) or faults.append(each.url)
        ),
    )
    page.goto(service.url)
    yield page
    context.close()
    assert not faults


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for number, form in enumerate(("PNG", "JPEG", "WEBP")):
        (root / f"{number}.{form.lower()}").write_bytes(picture_bytes(number, (200, 150), form))
    (root / "notes.txt").write_text("these are notes " * 20)
    return root


def _drop(page, paths: list[Path]) -> None:
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, bytes] of files)
                transfer.items.add(new File([new Uint8Array(bytes)], name));
            return transfer;
        }""",
        [[path.name, list(path.read_bytes())] for path in paths],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def _accessible(page) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed"
    )
    found = axe.Axe().run(page).response["violations"]
    assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def _seen_whole(picture) -> None:
    """Check that it is there, loaded, described, and not squeezed."""
    expect(picture).to_be_visible(timeout=SECONDS)
    assert picture.get_attribute("alt")
    natural, shown = picture.evaluate(
        """async (image) => {
            await image.decode();
            const box = image.getBoundingClientRect();
            return [image.naturalWidth / image.naturalHeight, box.width / box.height];
        }"""
    )
    assert shown == pytest.approx(natural, rel=0.02)


def test_three_pictures_and_a_text_file(page, folder, tmp_path):
    _accessible(page)
    _drop(page, sorted(folder.iterdir()))
    expect(page.locator(".card .verdict:visible")).to_have_count(3, timeout=SECONDS)
    failed = page.locator(".card .failed:visible")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text("it looks like text")
    expect(page.locator("#tally")).to_contain_text("1 without a verdict")
    card = page.locator(".card").first
    expect(card.locator(".verdict .word")).to_have_text(
        re.compile("Real photograph|Generated|Unsure")
    )
    expect(card.locator(".number")).to_contain_text("% likely to be generated")
    expect(card.locator(".why li")).not_to_have_count(0)

    # Of several pictures each shows its first reason, the others when asked.
    expect(card.locator(".why li:visible")).to_have_count(1)
    more = card.locator(".more")
    more.click()
    expect(more).to_have_attribute("aria-expanded", "true")
    expect(card.locator(".why li:visible")).to_have_count(card.locator(".why li").count())

    opener = card.locator(".open")
    opener.click()
    expect(card.locator(".evidence .kernels")).to_be_visible(timeout=SECONDS)
    expect(opener).to_have_attribute("aria-expanded", "true")
    for name in ("map", "misfit"):
        _seen_whole(card.locator(f".evidence img.{name}"))
    expect(card.locator(".facts.file")).to_contain_text("sha256")
    # Nothing runs over the side of a phone.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    _accessible(page)

    with page.expect_download() as report:
        card.locator(".report").click()
    report.value.save_as(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<html" in text
    assert card.locator(".facts.file").text_content().split("sha256")[1][:64] in text
    assert report.value.suggested_filename.endswith("-convtrace.html")
    with page.expect_download() as data:
        card.locator(".data").click()
    data.value.save_as(tmp_path / "data.json")
    found = json.loads((tmp_path / "data.json").read_text(encoding="utf-8"))
    assert found["verdict"]["label"] in ("real", "generated", "unsure")
    for name in ("map", "misfit"):
        shown = card.locator(f".evidence img.{name}").get_attribute("src")
        assert shown == found["images"][name]


def test_parts_that_differ_are_shown_with_what_they_cannot_say(desktop, tmp_path):
    # Tall, and of a phone that was held upright: stored lying on its side.
    turned = Image.Exif()
    turned[274] = 6
    with Image.open(io.BytesIO(picture_bytes(3, (150, 400)))) as image:
        image.save(tmp_path / "tall.jpg", quality=95, exif=turned)
    desktop.set_input_files("#files", tmp_path / "tall.jpg")
    misfit = desktop.locator(".evidence img.misfit")
    _seen_whole(misfit)
    assert "purple" in misfit.get_attribute("alt")
    words = desktop.locator(".misfit-words")
    for part in ("Purple parts", "most pictures have some", "not a finding"):
        expect(words).to_contain_text(part)
    expect(desktop.locator(".map-words")).to_contain_text("turned or mirrored")
    # Upright, as the heat map is.
    lies = "(image) => image.naturalWidth > image.naturalHeight"
    shapes = [desktop.locator(f".evidence img.{name}").evaluate(lies) for name in ("misfit", "map")]
    assert shapes == [True, False]
    # All of this picture is in the map.
    expect(words).not_to_contain_text("central")
    heading = desktop.get_by_role("heading", name="Which parts differ from the rest")
    expect(heading).to_be_visible()
    _accessible(desktop)


@pytest.mark.parametrize(("orientation", "part"), [(1, "1530 by 294"), (8, "294 by 1530")])
def test_the_map_of_a_large_picture_says_that_it_is_of_the_middle(
    desktop, tmp_path, orientation, part
):
    stored = Image.Exif()
    stored[274] = orientation
    with Image.open(io.BytesIO(picture_bytes(4, (1700, 300)))) as image:
        image.save(tmp_path / "wide.jpg", exif=stored)
    desktop.set_input_files("#files", tmp_path / "wide.jpg")
    words = desktop.locator(".misfit-words")
    expect(words).to_contain_text(f"covers the central {part} pixels", timeout=SECONDS)


def test_a_single_picture_is_explained_at_once_and_by_keyboard(desktop, folder):
    with desktop.expect_file_chooser() as chooser:
        desktop.keyboard.press("Tab")
        desktop.keyboard.press("Tab")
        desktop.keyboard.press("Enter")
    chooser.value.set_files(folder / "0.png")
    expect(desktop.locator(".evidence .kernels")).to_be_visible(timeout=SECONDS)
    expect(desktop.locator("#live")).to_contain_text("0.png")
    desktop.locator(".open").focus()
    desktop.keyboard.press("Enter")
    expect(desktop.locator(".evidence")).to_be_hidden()
    desktop.locator("#clear").click()
    expect(desktop.locator("#results")).to_be_hidden()


def test_a_pasted_picture(desktop, folder):
    desktop.evaluate(
        """(bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "image.png", {type: "image/png"}));
            dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer}));
        }""",
        list((folder / "0.png").read_bytes()),
    )
    expect(desktop.locator(".card .verdict:visible")).to_have_count(1, timeout=SECONDS)


def test_what_the_file_says_of_itself_is_shown_as_text(desktop, tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "<img src=x onerror=alert(1)>, Steps: 20, Sampler: Euler")
    with Image.open(io.BytesIO(picture_bytes())) as image:
        image.save(tmp_path / "told.png", pnginfo=chunks)
    desktop.set_input_files("#files", tmp_path / "told.png")
    origin = desktop.locator(".card .origin")
    expect(origin).to_contain_text("a program generated it", timeout=SECONDS)
    expect(origin).to_contain_text("makes no use of it")
    told = desktop.locator(".facts.metadata .telling")
    expect(told).to_contain_text("<img src=x", timeout=SECONDS)
    assert desktop.locator(".facts.metadata img, .origin img").count() == 0
    _accessible(desktop)


def test_the_limits_are_shown(desktop):
    desktop.locator("#limits summary").click()
    expect(desktop.locator("#limits-body table").first).to_be_visible(timeout=SECONDS)
    _accessible(desktop)


def test_too_large_empty_and_a_name_that_is_markup(browser, detector):
    with running(detector, max_upload_bytes=20_000) as service:
        for page in _page(browser, service, "phone", "light"):
            expect(page.locator("#service")).to_be_hidden()
            files = [
                {"name": "large.png", "mimeType": "image/png", "buffer": bytes(20_001)},
                {"name": "empty.png", "mimeType": "image/png", "buffer": b""},
                {
                    "name": "<img src=x onerror=alert(1)>.txt",
                    "mimeType": "text/plain",
                    "buffer": b"hello " * 20,
                },
            ]
            page.set_input_files("#files", files)
            failed = page.locator(".card .failed:visible")
            expect(failed).to_have_count(3, timeout=SECONDS)
            expect(failed.nth(0)).to_contain_text("this service takes")
            expect(failed.nth(1)).to_contain_text("empty")
            expect(failed.nth(2)).to_contain_text("it looks like text")
            assert page.locator(".name img").count() == 0


def test_the_service_gone_and_back(browser, detector, folder):
    with running(detector) as service:
        context = browser.new_context()
        page = context.new_page()
        page.goto(service.url)
        expect(page.locator("#service")).to_be_hidden(timeout=SECONDS)
        page.context.set_offline(True)
        page.set_input_files("#files", str(folder / "0.png"))
        failed = page.locator(".card .failed:visible")
        expect(failed).to_contain_text("does not answer", timeout=SECONDS)
        expect(page.locator("#service")).to_contain_text("does not answer")
        _accessible(page)
        page.context.set_offline(False)
        failed.locator(".retry").click()
        expect(page.locator(".card .verdict:visible")).to_have_count(1, timeout=SECONDS)
        expect(page.locator("#service")).to_be_hidden(timeout=SECONDS)
        context.close()


def test_the_token_is_asked_for(browser, detector, folder):
    with running(detector, token="Sesam") as service:  # noqa: S106
        for page in _page(browser, service, "desktop", "dark"):
            page.set_input_files("#files", str(folder / "0.png"))
            expect(page.locator(".card .failed:visible")).to_contain_text("token", timeout=SECONDS)
            _accessible(page)
            page.locator("#token").fill("Sesam")
            page.keyboard.press("Enter")
            expect(page.locator(".card .verdict:visible")).to_have_count(1, timeout=SECONDS)


def test_a_service_that_starts_says_so(browser, slow, folder):
    slow._warm = True
    with running(slow, ready=False) as service:
        for page in _page(browser, service, "phone", "dark"):
            expect(page.locator("#service")).to_contain_text("starting", timeout=SECONDS)
            page.set_input_files("#files", str(folder / "0.png"))
            slow.go.set()
            expect(page.locator(".card .verdict:visible")).to_have_count(1, timeout=SECONDS)
