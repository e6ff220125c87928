"""What the catalogue tells about a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["NOT_PUBLISHED", "Generator", "Kind", "Paper", "Upsampling"]

Kind = Literal[
    "GAN",
    "diffusion",
    "autoencoder",
    "regression network",
    "computer graphics",
    "app",
    "data set",
]
Upsampling = Literal[
    "transposed convolution",
    "nearest + convolution",
    "bilinear + convolution",
    "pixel shuffle",
    "filtered resampling",
    "none (rendered)",
    "not published",
]
NOT_PUBLISHED: Final = "not published"


@dataclass(frozen=True, slots=True)
class Paper:
    """A publication.

    Parameters
    ----------
    authors, title, venue : str
        As printed; long author lists are cut to the first with "et al.".
    arxiv, doi : str or None
        Identifiers without prefix.
    """

    authors: str
    title: str
    venue: str
    arxiv: str | None = None
    doi: str | None = None

    def __str__(self) -> str:
        identifiers = [f"arXiv:{self.arxiv}"] if self.arxiv else []
        identifiers += [f"doi:{self.doi}"] if self.doi else []
        return ", ".join([self.authors, f'"{self.title}"', self.venue, *identifiers])


@dataclass(frozen=True, slots=True)
class Generator:
    """One generator of pictures.

    Parameters
    ----------
    name : str
        The name that convtrace uses everywhere.
    aliases : tuple of str
        Other names: of benchmarks' folders, of versions, spelt out.
    year : int or None
        Of the first publication or release.
    kind : str
        GAN, diffusion, autoencoder, ...
    last_upsampling : str
        How the network last enlarges its features before the output;
        ``"not published"`` where neither paper nor code tells.
    paper : Paper or None
        The publication, if there is one.
    note : str
        What the other fields cannot say.
    family : str
        The set that lists it as one of its methods, if there is one; see
        `convtrace.datasets.catalogue.family`.
    in_original_study : bool
        Whether Guarnera et al. (IEEE Access 2020) took pictures of it.
    """

    name: str
    aliases: tuple[str, ...]
    year: int | None
    kind: Kind
    last_upsampling: Upsampling
    paper: Paper | None
    note: str = ""
    family: str = ""
    in_original_study: bool = False
