"""Where experiments get their features: packaged tables, or pictures measured as needed.

Both answer the same questions, so an experiment does not know which it is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from convtrace import descriptors
from convtrace.batch import replacing
from convtrace.datasets import Dataset
from convtrace.descriptors import cache_key
from convtrace.errors import DatasetError
from convtrace.evaluation.bundled_table import FACTS
from convtrace.evaluation.bundles import BUNDLES, Bundle, options_of
from convtrace.evaluation.facts import PictureFacts, collect_facts, read_facts
from convtrace.evaluation.tables import FeatureTable, measure, read_table, write_table

__all__ = ["BundledStore", "FeatureStore", "PictureStore", "kernel_columns"]


class FeatureStore(Protocol):
    """What experiments ask of it."""

    @property
    def about(self) -> str:
        """Where the features come from, for people."""

    def has(self, descriptor: str, template: str) -> bool:
        """Return whether pictures were, or can be, measured like that."""

    def table(self, descriptor: str, template: str, subsets: Sequence[str] = ()) -> FeatureTable:
        """Return a row for each picture, sorted by picture."""

    def facts(self) -> PictureFacts:
        """Return what the files say."""

    def fingerprint(self, names: Sequence[str]) -> str:
        """Return a digest of all that features of these descriptors depend on."""

    def dataset(self) -> Dataset | None:
        """Return the pictures, if there are any."""


class BundledStore:
    """The packaged feature tables of the corpus."""

    about = "the packaged feature tables; no picture was needed"

    def __init__(self) -> None:
        self._read: dict[str, FeatureTable] = {}

    def has(self, descriptor: str, template: str) -> bool:
        """Return whether a packaged table holds it.

        Parameters
        ----------
        descriptor, template : str
            Name of the descriptor, and degradation.

        Returns
        -------
        bool
        """
        return bool(_bundles(descriptor, template))

    def table(self, descriptor: str, template: str, subsets: Sequence[str] = ()) -> FeatureTable:
        """Return rows of a packaged table.

        Parameters
        ----------
        descriptor, template : str
            Name of the descriptor, and degradation.
        subsets : sequence of str
            Only these parts of the data set; empty: all there is.

        Returns
        -------
        FeatureTable
            One row a picture, sorted by picture.

        Raises
        ------
        DatasetError
            If no packaged table holds it.
        """
        found = _bundles(descriptor, template)
        if not found:
            raise DatasetError(
                f"no packaged table holds {descriptor} after {template}; give --data DIR"
            )
        bundle = found[0]
        if bundle.name not in self._read:
            table = read_table(bundle.path)
            own = np.char.startswith(table.names, bundle.prefix)
            self._read[bundle.name] = replace(
                table, features=table.features[:, own], names=table.names[own]
            )
        whole = self._read[bundle.name]
        return _sorted(whole, whole.templates == template, subsets)

    def facts(self) -> PictureFacts:
        """Return the packaged facts of the corpus.

        Returns
        -------
        PictureFacts
        """
        return read_facts(FACTS)

    def fingerprint(self, names: Sequence[str]) -> str:
        """Return a digest of the packaged tables of some descriptors.

        Parameters
        ----------
        names : sequence of str
            Descriptors.

        Returns
        -------
        str
        """
        paths = [bundle.path for bundle in BUNDLES if bundle.descriptor in names]
        digest = hashlib.sha256()
        for path in [*paths, FACTS]:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def dataset(self) -> Dataset | None:
        """Return None: there are no pictures."""
        return None


@dataclass(eq=False)
class PictureStore:
    """Pictures of a data set, measured when they are asked for.

    Attributes
    ----------
    pictures : Dataset
        The data set.
    folder : Path
        Where measured tables are kept, by content; made when it is needed.
    n_jobs : int or None
        Threads; all cores by default.
    on_error : callable, optional
        Called with a line for each picture that cannot be measured.
    """

    pictures: Dataset
    folder: Path
    n_jobs: int | None = None
    on_error: Callable[[str], None] | None = None
    _read: dict[Path, FeatureTable] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """Where the features come from, for people."""
        return f"{len(self.pictures)} pictures in {self.pictures.root}, measured from the pixels"

    def has(self, descriptor: str, template: str) -> bool:  # noqa: ARG002
        """Return True: any descriptor can measure pictures after any degradation.

        Parameters
        ----------
        descriptor, template : str
            Name of the descriptor, and degradation.

        Returns
        -------
        bool
        """
        return descriptor in descriptors.names()

    def table(self, descriptor: str, template: str, subsets: Sequence[str] = ()) -> FeatureTable:
        """Measure pictures, or find them measured.

        Parameters
        ----------
        descriptor, template : str
            Name of the descriptor, and degradation.
        subsets : sequence of str
            Only these parts of the data set; empty: all of it.

        Returns
        -------
        FeatureTable
            One row a picture, sorted by picture.

        Raises
        ------
        DatasetError
            If none can be measured.
        """
        chosen = self.pictures
        if subsets:
            chosen = chosen.select(np.isin(chosen.subset, list(subsets)))
        maker = descriptors.create(descriptor, **options_of(descriptor, template))
        options = {**maker.measuring_options(), "template": template, "subsets": sorted(subsets)}
        key = cache_key(self._content, maker.name, maker.version, options)
        path = self.folder / f"{key}.parquet"
        if path not in self._read:
            left_out = path.with_suffix(".errors.json")
            if not path.is_file():
                measured, errors = measure(chosen, maker, (template,), n_jobs=self.n_jobs)
                # Beside the table and before it, so that a later run tells of them, too.
                self.folder.mkdir(parents=True, exist_ok=True)
                with replacing(left_out) as temporary:
                    temporary.write_text(json.dumps(errors), encoding="utf-8")
                write_table(measured, path)
            # As it will be read the next time: in half precision.
            table = read_table(path)
            if self.on_error is not None:
                for error in json.loads(left_out.read_text(encoding="utf-8")):
                    self.on_error(error)
            self._read[path] = _sorted(table, np.ones(len(table), dtype=bool), ())
        return self._read[path]

    def facts(self) -> PictureFacts:
        """Read the headers.

        Returns
        -------
        PictureFacts
        """
        return self._facts

    def fingerprint(self, names: Sequence[str]) -> str:
        """Return a digest of the pictures and the versions of some descriptors.

        Parameters
        ----------
        names : sequence of str
            Descriptors.

        Returns
        -------
        str
        """
        versions = {name: descriptors.create(name).version for name in names}
        text = json.dumps([self._content, versions], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def dataset(self) -> Dataset | None:
        """Return the pictures."""
        return self.pictures

    @cached_property
    def _facts(self) -> PictureFacts:
        return collect_facts(self.pictures)

    @cached_property
    def _content(self) -> str:
        facts = self._facts
        rows = zip(
            facts.picture, facts.labels, facts.generators, facts.groups, facts.subsets, strict=True
        )
        text = json.dumps(sorted(tuple(map(str, row)) for row in rows))
        return hashlib.sha256(text.encode()).hexdigest()


def kernel_columns(
    table: FeatureTable, sizes: Sequence[int], *, statistics: bool = False
) -> NDArray[np.float64]:
    """Return the kernel coefficients of some sizes.

    Parameters
    ----------
    table : FeatureTable
        Of convolutional traces.
    sizes : sequence of int
        Kernel sizes.
    statistics : bool, default False
        Also the statistics of the fit: noise level, mean weight, likelihood.

    Returns
    -------
    ndarray of shape (n, d), float64

    Raises
    ------
    DatasetError
        If the table has no such kernels.
    """
    prefixes = tuple(f"ct{size}_" for size in sizes)
    # ct7_r_-1_+0 is a coefficient, ct7_r_log_sigma a statistic: an offset begins with its sign.
    wanted = [
        name.startswith(prefixes) and (statistics or name.split("_")[2][0] in "+-")
        for name in table.names.tolist()
    ]
    if not any(wanted):
        raise DatasetError(f"the table holds no kernels of size {', '.join(map(str, sizes))}")
    return table.features[:, np.array(wanted)].astype(np.float64)


def _bundles(descriptor: str, template: str) -> list[Bundle]:
    return [
        bundle
        for bundle in BUNDLES
        if bundle.descriptor == descriptor and template in bundle.templates
    ]


def _sorted(table: FeatureTable, mask: NDArray[np.bool_], subsets: Sequence[str]) -> FeatureTable:
    if subsets:
        mask = mask & np.isin(table.subsets, list(subsets))
    rows = np.flatnonzero(mask)
    if not len(rows):
        raise DatasetError(f"no picture of {', '.join(subsets) or 'any part'} was measured")
    rows = rows[np.argsort(table.picture[rows], kind="stable")]
    return table.select(rows)
