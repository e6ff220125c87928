"""Folder layouts: how published sets are arranged, one module each.

A layout is a `Layout`: a name, what it looks like in words, ``detect(folder)``
and ``read(folder)``. A new one is one module and one line in ``_BUILT_IN``; a
package outside convtrace registers a `Layout` object as an entry point in the
group ``convtrace.layouts`` and is asked after the built-in ones.
"""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points
from pathlib import Path

from convtrace.datasets.layouts import (
    celeba,
    df40,
    ffhq,
    forensynths,
    genimage,
    real_fake,
    synthbuster,
    wildrf,
)
from convtrace.datasets.layouts._layout import Layout
from convtrace.errors import DatasetError

__all__ = ["ENTRY_POINT_GROUP", "Layout", "available", "detect", "get", "names"]

ENTRY_POINT_GROUP = "convtrace.layouts"

# From the most particular to the most general: the first that detects a folder reads it.
_BUILT_IN: tuple[Layout, ...] = (
    df40.LAYOUT,
    wildrf.LAYOUT,
    forensynths.LAYOUT,
    genimage.LAYOUT,
    synthbuster.LAYOUT,
    ffhq.LAYOUT,
    celeba.LAYOUT,
    real_fake.LAYOUT,
)


def available() -> tuple[Layout, ...]:
    """Return the built-in layouts, then those of installed packages, by name.

    Raises
    ------
    DatasetError
        If an entry point cannot be loaded, is no `Layout`, or takes a name that is
        in use.
    """
    found = list(_BUILT_IN)
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda one: one.name):
        try:
            layout = entry.load()
        except (ImportError, AttributeError) as error:
            raise DatasetError(
                f"layout {entry.name} ({entry.value}) cannot be loaded ({error}); "
                "repair or uninstall the package that registers it"
            ) from error
        if not isinstance(layout, Layout):
            raise DatasetError(f"layout {entry.name} ({entry.value}) is not a Layout object")
        if layout.name in {one.name for one in found}:
            raise DatasetError(f"layout {layout.name} ({entry.value}) takes a name in use")
        found.append(layout)
    return tuple(found)


def names() -> tuple[str, ...]:
    """Return the names of all layouts.

    Examples
    --------
    >>> "forensynths" in names()
    True
    """
    return tuple(layout.name for layout in available())


def get(name: str) -> Layout:
    """Return the layout of that name.

    Raises
    ------
    DatasetError
        If there is none; the message suggests the nearest names.
    """
    by_name = {layout.name: layout for layout in available()}
    wanted = name.casefold()
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise DatasetError(f"unknown layout {name!r}; {hint}known: {', '.join(by_name)}, manifest")


def detect(folder: Path) -> Layout | None:
    """Return the first layout that knows the folder, or None."""
    return next((layout for layout in available() if layout.detect(folder)), None)
