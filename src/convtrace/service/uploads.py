"""Uploads: a multipart body, read as it comes, to encoded pictures in memory.

Starlette's own parser writes files of more than 1 MB to the disk, and looks at no size
until all is there. Here nothing is written anywhere; an upload that is too large is refused
at the first byte too many; and of a file that is no picture only the start is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from convtrace.image.containers import sniff
from convtrace.service.problems import Problem
from convtrace.service.settings import Settings

__all__ = ["Upload", "paced", "read_uploads"]

FIELD = "files"
_MULTIPART = b"multipart/form-data"
_HINT = "send pictures as multipart/form-data, field 'files': curl -F files=@photo.jpg ..."
# What a file is can be told by its first bytes; what it looks like instead, by a few more.
_SNIFFED = 64
_KEPT_OF_OTHERS = 4096
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request.

    Parameters
    ----------
    name : str
        Its name as the client gave it, without folders.
    data : bytes
        The encoded picture; of a file that is no picture, the start.
    nbytes : int
        Its size.
    """

    name: str
    data: bytes
    nbytes: int


async def paced(
    stream: AsyncIterator[bytes], settings: Settings, take: Callable[[int], None]
) -> AsyncIterator[bytes]:
    """Hand on a body as long as it comes fast enough and is not too large.

    Parameters
    ----------
    stream : async iterator of bytes
        The body.
    settings : Settings
        The limits.
    take : callable
        Called with the size of each piece before it is handed on; may raise.

    Yields
    ------
    bytes

    Raises
    ------
    Problem
        408 where it is too slow, 413 where it is too large.
    """
    start = time.monotonic()
    total = 0
    pieces = stream.__aiter__()
    while True:
        due = start + settings.body_grace_seconds + total / settings.body_bytes_per_second
        try:
            async with asyncio.timeout(due - time.monotonic()):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem(
                408,
                "The upload came too slowly; send it again over a faster connection.",
                headers={"Connection": "close"},
            ) from None
        total += len(piece)
        # The wrapping of a part is small; what matters is that nobody sends without end.
        if total > settings.max_request_bytes + 1_000_000:
            raise _too_large_request(settings)
        take(len(piece))
        yield piece


def _too_large_request(settings: Settings) -> Problem:
    return Problem(
        413,
        f"The request is larger than {settings.max_request_bytes / 1e6:.0f} MB; send fewer "
        "pictures at once.",
    )


class _Collector:
    """Collects the parts of a multipart body as the parser finds them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.uploads: list[Upload] = []
        self.finished = False
        self._total = 0
        self._field = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._data = bytearray()
        self._nbytes = 0
        self._is_picture: bool | None = None

    def on_part_begin(self) -> None:
        self._headers = {}
        self._data = bytearray()
        self._nbytes = 0
        self._is_picture = None

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        field = options.get(b"name")
        if field is None:
            raise Problem(422, f"A part of the body has no field name; {_HINT}")
        if field not in (b"files", b"file"):
            shown = _text(field)[:40]
            raise Problem(422, f"There is no field {shown!r}; {_HINT}")
        if b"filename" not in options:
            raise Problem(422, f"The field {_text(field)!r} holds text, not a file; {_HINT}")
        if len(self.uploads) >= self._settings.max_files:
            raise Problem(
                413,
                f"More than {self._settings.max_files} pictures in one request; send fewer at "
                "once, or use the command 'convtrace scan' for folders.",
            )
        self._name = _clean(_text(options[b"filename"])) or f"file {len(self.uploads) + 1}"

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._nbytes += end - start
        self._total += end - start
        if self._nbytes > self._settings.max_upload_bytes:
            raise Problem(
                413,
                f"A picture is larger than {self._settings.max_upload_bytes / 1e6:.0f} MB; judge "
                "it with the command 'convtrace scan' (scaling it down would destroy the trace).",
            )
        if self._total > self._settings.max_request_bytes:
            raise _too_large_request(self._settings)
        if self._is_picture is False and len(self._data) >= _KEPT_OF_OTHERS:
            return
        self._data += memoryview(data)[start:end]
        if self._is_picture is None and len(self._data) >= _SNIFFED:
            self._is_picture = sniff(bytes(self._data[:_SNIFFED])) is not None

    def on_part_end(self) -> None:
        data, self._data = bytes(self._data), bytearray()
        self.uploads.append(Upload(self._name, data, self._nbytes))

    def on_end(self) -> None:
        self.finished = True


async def read_uploads(
    headers: Mapping[str, str], stream: AsyncIterator[bytes], settings: Settings
) -> list[Upload]:
    """Read the files of a multipart body.

    Parameters
    ----------
    headers : mapping
        Of the request, names in lower case.
    stream : async iterator of bytes
        The body, for instance through `paced`.
    settings : Settings
        The limits.

    Returns
    -------
    list of Upload
        At least one.

    Raises
    ------
    Problem
        413, 415 or 422.
    """
    kind, options = parse_options_header(headers.get("content-type"))
    if kind != _MULTIPART:
        raise Problem(415, f"The body is not multipart/form-data; {_HINT}")
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > settings.max_request_bytes + 1_000_000:
        raise _too_large_request(settings)
    collector = _Collector(settings)
    try:
        parser = MultipartParser(
            options.get(b"boundary", b""),
            {
                "on_part_begin": collector.on_part_begin,
                "on_part_data": collector.on_part_data,
                "on_part_end": collector.on_part_end,
                "on_header_field": collector.on_header_field,
                "on_header_value": collector.on_header_value,
                "on_header_end": collector.on_header_end,
                "on_headers_finished": collector.on_headers_finished,
                "on_end": collector.on_end,
            },
        )
        async for piece in stream:
            if piece:
                parser.write(piece)
        parser.finalize()
    except FormParserError as error:
        raise Problem(422, f"The multipart body is malformed; {_HINT}") from error
    if not collector.finished:
        raise Problem(422, f"The multipart body ends before its last boundary; {_HINT}")
    if not collector.uploads:
        raise Problem(422, f"There is no file in the request; {_HINT}")
    return collector.uploads


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _clean(name: str) -> str:
    """Return the last part of a path, without characters that hide or move the cursor."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in last)[
        :_LONGEST_NAME
    ]
