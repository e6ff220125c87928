"""The catalogue of generators."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_args

import pytest

from convtrace.datasets import catalogue
from convtrace.datasets.generator import Kind, Upsampling
from convtrace.errors import DatasetError

THE_TEN = [
    "CYCLEGAN",
    "STARGAN",
    "ATTGAN",
    "GDWCT",
    "STYLEGAN",
    "STYLEGAN2",
    "PROGAN",
    "FACEFORENSICS++",
    "IMLE",
    "SPADE",
]


@pytest.mark.parametrize("name", [*THE_TEN, "FACEAPP"])
def test_the_original_study_is_complete(name: str) -> None:
    assert catalogue.find(name).in_original_study


def test_nothing_else_is_in_the_original_study() -> None:
    assert sum(one.in_original_study for one in catalogue.generators()) == 11


def test_no_name_or_alias_is_used_twice() -> None:
    owners: dict[str, str] = {}
    for one in catalogue.generators():
        for name in (one.name, *one.aliases):
            assert catalogue.find(name) is one
            key = "".join(c for c in name.casefold() if c.isalnum())
            assert key not in owners, f"{name} of {one.name} is also {owners.get(key)}"
            owners[key] = one.name


def test_entries_are_well_formed() -> None:
    for one in catalogue.generators():
        assert one.kind in get_args(Kind)
        assert one.last_upsampling in get_args(Upsampling)
        assert one.year is None or 2010 <= one.year <= 2026
        if one.paper is not None:
            assert one.paper.arxiv is None or len(one.paper.arxiv) == 10
            assert one.paper.title in str(one.paper)
        if one.kind == "app":
            assert one.last_upsampling == "not published"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GauGAN", "SPADE"),
        ("stylegan2_ada", "StyleGAN2-ADA"),
        ("Stable-Diffusion-1-4", "Stable Diffusion 1"),
        ("FaceForensics++ DeepFakes", "FaceForensics++ DeepFakes"),
        ("DALL·E 3", "DALL-E 3"),
        ("PixArt-\N{GREEK SMALL LETTER ALPHA}", "PixArt-alpha"),
    ],
)
def test_names_are_found_whatever_their_spelling(name: str, expected: str) -> None:
    assert catalogue.find(name).name == expected
    assert catalogue.canonical(name) == expected


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(DatasetError, match="did you mean StyleGAN"):
        catalogue.find("stylgan")
    with pytest.raises(DatasetError, match=r"FaceForensics\+\+ FaceSwap"):
        catalogue.find("faceswap")
    with pytest.raises(DatasetError, match="lists all"):
        catalogue.find("qqqq")


def test_an_unknown_name_stays_as_it_is() -> None:
    assert catalogue.canonical(" my net ") == "my net"
    assert not catalogue.is_known("my net")


def test_the_citation() -> None:
    assert str(catalogue.find("pix2pix").paper) == (
        "P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros, "
        '"Image-to-Image Translation with Conditional Adversarial Networks", '
        "CVPR 2017, arXiv:1611.07004"
    )


def test_the_generators_of_the_corpus_are_known_by_their_own_names(corpus: Path) -> None:
    with (corpus / "manifest.tsv").open(newline="") as file:
        names = {row["generator"] for row in csv.DictReader(file, delimiter="\t")}
    for name in names - {"", "StyleGAN2 (presumed)"}:
        assert catalogue.find(name).name == name
    # What is only presumed must not be counted with what is known.
    assert catalogue.canonical("StyleGAN2 (presumed)") == "StyleGAN2 (presumed)"


def test_families_are_generators_of_the_catalogue():
    names = {one.name for one in catalogue.generators()}
    families = {one.family for one in catalogue.generators()} - {""}
    assert families == {"FaceForensics++"} < names
    assert {one.name for one in catalogue.generators() if one.family} == {
        name for name in names if name.startswith("FaceForensics++ ")
    }
    assert catalogue.family("Face2Face") == catalogue.family("FF++") == "FaceForensics++"
    assert catalogue.family("gaugan") == "SPADE"
    assert catalogue.family(" mine ") == "mine"
