"""Reports as PDF and PNG."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from convtrace.batch import OutputError
from convtrace.report.document import render_pdf, render_png
from convtrace.report.writing import check_report_file, write_report


def test_pdf_has_five_pages_of_a4(hostile, photograph):
    for explanation in (hostile, photograph):
        data = render_pdf(explanation)
        assert data.startswith(b"%PDF-")
        assert data.rstrip().endswith(b"%%EOF")
        assert data.count(b"/Type /Page ") + data.count(b"/Type /Page\n") == 5


def test_png_is_the_pages_below_one_another(hostile):
    image = Image.open(io.BytesIO(render_png(hostile, dpi=40)))
    assert image.size == (330, 467 * 5) or image.size[1] % 5 == 0
    grey = image.convert("L")
    for page in range(5):
        box = (0, page * image.height // 5, image.width, (page + 1) * image.height // 5)
        assert grey.crop(box).getextrema()[0] < 100


def test_the_suffix_decides_and_nothing_is_left_over(hostile, tmp_path):
    for suffix, start in ((".html", b"<!doctype"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")):
        path = tmp_path / f"report{suffix}"
        write_report(hostile, path)
        assert path.read_bytes().startswith(start)
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(OutputError, match=r"\.html, \.pdf or \.png"):
        check_report_file(tmp_path / "report.docx")
    with pytest.raises(OutputError, match="folder"):
        check_report_file(tmp_path / "none" / "report.pdf")
