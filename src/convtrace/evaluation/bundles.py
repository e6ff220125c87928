"""The packaged feature tables: what of the corpus was measured, with what, after what.

They let every experiment run without a picture. ``python tools/build_reproduction_tables.py``
makes them anew from the corpus, all but the two that are the bundled detector's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from convtrace.evaluation.bundled_table import BUNDLED_TABLES, MEASURED_PARTS
from convtrace.evaluation.pairs import LOSSLESS_SUBSETS, MATCHED_SUBSETS

__all__ = [
    "BUNDLES",
    "CO_OCCURRENCE",
    "EQUALISED",
    "PEER_DEGRADATIONS",
    "PEER_DESCRIPTORS",
    "POOLED_EQUALISED",
    "ROBUSTNESS",
    "SIZES",
    "SIZE_SUBSETS",
    "TRACES",
    "Bundle",
    "options_of",
]

TRACES = "convolutional-traces"
CO_OCCURRENCE = "co-occurrence"

EQUALISED = "crop-128+jpeg-95"
"""What both sides of a matched pair are forced through, for the honest repetition."""

POOLED_EQUALISED = ("crop-64+jpeg-95", "crop-64+jpeg-70")
"""The same for pictures of all sizes and histories: mildly, and at their lowest quality."""

ROBUSTNESS = (
    *("jpeg-100", "jpeg-80", "jpeg-70", "jpeg-60"),
    *("blur-3", "blur-9", "blur-15"),
    *("rotate-45", "rotate-90", "rotate-180", "mirror"),
    *("rescale-0.5", "rescale-0.75", "rescale-1.5", "rescale-2"),
    *("square-0.1..0.5", "noise-2", "noise-5"),
    *("web", "hard", "rescale-0.75+jpeg-75"),
)
"""The paper's degradations, beside those of the bundled detector's table."""

SIZES = ("crop-64", "crop-96", "crop-128", "crop-192")
"""Central crops, to see how much picture the trace needs."""

SIZE_SUBSETS = (
    *("cyclegan-horse2zebra-png", "real-horse2zebra-png"),
    *("pix2pix-pretrained", "pix2pix-trained", "pix2pix-tf-facades", "real-pix2pix-targets"),
    *("stylegan2-ffhq1024", "real-ffhq1024"),
)
"""The lossless pairs of 256 pixels a side or more."""

PEER_DESCRIPTORS = (
    "radial-spectrum",
    "dct",
    "autogan-spectrum",
    "p-map-spectrum",
    "local-binary-patterns",
    "colour-co-occurrence",
)
"""Descriptors of the peers that the packaged tables hold."""

PEER_DEGRADATIONS = ("jpeg-75", "rescale-0.75+jpeg-75")
"""After which the peers are compared on the lossless pairs, beside clean and equalised."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One packaged table.

    Attributes
    ----------
    name : str
        Of the file, without its suffix.
    descriptor : str
        Name in `convtrace.descriptors`.
    templates : tuple of str
        Degradations, as for `convtrace.evaluation.resolve`.
    params : mapping
        Options of the descriptor.
    subsets : tuple of str
        Which parts of the corpus; empty: all of it.
    prefix : str
        How the descriptor's columns begin in a table that holds others' too; empty: all are.
    """

    name: str
    descriptor: str
    templates: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    subsets: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def path(self) -> Path:
        """The file."""
        return BUNDLED_TABLES["traces"].path.with_name(f"{self.name}.parquet")


def _traces(
    name: str,
    sizes: tuple[int, ...],
    templates: tuple[str, ...],
    *subsets: str,
    statistics: bool = False,
) -> Bundle:
    params = MappingProxyType({"kernel_size": sizes, "statistics": statistics})
    return Bundle(name, TRACES, templates, params, subsets)


BUNDLES = (
    Bundle(
        BUNDLED_TABLES["traces"].path.stem,
        TRACES,
        BUNDLED_TABLES["traces"].degradations,
        MEASURED_PARTS[TRACES],
    ),
    Bundle(
        BUNDLED_TABLES["residuals"].path.stem,
        CO_OCCURRENCE,
        BUNDLED_TABLES["residuals"].degradations,
        MEASURED_PARTS[CO_OCCURRENCE],
        prefix="co_",
    ),
    *(
        Bundle(
            f"{CO_OCCURRENCE}-{name}",
            CO_OCCURRENCE,
            templates,
            MEASURED_PARTS[CO_OCCURRENCE],
            subsets,
        )
        for name, templates, subsets in (
            ("pairs", (EQUALISED,), MATCHED_SUBSETS),
            # After JPEG 75 alone they are in the bundled detector's table.
            ("degraded", PEER_DEGRADATIONS[1:], LOSSLESS_SUBSETS),
        )
    ),
    _traces("traces-pooled-equalised", (3, 5, 7), POOLED_EQUALISED, statistics=True),
    _traces("traces-pairs-equalised", (3, 5, 7), (EQUALISED,), *MATCHED_SUBSETS, statistics=True),
    _traces("traces-robustness", (7,), ROBUSTNESS, *LOSSLESS_SUBSETS),
    _traces("traces-sizes", (7,), SIZES, *SIZE_SUBSETS),
    *(
        bundle
        for name in PEER_DESCRIPTORS
        for bundle in (
            Bundle(f"{name}-pairs", name, ("none", EQUALISED), subsets=MATCHED_SUBSETS),
            Bundle(f"{name}-degraded", name, PEER_DEGRADATIONS, subsets=LOSSLESS_SUBSETS),
        )
    ),
)
"""All packaged tables."""


def options_of(descriptor: str, template: str) -> dict[str, Any]:
    """Return the descriptor's options for pictures that are not the packaged ones.

    Parameters
    ----------
    descriptor, template : str
        Name of the descriptor, and degradation.

    Returns
    -------
    dict
        Those of the packaged table of the same kind, so that both hold the same numbers; of
        the first table of the descriptor where there is none of the kind.
    """
    same = [bundle for bundle in BUNDLES if bundle.descriptor == descriptor]
    exact = [bundle for bundle in same if template in bundle.templates]
    return dict((exact or same)[0].params) if same else {}
