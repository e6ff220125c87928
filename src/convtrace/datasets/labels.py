"""Folder names that tell a label or a published split."""

from __future__ import annotations

from convtrace.datasets.dataset import FAKE, REAL

__all__ = ["FAKE_WORDS", "REAL_WORDS", "label_of", "split_of"]

REAL_WORDS = frozenset(
    {
        "real",
        "0_real",
        "reals",
        "real_images",
        "nature",
        "natural",
        "authentic",
        "original",
        "originals",
        "pristine",
    }
)
FAKE_WORDS = frozenset(
    {
        "fake",
        "1_fake",
        "fakes",
        "fake_images",
        "ai",
        "ai_generated",
        "generated",
        "synthetic",
        "synthesized",
    }
)
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def label_of(folder_name: str) -> str | None:
    """Return the label that a folder's name tells, or None.

    Examples
    --------
    >>> label_of("0_real"), label_of("AI-generated"), label_of("cats")
    ('real', 'fake', None)
    """
    word = folder_name.casefold().replace("-", "_").replace(" ", "_")
    if word in REAL_WORDS:
        return REAL
    return FAKE if word in FAKE_WORDS else None


def split_of(folder_name: str) -> str | None:
    """Return ``"train"``, ``"val"`` or ``"test"`` if the name is a split's, or None.

    Examples
    --------
    >>> split_of("Validation"), split_of("horses")
    ('val', None)
    """
    return _SPLITS.get(folder_name.casefold())
