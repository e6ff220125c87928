"""Reports on folders: rows stream, names are only text, the page sorts and filters."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tracemalloc
import zipfile

import numpy as np
import pytest

import convtrace
from convtrace.batch import find_inputs
from convtrace.detection import Verdict, bundled
from convtrace.image import read
from convtrace.report.folder import FolderReport, Row, explanations_folder, scan_rows
from convtrace.report.pictures import thumbnail_jpeg

from .conftest import encoded, scene

HOSTILE = "</script><script>document.title='broken'</script>@@ROWS@@ caf\udce9 \u202egpj.jpg"


def _row(place: int, path: str = "", thumbnail: bytes = b"") -> Row:
    probability = (place * 37 % 100) / 100
    label = "real" if probability < 0.1 else "generated" if probability > 0.6 else "unsure"
    verdict = Verdict(path or f"p/{place}.jpg", label, probability, None, ("first", "second"))
    return Row(verdict, thumbnail, 40, 30, 1000 + place, "JPEG")


def _rows(page: str) -> list:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1)
    )


def test_rows_come_back_as_written(tmp_path):
    path = tmp_path / "r.html"
    with FolderReport(path, title=HOSTILE, detector=bundled(), model="m y.convtrace") as report:
        report.write(_row(1, "a 'b'.jpg"))
        report.write(_row(2, HOSTILE))
        report.write(Row(Verdict.failed("c.jpg", "c.jpg: the file is empty")))
    page = path.read_text("utf-8")
    rows = _rows(page)
    assert len(rows) == 3
    assert rows[0][:3] == ["a 'b'.jpg", "unsure", 0.37]
    command = "convtrace explain 'a '\"'\"'b'\"'\"'.jpg' -o report.html --model 'm y.convtrace'"
    assert rows[0][12] == command
    assert rows[1][0] == HOSTILE.replace("\udce9", "\\udce9").replace("\u202e", "\\u202e")
    assert rows[1][12] == ""
    assert rows[2][1] == "error"
    assert page.count("<script") == 2
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_report_and_an_interrupted_one(tmp_path):
    with FolderReport(tmp_path / "e.html", title="none", detector=bundled()):
        pass
    assert _rows((tmp_path / "e.html").read_text("utf-8")) == []

    def interrupted() -> None:
        with FolderReport(tmp_path / "i.html", title="cut", detector=bundled()) as report:
            report.write(_row(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    page = (tmp_path / "i.html").read_text("utf-8")
    assert len(_rows(page)) == 1
    assert "interrupted" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.html", "i.html"]


def test_memory_does_not_grow_with_rows(tmp_path):
    rng = np.random.default_rng(0)
    thumbnail = thumbnail_jpeg(read(rng.integers(0, 256, size=(72, 72, 3), dtype=np.uint8)))
    detector = bundled()
    tracemalloc.start()
    try:
        with FolderReport(tmp_path / "r.html", title="many", detector=detector) as report:
            for place in range(10_000):
                report.write(_row(place, thumbnail=thumbnail))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "r.html").stat().st_size > 20e6
    assert peak < 8e6


def test_scan_rows_judges_draws_and_explains(tmp_path):
    good = tmp_path / "<b>good & fine.png"
    good.write_bytes(encoded(scene(96, 96)))
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    tiny = tmp_path / "tiny.png"
    tiny.write_bytes(encoded(scene(16, 16).crop((0, 0, 6, 6))))
    folder = explanations_folder(tmp_path / "r.html")
    rows = list(scan_rows([good, bad, tiny], bundled(), explanations=folder))
    assert [row.verdict.path for row in rows] == [str(good), str(bad), str(tiny)]
    assert rows[0].verdict == convtrace.scan(good)
    assert rows[0].thumbnail.startswith(b"\xff\xd8")
    assert rows[1].verdict.error
    assert rows[1].thumbnail == b""
    assert rows[2].explanation == ""
    assert [path.name for path in folder.iterdir()] == [rows[0].explanation]
    assert re.fullmatch(r"[\w-]+\.html", rows[0].explanation)
    plain = next(scan_rows([good], bundled()))
    assert plain.explanation == ""


def test_members_of_archives_are_explained_and_their_command_runs(tmp_path):
    archive = tmp_path / "a b.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("in/one.png", encoded(scene(96, 96)))
    folder = explanations_folder(tmp_path / "r.html")
    (row,) = scan_rows(find_inputs([archive]), bundled(), explanations=folder)
    assert (folder / row.explanation).is_file()
    report = FolderReport(tmp_path / "r.html", title="x", detector=bundled())
    command = shlex.split(report._command(row.verdict.path))
    assert command[:3] == ["convtrace", "explain", f"{archive}/in/one.png"]
    (again,) = find_inputs([command[2]])
    assert again.picture().sha256 == next(find_inputs([archive])).picture().sha256
    # A frame of a film has no command of its own; none is shown.
    assert report._command("a.mp4#t=1.500000") == ""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_the_page_pages_sorts_and_filters_ten_thousand_rows(tmp_path):
    path = tmp_path / "r.html"
    with FolderReport(path, title=HOSTILE, detector=bundled()) as report:
        report.write(_row(0, HOSTILE))
        for place in range(1, 10_000):
            report.write(_row(place))
    probe = """<script>
    var $ = function (s) { return document.querySelectorAll(s); }, out = { title: document.title };
    out.rows = $("#rows tr").length; out.told = $("#told")[0].textContent;
    $("[data-column]")[2].click();
    out.greatest = $("#rows tr td.number")[0].textContent;
    out.sort = $("th[aria-sort=descending]").length;
    $("#next")[0].click(); out.page = $("#page")[0].textContent;
    $("#words")[0].value = "P/777";
    $("#filters")[0].dispatchEvent(new Event("submit", { cancelable: true }));
    out.found = $("#told")[0].textContent;
    var p = document.createElement("pre"); p.id = "out"; p.textContent = JSON.stringify(out);
    document.body.append(p);
    </script></body>"""
    page = path.read_text("utf-8")
    page = re.sub(r'<meta http-equiv="Content-Security[^>]*>', "", page, count=1)
    path.write_text(page.replace("</body>", probe), "utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu",
        f"--user-data-dir={tmp_path}/profile", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    out = json.loads(
        re.search('<pre id="out">(.*?)</pre>', done.stdout)
        .group(1)
        .replace("&lt;", "<")
        .replace("&gt;", ">")
    )
    assert out["title"] != "broken"
    assert out["rows"] == 50
    assert out["told"] == "10,000 of 10,000 pictures"
    assert out["greatest"] == "0.99"
    assert out["sort"] == 1
    assert out["page"] == "Page 2 of 200"
    # 777 and 7770 to 7779
    assert out["found"] == "11 of 10,000 pictures"
