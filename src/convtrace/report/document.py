"""An explanation on paper: pages of A4 as PDF, or below one another as one PNG."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image

from convtrace.detection.conditions import in_words
from convtrace.report import figures
from convtrace.report.html import LABEL_WORDS, window_counts
from convtrace.report.periods import in_words as period_in_words
from convtrace.report.text import shown, size_in_words

if TYPE_CHECKING:
    from convtrace.report.explanation import Explanation

__all__ = ["render_pdf", "render_png"]

_PAGE = (8.27, 11.69)
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.09, 0.91, 0.945, 0.06
# Of the two maps, side by side.
_MAPS = 0.255
_COLOURS = {"real": "#0063a0", "generated": "#b34a00", "unsure": "#5b5f66"}
_PLOT_DPI = 170
_STYLE = {"text.parse_math": False, "font.family": "sans-serif", "pdf.fonttype": 42}


def render_pdf(explanation: Explanation) -> bytes:
    """Write an explanation as a PDF of A4 pages, without a browser.

    Parameters
    ----------
    explanation : Explanation
        From `convtrace.report.explain`.

    Returns
    -------
    bytes
    """
    stream = io.BytesIO()
    with figures.drawing(_STYLE):
        about = {"Title": explanation.name, "Creator": "convtrace", "CreationDate": None}
        with PdfPages(stream, metadata=about) as pages:
            for page in _pages(explanation):
                pages.savefig(page)
    return stream.getvalue()


def render_png(explanation: Explanation, *, dpi: int = 100) -> bytes:
    """Write an explanation as one tall picture: the pages below one another.

    Parameters
    ----------
    explanation : Explanation
        From `convtrace.report.explain`.
    dpi : int, default 100
        Pixels an inch.

    Returns
    -------
    bytes
    """
    sheets = []
    with figures.drawing(_STYLE):
        for page in _pages(explanation):
            FigureCanvasAgg(page)
            stream = io.BytesIO()
            page.savefig(stream, format="png", dpi=dpi, facecolor="white")
            sheets.append(Image.open(stream).convert("RGB"))
    whole = Image.new("RGB", (sheets[0].width, sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    stream = io.BytesIO()
    whole.save(stream, "PNG", optimize=True)
    return stream.getvalue()


class _Sheet:
    """A page that is filled from its top."""

    def __init__(self, title: str, number: int, name: str) -> None:
        self.figure = Figure(figsize=_PAGE, facecolor="white")
        self.at = _TOP
        self.figure.text(_LEFT, 0.03, shorten(name, 70), size=7, color="#555c66")
        self.figure.text(_RIGHT, 0.03, f"page {number}", size=7, color="#555c66", ha="right")
        self.text(title, size=15, weight="bold", gap=0.012)

    def text(
        self, words: str, *, size: float = 9.5, gap: float = 0.006, width: int | None = None,
        left: float = _LEFT, **style: Any,
    ) -> None:  # fmt: skip
        """Write a paragraph, broken by its width."""
        columns = width or int(880 / size * (_RIGHT - left) / (_RIGHT - _LEFT))
        lines = [
            line
            for part in words.splitlines() or [""]
            for line in (textwrap.wrap(part, columns) or [""])
        ]
        for line in lines:
            self.figure.text(left, self.at, line, size=size, va="top", **style)
            self.at -= size * 1.42 / 72 / _PAGE[1]
        self.at -= gap

    def picture(
        self, image: Image.Image, *, height: float, left: float = _LEFT, right: float = _RIGHT,
        move: bool = True,
    ) -> None:  # fmt: skip
        """Place a picture, as large as fits into its room."""
        wide = (right - left) * _PAGE[0]
        tall = min(height * _PAGE[1], wide * image.height / image.width)
        share = tall / _PAGE[1]
        axes = self.figure.add_axes(
            (
                left,
                self.at - share,
                min(right - left, tall * image.width / image.height / _PAGE[0]),
                share,
            )
        )
        axes.imshow(image, interpolation="antialiased")
        axes.set_axis_off()
        if move:
            self.at -= share + 0.01

    def plot(self, figure: Figure, **place: Any) -> None:
        """Place one of the plots."""
        self.picture(_picture(figures.png(figure, dpi=_PLOT_DPI)), **place)


def shorten(text: str, most: int) -> str:
    """Cut text in its middle, where file names differ least."""
    if len(text) <= most:
        return text
    half = (most - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def _picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _pages(explanation: Explanation) -> Iterator[Figure]:
    e = explanation
    for number, draw in enumerate((_verdict, _kernels, _others, _map, _facts), start=1):
        yield draw(e, number)


def _verdict(e: Explanation, number: int) -> Figure:
    sheet = _Sheet("Is this picture a photograph, or generated?", number, e.name)
    facts = e.facts
    sheet.text(
        f"{e.name}\n{facts['width']}x{facts['height']} {facts['format']}, "
        f"{size_in_words(int(facts['bytes']))}. Explained by convtrace "
        f"{e.versions['convtrace']} on {e.created}.",
        size=8.5, color="#555c66",
    )  # fmt: skip
    start = sheet.at
    sheet.picture(_picture(e.preview_jpeg), height=0.24, right=0.42, move=False)
    label = e.verdict.label or "unsure"
    sheet.text(LABEL_WORDS[label], size=17, weight="bold", color=_COLOURS[label], left=0.45)
    words = f"Probability of being generated: {e.verdict.probability or 0.0:.0%}"
    if e.verdict.generator:
        words += f". Generator: {e.verdict.generator}"
    sheet.text(words, size=10, left=0.45)
    sheet.plot(figures.scale_figure(e), height=0.16, left=0.45)
    sheet.at = min(sheet.at, start - 0.255)
    sheet.text("Why", size=12, weight="bold")
    for reason in e.verdict.reasons:
        sheet.text(f"-  {reason}")
    sheet.text("How to read this", size=12, weight="bold")
    sheet.text(
        "In a picture each pixel can partly be foretold from its neighbours. How, is written in a "
        "small table of weights, the kernel. Cameras and the last steps of image generators leave "
        "different kernels. The detector compares these, and may use further statistics of "
        "neighbouring pixels; the bundled one also uses what a network sees that was trained to "
        "name the subjects of photographs, so that subjects count too. A mark deep in a coloured "
        "zone of the scale is a strong statement, one in the middle zone none at all. A verdict is "
        "one piece of evidence, never proof."
    )
    if not e.windows.reason:
        counts = window_counts(e)
        windows_words = (
            ", and is judged by limits of its own"
            if e.windows.own_scale
            else ", and errs more often"
        )
        sheet.text("By parts", size=12, weight="bold")
        sheet.text(
            f"{counts['all']} windows: {counts['generated']} generated, {counts['real']} real, "
            f"{counts['unsure']} unsure. Blue parts look real, orange ones generated; colourless "
            f"ones tell nothing. A window tells less than the whole{windows_words}. In tests of "
            "the bundled detector the map found a pasted generated part hardly better than by "
            "chance."
        )
        sheet.plot(figures.windows_figure(e), height=max(0.1, min(0.3, sheet.at - _BOTTOM)))
    else:
        sheet.text(e.windows.reason)
    return sheet.figure


def _kernels(e: Explanation, number: int) -> Figure:
    sheet = _Sheet("The kernels", number, e.name)
    sheet.text(
        "The weights by which a pixel is foretold from its neighbours, beside the mean kernels of "
        f"the photographs and of the generator that come nearest, of {figures.compared_words(e)}. "
        f"Root mean square difference: {e.nearest_real.distance:.4f} to the photographs "
        f'"{e.nearest_real.name}", {e.nearest_generated.distance:.4f} to '
        f"{e.nearest_generated.name}. The nearer one is no verdict."
    )
    sheet.plot(figures.kernels_figure(e), height=0.72)
    trace = e.trace
    sheet.text(
        "Residual sigma, red, green, blue: "
        + ", ".join(f"{one:.2f}" for one in trace.sigma)
        + " grey levels. Share of pixels foretold: "
        + ", ".join(f"{one:.0%}" for one in trace.weight)
        + "."
    )
    return sheet.figure


def _others(e: Explanation, number: int) -> Figure:
    sheet = _Sheet("Among real and generated traces", number, e.name)
    sheet.text(f"Compared with {figures.compared_words(e)}.")
    sheet.plot(figures.position_figure(e), height=0.4, right=0.8)
    sheet.text(
        "Traces of known pictures in two dimensions. Across, a plain linear rule, simpler than the "
        "detector: on pictures that it was not fitted on its AUC is "
        f"{e.reference.projection_auc:.2f} (0.5 is a coin's toss).",
        size=8.5, color="#555c66",
    )  # fmt: skip
    sheet.plot(figures.features_figure(e), height=0.38, right=0.8)
    sheet.text(
        "The numbers of the trace that tell most on their own. Bars hold 90 of 100 pictures of "
        "their kind, ticks mark the medians.",
        size=8.5, color="#555c66",
    )  # fmt: skip
    return sheet.figure


def _map(e: Explanation, number: int) -> Figure:
    sheet = _Sheet("The posterior map and its spectrum", number, e.name)
    start = sheet.at
    sheet.plot(figures.map_figure(e), height=_MAPS, right=0.5, move=False)
    sheet.picture(_picture(e.misfit_png), height=_MAPS, left=0.54, move=False)
    sheet.at = start - _MAPS - 0.008
    turned = ", and lies as they do" if e.facts["orientation"] > 1 else ""
    sheet.text(
        f"Left, white: foretold by its neighbours. Mean {e.map_mean:.2f}; covers "
        f"{e.map_box[2]}x{e.map_box[3]} of the stored pixels{turned}. Right, purple: parts that "
        "the kernel foretells worse than others as rich in texture. A part pasted from a picture "
        "of another size or history can show so, whether photograph or generated; sharp "
        "foregrounds, text, sky and clipped areas show so too.",
        size=8.5, color="#555c66",
    )  # fmt: skip
    if e.power is None:
        sheet.text(e.spectrum_note)
        return sheet.figure
    sheet.plot(figures.spectrum_figure(e), height=0.33, right=0.75)
    if not e.peaks:
        sheet.text("No period stands out.")
    for peak in e.peaks[:6]:
        sheet.text(
            f"-  {peak.vertical:.3f} down, {peak.horizontal:.3f} across, {peak.strength:.0f} times "
            f"its surroundings: {period_in_words(peak)}",
            size=8.5, gap=0.002,
        )  # fmt: skip
    return sheet.figure


def _facts(e: Explanation, number: int) -> Figure:
    sheet = _Sheet("Facts, limits, and how to repeat this", number, e.name)
    sheet.text("Compression", size=11, weight="bold")
    if e.jpeg is None:
        sheet.text(f"Stored as {e.facts['format']}, with {in_words(e.condition)}.")
    else:
        tables = "those of the standard" if e.jpeg.standard_tables else "of its own"
        sheet.text(
            f"JPEG of quality {e.jpeg.quality}, tables {tables}, sub-sampling "
            f"{e.jpeg.subsampling}, {'progressive' if e.jpeg.progressive else 'sequential'}."
        )
    sheet.text("What the file says of itself", size=11, weight="bold")
    statements = () if e.provenance is None else e.provenance.statements
    if not statements:
        sheet.text("It was not read." if e.provenance is None else "Nothing.")
    for sentence in () if e.provenance is None else e.provenance.summary:
        sheet.text(f"-  {shown(sentence, most=300)}", size=8.5, gap=0.002)
    lines = [
        f"{one.source}, {one.name}: {shown(' '.join(one.value.split()), most=180)}"
        for one in statements
    ]
    room = 12
    for line in lines[:room]:
        sheet.text(line, size=7.5, gap=0.001)
    if len(lines) > room:
        sheet.text(f"and {len(lines) - room} more entries; the HTML report has them all", size=7.5)
    sheet.text("Limits", size=11, weight="bold")
    for limit in e.limits:
        sheet.text(f"-  {limit}", size=8.5, gap=0.002)
    sheet.text("To repeat this", size=11, weight="bold")
    versions = ", ".join(f"{name} {version}" for name, version in e.versions.items())
    settings = ", ".join(f"{name.replace('_', ' ')} {one}" for name, one in e.settings.items())
    for line in (
        f"File: {shorten(e.name, 150)}",
        f"SHA-256: {e.facts['sha256']}",
        f"Detector: {e.model['name']}, made {e.model['created']}",
        f"Its SHA-256: {e.model['sha256'] or 'not stored in a file'}",
        f"Versions: {versions}",
        f"Settings: {settings}",
        f"Made: {e.created}",
    ):
        sheet.text(line, size=8.5, gap=0.002)
    return sheet.figure
