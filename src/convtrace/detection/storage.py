"""A detector in one file, safe to load from anybody.

The file is a plain zip archive of four parts:

``manifest.json``
    The format's name and version, and size and SHA-256 of the other parts.
``card.json``
    The card (`convtrace.detection.card`).
``detector.json``
    All small numbers: options, calibration, limits, generators.
``classifiers.skops``
    The scikit-learn models, in the format of skops: arrays and a schema, no pickle. Those of plain
    arrays are read by `convtrace.detection.plain`, in half of the time, and any others by skops.

The archive's comment, the last bytes of the file, is the SHA-256 of everything before it,
so that any altered or missing byte is noticed before anything is understood. Equal
detectors give equal files.

A hash can be recomputed by whoever alters a file, so nothing rests on it but integrity.
What a file may hold is limited by `convtrace.detection.trusted` (types),
`convtrace.detection.soundness` (indices) and a limit on its unpacked size.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from convtrace.detection.card import Card, current_versions
from convtrace.detection.detector import Detector
from convtrace.detection.plain import plain_models
from convtrace.detection.soundness import check_guard, check_model
from convtrace.detection.trusted import TYPES, foreign_content
from convtrace.errors import ConvtraceError, ModelError

__all__ = ["FORMAT", "FORMAT_VERSION", "MAX_UNPACKED_BYTES", "load", "read_card", "save"]

FORMAT = "convtrace-detector"
FORMAT_VERSION = 2

MAX_UNPACKED_BYTES = 512 * 1024 * 1024
"""Files that unpack to more are refused."""

_PARTS = ("card.json", "detector.json", "classifiers.skops")
_SEAL = b"sha256:"
_SEAL_LENGTH = len(_SEAL) + 64
_INNER_NAME = re.compile(r"schema\.json|[0-9]+\.npy")

# Fixed, so that equal detectors give equal files: the first date that zip can state.
_DATE = (1980, 1, 1, 0, 0, 0)

# What reading a well-sealed file of wrong content can raise, down to skops and NumPy.
_NONSENSE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


def save(detector: Detector, path: str | os.PathLike[str]) -> Card:
    """Store a detector in one file.

    Parameters
    ----------
    detector : Detector
        A trained one.
    path : str or os.PathLike
        The file, by convention ``.convtrace``; replaced where it exists, and never seen
        half-written.

    Returns
    -------
    Card
        Its card with the hash of the file, which `load` will find again.

    Raises
    ------
    ModelError
        Where a part of it could not be loaded again, or the file cannot be written.
    """
    state = detector.to_dict()
    parts = {
        "card.json": _json_bytes(replace(detector.card_, sha256="").to_dict()),
        "detector.json": _json_bytes(state),
        "classifiers.skops": _models_to_bytes(detector.models()),
    }
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "parts": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in parts.items()
        },
    }
    packed = _zip({"manifest.json": _json_bytes(manifest), **parts}, zipfile.ZIP_DEFLATED)
    body = packed[:-_SEAL_LENGTH] + _SEAL
    sealed = body + hashlib.sha256(body).hexdigest().encode()
    _write(Path(path), sealed)
    detector.card_ = replace(detector.card_, sha256=hashlib.sha256(sealed).hexdigest())
    return detector.card_


def load(path: str | os.PathLike[str], *, trusted: Iterable[str] = ()) -> Detector:
    """Load a detector.

    Parameters
    ----------
    path : str or os.PathLike
        A file that `save` wrote.
    trusted : iterable of str
        Full names of types that it may hold besides those of the built-in classifiers, for
        detectors with classifiers of your own. What you name here is built and run.

    Returns
    -------
    Detector

    Raises
    ------
    ModelError
        Where the file is missing, truncated, altered, of another format, too large when
        unpacked, or holds types that are not to be trusted.
    """
    name = os.fspath(path)
    extra = tuple(trusted)
    data, digest = _sealed_bytes(Path(path))
    parts = _verified_parts(name, data)
    try:
        card = Card.from_dict(json.loads(parts["card.json"]))
        state = json.loads(parts["detector.json"])
        models, notes = _models_from_bytes(name, parts["classifiers.skops"], extra)
        detector = Detector.from_dict(
            state,
            models,
            replace(card, sha256=digest),
            notes=(*_version_notes(card.versions), *notes),
        )
        for member in detector.members_:
            check_model(member.model, _width(member.columns, detector.n_features_in_), classes=2)
        if detector.attribution_ is not None:
            check_model(
                detector.attribution_.model,
                detector.n_features_in_,
                classes=len(detector.attribution_.names),
            )
        if detector.guard_ is not None:
            first = detector.members_[0]
            check_guard(detector.guard_.model, _width(first.columns, detector.n_features_in_))
    except ModelError as error:
        raise _refused(name, str(error)) from error
    except (*_NONSENSE, ConvtraceError) as error:
        raise _refused(name, f"its content makes no sense ({error})") from error
    return detector


def _width(columns: tuple[tuple[int, int], ...], count: int) -> int:
    """Return how many of `count` features a member looks at."""
    if any(not 0 <= start < stop <= count for start, stop in columns):
        raise ModelError("a classifier looks at features that are not measured")
    return sum(stop - start for start, stop in columns) or count


def read_card(path: str | os.PathLike[str]) -> Card:
    """Verify a file and read its card, without its models.

    Parameters
    ----------
    path : str or os.PathLike
        A file that `save` wrote.

    Returns
    -------
    Card

    Raises
    ------
    ModelError
        Where the file is missing, truncated, altered or of another format.
    """
    name = os.fspath(path)
    data, digest = _sealed_bytes(Path(path))
    parts = _verified_parts(name, data)
    try:
        card = Card.from_dict(json.loads(parts["card.json"]))
    except (*_NONSENSE, ModelError) as error:
        raise _refused(name, f"its card makes no sense ({error})") from error
    return replace(card, sha256=digest)


def _refused(name: str, why: str) -> ModelError:
    shown = why if why.startswith(name) else f"{name}: {why}"
    return ModelError(f"{shown}; the model is not loaded, get it again from where you trust it")


def _json_bytes(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def _write(path: Path, data: bytes) -> None:
    try:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(
            f"{path}: the model cannot be written ({error.strerror}); choose another place"
        ) from error


def _zip(parts: Mapping[str, bytes], compression: int) -> bytes:
    """Pack parts, with room for the seal in the comment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, compression, 6)
        archive.comment = b" " * _SEAL_LENGTH
    return buffer.getvalue()


def _sealed_bytes(path: Path) -> tuple[bytes, str]:
    """Read a file, check the hash at its end, and return the hash of the whole with it.

    The latter is what ``sha256sum`` prints, by which a report can be laid beside a file.
    """
    try:
        if not path.is_file():
            raise ModelError(f"{path}: there is no such model file; check the path")
        if path.stat().st_size > MAX_UNPACKED_BYTES:
            raise ModelError(f"{path}: too large for a model ({path.stat().st_size} bytes)")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: the model cannot be read ({error.strerror}); check its permissions"
        ) from error
    body, digest = data[:-64], data[-64:]
    if not data.startswith(b"PK") or not body.endswith(_SEAL):
        raise _refused(str(path), "this is no convtrace model, or it is truncated")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise _refused(str(path), "the file was altered or damaged since it was saved")
    return data, hashlib.sha256(data).hexdigest()


def _verified_parts(name: str, data: bytes) -> dict[str, bytes]:
    """Unpack the parts and check them against the manifest."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            expected = ["manifest.json", *_PARTS]
            if sorted(archive.namelist()) != sorted(expected):
                raise _refused(name, "its parts are not those of a convtrace model")
            if sum(sizes.values()) > MAX_UNPACKED_BYTES:
                raise _refused(name, f"it unpacks to {sum(sizes.values())} bytes, too large")
            # Reading stops at the size that was just added up, whatever is packed.
            parts = {part: archive.read(part) for part in expected}
        manifest = json.loads(parts.pop("manifest.json"))
        if manifest["format"] != FORMAT:
            raise _refused(name, "this is no convtrace model")
        version = manifest["format_version"]
        stated = {part: manifest["parts"][part]["sha256"] for part in _PARTS}
    except _NONSENSE as error:
        raise _refused(name, f"this is no convtrace model ({error})") from error
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{name}: the model has format version {version}, and this convtrace reads "
            f"{FORMAT_VERSION}; update convtrace, or train the model again"
        )
    for part, data_of_part in parts.items():
        if hashlib.sha256(data_of_part).hexdigest() != stated[part]:
            raise _refused(name, f"{part} is not what the manifest says")
    return parts


def _models_to_bytes(models: Mapping[str, Any]) -> bytes:
    # skops takes a while to import, and only saving and loading need it.
    from skops import io as skops_io

    try:
        dumped = skops_io.dumps(dict(models))
    except TypeError as error:
        raise ModelError(f"the classifiers cannot be stored without pickle: {error}") from error
    with zipfile.ZipFile(io.BytesIO(dumped)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    return _renumbered(json.loads(contents.pop("schema.json")), contents)


def _renumbered(schema: dict[str, Any], arrays: Mapping[str, bytes]) -> bytes:
    """Replace the memory addresses that skops names things by, which differ in every run."""
    numbers: dict[int, int] = {}
    parts: dict[str, bytes] = {}
    stack: list[Any] = [schema]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "__id__" in item:
                item["__id__"] = numbers.setdefault(item["__id__"], len(numbers) + 1)
            if item.get("type") == "numpy":
                address = int(Path(item["file"]).stem)
                number = numbers.setdefault(address, len(numbers) + 1)
                parts[f"{number}.npy"] = arrays[item["file"]]
                item["file"] = f"{number}.npy"
            stack.extend(reversed(item.values()))
        elif isinstance(item, list):
            stack.extend(reversed(item))
    parts["schema.json"] = json.dumps(schema, separators=(",", ":")).encode()
    # Not compressed here: the whole is compressed as one part of the file.
    return _zip(parts, zipfile.ZIP_STORED)


def _models_from_bytes(
    name: str, data: bytes, trusted: tuple[str, ...]
) -> tuple[Mapping[str, Any], list[str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > MAX_UNPACKED_BYTES:
            raise ModelError("its classifiers unpack to too many bytes")
        if not all(_INNER_NAME.fullmatch(info.filename) for info in infos):
            raise ModelError("its classifiers are not in the format of skops")
        schema = json.loads(archive.read("schema.json"))
        foreign = foreign_content(schema, trusted=trusted)
        if foreign:
            raise ModelError(
                f"{name}: it holds types that are not to be trusted: {', '.join(foreign)}"
            )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            models = plain_models(archive, schema)
            if models is None:
                models = _by_skops(data, trusted)
    if not isinstance(models, dict):
        raise ModelError("its classifiers are not where they should be")
    # Of versions the card tells in one sentence; scikit-learn would once for each tree.
    others = [each for each in caught if each.category is not InconsistentVersionWarning]
    return models, sorted({" ".join(str(each.message).split()) for each in others})


def _by_skops(data: bytes, trusted: tuple[str, ...]) -> Any:
    from skops import io as skops_io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops_io.loads(data, trusted=[*TYPES, *trusted])
    except UntrustedTypesFoundException as error:
        raise ModelError(f"it holds types that are not to be trusted ({error})") from error


def _version_notes(versions: Mapping[str, str]) -> list[str]:
    """Tell of a scikit-learn other than the one that the models were trained with."""
    then, now = versions.get("scikit-learn"), current_versions()["scikit-learn"]
    if then == now:
        return []
    return [f"The model was trained with scikit-learn {then}; this is {now}, results may differ."]
