"""Members of compressed tars, unpacked in order by one process for all the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from convtrace.batch.inputs.archives import ARCHIVE_ERRORS, StreamMember, open_tar_stream
from convtrace.batch.inputs.records import BytesInput, Input
from convtrace.image import Limits

__all__ = ["streamed"]


def streamed(inputs: Iterable[Input]) -> Iterator[Input]:
    """Read the members of compressed tars as they are asked for; pass on all else.

    Unpacking such a member means unpacking all before it; done here, where the inputs come
    in order, each archive is unpacked once.

    Parameters
    ----------
    inputs : iterable of Input
        Members of an archive in its order.

    Yields
    ------
    Input
        With the bytes, where they were read here. What cannot be read is passed on as it
        is: reading it gives the clear error.
    """
    current, steps = "", iter(())
    with ExitStack() as stack:
        for one in inputs:
            if not isinstance(one, StreamMember) or one.size > Limits().max_bytes:
                yield one
                continue
            try:
                if one.archive != current:
                    stack.close()
                    tar = stack.enter_context(open_tar_stream(one.archive))
                    current, steps = one.archive, enumerate(tar)  # type: ignore[assignment]
                data = _advance(tar, steps, one)
            except ARCHIVE_ERRORS:
                current, data = "", None
            yield one if data is None else BytesInput(one.name, data, one.stamp())


def _advance(tar: Any, steps: Iterator[Any], wanted: StreamMember) -> bytes | None:
    for place, info in steps:
        tar.members = []
        if place == wanted.place:
            file = tar.extractfile(info) if info.name == wanted.member else None
            return None if file is None else file.read()
    return None
