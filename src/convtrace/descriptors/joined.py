"""Several descriptors side by side, as one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convtrace.descriptors.base import Description, Descriptor, centre_crop
from convtrace.descriptors.registry import DESCRIPTORS, create, register
from convtrace.errors import ConvtraceError

__all__ = ["Joined"]


@register("joined", aliases=("union",))
class Joined(Descriptor):
    """The vectors of several descriptors, one after the other.

    Parameters
    ----------
    parts : mapping of str to mapping, default=None
        Name of each descriptor and its options, in order; None: the trace and the
        co-occurrences, as they are by default.
    crop : int or None, default=512
        Only the central `crop` by `crop` pixels are measured, by each part further cropped as
        its own options say. None: all of them.
    cache : str, os.PathLike or None, default=None
        A folder in which measured vectors are kept; see `convtrace.descriptors.cache`.
    n_jobs : int or None, default=None
        Threads over pictures, as in scikit-learn: None is one, -1 all cores.
    on_error : {"raise", "nan"}, default="raise"
        Whether a bad picture ends `transform` or leaves a row of NaN.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> picture = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> parts = {"ct": {"kernel_size": 3, "statistics": False}, "co-occurrence": {"truncation": 1}}
    >>> Joined(parts).transform([picture]).shape
    (1, 228)
    """

    name: ClassVar[str] = "joined"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        parts: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        crop: int | None = 512,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.parts = parts
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _made(self) -> Sequence[Any]:
        parts = self.parts
        if parts is None:
            parts = {"convolutional-traces": {}, "co-occurrence": {}}
        if not parts:
            raise ConvtraceError("parts={}: name at least one descriptor")
        made = [create(name, **dict(options)) for name, options in parts.items()]
        for each in made:
            if not isinstance(each, Descriptor) or isinstance(each, Joined):
                raise ConvtraceError(f"{type(each).__name__} cannot be a part of a joined one")
        return made

    def columns_of(self, part: str) -> tuple[int, int]:
        """Tell where the numbers of a part lie.

        Parameters
        ----------
        part : str
            Name of a descriptor among `parts`, or an alias.

        Returns
        -------
        start, stop : int
            Its columns, as of a slice.

        Raises
        ------
        UnknownNameError
            Where no descriptor has the name.
        ConvtraceError
            Where it is no part of this one.

        Examples
        --------
        >>> Joined({"radial-spectrum": {"length": 32}, "ct": {"kernel_size": 3}}).columns_of("ct")
        (32, 65)
        """
        wanted, start = DESCRIPTORS.resolve(part), 0
        for each in self._made():
            stop = start + len(each._feature_names())
            if each.name == wanted:
                return start, stop
            start = stop
        raise ConvtraceError(f"{part!r} is no part of the joined descriptor")

    def measuring_options(self) -> dict[str, Any]:
        """Return the options that the numbers depend on, as JSON values.

        Returns
        -------
        dict
        """
        parts = [
            {"name": each.name, "version": each.version, "options": each.measuring_options()}
            for each in self._made()
        ]
        return {"crop": self.crop, "parts": parts}

    def _check_options(self) -> None:
        super()._check_options()
        for each in self._made():
            each._check_options()

    def _feature_names(self) -> list[str]:
        names = [name for each in self._made() for name in each._feature_names()]
        if len(set(names)) != len(names):
            raise ConvtraceError("two parts of a joined descriptor measure the same numbers")
        return names

    def _measure(self, pixels: NDArray[Any]) -> Description:
        found = [each._measure(centre_crop(pixels, each.crop)) for each in self._made()]
        return Description(
            np.concatenate([each.vector for each in found]),
            any(each.regularized for each in found),
            all(each.converged for each in found),
        )
