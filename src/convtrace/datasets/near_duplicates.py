"""Finds pictures that are the same but for compression, scale or format.

A copy of a training picture in the test set makes any detector look good. Two
pictures are near duplicates when their perceptual hashes differ in few bits: 64
signs of the lowest frequencies of the cosine transform, which survive re-saving
and scaling but not cropping or turning. Groups are the connected components of
that relation.

References
----------
C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
2010 (the hash). M. Norouzi, A. Punjani, D. J. Fleet, "Fast Search in Hamming Space
with Multi-Index Hashing", CVPR 2012, arXiv:1307.2982 (the search).
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from convtrace.datasets.dataset import Dataset, Strings
from convtrace.errors import DatasetError, ImageError
from convtrace.image import read, to_uint8
from convtrace.image.containers import sniff

__all__ = ["near_duplicate_groups", "perceptual_hash", "similar_hashes", "with_groups"]

Hashes = npt.NDArray[np.uint64]

_SIDE = 32
_BITS = 64
_MAX_DISTANCE = 15
_BLOCK = 2048
# The 64 frequencies after the constant one, from the lowest, diagonal by diagonal.
_FREQUENCIES = sorted(
    ((u, v) for u in range(12) for v in range(12) if u + v), key=lambda uv: (sum(uv), uv)
)[:_BITS]
_ROWS = np.array([u for u, _ in _FREQUENCIES])
_COLUMNS = np.array([v for _, v in _FREQUENCIES])


def perceptual_hash(path: str | os.PathLike[str]) -> int:
    """Return the 64-bit perceptual hash of a picture.

    Parameters
    ----------
    path : path-like
        The picture file.

    Returns
    -------
    int
        0 to 2**64 - 1. A picture without any structure has hash 0.

    Raises
    ------
    ImageError
        If the picture cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.linear_gradient("L").save(path)
    >>> Image.linear_gradient("L").resize((90, 90)).save(path.with_suffix(".jpg"))
    >>> (perceptual_hash(path) ^ perceptual_hash(path.with_suffix(".jpg"))).bit_count() <= 4
    True
    """
    grey = _thumbnail(Path(path))
    spectrum = dctn(np.asarray(grey, dtype=np.float64), norm="ortho")[_ROWS, _COLUMNS]
    # Rounding noise of a flat picture has no meaning: below it every bit is 0.
    spectrum[np.abs(spectrum) < 1e-6] = 0.0
    bits = spectrum > np.median(spectrum)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicate_groups(
    paths: Sequence[str | os.PathLike[str]], *, max_distance: int = 4, n_jobs: int | None = None
) -> Strings:
    """Group the pictures that are near duplicates of each other.

    Parameters
    ----------
    paths : sequence of path-like
        The picture files, ``n`` of them.
    max_distance : int
        Largest number of differing bits, 0 to 15, at which two pictures count as
        the same. 4 joins copies re-saved as JPEG down to quality 50 and scaled by
        half, and hardly any others.
    n_jobs : int, optional
        Threads that read pictures; by default one per processor.

    Returns
    -------
    ndarray of str, shape (n,)
        For each picture the path of the first one in its group. A picture that
        cannot be read is alone in its group.

    Raises
    ------
    DatasetError
        If ``max_distance`` is out of range.
    """
    names = [os.fspath(path) for path in paths]
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(max_workers=n_jobs or os.cpu_count() or 1) as pool,
    ):
        # Damaged EXIF is common, and of no consequence here.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        found = list(pool.map(_hash_or_none, names))
    readable = np.array([i for i, one in enumerate(found) if one is not None], dtype=np.intp)
    hashes = np.array([one for one in found if one is not None], dtype=np.uint64)
    leaders = np.arange(len(names))
    if len(readable):
        component = similar_hashes(hashes, max_distance=max_distance)
        _, first = np.unique(component, return_index=True)
        leaders[readable] = readable[first[component]]
    return np.array([names[i] for i in leaders], dtype=np.str_)


def similar_hashes(hashes: Hashes, *, max_distance: int = 4) -> npt.NDArray[np.intp]:
    """Find the connected components of hashes at most ``max_distance`` bits apart.

    By the pigeonhole principle two hashes that differ in at most ``d`` bits agree
    in at least one of ``d + 1`` segments, so only hashes in one bucket of a
    segment are compared: a hundred thousand take a second instead of minutes.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n,)
        The hashes.
    max_distance : int
        0 to 15.

    Returns
    -------
    ndarray of int, shape (n,)
        Component of each hash, from 0, without gaps.

    Raises
    ------
    DatasetError
        If ``max_distance`` is out of range.

    Examples
    --------
    >>> similar_hashes(np.array([0, 255, 1], dtype=np.uint64), max_distance=2).tolist()
    [0, 1, 0]
    """
    if not 0 <= max_distance <= _MAX_DISTANCE:
        raise DatasetError(f"max_distance is {max_distance}; it is 0 to {_MAX_DISTANCE} bits")
    if len(hashes) == 0:
        return np.empty(0, dtype=np.intp)
    distinct, place = np.unique(hashes, return_inverse=True)
    pairs = [edges for edges in _similar_pairs(distinct, max_distance) if len(edges)]
    edges = np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.intp)
    graph = coo_array(
        (np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])),
        shape=(len(distinct), len(distinct)),
    )
    _, component = connected_components(graph, directed=False)
    return np.asarray(component[place], dtype=np.intp)


def with_groups(
    dataset: Dataset,
    *,
    by: Literal["near-duplicate", "source"] = "near-duplicate",
    max_distance: int = 4,
    n_jobs: int | None = None,
) -> Dataset:
    """Return the data set with its groups joined where pictures are related.

    Groups that the data set has already are never taken apart.

    Parameters
    ----------
    dataset : Dataset
        Its pictures are read, once each, for ``by="near-duplicate"``.
    by : {"near-duplicate", "source"}
        Join groups that hold near duplicates, or that come from one source
        (rows without a source stay as they are).
    max_distance, n_jobs
        As for `near_duplicate_groups`.

    Returns
    -------
    Dataset
        The notes say how many groups were joined.

    Raises
    ------
    DatasetError
        If ``by`` is unknown, or no row names a source.
    """
    if by == "near-duplicate":
        relation = near_duplicate_groups(dataset.paths, max_distance=max_distance, n_jobs=n_jobs)
    elif by == "source":
        if not np.any(dataset.sources != ""):
            raise DatasetError(
                f"{dataset.root}: no picture names its source; group by near-duplicate"
            )
        # The prefix keeps a source and a group of one name apart.
        relation = np.where(
            dataset.sources != "",
            np.char.add("source:", dataset.sources),
            np.char.add("group:", dataset.groups),
        )
    else:
        raise DatasetError(f"groups by {by!r} are unknown; choose near-duplicate or source")
    groups = _joined(dataset.groups, relation)
    lost = len(np.unique(dataset.groups)) - len(np.unique(groups))
    note = f"groups joined by {by}: {lost} fewer"
    return replace(dataset, groups=groups, notes=(*dataset.notes, note))


def _joined(groups: Strings, relation: Strings) -> Strings:
    """Name each row's component, under both equivalences together, by its first group."""
    _, group = np.unique(groups, return_inverse=True)
    _, other = np.unique(relation, return_inverse=True)
    other = other + group.max(initial=-1) + 1
    size = int(other.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(group), dtype=np.int8), (group, other)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    _, first, place = np.unique(component[group], return_index=True, return_inverse=True)
    return np.asarray(groups[first[place]])


def _similar_pairs(hashes: Hashes, max_distance: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the pairs (m, 2) of distinct hashes within the distance, some repeatedly."""
    if max_distance == 0:
        return
    bounds = np.linspace(0, _BITS, max_distance + 2).astype(np.uint64)
    for low, high in itertools.pairwise(bounds):
        mask = np.uint64((1 << int(high - low)) - 1)
        segment = (hashes >> low) & mask
        order = np.argsort(segment, kind="stable")
        starts = np.flatnonzero(np.diff(segment[order])) + 1
        for bucket in np.split(order, starts):
            yield from _pairs_in_bucket(hashes, bucket, max_distance)


def _pairs_in_bucket(
    hashes: Hashes, bucket: npt.NDArray[np.intp], max_distance: int
) -> Iterator[npt.NDArray[np.intp]]:
    """Compare all hashes of a bucket, a block of rows at a time to bound the memory."""
    if len(bucket) < 2:
        return
    for start in range(0, len(bucket), _BLOCK):
        rows = bucket[start : start + _BLOCK]
        rest = bucket[start:]
        distance = np.bitwise_count(hashes[rows][:, None] ^ hashes[rest][None, :])
        i, j = np.nonzero(distance <= max_distance)
        later = j > i
        yield np.stack([rows[i[later]], rest[j[later]]], axis=1)


def _hash_or_none(name: str) -> int | None:
    try:
        return perceptual_hash(name)
    except ImageError:
        # Whoever reads the picture next reports it; here it is only unlike all others.
        return None


def _thumbnail(path: Path) -> Image.Image:
    image = _small_jpeg(path)
    if image is None:
        image = Image.fromarray(to_uint8(read(path).pixels))
    return image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def _small_jpeg(path: Path) -> Image.Image | None:
    """Decode a JPEG at an eighth of its size or so, which is many times quicker."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if sniff(file.read(64)) != "JPEG":
            return None
        file.seek(0)
        try:
            with JpegImagePlugin.JpegImageFile(file) as image:
                image.draft("L", (2 * _SIDE, 2 * _SIDE))
                image.load()
                return image.copy()
        except (OSError, SyntaxError, ValueError):
            # Let the careful reader say what is wrong.
            return None
