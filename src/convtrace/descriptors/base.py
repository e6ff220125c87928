"""What all descriptors share: pictures in, one row of numbers each out.

A descriptor is a scikit-learn transformer whose samples are pictures. A new one states its
options in ``__init__``, the names of its numbers, and how one picture is measured; reading,
cropping, threads, the cache and the answer to bad pictures are here.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from joblib import effective_n_jobs  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from convtrace.descriptors.cache import DescriptorCache, cache_key
from convtrace.errors import ConvtraceError, ImageError, TraceError
from convtrace.image import Picture, read

__all__ = ["Description", "Descriptor", "centre_crop"]

# Options that change how the work is done, never the numbers.
_WORKING_OPTIONS = ("cache", "n_jobs", "on_error")


@dataclass(frozen=True, slots=True)
class Description:
    """What a descriptor measured in one picture.

    Parameters
    ----------
    vector : numpy.ndarray of shape (n_features,), float64
        The numbers.
    regularized : bool
        The picture did not determine all of them (flat, two-valued, periodic), so that some
        were set by convention.
    converged : bool
        The iteration came to its end, for descriptors that iterate.
    """

    vector: NDArray[np.float64]
    regularized: bool = False
    converged: bool = True


def centre_crop(pixels: NDArray[Any], size: int | None) -> NDArray[Any]:
    """Cut the centre out of a picture, as a view.

    Parameters
    ----------
    pixels : numpy.ndarray of shape (H, W) or (H, W, 3)
        The picture.
    size : int or None
        The largest height and width to keep, in pixels; None keeps all.

    Returns
    -------
    numpy.ndarray of shape (min(H, size), min(W, size), ...)

    Examples
    --------
    >>> centre_crop(np.arange(25).reshape(5, 5), 1)
    array([[12]])
    """
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    top = max(0, (height - size) // 2)
    left = max(0, (width - size) // 2)
    return pixels[top : top + size, left : left + size]


class Descriptor(TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of the descriptors: a stateless transformer of pictures.

    A subclass takes at least the options ``crop``, ``cache``, ``n_jobs`` and ``on_error``.
    """

    name: ClassVar[str]
    """The name in the registry; part of the key of the cache."""

    version: ClassVar[str]
    """Changes whenever the numbers change; part of the key of the cache."""

    crop: int | None
    cache: str | os.PathLike[str] | None
    n_jobs: int | None
    on_error: str

    @abstractmethod
    def _feature_names(self) -> list[str]:
        """Return the names of the numbers, in order."""

    @abstractmethod
    def _measure(self, pixels: NDArray[Any]) -> Description:
        """Measure the (cropped) pixels of one picture."""

    def _check_options(self) -> None:
        if self.crop is not None and self.crop < 1:
            raise ConvtraceError(f"crop={self.crop!r}: give a size in pixels, or None for no crop")
        if self.on_error not in ("raise", "nan"):
            raise ConvtraceError(f"on_error={self.on_error!r}: give 'raise' or 'nan'")

    def measuring_options(self) -> dict[str, Any]:
        """Return the options that the numbers depend on, as JSON values.

        Returns
        -------
        dict
        """
        params = self.get_params(deep=False)
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in params.items()
            if key not in _WORKING_OPTIONS
        }

    def fit(self, X: Any = None, y: Any = None) -> Descriptor:  # noqa: ARG002
        """Check the options; there is nothing to learn.

        Parameters
        ----------
        X, y : object
            Ignored.

        Returns
        -------
        Descriptor
            Itself.
        """
        self._check_options()
        return self

    def inspect(self, source: Any) -> Description:
        """Measure one picture, with what is known of how sound the numbers are.

        Parameters
        ----------
        source : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or Picture
            The picture.

        Returns
        -------
        Description

        Raises
        ------
        ImageError
            Where it cannot be read, or is too small to be measured.
        """
        self._check_options()
        return self._inspect(source, self._open_cache(), len(self._feature_names()))

    def describe(self, source: Any) -> NDArray[np.float64]:
        """Measure one picture.

        Parameters
        ----------
        source : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or Picture
            The picture.

        Returns
        -------
        numpy.ndarray of shape (n_features,), float64

        Raises
        ------
        ImageError
            Where it cannot be read, or is too small to be measured.
        """
        return self.inspect(source).vector

    def transform(self, X: Iterable[Any]) -> NDArray[np.float64]:
        """Measure pictures.

        Parameters
        ----------
        X : iterable
            The pictures, each anything that `convtrace.image.read` takes. They are read one
            by one, as they are measured.

        Returns
        -------
        numpy.ndarray of shape (n_pictures, n_features), float64
            With ``on_error="nan"`` the row of a picture that cannot be read is all NaN.

        Raises
        ------
        ImageError
            With ``on_error="raise"``, where a picture cannot be read or is too small.
        """
        self._check_options()
        sources = _as_sources(X)
        cache = self._open_cache()
        length = len(self._feature_names())

        def row(source: Any) -> NDArray[np.float64]:
            try:
                return self._inspect(source, cache, length).vector
            except ImageError:
                if self.on_error == "raise":
                    raise
                return np.full(length, np.nan)

        out = np.empty((len(sources), length), dtype=np.float64)
        for index, vector in enumerate(_map(row, sources, self.n_jobs)):
            out[index] = vector
        return out

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """Return the names of the columns.

        Parameters
        ----------
        input_features : object
            Ignored; pictures have no feature names.

        Returns
        -------
        numpy.ndarray of str, shape (n_features,)
        """
        self._check_options()
        return np.array(self._feature_names(), dtype=object)

    def _open_cache(self) -> DescriptorCache | None:
        return None if self.cache is None else DescriptorCache(self.cache)

    def _inspect(self, source: Any, cache: DescriptorCache | None, length: int) -> Description:
        if cache is None:
            return self._measure_picture(read(source), length)
        # The bytes of a file name its entry, so a hit spares the decoding.
        sha256 = _file_sha256(source)
        picture = None
        if sha256 is None:
            picture = read(source)
            sha256 = picture.sha256
        key = cache_key(sha256, self.name, self.version, self.measuring_options())
        stored = cache.get(key, length + 2)
        if stored is not None:
            return Description(stored[:-2], bool(stored[-2]), bool(stored[-1]))
        picture = read(source) if picture is None else picture
        found = self._measure_picture(picture, length)
        cache.put(key, np.append(found.vector, [float(found.regularized), float(found.converged)]))
        return found

    def _measure_picture(self, picture: Picture, length: int) -> Description:
        try:
            found = self._measure(centre_crop(picture.pixels, self.crop))
        except TraceError as error:
            raise ImageError(picture.name, str(error)) from error
        if found.vector.shape != (length,):
            raise ConvtraceError(
                f"{self.name} measured {found.vector.shape} numbers but names {length}"
            )
        return found

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _as_sources(X: Iterable[Any]) -> Sequence[Any]:
    if isinstance(X, (str, bytes, os.PathLike, Picture)):
        raise ConvtraceError("transform takes a list of pictures; for one picture use describe()")
    if isinstance(X, np.ndarray) and (X.ndim == 0 or (X.ndim == 2 and X.dtype.kind in "biufc")):
        raise ConvtraceError(
            f"transform takes a list of pictures, not an array of shape {X.shape}; "
            "for one picture use describe()"
        )
    return X if isinstance(X, (list, tuple)) else list(X)


def _map(
    function: Callable[[Any], NDArray[np.float64]], items: Sequence[Any], n_jobs: int | None
) -> Iterable[NDArray[np.float64]]:
    workers = min(effective_n_jobs(n_jobs), max(1, len(items)))
    if workers == 1:
        yield from map(function, items)
        return
    # Threads suffice: decoding and the solver let go of the interpreter's lock.
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(function, items)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _file_sha256(source: Any) -> str | None:
    if not isinstance(source, (str, os.PathLike)):
        return None
    path = Path(source)
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None  # reading it gives the clear error
