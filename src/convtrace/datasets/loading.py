"""One entrance to every data set."""

from __future__ import annotations

import os
from pathlib import Path

from convtrace.datasets import layouts
from convtrace.datasets.dataset import Dataset
from convtrace.datasets.manifests import (
    MANIFEST_NAMES,
    find_manifest,
    is_manifest,
    read_manifest,
)
from convtrace.errors import DatasetError

__all__ = ["load"]


def load(path: str | os.PathLike[str], *, layout: str | None = None) -> Dataset:
    """Read a data set: a manifest, a folder that holds one, or a known layout.

    Parameters
    ----------
    path : str or path-like
        A manifest (``.csv``, ``.tsv``, ``.json``, ``.jsonl``, ``.parquet``) or a
        folder. A folder with a file ``manifest.*`` is read by it.
    layout : str, optional
        Name of a layout (see `convtrace.datasets.layouts.names`), to skip the
        search; ``"manifest"`` insists on the manifest.

    Returns
    -------
    Dataset
        At least one picture. One class alone is allowed; what needs both says so.

    Raises
    ------
    DatasetError
        If the path does not exist, no layout fits, or there is no picture.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for label in ("real", "fake"):
    ...     (folder / label).mkdir()
    ...     Image.new("RGB", (8, 8)).save(folder / label / "a.png")
    >>> load(folder).labels.tolist()
    ['fake', 'real']
    """
    # Absolute but not resolved: messages keep the names that the user knows.
    source = Path(os.path.normpath(Path(path).absolute()))
    if not source.exists():
        raise DatasetError(f"{path}: there is no such file or folder; check the path")
    if source.is_file():
        if layout not in (None, "manifest"):
            raise DatasetError(f"{path}: layout {layout!r} is read from a folder, not a file")
        if not is_manifest(source):
            raise DatasetError(
                f"{path}: is neither a folder nor a manifest; "
                f"name a folder or a file such as {', '.join(MANIFEST_NAMES)}"
            )
        return read_manifest(source)
    if not source.is_dir():
        raise DatasetError(f"{path}: is neither a regular file nor a folder")
    manifest = find_manifest(source) if layout in (None, "manifest") else None
    if manifest is not None:
        return read_manifest(manifest)
    if layout == "manifest":
        raise DatasetError(f"{path}: holds none of {', '.join(MANIFEST_NAMES)}")
    chosen = layouts.get(layout) if layout is not None else layouts.detect(source)
    if chosen is None:
        raise DatasetError(
            f"{path}: no known layout; looked for {', '.join(MANIFEST_NAMES)} and for "
            f"{'; '.join(f'{one.name} ({one.summary})' for one in layouts.available())}. "
            "Sort the pictures into folders real and fake, or write a manifest.csv "
            "with the columns path and label"
        )
    dataset = chosen.read(source)
    if len(dataset) == 0:
        raise DatasetError(
            f"{path}: layout {chosen.name} found no pictures; check that the folders are not empty"
        )
    return dataset
