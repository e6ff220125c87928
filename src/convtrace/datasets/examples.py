"""The built-in demo pictures: a few photographs and two dozen generated pictures.

The photographs are the sample pictures of scikit-learn and Matplotlib, which
convtrace needs anyway. The generated pictures lie in the folder ``examples`` of the
project and come from two small networks of our own, trained by
``tools/train_example_generators.py``; ``examples/README.md`` says how. None of them
was used to train the bundled detector.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from convtrace.errors import DatasetError

__all__ = ["Example", "pictures"]


@dataclass(frozen=True, slots=True)
class Example:
    """One picture of the demo set.

    Attributes
    ----------
    path : Path
        Where the file lies.
    label : str
        ``"real"`` or ``"fake"``, known for certain.
    generator : str
        Folder name of the generator, empty for a photograph.
    title : str
        A few words for people.
    source : str
        Who made the picture, or where it comes from.
    """

    path: Path
    label: str
    generator: str
    title: str
    source: str


@dataclass(frozen=True, slots=True)
class _Sample:
    """A photograph inside an installed package."""

    package: str
    distribution: str
    inside: str
    title: str
    source: str


_SAMPLES = (
    _Sample(
        package="sklearn",
        distribution="scikit-learn",
        inside="datasets/images/china.jpg",
        title="Temple above a lake",
        source="photograph by danielbuechele, CC BY 2.0, from scikit-learn",
    ),
    _Sample(
        package="sklearn",
        distribution="scikit-learn",
        inside="datasets/images/flower.jpg",
        title="Dahlia",
        source="photograph by vultilion, CC BY 2.0, from scikit-learn",
    ),
    _Sample(
        package="matplotlib",
        distribution="matplotlib",
        inside="mpl-data/sample_data/grace_hopper.jpg",
        title="Grace Hopper in uniform",
        source="photograph by James S. Davis, United States Navy, public domain, from Matplotlib",
    ),
)

_GENERATORS = {
    "transposed-convolution": "a small network of transposed convolutions",
    "upsample-convolution": "a small network of nearest-neighbour up-sampling and convolutions",
}


def pictures() -> tuple[Example, ...]:
    """List the demo pictures, photographs first, always in the same order.

    Returns
    -------
    tuple of Example
        Every path names a file that is there.

    Raises
    ------
    DatasetError
        If a sample photograph or the folder of generated pictures is missing.

    Examples
    --------
    >>> from convtrace.datasets.examples import pictures
    >>> sorted({picture.label for picture in pictures()})
    ['fake', 'real']
    """
    photographs = [
        Example(_locate(sample), "real", "", sample.title, sample.source) for sample in _SAMPLES
    ]
    return (*photographs, *_generated(_folder()))


def _locate(sample: _Sample) -> Path:
    """Find a sample photograph on disk without importing its package."""
    spec = importlib.util.find_spec(sample.package)
    for root in (spec.submodule_search_locations if spec is not None else None) or ():
        path = Path(root, sample.inside)
        if path.is_file():
            return path
    raise DatasetError(
        f"{sample.package}/{sample.inside}: the sample photograph is not installed; "
        f"reinstall {sample.distribution} with pip"
    )


def _folder() -> Path:
    """Find the generated pictures: inside the installed package, or in the source checkout."""
    package = Path(__file__).resolve().parents[1]
    installed, checkout = package / "examples", package.parents[1] / "examples"
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise DatasetError(
        f"{installed}: the folder of generated pictures is missing; reinstall convtrace"
    )


def _generated(folder: Path) -> list[Example]:
    """List the generated pictures of a folder, generator by generator."""
    examples = []
    for generator, source in _GENERATORS.items():
        paths = sorted((folder / generator).glob("*.png"))
        if not paths:
            raise DatasetError(
                f"{folder / generator}: no generated pictures there; reinstall convtrace"
            )
        examples += [
            Example(path, "fake", generator, f"Generated landscape {path.stem}", source)
            for path in paths
        ]
    return examples
