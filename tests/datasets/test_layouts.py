"""Every layout on a tiny tree of its own kind."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from convtrace.datasets import Dataset, Layout, layouts, load
from convtrace.errors import DatasetError


def plant(root: Path, names: Iterable[str]) -> Path:
    """Make empty files: no layout opens a picture."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def rows(dataset: Dataset) -> dict[str, tuple[str, str, str, str]]:
    """Map each relative path to its label, generator, split and subset."""
    columns = zip(
        dataset.paths,
        dataset.labels.tolist(),
        dataset.generators.tolist(),
        dataset.split.tolist(),
        dataset.subset.tolist(),
        strict=True,
    )
    return {path.relative_to(dataset.root).as_posix(): tuple(rest) for path, *rest in columns}


def groups(dataset: Dataset) -> dict[str, str]:
    paths = (path.relative_to(dataset.root).as_posix() for path in dataset.paths)
    return dict(zip(paths, dataset.groups.tolist(), strict=True))


def test_forensynths(tmp_path: Path) -> None:
    plant(
        tmp_path,
        [
            "progan/cat/0_real/1.png",
            "progan/cat/1_fake/1.png",
            "gaugan/0_real/1.png",
            "gaugan/1_fake/1.png",
            "whichfaceisreal/1_fake/1.jpeg",
            "gaugan/1_fake/readme.txt",
        ],
    )
    dataset = load(tmp_path)
    assert dataset.layout == "forensynths"
    assert rows(dataset) == {
        "progan/cat/0_real/1.png": ("real", "", "", "progan/cat"),
        "progan/cat/1_fake/1.png": ("fake", "ProGAN", "", "progan/cat"),
        "gaugan/0_real/1.png": ("real", "", "", "gaugan"),
        "gaugan/1_fake/1.png": ("fake", "SPADE", "", "gaugan"),
        "whichfaceisreal/1_fake/1.jpeg": ("fake", "StyleGAN", "", "whichfaceisreal"),
    }


def test_the_training_set_of_forensynths_is_progan(tmp_path: Path) -> None:
    plant(
        tmp_path,
        ["train/train/0_real/1.png", "train/train/1_fake/2.png", "val/horse/1_fake/3.png"],
    )
    dataset = load(tmp_path)
    assert dataset.layout == "forensynths"
    assert rows(dataset)["train/train/1_fake/2.png"] == ("fake", "ProGAN", "train", "train")
    assert rows(dataset)["val/horse/1_fake/3.png"] == ("fake", "ProGAN", "val", "horse")


def test_genimage(tmp_path: Path) -> None:
    plant(
        tmp_path,
        [
            "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/ai/1.png",
            "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/nature/n01_1.JPEG",
            "Midjourney/val/ai/1.png",
            "Midjourney/val/nature/n01_1.JPEG",
        ],
    )
    dataset = load(tmp_path)
    assert dataset.layout == "genimage"
    found = rows(dataset)
    assert found["stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/ai/1.png"] == (
        "fake",
        "Stable Diffusion 1",
        "train",
        "stable_diffusion_v_1_4",
    )
    assert found["Midjourney/val/nature/n01_1.JPEG"] == ("real", "", "val", "Midjourney")
    # One photograph beside two generators must not be trained and tested on.
    photographs = [group for name, group in groups(dataset).items() if name.endswith("n01_1.JPEG")]
    assert len(set(photographs)) == 1


def test_one_archive_of_genimage(tmp_path: Path) -> None:
    root = plant(tmp_path / "imagenet_ai_0419_biggan", ["val/ai/1.png", "val/nature/1.JPEG"])
    assert rows(load(root))["val/ai/1.png"][1] == "BigGAN"


def test_wildrf(tmp_path: Path) -> None:
    plant(
        tmp_path,
        [
            "train/0_real/1.jpg",
            "train/1_fake/1.jpg",
            "test/reddit/0_real/1.jpg",
            "test/facebook/1_fake/1.jpg",
        ],
    )
    dataset = load(tmp_path)
    assert dataset.layout == "wildrf"
    assert rows(dataset) == {
        "train/0_real/1.jpg": ("real", "", "train", ""),
        "train/1_fake/1.jpg": ("fake", "", "train", ""),
        "test/reddit/0_real/1.jpg": ("real", "", "test", "reddit"),
        "test/facebook/1_fake/1.jpg": ("fake", "", "test", "facebook"),
    }


def test_synthbuster(tmp_path: Path) -> None:
    plant(
        tmp_path,
        [
            "dalle2/r01.png",
            "stable-diffusion-xl/r01.png",
            "real_RAISE_1k/r01.TIF",
            "imagewheel/r02.png",
        ],
    )
    dataset = load(tmp_path)
    assert dataset.layout == "synthbuster"
    assert rows(dataset) == {
        "dalle2/r01.png": ("fake", "DALL-E 2", "", "dalle2"),
        "stable-diffusion-xl/r01.png": ("fake", "SDXL", "", "stable-diffusion-xl"),
        "real_RAISE_1k/r01.TIF": ("real", "", "", "real_RAISE_1k"),
    }
    assert len(set(dataset.groups)) == 1
    assert "imagewheel was skipped" in dataset.notes[0]


def test_df40(tmp_path: Path) -> None:
    plant(
        tmp_path,
        [
            "DF40/simswap/ff/frames/953_974/000.png",
            "DF40/simswap/simswap/cdf/frames/id1_id2_0003/000.png",
            "DF40/StyleGAN2/cdf/Fake_from_Celeb-real/id1_0003/000.png",
            "DF40/stargan/real/1.jpg",
            "DF40/stargan/fake/1.jpg",
            "DF40_train/mcnet/frames/974_953/001.png",
            "FaceForensics++/original_sequences/youtube/c23/frames/953/000.png",
            "FaceForensics++/original_sequences/youtube/c23/masks/953/000.png",
            "Celeb-DF-v2/Celeb-real/frames/id1_0003/000.png",
            "something/else.png",
        ],
    )
    dataset = load(tmp_path)
    assert dataset.layout == "df40"
    found = rows(dataset)
    assert found["DF40/simswap/ff/frames/953_974/000.png"] == ("fake", "SimSwap", "", "ff")
    assert found["DF40/StyleGAN2/cdf/Fake_from_Celeb-real/id1_0003/000.png"][:2] == (
        "fake",
        "StyleGAN2",
    )
    assert found["DF40/stargan/real/1.jpg"][0] == "real"
    assert found["DF40_train/mcnet/frames/974_953/001.png"] == ("fake", "mcnet", "train", "")
    assert found["FaceForensics++/original_sequences/youtube/c23/frames/953/000.png"][0] == "real"
    assert "something/else.png" not in found
    assert not any("masks" in name for name in found)
    assert "something" in dataset.notes[0]
    scene = groups(dataset)
    assert (
        scene["DF40/simswap/ff/frames/953_974/000.png"]
        == scene["DF40_train/mcnet/frames/974_953/001.png"]
        == scene["FaceForensics++/original_sequences/youtube/c23/frames/953/000.png"]
    )
    assert (
        scene["DF40/simswap/simswap/cdf/frames/id1_id2_0003/000.png"]
        == scene["Celeb-DF-v2/Celeb-real/frames/id1_0003/000.png"]
    )
    assert scene["DF40/stargan/real/1.jpg"] != scene["DF40/stargan/fake/1.jpg"]


def test_ffhq(tmp_path: Path) -> None:
    plant(
        tmp_path,
        [
            "images1024x1024/00000/00001.png",
            "images1024x1024/01000/01000.png",
            "thumbnails128x128/00000/00001.png",
            "images1024x1024/LICENSE.txt",
        ],
    )
    dataset = load(tmp_path)
    assert dataset.layout == "ffhq"
    assert set(dataset.labels) == {"real"}
    assert len(dataset) == 3
    assert len(set(dataset.groups)) == 2
    assert "taken as a real photograph" in dataset.notes[0]


def test_flat_ffhq_is_known_by_its_name_only(tmp_path: Path) -> None:
    assert load(plant(tmp_path / "ffhq-256", ["00000.png"])).layout == "ffhq"
    with pytest.raises(DatasetError, match="no known layout"):
        load(plant(tmp_path / "samples", ["00000.png"]))


def test_celeba(tmp_path: Path) -> None:
    plant(tmp_path, ["Img/img_align_celeba/000001.jpg", "Img/img_align_celeba/000002.jpg"])
    (tmp_path / "Eval").mkdir()
    (tmp_path / "Eval" / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n")
    (tmp_path / "Anno").mkdir()
    (tmp_path / "Anno" / "identity_CelebA.txt").write_text("000001.jpg 7\n000002.jpg 7\n")
    dataset = load(tmp_path)
    assert dataset.layout == "celeba"
    assert dataset.split.tolist() == ["train", "test"]
    assert dataset.groups.tolist() == ["identity:7", "identity:7"]


def test_celeba_without_annotations(tmp_path: Path) -> None:
    plant(tmp_path, ["img_align_celeba/000001.jpg", "img_align_celeba/notes.jpg"])
    dataset = load(tmp_path / "img_align_celeba")
    assert dataset.labels.tolist() == ["real"]
    assert dataset.groups.tolist() == ["000001.jpg"]
    assert any("identity_CelebA.txt was not found" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("real", "fake"),
    [("real", "fake"), ("0_real", "1_fake"), ("nature", "ai"), ("Real", "AI-Generated")],
)
def test_real_and_fake_folders(tmp_path: Path, real: str, fake: str) -> None:
    dataset = load(plant(tmp_path, [f"{real}/1.png", f"{fake}/1.png"]))
    assert dataset.layout == "real-fake"
    assert {name: row[0] for name, row in rows(dataset).items()} == {
        f"{real}/1.png": "real",
        f"{fake}/1.png": "fake",
    }


def test_real_and_fake_folders_with_splits_and_generators(tmp_path: Path) -> None:
    dataset = load(
        plant(
            tmp_path,
            [
                "test/real/cat/1.png",
                "test/fake/stylegan2/1.png",
                "test/fake/cat/2.png",
                "mynet/training/real/1.png",
                "mynet/training/fake/1.png",
            ],
        )
    )
    assert dataset.layout == "real-fake"
    assert rows(dataset) == {
        "test/real/cat/1.png": ("real", "", "test", ""),
        "test/fake/stylegan2/1.png": ("fake", "StyleGAN2", "test", "stylegan2"),
        "test/fake/cat/2.png": ("fake", "", "test", ""),
        "mynet/training/real/1.png": ("real", "", "train", "mynet"),
        "mynet/training/fake/1.png": ("fake", "mynet", "train", "mynet"),
    }


def test_an_unknown_folder_tells_what_was_looked_for(tmp_path: Path) -> None:
    plant(tmp_path, ["holiday/1.jpg"])
    with pytest.raises(DatasetError) as caught:
        load(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (*layouts.names(), "manifest.csv", "real and fake"):
        assert word in message


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: there is no such file or folder"):
        load(tmp_path / "nowhere")


def test_folders_without_pictures(tmp_path: Path) -> None:
    plant(tmp_path, ["real/notes.txt", "fake/notes.txt"])
    with pytest.raises(DatasetError, match="real-fake found no pictures"):
        load(tmp_path)


def test_a_file_that_is_no_manifest(tmp_path: Path) -> None:
    plant(tmp_path, ["a.png"])
    with pytest.raises(DatasetError, match="neither a folder nor a manifest"):
        load(tmp_path / "a.png")


def test_a_named_layout_is_used(tmp_path: Path) -> None:
    plant(tmp_path, ["progan/0_real/1.png", "progan/1_fake/1.png"])
    assert load(tmp_path, layout="real-fake").layout == "real-fake"


def test_a_misspelt_layout_is_corrected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="did you mean genimage"):
        load(tmp_path, layout="genimages")


def test_a_layout_from_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, ["only_here.marker", "x.png"])
    entry = EntryPoint("marked", f"{__name__}:MARKED", layouts.ENTRY_POINT_GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _: MARKED)
    monkeypatch.setattr(layouts, "entry_points", lambda **_: [entry])
    assert "marked" in layouts.names()
    assert load(tmp_path).layout == "marked"


def test_an_entry_point_that_is_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("wrong", "pathlib:Path", layouts.ENTRY_POINT_GROUP)
    monkeypatch.setattr(layouts, "entry_points", lambda **_: [entry])
    with pytest.raises(DatasetError, match="is not a Layout"):
        layouts.available()


def test_an_entry_point_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("gone", "no_such_module_here:LAYOUT", layouts.ENTRY_POINT_GROUP)
    monkeypatch.setattr(layouts, "entry_points", lambda **_: [entry])
    with pytest.raises(DatasetError, match=r"gone .* cannot be loaded"):
        layouts.available()


def _read_marked(folder: Path) -> Dataset:
    return Dataset.build(folder, "marked", [folder / "x.png"], ["fake"])


MARKED = Layout(
    "marked",
    "a file only_here.marker",
    lambda folder: (folder / "only_here.marker").exists(),
    _read_marked,
)
