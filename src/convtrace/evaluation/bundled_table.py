"""The packaged feature tables that the bundled detector is trained on, as one."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace import descriptors
from convtrace.datasets import Dataset, read_header
from convtrace.detection.windows import LEAST_SIDES, WINDOW
from convtrace.errors import DatasetError
from convtrace.evaluation.facts import read_facts
from convtrace.evaluation.tables import FeatureTable, join_tables, read_table
from convtrace.image import degradations

__all__ = [
    "BUNDLED_DEGRADATIONS",
    "BUNDLED_DOMAINS",
    "BUNDLED_LEAST_SIDE",
    "BUNDLED_PARTS",
    "BUNDLED_SMALL_SIDE",
    "BUNDLED_TABLES",
    "FACTS",
    "MEASURED_PARTS",
    "SCORED_DEGRADATIONS",
    "SIMULATED",
    "SMALL_DEGRADATIONS",
    "WINDOW_DEGRADATIONS",
    "bundled_table",
    "domains_of",
    "scored_table",
    "sides_of",
    "simulated_table",
    "small_table",
    "windows_table",
]

_DATA = Path(__file__).parent / "data"

BUNDLED_DEGRADATIONS = (
    "none",
    "jpeg-90",
    "jpeg-75",
    "jpeg-50",
    "rescale-0.75..1.25",
    "rescale-0.75..1.25+jpeg-50..100",
)
"""What is done to every picture that the bundled detector is trained on."""

SCORED_DEGRADATIONS = ("web", "hard", "rescale-0.9", "jpeg-80")
"""What pictures go through that are scored and never trained on: two chains of the web, and two
small changes that must turn no verdict into its opposite."""

WINDOW_DEGRADATIONS = tuple(
    f"{before}window-{WINDOW}" for before in ("", "jpeg-90+", "jpeg-75+", "jpeg-50+")
)
"""The windows of pictures by which the verdicts on windows are calibrated."""

MEASURED_PARTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "convolutional-traces": MappingProxyType({"kernel_size": (3, 5, 7), "crop": 256}),
        "co-occurrence": MappingProxyType({"truncation": 2, "crop": 512}),
        "radial-spectrum": MappingProxyType({"length": 32, "crop": 256}),
        "pretrained-layers": MappingProxyType({"crop": 256}),
    }
)
"""What the packaged tables hold: descriptors and their options."""

BUNDLED_PARTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        **MEASURED_PARTS,
        "convolutional-traces": MappingProxyType({"kernel_size": (3,), "crop": 256}),
    }
)
"""What the bundled detector measures. Larger kernels tell more than small ones by themselves, but
hardly anything beside the co-occurrences (``docs/detector.md``), and take most of the time."""

BUNDLED_LEAST_SIDE = 128
"""Pictures with a shorter side, in pixels, get no verdict from the bundled detector: photographs
that were scaled down so far look generated (``docs/detector.md``)."""

BUNDLED_SMALL_SIDE = 160
"""Pictures with a shorter side, in pixels, have limits of their own, for the same reason."""

SMALL_DEGRADATIONS = tuple(
    f"crop-384+fit-{BUNDLED_LEAST_SIDE}..{BUNDLED_SMALL_SIDE - 1}{after}"
    for after in ("", "+jpeg-90", "+jpeg-75", "+jpeg-50")
)
"""The pictures scaled down by which, beside those that are as small, they are set. Of most that are
no squares the centre is one; of the others the shorter side would be too small for a verdict."""

BUNDLED_DOMAINS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CelebA": (
            "stgan-celeba128",
            "real-celeba128",
            "stargan-celeba128-jpegstrip",
            "real-celeba128-jpegstrip",
            "real-celebahq1024-jpeg",
        ),
        "LFW and small": (
            "dcgan-lfw64",
            "real-lfw64",
            "real-lfw250-jpeg",
            "dcgan-keras-faces64",
            "began-64",
            "began-128",
        ),
        "FFHQ and cameras": (
            "stylegan2-ffhq1024",
            "real-ffhq1024",
            "generatedphotos512-jpeg",
            "stylegan1-128",
            "stylegan2ada-metfaces1024",
            "real-camera-exif-jpeg",
        ),
        "image to image": (
            "pix2pix-pretrained",
            "pix2pix-trained",
            "pix2pix-tf-facades",
            "real-pix2pix-targets",
            "cyclegan-horse2zebra-png",
            "cyclegan-horse2zebra-jpeg",
            "real-horse2zebra-png",
            "real-horse2zebra-jpeg",
        ),
        "video": (
            "ffpp-c40-deepfakes",
            "ffpp-c40-face2face",
            "ffpp-c40-faceshifter",
            "ffpp-c40-faceswap",
            "ffpp-c40-neuraltextures",
            "real-ffpp-original-c40",
        ),
        "diffusion and objects": (
            "ldm-txt2img256",
            "sd1-512",
            "real-imagenet256",
            "real-lsun-bedroom256",
            "dcgan-cifar64",
            "real-imagenet-jpeg",
            "real-clothing-jpeg",
        ),
    }
)
"""Sets of the corpus that share cameras, subjects or generators, each with both classes."""


# Pictures with smaller sides are hardly scaled down by what makes them small.
_SCALED_DOWN = 200


@dataclass(frozen=True, slots=True)
class PackagedTable:
    """How one of the tables was measured.

    Parameters
    ----------
    file : str
        Its name in the package.
    parts : tuple of str
        The descriptors, out of `MEASURED_PARTS`.
    degradations : tuple of str
        Its rows for each picture.
    one_in : int
        Which pictures: those of one in so many groups, by hash.
    measured : mapping
        The descriptors' options, by name.
    least_sides : tuple of int
        And no pictures with a smaller shorter or longer side, in pixels.
    """

    file: str
    parts: tuple[str, ...]
    degradations: tuple[str, ...]
    one_in: int = 1
    measured: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MEASURED_PARTS)
    least_sides: tuple[int, int] = (0, 0)

    @property
    def path(self) -> Path:
        """Where it is."""
        return _DATA / self.file

    def chosen(self, dataset: Dataset) -> NDArray[np.bool_]:
        """Tell which pictures it holds.

        Parameters
        ----------
        dataset : Dataset
            The corpus, of n pictures.

        Returns
        -------
        numpy.ndarray of bool, shape (n,)
        """
        digests = [hashlib.sha256(group.encode()).hexdigest() for group in dataset.groups.tolist()]
        found = np.array([int(each[:8], 16) % self.one_in == 0 for each in digests], dtype=bool)
        if any(self.least_sides):
            for row in np.flatnonzero(found):
                header = read_header(dataset.paths[row])
                sides = sorted((header.width, header.height))
                found[row] = all(map(operator.ge, sides, self.least_sides))
        return found

    def descriptor(self) -> Any:
        """Return what measures it."""
        if len(self.parts) == 1:
            return descriptors.create(self.parts[0], **self.measured[self.parts[0]])
        parts = {name: self.measured[name] for name in self.parts}
        return descriptors.create("joined", parts=parts)


BUNDLED_TABLES: Mapping[str, PackagedTable] = MappingProxyType(
    {
        "traces": PackagedTable(
            "corpus-features.parquet",
            ("convolutional-traces",),
            (
                *BUNDLED_DEGRADATIONS[:4],
                "jpeg-50..100",
                "jpeg-50..100-444",
                *BUNDLED_DEGRADATIONS[4:],
                "randomcrop-128..224+jpeg-50..100",
            ),
        ),
        "residuals": PackagedTable(
            "corpus-residuals.parquet",
            ("co-occurrence", "radial-spectrum"),
            BUNDLED_DEGRADATIONS,
        ),
        "layers": PackagedTable(
            "corpus-layers.parquet", ("pretrained-layers",), BUNDLED_DEGRADATIONS
        ),
        "scored": PackagedTable(
            "corpus-scored.parquet", tuple(MEASURED_PARTS), SCORED_DEGRADATIONS, one_in=3
        ),
        "windows": PackagedTable(
            "corpus-windows.parquet",
            tuple(BUNDLED_PARTS),
            WINDOW_DEGRADATIONS,
            one_in=2,
            measured=BUNDLED_PARTS,
            least_sides=LEAST_SIDES,
        ),
        "small": PackagedTable(
            "corpus-small.parquet",
            tuple(BUNDLED_PARTS),
            SMALL_DEGRADATIONS,
            one_in=2,
            measured=BUNDLED_PARTS,
            least_sides=(_SCALED_DOWN, _SCALED_DOWN),
        ),
    }
)
"""The traces, in more degradations than the detector needs; what is joined to them, in two tables;
a third of the pictures in degradations that nothing is trained on; and likewise windows of half of
those that are large enough, and half of those that are scaled down."""

FACTS = _DATA / "corpus-facts.parquet"
"""What is known of the corpus's pictures without their pixels; see
`convtrace.evaluation.facts`."""

SIMULATED = _DATA / "corpus-simulated.parquet"
"""All of these descriptors of photographs that went through small decoders; see
``tools/simulate_generators.py``."""


def domains_of(subsets: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the domain of each row.

    Parameters
    ----------
    subsets : numpy.ndarray of str, shape (n,)
        Sets of the corpus.

    Returns
    -------
    numpy.ndarray of str, shape (n,)

    Raises
    ------
    DatasetError
        Where a set has no domain.
    """
    place = {name: domain for domain, sets in BUNDLED_DOMAINS.items() for name in sets}
    missing = sorted(set(subsets.tolist()) - set(place))
    if missing:
        raise DatasetError(f"sets without a domain: {', '.join(missing)}; see BUNDLED_DOMAINS")
    return np.array([place[name] for name in subsets.tolist()], dtype=str)


def sides_of(table: FeatureTable) -> NDArray[np.intp]:
    """Return how large the pictures of the corpus were when they were measured.

    Parameters
    ----------
    table : FeatureTable
        Of n rows, each of a picture of the corpus after a degradation.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        The shorter side, in pixels.

    Raises
    ------
    DatasetError
        Where a picture is none of the packaged table of the corpus's facts.
    """
    facts = read_facts(FACTS)
    shapes = dict(
        zip(
            facts.picture.tolist(),
            zip(facts.height.tolist(), facts.width.tolist(), strict=True),
            strict=True,
        )
    )
    missing = sorted(set(table.picture.tolist()) - set(shapes))
    if missing:
        raise DatasetError(f"{len(missing)} pictures are none of the corpus, such as {missing[0]}")
    return np.array(
        [
            min(_shape_after(name, shapes[picture]))
            for picture, name in zip(
                table.picture.tolist(), table.degradations.tolist(), strict=True
            )
        ],
        dtype=np.intp,
    )


@cache
def _shape_after(degradation: str, shape: tuple[int, int]) -> tuple[int, int]:
    # JPEG leaves the size as it is; of what changes it, the steps themselves are asked.
    steps = degradations.expand(degradation).split("+")
    rest = "+".join(step for step in steps if not step.startswith("jpeg-"))
    blank = np.zeros(shape, dtype=np.uint8)
    height, width = degradations.apply(rest, blank).shape if rest else shape
    return height, width


def simulated_table(*, parts: Mapping[str, Mapping[str, Any]] = BUNDLED_PARTS) -> FeatureTable:
    """Return the rows of simulated generators, for training only.

    Parameters
    ----------
    parts : mapping, default `BUNDLED_PARTS`
        As for `bundled_table`.

    Returns
    -------
    FeatureTable
        With the columns of `bundled_table`; labels are "fake", generators the way of
        up-sampling, groups those of the photographs that the pictures were made from.

    Raises
    ------
    DatasetError
        Where the packaged table is missing or damaged.
    """
    return _of(parts, read_table(SIMULATED))


def scored_table(*, parts: Mapping[str, Mapping[str, Any]] = BUNDLED_PARTS) -> FeatureTable:
    """Return the rows that only results are measured on.

    Parameters
    ----------
    parts : mapping, default `BUNDLED_PARTS`
        As for `bundled_table`.

    Returns
    -------
    FeatureTable
        With the columns of `bundled_table`: a third of its pictures, one row for each of
        `SCORED_DEGRADATIONS`.

    Raises
    ------
    DatasetError
        Where the packaged table is missing or damaged.
    """
    return _of(parts, read_table(BUNDLED_TABLES["scored"].path))


def windows_table() -> FeatureTable:
    """Return the rows that verdicts on windows are calibrated by.

    Returns
    -------
    FeatureTable
        With the columns of `bundled_table`, whose groups these are: one row for each of
        `WINDOW_DEGRADATIONS` and each of half of the pictures that are large enough for windows.

    Raises
    ------
    DatasetError
        Where the packaged table is missing or damaged.
    """
    return _of(BUNDLED_PARTS, read_table(BUNDLED_TABLES["windows"].path))


def small_table() -> FeatureTable:
    """Return the rows that the limits of small pictures are set by, beside training rows.

    Returns
    -------
    FeatureTable
        With the columns of `bundled_table`, whose groups these are: one row for each of
        `SMALL_DEGRADATIONS` and each of half of the pictures with sides of 200 pixels or more. A
        few that were no squares are too small for a verdict.

    Raises
    ------
    DatasetError
        Where the packaged table is missing or damaged.
    """
    return _of(BUNDLED_PARTS, read_table(BUNDLED_TABLES["small"].path))


def bundled_table(*, parts: Mapping[str, Mapping[str, Any]] = BUNDLED_PARTS) -> FeatureTable:
    """Return the rows that the bundled detector is trained on.

    Parameters
    ----------
    parts : mapping, default `BUNDLED_PARTS`
        The descriptors whose columns are wanted, with their options; at most `MEASURED_PARTS`.

    Returns
    -------
    FeatureTable
        One row for each picture and each of `BUNDLED_DEGRADATIONS`.

    Raises
    ------
    DatasetError
        Where a packaged table is missing, damaged, or does not fit the others.
    """
    tables = []
    for name in ("traces", "residuals", "layers"):
        part = BUNDLED_TABLES[name]
        table = read_table(part.path)
        table = table.select(np.isin(table.templates, BUNDLED_DEGRADATIONS))
        if not len(table):
            raise DatasetError(f"{part.path}: it has no row of the bundled detector's degradations")
        tables.append(table)
    return _of(parts, join_tables(tables))


def _of(parts: Mapping[str, Mapping[str, Any]], table: FeatureTable) -> FeatureTable:
    """Return the columns of some descriptors, in their order."""
    wanted = descriptors.create("joined", parts=parts).get_feature_names_out().tolist()
    place = {name: number for number, name in enumerate(table.names.tolist())}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise DatasetError(f"a packaged table lacks {len(missing)} columns, such as {missing[0]}")
    columns = np.array([place[name] for name in wanted], dtype=np.intp)
    return replace(table, features=table.features[:, columns], names=table.names[columns])
