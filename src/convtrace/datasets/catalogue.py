"""The catalogue of generators: what each one is, and how it was published.

The convolutional trace comes from the last convolutions after the last
up-sampling, so that operation is the fact that matters most here. It is stated
only where the paper or the authors' code tells it.
"""

from __future__ import annotations

import difflib
import functools
import unicodedata

from convtrace.datasets._generators import GENERATORS
from convtrace.datasets.generator import Generator
from convtrace.errors import DatasetError

__all__ = ["canonical", "family", "find", "generators", "is_known"]


def generators() -> tuple[Generator, ...]:
    """Return all generators of the catalogue, those of the original study first.

    Examples
    --------
    >>> [one.name for one in generators() if one.in_original_study][:3]
    ['CycleGAN', 'StarGAN', 'AttGAN']
    """
    return GENERATORS


def find(name: str) -> Generator:
    """Return the generator of that name or alias, whatever its case and punctuation.

    Raises
    ------
    DatasetError
        If the catalogue does not know it; the message suggests the nearest names.

    Examples
    --------
    >>> find("gaugan").name, find("sd-1.4").name
    ('SPADE', 'Stable Diffusion 1')
    """
    found = _by_key().get(_key(name))
    if found is not None:
        return found
    near = _suggestions(name)
    hint = f"did you mean {' or '.join(near)}?" if near else "catalogue.generators() lists all"
    raise DatasetError(f"generator {name!r} is not in the catalogue; {hint}")


def is_known(name: str) -> bool:
    """Return whether the catalogue knows the name or alias."""
    return _key(name) in _by_key()


def canonical(name: str) -> str:
    """Return the catalogue's name for a generator, or the name itself if it is unknown.

    Examples
    --------
    >>> canonical("stylegan2_ada"), canonical("my own network"), canonical("")
    ('StyleGAN2-ADA', 'my own network', '')
    """
    found = _by_key().get(_key(name))
    return found.name if found is not None else name.strip()


def family(name: str) -> str:
    """Return the name under which a generator's images are attributed to it.

    The methods of FaceForensics++ blend a face into the same compressed videos, and the original
    study attributes them as one; any other generator is its own family.

    Examples
    --------
    >>> family("FF-DF"), family("StyleGAN2"), family("my own network")
    ('FaceForensics++', 'StyleGAN2', 'my own network')
    """
    found = _by_key().get(_key(name))
    return found.family or found.name if found is not None else name.strip()


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in plain if character.isalnum())


@functools.cache
def _by_key() -> dict[str, Generator]:
    table: dict[str, Generator] = {}
    for generator in generators():
        for name in (generator.name, *generator.aliases):
            table[_key(name)] = generator
    return table


def _suggestions(name: str) -> list[str]:
    table = _by_key()
    wanted = _key(name)
    near = difflib.get_close_matches(wanted, table, n=3, cutoff=0.6)
    near += [key for key in table if len(wanted) >= 4 and wanted in key]
    return list(dict.fromkeys(table[key].name for key in near))[:3]
