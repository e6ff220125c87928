"""One picture explained: all that a report tells, as numbers and small pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from convtrace.batch.engines import default_workers
from convtrace.descriptors import centre_crop
from convtrace.detection import Calibration, Detector, Verdict, bundled, current_versions
from convtrace.detection.conditions import in_words, of_picture
from convtrace.detection.windows import MOST_WINDOWS, WINDOW, Windows, windowed
from convtrace.errors import ImageError, TraceError
from convtrace.image import JpegFacts, Limits, Picture, Provenance, read
from convtrace.report import pictures
from convtrace.report.references import (
    CHANNELS,
    CROP,
    KERNEL_SIZE,
    LEVELS,
    Condition,
    feature_names,
    numbers_of,
    references,
)
from convtrace.report.text import shown
from convtrace.traces import (
    Peak,
    Trace,
    extract,
    find_peaks,
    misfit_map,
    posterior_map,
    spectrum,
)
from convtrace.traces.solver import MAX_PASSES, TOLERANCE

__all__ = ["Explanation", "Feature", "Nearest", "explain"]

MAP_SIDE = 1536
"""The posterior map covers the central so many rows and columns of a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The reference whose mean kernels come nearest.

    Attributes
    ----------
    name : str
        A generator, or a source of photographs.
    distance : float
        Root mean square difference of the coefficients.
    kernels : ndarray of shape (C, N, N), float64
        Its mean kernels.
    """

    name: str
    distance: float
    kernels: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Feature:
    """Where one number of the trace lies among those of known pictures.

    Attributes
    ----------
    name : str
        As in feature tables.
    value : float
        Of this picture.
    real, generated : tuple of float
        The 5%, 50% and 95% quantiles of each class.
    real_below, generated_below : float
        The share of each class with a smaller number, 0..1.
    auc : float
        How well this number alone tells the classes apart: 0.5 not at all.
    """

    name: str
    value: float
    real: tuple[float, float, float]
    generated: tuple[float, float, float]
    real_below: float
    generated_below: float
    auc: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """All that is told of one picture. Its pixels are no longer held, only small views.

    Attributes
    ----------
    name : str
        The file name, fit to be read; untrusted text.
    verdict : Verdict
        What the detector says.
    calibration : Calibration
        The scale of the probability.
    condition_has_own_scale : bool
        Whether that is of pictures compressed alike, and not of all held-out ones.
    condition, compared_with : str
        The compression of the picture, and that of the reference pictures.
    trace : Trace
        Its kernels.
    nearest_real, nearest_generated : Nearest
        The references.
    position : tuple of float
        Its place in the projection.
    features : tuple of Feature
        Every number of the trace, in the order of `feature_names`.
    reference : Condition
        What it was compared with.
    peaks : tuple of Peak
        Periods in the posterior map.
    spectrum_note : str
        Why there is no spectrum; empty where there is.
    power : ndarray of shape (S, S), float64, or None
        The spectrum.
    map_mean : float
        Mean responsibility of the map.
    map_box, windows, jpeg, facts, settings, model, versions, created
        What the map covers (left, top, width, height); verdicts of windows; compression;
        name, size and hash; how to repeat it.
    provenance : Provenance or None
        What the file says of its origin; None where it was not read, and for arrays.
    preview_jpeg, overlay_png, map_png, misfit_png : bytes
        The picture, small and upright; the windowed verdicts, transparent, to be laid over
        it; the posterior map (white: predicted by the neighbours), the stored way up; and that
        with the parts coloured that fit worse than their texture explains.
    """

    name: str
    verdict: Verdict
    calibration: Calibration
    condition_has_own_scale: bool
    condition: str
    compared_with: str
    trace: Trace
    nearest_real: Nearest
    nearest_generated: Nearest
    position: tuple[float, float]
    features: tuple[Feature, ...]
    reference: Condition
    peaks: tuple[Peak, ...]
    spectrum_note: str
    power: NDArray[np.float64] | None
    map_mean: float
    map_box: tuple[int, int, int, int]
    windows: Windows
    jpeg: JpegFacts | None
    provenance: Provenance | None
    facts: Mapping[str, Any]
    settings: Mapping[str, Any]
    model: Mapping[str, Any]
    limits: tuple[str, ...]
    versions: Mapping[str, str]
    created: str
    preview_jpeg: bytes
    overlay_png: bytes
    map_png: bytes
    misfit_png: bytes

    @cached_property
    def kernels_png(self) -> bytes:
        """The kernels beside those of the nearest references, with their numbers."""
        from convtrace.report import figures

        return figures.png(figures.kernels_figure(self))

    @cached_property
    def spectrum_png(self) -> bytes:
        """The spectrum of the posterior map, its peaks marked."""
        from convtrace.report import figures

        return figures.png(figures.spectrum_figure(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON values.

        Returns
        -------
        dict
            With the keys verdict (with ``provenance``, what the file says of itself), scale,
            picture, kernels, sigma, weight, log_likelihood, nearest, position, features, map,
            spectrum, windows, compression, model, settings, versions, created, limits, sha256.
        """
        trace, windows = self.trace, self.windows
        return {
            "verdict": {**self.verdict.to_dict(), "path": self.name},
            "scale": {
                "real_at_or_below": self.calibration.low,
                "generated_at_or_above": self.calibration.high,
                "condition": self.condition,
            },
            "picture": dict(self.facts),
            "sha256": self.facts["sha256"],
            "kernels": [
                {"channel": channel, "values": kernel.tolist()}
                for channel, kernel in zip(CHANNELS, trace.kernels, strict=True)
            ],
            "sigma": trace.sigma.tolist(),
            "weight": trace.weight.tolist(),
            "log_likelihood": trace.log_likelihood.tolist(),
            "converged": trace.converged.tolist(),
            "regularized": trace.regularized.tolist(),
            "nearest": {
                key: {
                    "name": each.name,
                    "distance": each.distance,
                    "kernels": each.kernels.tolist(),
                }
                for key, each in (
                    ("real", self.nearest_real),
                    ("generated", self.nearest_generated),
                )
            },
            "position": {
                "x": self.position[0],
                "y": self.position[1],
                "compared_with": self.compared_with,
                "auc": self.reference.projection_auc,
            },
            "features": [
                {
                    "name": each.name,
                    "value": each.value,
                    "real": list(each.real),
                    "generated": list(each.generated),
                    "real_below": each.real_below,
                    "generated_below": each.generated_below,
                    "auc": each.auc,
                }
                for each in self.features
            ],
            "map": {
                "mean": self.map_mean,
                "left": self.map_box[0],
                "top": self.map_box[1],
                "width": self.map_box[2],
                "height": self.map_box[3],
            },
            "spectrum": {
                "peaks": [
                    {
                        "vertical": peak.vertical,
                        "horizontal": peak.horizontal,
                        "strength": peak.strength,
                    }
                    for peak in self.peaks
                ],
                "note": self.spectrum_note,
            },
            "windows": {
                "side": WINDOW,
                "tops": list(windows.tops),
                "lefts": list(windows.lefts),
                "probabilities": [
                    [None if np.isnan(one) else float(one) for one in row]
                    for row in windows.probabilities
                ],
                "labels": windows.labels.tolist(),
                "reason": windows.reason,
                "own_scale": windows.own_scale,
            },
            "compression": _compression(self.jpeg, self.condition),
            "model": dict(self.model),
            "settings": dict(self.settings),
            "limits": list(self.limits),
            "versions": dict(self.versions),
            "created": self.created,
        }


def explain(
    source: str | os.PathLike[str] | bytes | Picture,
    detector: Detector | None = None,
    name: str | None = None,
    *,
    limits: Limits | None = None,
    most_windows: int = MOST_WINDOWS,
    threads: int | None = None,
) -> Explanation:
    """Explain what is said of one picture.

    Parameters
    ----------
    source : str, os.PathLike, bytes or Picture
        A file, an encoded picture, or one that was read, best with its provenance.
    detector : Detector, optional
        What judges; the bundled one by default.
    name : str, optional
        The file name to be shown, where `source` has none.
    limits : Limits, optional
        How much the picture may cost.
    most_windows : int, default 25
        How many windows are judged at most.
    threads : int, optional
        How many; by default one for each core.

    Returns
    -------
    Explanation

    Raises
    ------
    ImageError
        Where the picture cannot be read, or is too small to be measured.
    """
    picture = read(source, limits=limits, provenance=True)
    title = shown(Path(picture.name).name if name is None else name)
    detector = bundled() if detector is None else detector
    condition = of_picture(picture)
    with ThreadPoolExecutor(default_workers() if threads is None else threads) as pool:
        judging = pool.submit(detector.verdict, picture)
        drawing = pool.submit(_drawn, picture, title)
        try:
            windows = windowed(picture, detector, pool, most=most_windows)
            verdict, drawn = judging.result(), drawing.result()
        finally:
            # Where one has failed, the others need not begin.
            pool.shutdown(wait=True, cancel_futures=True)
    windows = windows.within(verdict.label or "unsure")
    trace = drawn.trace
    compared_with, reference = references().condition(condition)
    calibration = detector.calibration_for(detector.condition_of(picture))
    return Explanation(
        name=title,
        verdict=replace(verdict, path=title, provenance=picture.provenance),
        calibration=calibration,
        condition_has_own_scale=calibration is not detector.calibration_,
        condition=condition,
        compared_with=compared_with,
        trace=trace,
        nearest_real=_nearest(trace, reference.real_names, reference.real_means),
        nearest_generated=_nearest(trace, reference.generated_names, reference.generated_means),
        position=reference.project(trace.vector),
        features=_features(trace, reference),
        reference=reference,
        peaks=tuple(drawn.peaks),
        spectrum_note=drawn.spectrum_note,
        power=drawn.power,
        map_mean=drawn.map_mean,
        map_box=drawn.map_box,
        windows=windows,
        jpeg=picture.jpeg,
        provenance=picture.provenance,
        facts=_facts(picture, title),
        settings={
            "kernel_size": KERNEL_SIZE,
            "channels": CHANNELS,
            "crop": CROP,
            "tolerance": TOLERANCE,
            "max_passes": MAX_PASSES,
            "map_side": MAP_SIDE,
            "window": WINDOW,
            "most_windows": most_windows,
        },
        model=_model(detector),
        limits=detector.card_.limits,
        versions={**current_versions(), "pillow": PIL.__version__},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        preview_jpeg=pictures.preview_jpeg(picture),
        overlay_png=pictures.overlay_png(picture, windows),
        map_png=drawn.map_png,
        misfit_png=drawn.misfit_png,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The trace, and what is drawn of it; names as in `Explanation`."""

    trace: Trace
    map_mean: float
    map_box: tuple[int, int, int, int]
    map_png: bytes
    misfit_png: bytes
    power: NDArray[np.float64] | None
    peaks: list[Peak]
    spectrum_note: str


def _drawn(picture: Picture, title: str) -> _Drawn:
    try:
        trace = extract(centre_crop(picture.pixels, CROP), kernel_size=KERNEL_SIZE)
        responsibilities, box = _map(picture, trace)
    except TraceError as error:
        raise ImageError(title, str(error), "give a larger picture") from error
    power, peaks, note = _spectrum(responsibilities)
    mean_map = responsibilities.mean(axis=0)
    map_png = pictures.grey_png(mean_map)
    misfit = misfit_map(responsibilities, centre_crop(picture.pixels, MAP_SIDE))
    misfit_png = pictures.misfit_png(picture, mean_map, misfit)
    return _Drawn(trace, float(mean_map.mean()), box, map_png, misfit_png, power, peaks, note)


def _facts(picture: Picture, title: str) -> dict[str, Any]:
    return {
        "name": title,
        "format": picture.format,
        "mode": picture.mode,
        "width": picture.width,
        "height": picture.height,
        "bytes": picture.nbytes,
        "sha256": picture.sha256,
        "orientation": picture.orientation,
        "notes": list(picture.notes),
    }


def _model(detector: Detector) -> dict[str, Any]:
    card = detector.card_
    return {
        "name": card.name,
        "sha256": card.sha256,
        "created": card.created,
        "versions": dict(card.versions),
    }


def _map(picture: Picture, trace: Trace) -> tuple[NDArray[np.float32], tuple[int, int, int, int]]:
    """Return the map of the central part and the part of the picture that it covers."""
    part = centre_crop(picture.pixels, MAP_SIDE)
    found = posterior_map(np.ascontiguousarray(part), trace=trace, channels=CHANNELS)
    rows, columns = found.shape[1:]
    return found, (
        (picture.width - columns) // 2,
        (picture.height - rows) // 2,
        columns,
        rows,
    )


def _spectrum(
    responsibilities: NDArray[np.float32],
) -> tuple[NDArray[np.float64] | None, list[Peak], str]:
    try:
        power, segments = spectrum(responsibilities)
    except TraceError as error:
        return None, [], str(error)
    return power, find_peaks(power, segments), ""


def _nearest(trace: Trace, names: tuple[str, ...], means: NDArray[np.float64]) -> Nearest:
    distances = np.sqrt(np.mean((means - trace.vector) ** 2, axis=1))
    place = int(np.argmin(distances))
    size = trace.kernel_size
    flat = means[place].reshape(len(trace.kernels), -1)
    kernels = np.insert(flat, flat.shape[1] // 2, 0.0, axis=1).reshape(-1, size, size)
    return Nearest(names[place], float(distances[place]), kernels)


def _features(trace: Trace, reference: Condition) -> tuple[Feature, ...]:
    found = []
    middle = [int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.5, 0.95)]
    for place, (name, value) in enumerate(zip(feature_names(), numbers_of(trace), strict=True)):
        real, generated = reference.real_quantiles[place], reference.generated_quantiles[place]
        found.append(
            Feature(
                name,
                float(value),
                tuple(float(one) for one in real[middle]),  # type: ignore[arg-type]
                tuple(float(one) for one in generated[middle]),  # type: ignore[arg-type]
                float(np.interp(value, real, LEVELS, left=0.0, right=1.0)),
                float(np.interp(value, generated, LEVELS, left=0.0, right=1.0)),
                float(reference.auc[place]),
            )
        )
    return tuple(found)


def _compression(jpeg: JpegFacts | None, condition: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"condition": condition, "in_words": in_words(condition), "jpeg": None}
    if jpeg is not None:
        facts["jpeg"] = {
            "quality": jpeg.quality,
            "luma_quality": jpeg.luma_quality,
            "chroma_quality": jpeg.chroma_quality,
            "standard_tables": jpeg.standard_tables,
            "subsampling": jpeg.subsampling,
            "progressive": jpeg.progressive,
            "tables": [list(table) for table in jpeg.tables],
        }
    return facts
