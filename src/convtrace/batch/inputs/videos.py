"""Frames of videos: which ones, by reading the packets alone, and each one when it is asked for."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from convtrace.batch.inputs.records import Stamp, stamp_of_file
from convtrace.errors import ConvtraceError, ImageError
from convtrace.image import Limits, Picture, read

__all__ = ["VIDEO_SUFFIXES", "FrameInput", "frames", "is_video"]

VIDEO_SUFFIXES: Final = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".flv")
)
"""What video files are called."""

_decoders = threading.local()


def is_video(name: str) -> bool:
    """Return whether a name is that of a video.

    Parameters
    ----------
    name : str
        A path.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_video("clip.MP4")
    True
    """
    return name[name.rfind(".") :].lower() in VIDEO_SUFFIXES


@dataclass(frozen=True, slots=True)
class FrameInput:
    """One frame of a video.

    Parameters
    ----------
    video : str
        Path of the file.
    pts : int
        Its time stamp in units of the stream.
    key : int
        Time stamp of the last key frame up to it, from which decoding begins.
    base : fractions.Fraction
        Seconds a unit.
    """

    video: str
    pts: int
    key: int
    base: Fraction

    @property
    def name(self) -> str:
        """The path, and the time behind ``#t=``."""
        return f"{self.video}#t={self.time:.6f}"

    @property
    def time(self) -> float:
        """Seconds."""
        return float(self.pts * self.base)

    def stamp(self) -> Stamp:
        """Return size and time of modification of the video."""
        return stamp_of_file(self.video)

    def picture(self, *, provenance: bool = False) -> Picture:  # noqa: ARG002
        """Decode it; of the provenance of videos nothing is read."""
        av = _pyav(self.video)
        # A frame later in the same video goes on from where the last one ended.
        last: _Decoder | None = getattr(_decoders, "last", None)
        try:
            if last is not None and last.video == self.video and self.key <= last.pts < self.pts:
                decoder = last
            else:
                decoder = _Decoder(av, self)
            frame = decoder.advance(self.pts)
        except (av.error.FFmpegError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            _decoders.last = None
            raise ImageError(self.name, f"the video cannot be decoded ({reason})") from error
        _decoders.last = decoder
        if frame is None:
            _decoders.last = None
            raise ImageError(self.name, "the video has no frame of this time", "encode it anew")
        if frame.width * frame.height > Limits().max_pixels:
            raise ImageError(self.name, f"{frame.width} x {frame.height} pixels are too many")
        picture = read(frame.to_ndarray(format="rgb24"))
        note = f"frame of a {decoder.codec} video, {frame.format.name} converted to RGB"
        return replace(
            picture,
            name=self.name,
            format=decoder.codec.upper(),
            mode=frame.format.name,
            notes=(*picture.notes, note),
        )


class _Decoder:
    """A video that is open at some time."""

    def __init__(self, av: Any, frame: FrameInput) -> None:
        self.video = frame.video
        container = av.open(frame.video)
        stream = container.streams.video[0]
        container.seek(frame.key, stream=stream, backward=True)
        self.codec = str(stream.codec_context.name)
        self.pts = frame.key - 1
        # Kept, or it would be closed under the frames.
        self._container = container
        self._frames = container.decode(stream)

    def advance(self, pts: int) -> Any:
        """Return the frame of a later time; None where there is none."""
        for frame in self._frames:
            if frame.pts is None:
                continue
            self.pts = frame.pts
            if frame.pts >= pts:
                return frame if frame.pts == pts else None
        return None


def frames(video: str, every: int | None = None) -> Iterator[FrameInput]:
    """List frames of a video.

    Parameters
    ----------
    video : str
        Path of the file.
    every : int, optional
        Take each frame whose number is a multiple of it; by default the key frames, which
        are compressed least.

    Yields
    ------
    FrameInput
        In the order of time.

    Raises
    ------
    ConvtraceError
        Where PyAV is missing, or the file has no video.
    """
    av = _pyav(video)
    try:
        with av.open(video) as container:
            if not container.streams.video:
                raise ConvtraceError(f"{video}: holds no video")
            stream = container.streams.video[0]
            base = Fraction(stream.time_base)
            packets = [
                (packet.pts, packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.pts is not None and not packet.is_discard
            ]
    except (av.error.FFmpegError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConvtraceError(f"{video}: cannot be read as a video ({reason})") from error
    keys = sorted({pts for pts, is_key in packets if is_key})
    chosen = keys if every is None else sorted({pts for pts, _ in packets})[::every]
    for pts in chosen:
        at = bisect.bisect_right(keys, pts)
        yield FrameInput(video, pts, keys[at - 1] if at else pts, base)


def _pyav(video: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise ConvtraceError(
            f"{video}: videos need PyAV; install it with pip install 'convtrace[video]'"
        ) from error
    return av
