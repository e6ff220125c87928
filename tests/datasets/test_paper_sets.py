"""Finding a user's copies of the paper's data sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from convtrace.datasets import load_paper_sets
from convtrace.errors import DatasetError


def _tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name)
    return root


def test_folders_by_layout_and_by_the_generators_name(tmp_path):
    root = _tree(
        tmp_path,
        "CelebA/img_align_celeba/000001.jpg",
        "FFHQ/00000/00000.png",
        "gaugan/a.png",
        "AttGAN/deep/b.png",
        "StyleGAN/real/c.png",
        "StyleGAN/fake/c.png",
        "holiday/d.png",
    )
    found = load_paper_sets(root)
    kinds = {
        path.relative_to(root).parts[0] + "/" + label: generator
        for path, label, generator in zip(
            found.dataset.paths, found.dataset.labels, found.dataset.generators, strict=True
        )
    }
    assert kinds == {
        "CelebA/real": "",
        "FFHQ/real": "",
        "gaugan/fake": "SPADE",
        "AttGAN/fake": "AttGAN",
        "StyleGAN/real": "",
        "StyleGAN/fake": "StyleGAN",
    }
    assert [note for note in found.dataset.notes if "holiday" in note]
    missing = [one.name for one in found.missing]
    assert missing == ["CycleGAN", "StarGAN", "GDWCT", "StyleGAN2", "ProGAN", "FaceForensics++",
                       "IMLE", "FaceApp"]  # fmt: skip


def test_missing_sets_say_where_they_are_described_and_how_to_lay_them_out(tmp_path):
    found = load_paper_sets(_tree(tmp_path, "real/a.png", "fake/StarGAN/b.png"))
    by_name = {one.name: str(one) for one in found.missing}
    assert "StarGAN" not in by_name
    assert "arXiv:1812.09912" in by_name["GDWCT"]
    assert "folder GDWCT" in by_name["GDWCT"]
    assert "arXiv:2008.04095" in by_name["FaceApp"]


def test_manifest_names_a_method_of_faceforensics(tmp_path):
    _tree(tmp_path, "a.png", "b.png")
    (tmp_path / "manifest.csv").write_text(
        "path,label,generator\na.png,real,\nb.png,fake,FaceSwap\n".replace("FaceSwap", "FF-FS")
    )
    found = load_paper_sets(tmp_path)
    assert found.dataset.generators.tolist() == ["", "FaceForensics++ FaceSwap"]
    assert "FaceForensics++" not in {one.name for one in found.missing}


def test_two_sets_with_the_same_names_are_not_one_group(tmp_path):
    root = _tree(tmp_path, "CelebA/img_celeba/000001.jpg", "StarGAN/1.png", "AttGAN/1.png")
    groups = load_paper_sets(root).dataset.groups
    assert len(set(groups.tolist())) == 3


@pytest.mark.parametrize(
    ("names", "reason"),
    [(("StarGAN/a.png",), "no photographs"), (("ffhq/00000.png",), "no generated"),
     (("holiday/a.png",), "no pictures of a known layout")],
)  # fmt: skip
def test_one_class_alone_is_refused_with_advice(names, reason, tmp_path):
    with pytest.raises(DatasetError, match=reason):
        load_paper_sets(_tree(tmp_path, *names))


def test_photographs_whose_names_are_not_those_of_the_set_are_named(tmp_path):
    root = _tree(tmp_path, "CelebA/img_align_celeba/portrait.png")
    with pytest.raises(DatasetError, match=r"no pictures .*not named like 000001\.jpg: 1"):
        load_paper_sets(root)
    _tree(tmp_path, "gaugan/a.png")
    with pytest.raises(DatasetError, match=r"left out, not named like 000001\.jpg: 1"):
        load_paper_sets(root)
    _tree(tmp_path, "FFHQ/00000/00000.png", "FFHQ/00000/portrait.png")
    notes = load_paper_sets(root).dataset.notes
    assert [note for note in notes if "not named like 00000.png: 1" in note]
    assert [note for note in notes if "not named like 000001.jpg: 1" in note]
