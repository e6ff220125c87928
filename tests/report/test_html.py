"""The HTML report: nothing from outside, nothing unescaped, usable without eyes or mouse."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import xml.etree.ElementTree
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from convtrace.report import render_html

from .conftest import HOSTILE


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def pages(hostile, photograph):
    return {"hostile": _Page(render_html(hostile)), "photograph": _Page(render_html(photograph))}


def test_untrusted_text_is_only_text(hostile, pages):
    page = pages["hostile"]
    assert len(page.all("script")) == 1
    assert not page.all("script")[0]
    assert not page.all("b")
    assert all("onerror" not in attributes for _, attributes in page.tags)
    words = "".join(page.words)
    assert HOSTILE.replace("\u202e", "\\u202e") in words
    assert "</pre><script>alert(3)</script>" in words
    assert hostile.provenance.of_kind("generator")


@pytest.mark.parametrize("name", ["hostile", "photograph"])
def test_nothing_comes_from_outside(pages, name):
    for tag, attributes in pages[name].tags:
        for key in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
        assert tag not in ("link", "iframe", "object", "embed", "base")
    policy = next(m for m in pages[name].all("meta") if m.get("http-equiv"))["content"]
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("name", ["hostile", "photograph"])
def test_is_usable_by_keyboard_and_screen_reader(pages, name):
    page = pages[name]
    assert page.all("html")[0]["lang"] == "en"
    assert all(image.get("alt") for image in page.all("img"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(cell.get("scope") for cell in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert link["href"].removeprefix("#") in ids
    labelled = {label.get("for") for label in page.all("label")}
    assert all(one["id"] in labelled for one in page.all("input"))


def test_tells_what_the_issue_asks_for(photograph, pages):
    words = " ".join("".join(pages["photograph"].words).split())
    for told in (
        photograph.facts["sha256"],
        photograph.model["sha256"],
        photograph.created,
        f"numpy {photograph.versions['numpy']}",
        "How to read this",
        "Limits",
        photograph.nearest_real.name,
        photograph.nearest_generated.name,
        photograph.jpeg.subsampling,
        *photograph.verdict.reasons,
    ):
        assert told in words
    assert len([t for t in pages["photograph"].all("table") if t.get("class") == "kernel"]) >= 9


def test_plots_follow_light_and_dark(pages):
    plots = [
        base64.b64decode(image["src"].partition(",")[2]).decode()
        for image in pages["photograph"].all("img")
        if image["src"].startswith("data:image/svg+xml")
    ]
    assert len(plots) == 4
    for plot in plots:
        assert "prefers-color-scheme:dark" in plot
        assert "var(--ink)" in plot
        assert "#010203" not in plot
        assert "<!DOCTYPE" not in plot.partition("<svg")[2]
        assert xml.etree.ElementTree.fromstring(plot.encode()).tag.endswith("svg")  # noqa: S314


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [390, 1280])
def test_runs_in_a_browser_and_fits_its_width(photograph, tmp_path, width):
    probe = (
        "<script>var s=document.getElementById('strength');s.value=20;"
        "s.dispatchEvent(new Event('input'));document.title=[document.getElementById('overlay')"
        ".style.opacity,document.documentElement.scrollWidth,innerWidth].join(' ')</script></body>"
    )
    text = re.sub(r'<meta http-equiv="Content-Security[^>]*>', "", render_html(photograph))
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", probe), "utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
        f"--user-data-dir={tmp_path}/profile", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    opacity, scroll, inner = re.search("<title>(.*?)</title>", done.stdout).group(1).split()
    assert float(opacity) == 0.2
    assert int(scroll) <= int(inner)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_the_policy_admits_the_script_of_the_page(photograph, tmp_path):
    page = tmp_path / "page.html"
    # Without the script the telling keeps its first text.
    page.write_text(render_html(photograph).replace(">70%</output>", ">not run</output>"), "utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu",
        f"--user-data-dir={tmp_path}/profile", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert ">70%</output>" in done.stdout
