"""C2PA content credentials, checked by the library of the Content Authenticity Initiative.

References
----------
.. [1] C2PA, "Technical Specification 2.1", section 15: validation.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from convtrace.image.provenance.record import Credentials, Statement, fit_to_read
from convtrace.image.provenance.xmp import source_type

__all__ = ["TRUST_VARIABLE", "credentials", "in_statements"]

TRUST_VARIABLE: Final = "CONVTRACE_C2PA_TRUST"
"""Environment variable that names a PEM file: the certificates of the signers to be trusted."""

_MEDIA_TYPES: Final = {
    "AVIF": "image/avif",
    "GIF": "image/gif",
    "HEIF": "image/heif",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
_MOST_ACTIONS = 40
_MISSING = (
    "a manifest is there; to have it checked install the extra: pip install 'convtrace[c2pa]'"
)
_UNTRUSTED = "signingCredential.untrusted"


def credentials(data: bytes, format: str) -> tuple[Credentials, str]:
    """Check the C2PA manifest of a picture.

    Nothing is fetched from elsewhere, be it a manifest, a revocation or a time stamp.

    Parameters
    ----------
    data : bytes
        The encoded picture, in which there is a manifest.
    format : str
        Its format, as `convtrace.image.Picture.format`.

    Returns
    -------
    Credentials
        ``"not checked"`` where the extra is missing.
    str
        The digital source type of its actions, if one says that a model was trained; or that
        of the first action that has one; else empty.
    """
    try:
        import c2pa
    except ImportError:
        return Credentials("not checked", _MISSING), ""
    try:
        context = _context(os.environ.get(TRUST_VARIABLE, ""))
    except (OSError, c2pa.C2paError) as error:
        words = getattr(error, "strerror", None) or fit_to_read(str(error), most=120)
        reason = f"the file that {TRUST_VARIABLE} names cannot be used ({words})"
        return Credentials("not checked", reason), ""
    try:
        with c2pa.Reader(_MEDIA_TYPES[format], io.BytesIO(data), context=context) as reader:
            store = json.loads(reader.json())
    except (c2pa.C2paError, ValueError, RecursionError, KeyError) as error:
        words = fit_to_read(" ".join(str(error).split()), most=200)
        return Credentials("invalid", f"the manifest cannot be read: {words}"), ""
    return _of_store(store)


@lru_cache(maxsize=4)
def _context(trust_file: str) -> Any:
    import c2pa

    settings: dict[str, Any] = {
        "verify": {
            "verify_after_reading": True,
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
        },
    }
    if trust_file:
        anchors = Path(trust_file).read_text(encoding="ascii", errors="replace")
        settings["trust"] = {"trust_anchors": anchors}
    return c2pa.Context.from_dict(settings)


def _of_store(store: Mapping[str, Any]) -> tuple[Credentials, str]:
    active = _mapping(_mapping(store.get("manifests")).get(str(store.get("active_manifest"))))
    failures = list(_failures(store))
    wrong = [code for code in failures if code != _UNTRUSTED]
    state = store.get("validation_state")
    if state == "Invalid" or (wrong and state != "Trusted"):
        status, reason = "invalid", fit_to_read(", ".join(dict.fromkeys(wrong)), most=300)
    elif state == "Trusted" and not failures:
        status, reason = "valid", ""
    else:
        status = "unknown signer"
        reason = f"no list of trusted signers has it; {TRUST_VARIABLE} names a file of them"
    signature = _mapping(active.get("signature_info"))
    actions, kinds = _actions(active)
    found = Credentials(
        status,
        reason or ("" if status == "valid" else "the signature or the content does not match"),
        _generator(active),
        _words(signature.get("issuer") or signature.get("common_name")),
        _words(signature.get("time")),
        actions,
    )
    return found, kinds


def _failures(store: Mapping[str, Any]) -> Iterator[str]:
    """Return the codes of all checks of the active manifest that failed."""
    results = _mapping(_mapping(store.get("validation_results")).get("activeManifest"))
    listed = _sequence(results.get("failure")) or _sequence(store.get("validation_status"))
    for each in listed:
        code = _mapping(each).get("code")
        if isinstance(code, str):
            yield code


def _generator(active: Mapping[str, Any]) -> str:
    infos = _sequence(active.get("claim_generator_info"))
    for info in infos:
        name = _words(_mapping(info).get("name"))
        if name:
            return f"{name} {_words(_mapping(info).get('version'))}".strip()
    return _words(active.get("claim_generator"))


def _actions(active: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    told: list[str] = []
    kinds: list[str] = []
    for assertion in _sequence(active.get("assertions")):
        label = str(_mapping(assertion).get("label"))
        if not label.startswith("c2pa.actions"):
            continue
        for action in _sequence(_mapping(_mapping(assertion).get("data")).get("actions")):
            one = _mapping(action)
            kind = str(one.get("digitalSourceType") or "")
            agent = one.get("softwareAgent")
            by = _words(_mapping(agent).get("name") if isinstance(agent, dict) else agent)
            details = [part for part in (by, kind.rpartition("/")[2]) if part]
            name = _words(one.get("action"))
            told.append(f"{name} ({', '.join(details)})" if details else name)
            kinds.append(kind)
    trained = [kind for kind in kinds if "rainedAlgorithmicMedia" in kind]
    kinds = trained or [kind for kind in kinds if kind]
    return tuple(told[:_MOST_ACTIONS]), kinds[0] if kinds else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(value: Any) -> str:
    return fit_to_read(value, most=200) if isinstance(value, str) else ""


def in_statements(found: Credentials, kind: str) -> Iterator[Statement]:
    """Say what credentials say, line by line.

    Parameters
    ----------
    found : Credentials
        From `credentials`.
    kind : str
        The digital source type, or an empty string.

    Yields
    ------
    Statement
    """
    status = f"{found.status} ({found.reason})" if found.reason else found.status
    yield Statement("C2PA", "content credentials", status)
    if found.generator:
        yield Statement("C2PA", "claim generator", found.generator, "software")
    if found.signer:
        yield Statement("C2PA", "signed by", found.signer, "rights")
    if found.time:
        yield Statement("C2PA", "signed at", found.time, "time")
    if kind:
        words, about = source_type(kind)
        yield Statement("C2PA", "DigitalSourceType", words, about)
    for action in found.actions:
        yield Statement("C2PA", "action", action)
