"""DF40: forty face forgeries, as frames of videos or as single pictures.

    [DF40|DF40_train/]<method>/[<method>/]{ff,cdf}/[frames/]<video>/*.png
    [DF40_train/]<method>/frames/<video>/*.png
    <method>/{real,fake}/[frames/][<video>/]*.png       (methods with their own real pictures)
    FaceForensics++/original_sequences/youtube/c23/frames/<video>/*.png      (real)
    Celeb-DF-v2/{Celeb-real,YouTube-real}/frames/<video>/*.png               (real)

A FaceForensics++ video ``953_974`` is made from the real videos 953 and 974, and
a Celeb-DF one ``id1_id2_0003`` from ``id1_0003``: they share a group, so that no
split puts a scene on both sides. For Celeb-DF the lent identity (``id2``) can
still appear on both sides, because linking it too would join nearly all videos.

References
----------
Z. Yan et al., "DF40: Toward Next-Generation Deepfake Detection", NeurIPS 2024
Datasets and Benchmarks, arXiv:2406.13495.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from convtrace.datasets.catalogue import canonical
from convtrace.datasets.dataset import FAKE, REAL, Dataset
from convtrace.datasets.labels import split_of
from convtrace.datasets.layouts._layout import Layout
from convtrace.datasets.layouts._tree import Rows, pictures, subfolders

__all__ = ["LAYOUT", "detect", "read"]

_METHODS = frozenset(
    {
        "blendface",
        "collabdiff",
        "danet",
        "ddim",
        "deepfacelab",
        "dit",
        "e4e",
        "e4s",
        "facedancer",
        "faceswap",
        "facevid2vid",
        "fomm",
        "fsgan",
        "heygen",
        "hyperreenact",
        "inswap",
        "lia",
        "mcnet",
        "midjourney",
        "mobileswap",
        "mraa",
        "one_shot_free",
        "pirender",
        "pixart",
        "rddm",
        "sadtalker",
        "sd2.1",
        "simswap",
        "sit",
        "stargan",
        "starganv2",
        "styleclip",
        "stylegan2",
        "stylegan3",
        "styleganxl",
        "tpsm",
        "uniface",
        "vqgan",
        "wav2lip",
        "whichfaceisreal",
    }
)
_REAL_ROOTS = frozenset({"original_sequences", "celeb-real", "youtube-real"})
_DOMAINS = {"ff": "ff", "cdf": "cdf", "faceforensics++": "ff", "celeb-df-v2": "cdf"}
_NOT_PICTURES = frozenset({"masks", "landmarks"})
_FF_VIDEO = re.compile(r"^(\d{3})(?:_(\d{3}))?$")
_CDF_VIDEO = re.compile(r"^(id\d+)_(?:id\d+_)?(\d{4})$")


def _methods(folder: Path) -> list[Path]:
    """Find folders named after a method, directly below or one level down."""
    children = subfolders(folder)
    direct = [one for one in children if one.name.casefold() in _METHODS]
    if direct:
        return direct
    return [
        inner for one in children for inner in subfolders(one) if inner.name.casefold() in _METHODS
    ]


def _has_frames(method: Path) -> bool:
    # Archives unpacked on their own repeat the method's name: simswap/simswap/ff.
    levels = [method, *(one for one in subfolders(method) if one.name != "frames")]
    names = {child.name for level in levels for child in subfolders(level)}
    return bool(names & {"ff", "cdf", "frames"})


def detect(folder: Path) -> bool:
    """Return whether a method's folder holds ff, cdf or frames."""
    return any(_has_frames(method) for method in _methods(folder))


def read(folder: Path) -> Dataset:
    """Read the pictures; the subset is the domain, ff or cdf, where there is one."""
    found = [path for path in pictures(folder) if not _NOT_PICTURES & set(_parts(path, folder))]
    scenes = _Scenes(path.parent.name for path in found)
    rows = Rows()
    unknown: set[str] = set()
    for path in found:
        parts = _parts(path, folder)
        method = next((part for part in parts if part in _METHODS), None)
        real = bool(_REAL_ROOTS & set(parts)) or "real" in parts
        if not real and method is None:
            unknown.add(path.parent.name)
            continue
        domain = next((_DOMAINS[part] for part in parts if part in _DOMAINS), "")
        rows.add(
            path,
            REAL if real else FAKE,
            generator=canonical(method or ""),
            group=scenes.group(path.parent.name) or _video(path, folder),
            split=_split(parts),
            subset=domain,
        )
    notes: tuple[str, ...] = ()
    if unknown:
        notes = (
            f"folder {min(unknown)} and {len(unknown) - 1} others were skipped: "
            "they are neither a method of DF40 nor one of its real sources",
        )
    return rows.dataset(folder, LAYOUT.name, notes=notes)


def _parts(path: Path, folder: Path) -> list[str]:
    return [part.casefold() for part in path.relative_to(folder).parts[:-1]]


def _split(parts: list[str]) -> str:
    if "df40_train" in parts:
        return "train"
    if "df40_test" in parts:
        return "test"
    return next((split for part in parts if (split := split_of(part))), "")


def _video(path: Path, folder: Path) -> str:
    """Return the folder of frames as group, or nothing for pictures that stand alone."""
    if path.parent.name.casefold() in {"real", "fake", "frames", "ff", "cdf"} | _METHODS:
        return ""
    return path.parent.relative_to(folder).as_posix()


class _Scenes:
    """Joins the videos that show one scene, over real and forged folder names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._leader: dict[str, str] = {}
        for name in set(names):
            match = _FF_VIDEO.match(name)
            if match and match[2]:
                self._join(match[1], match[2])

    def _find(self, video: str) -> str:
        while (leader := self._leader.get(video, video)) != video:
            video = leader
        return video

    def _join(self, one: str, other: str) -> None:
        first, second = sorted((self._find(one), self._find(other)))
        self._leader[second] = first

    def group(self, name: str) -> str:
        """Return the group of a video's folder name, or nothing if it is no video's."""
        if match := _FF_VIDEO.match(name):
            return f"ff:{self._find(match[1])}"
        if match := _CDF_VIDEO.match(name):
            return f"cdf:{match[1]}_{match[2]}"
        return ""


LAYOUT = Layout("df40", "<method>/{ff,cdf}/frames/<video>", detect, read)
