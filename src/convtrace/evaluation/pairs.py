"""Pairs of generated and real pictures with the same history.

Both sides of a matched pair have the same format, size and processing, so that only the
generator is left to tell them apart. They are those of the corpus that the bundled feature
tables were measured on. Of any other data set nothing of the kind is known: there a pair is a
generator's pictures and all real photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOSSLESS_SUBSETS", "MATCHED", "MATCHED_SUBSETS", "Pair", "lossless_of", "pairs_in"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Generated and real pictures to be told apart.

    Attributes
    ----------
    name : str
        For tables: the generator, and what is particular.
    fakes, reals : tuple of str
        Subsets of the data set; empty for a pair by generator.
    generator : str
        With empty subsets, the generator whose pictures are set against all real ones.
    lossless : bool
        Whether both sides were never compressed with loss since they had their size.
    """

    name: str
    fakes: tuple[str, ...] = ()
    reals: tuple[str, ...] = ()
    generator: str = ""
    lossless: bool = False

    @property
    def matched(self) -> bool:
        """Whether both sides have the same history."""
        return bool(self.fakes)

    def rows(
        self, labels: NDArray[np.str_], generators: NDArray[np.str_], subsets: NDArray[np.str_]
    ) -> NDArray[np.bool_]:
        """Return which rows belong to the pair.

        Parameters
        ----------
        labels, generators, subsets : ndarray of str, shape (n,)
            Columns of a feature table.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        chosen: NDArray[np.bool_] = (labels == "real") | (generators == self.generator)
        if self.matched:
            chosen = np.isin(subsets, [*self.fakes, *self.reals])
        return chosen


_FACES = ("DeepFakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")

MATCHED = (
    Pair("DCGAN", ("dcgan-lfw64",), ("real-lfw64",), lossless=True),
    Pair("STGAN", ("stgan-celeba128",), ("real-celeba128",), lossless=True),
    Pair("StyleGAN2", ("stylegan2-ffhq1024",), ("real-ffhq1024",), lossless=True),
    Pair(
        "pix2pix",
        ("pix2pix-pretrained", "pix2pix-trained", "pix2pix-tf-facades"),
        ("real-pix2pix-targets",),
        lossless=True,
    ),
    Pair("CycleGAN", ("cyclegan-horse2zebra-png",), ("real-horse2zebra-png",), lossless=True),
    Pair("StarGAN, JPEG", ("stargan-celeba128-jpegstrip",), ("real-celeba128-jpegstrip",)),
    *(
        Pair(
            f"FaceForensics++ {name}, video c40",
            (f"ffpp-c40-{name.lower()}",),
            ("real-ffpp-original-c40",),
        )
        for name in _FACES
    ),
)
"""The matched pairs of the corpus."""

MATCHED_SUBSETS = tuple(sorted({part for pair in MATCHED for part in (*pair.fakes, *pair.reals)}))
"""All subsets of the matched pairs."""

LOSSLESS_SUBSETS = tuple(
    sorted({part for pair in MATCHED if pair.lossless for part in (*pair.fakes, *pair.reals)})
)
"""The subsets of the lossless ones."""


def pairs_in(
    labels: NDArray[np.str_], generators: NDArray[np.str_], subsets: NDArray[np.str_]
) -> tuple[Pair, ...]:
    """Return the pairs that a data set holds.

    Parameters
    ----------
    labels, generators, subsets : ndarray of str, shape (n,)
        Columns of a feature table.

    Returns
    -------
    tuple of Pair
        The matched ones of which both sides are there; if there is none, each generator
        against all real pictures.

    Examples
    --------
    >>> found = pairs_in(np.array(["real", "fake"]), np.array(["", "ProGAN"]), np.array(["", ""]))
    >>> [(pair.name, pair.matched) for pair in found]
    [('ProGAN', False)]
    """
    present = set(subsets.tolist())
    matched = tuple(
        pair for pair in MATCHED if present & set(pair.fakes) and present & set(pair.reals)
    )
    if matched or not np.any(labels == "real"):
        return matched
    known = sorted(set(generators[labels == "fake"].tolist()) - {""})
    return tuple(Pair(name, generator=name) for name in known)


def lossless_of(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Return the lossless matched pairs, or all where nothing is known of any history.

    Parameters
    ----------
    pairs : sequence of Pair
        As of `pairs_in`.

    Returns
    -------
    tuple of Pair

    Examples
    --------
    >>> [pair.name for pair in lossless_of(MATCHED)][-2:]
    ['pix2pix', 'CycleGAN']
    >>> [pair.name for pair in lossless_of([Pair("ProGAN", generator="ProGAN")])]
    ['ProGAN']
    """
    if not any(pair.matched for pair in pairs):
        return tuple(pairs)
    return tuple(pair for pair in pairs if pair.lossless)
