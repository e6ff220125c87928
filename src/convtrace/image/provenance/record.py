"""What a file says of its own origin, as a record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["KINDS", "Credentials", "Provenance", "Statement", "fit_to_read"]

KINDS: Final = ("generator", "camera", "software", "time", "place", "rights", "damage", "other")
"""What a statement is about."""

_MOST_CHARACTERS = 2000


def fit_to_read(text: str, *, most: int = _MOST_CHARACTERS) -> str:
    r"""Return untrusted text without characters that hide, reorder what is read, or break UTF-8.

    It is still not markup: what writes HTML must escape it.

    Parameters
    ----------
    text : str
        For instance a file name; bytes of it that are not UTF-8 are surrogates in Python.
    most : int, default 2000
        Longer text is cut, and says so.

    Returns
    -------
    str
        Control characters, marks of writing direction and surrogates as ``\xNN`` and
        ``\uNNNN``; line ends and tabs stay.

    Examples
    --------
    >>> fit_to_read("photo\u202egpj.exe"), fit_to_read("caf\udce9.jpg")
    ('photo\\u202egpj.exe', 'caf\\udce9.jpg')
    >>> fit_to_read("abcdef", most=3)
    'abc... (6 characters)'
    """
    cut = text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
    if cut.isprintable():
        return cut
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in cut
    )


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that the file says.

    Attributes
    ----------
    source : str
        Where it stands: ``"EXIF"``, ``"XMP"``, ``"IPTC"``, ``"PNG text"``, ``"comment"``,
        ``"C2PA"`` or ``"file"``.
    name, value : str
        What it says; untrusted text, fit to be read by `fit_to_read`.
    kind : str
        One of `KINDS`. ``"generator"``: it names a program that generates images, or is of a
        form that such programs write.
    """

    source: str
    name: str
    value: str
    kind: str = "other"

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON values.

        Returns
        -------
        dict
            Keys source, name, value, kind.
        """
        return {
            "source": self.source,
            "name": self.name,
            "value": self.value,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True)
class Credentials:
    """A C2PA manifest, the signed record that is called content credentials.

    Attributes
    ----------
    status : str
        ``"valid"``: signed by a signer of the trust list, and the file unchanged since.
        ``"unknown signer"``: the same, by a signer who is on no list that was given.
        ``"invalid"``: changed since, or the signature is wrong. ``"not checked"``: a manifest
        is there and was not read.
    reason : str
        Why, or how to have it read; empty for ``"valid"``.
    generator : str
        The program that claims to have made or saved the file; empty where not known.
    signer, time : str
        Who signed, and when, by their own word; empty where not known.
    actions : tuple of str
        What it says was done, in order: ``"c2pa.created (digitalCapture)"``.
    """

    status: str
    reason: str = ""
    generator: str = ""
    signer: str = ""
    time: str = ""
    actions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values.

        Returns
        -------
        dict
            With the names of the attributes as keys.
        """
        return {
            "status": self.status,
            "reason": self.reason,
            "generator": self.generator,
            "signer": self.signer,
            "time": self.time,
            "actions": list(self.actions),
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that a file says of its origin.

    Anyone can write anything there, or take it away: it is evidence of its own, which no
    verdict on the pixels makes use of.

    Attributes
    ----------
    statements : tuple of Statement
        In the order of the file; empty where it says nothing.
    credentials : Credentials or None
        Its C2PA manifest; None where there is none.

    Examples
    --------
    >>> Provenance((Statement("EXIF", "Make", "Canon", "camera"),)).summary
    ('The file names a camera: Canon.',)
    """

    statements: tuple[Statement, ...] = ()
    credentials: Credentials | None = None

    @property
    def summary(self) -> tuple[str, ...]:
        """What matters most of it, in plain sentences; empty where it says nothing."""
        return tuple(self._sentences())

    def of_kind(self, kind: str) -> tuple[Statement, ...]:
        """Return the statements of a kind.

        Parameters
        ----------
        kind : str
            One of `KINDS`.

        Returns
        -------
        tuple of Statement
        """
        return tuple(one for one in self.statements if one.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values.

        Returns
        -------
        dict
            Keys summary (a list of sentences), statements (a list of objects with source,
            name, value and kind), credentials (an object or None).
        """
        return {
            "summary": list(self.summary),
            "statements": [one.to_dict() for one in self.statements],
            "credentials": None if self.credentials is None else self.credentials.to_dict(),
        }

    def _sentences(self) -> Iterable[str]:
        if self.credentials is not None:
            yield _of_credentials(self.credentials)
        generators = self.of_kind("generator")
        if generators:
            told = _joined(f"{one.name}: {_short(one.value)} ({one.source})" for one in generators)
            yield f"The file says that a program generated it: {told}."
        cameras = _joined(_short(one.value) for one in self.of_kind("camera"))
        if cameras:
            yield f"The file names a camera: {cameras}."
        software = _joined(_short(one.value) for one in self.of_kind("software"))
        if software:
            yield f"The file names the software: {software}."
        if self.of_kind("place"):
            yield "The file holds the place where it was made."
        if self.of_kind("damage"):
            yield "Some of its metadata are damaged or too large, and were not read to the end."


def _of_credentials(found: Credentials) -> str:
    by = f" of {_short(found.generator)}" if found.generator else ""
    words = {
        "valid": "are valid",
        "unknown signer": "are intact, but signed by an unknown signer",
        "invalid": "are invalid",
    }.get(found.status, "were not checked")
    why = f" ({found.reason})" if found.reason and found.status != "unknown signer" else ""
    return f"Its content credentials{by} {words}{why}."


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else words[:77] + "..."


def _joined(parts: Iterable[str]) -> str:
    found = list(dict.fromkeys(parts))
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return ", ".join(found[:4]) + more
