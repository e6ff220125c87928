"""Near duplicates: copies join, different pictures do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convtrace.datasets import Dataset, near_duplicate_groups, with_groups
from convtrace.datasets.near_duplicates import perceptual_hash, similar_hashes
from convtrace.errors import DatasetError, ImageError


def scene(seed: int, size: int = 160) -> Image.Image:
    """Return a smooth random picture with some grain, like a photograph's statistics."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    large = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    grain = random.normal(0, 6, (size, size, 3))
    return Image.fromarray(np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Make eight scenes, each as PNG, JPEG, small JPEG, WebP and slightly brighter."""
    folder = tmp_path_factory.mktemp("copies")
    found: dict[str, list[Path]] = {}
    for seed in range(8):
        original = scene(seed)
        stem = folder / f"{seed}"
        original.save(f"{stem}.png")
        original.save(f"{stem}.jpg", quality=50)
        original.resize((80, 80)).save(f"{stem}_half.jpg", quality=75)
        original.save(f"{stem}.webp", quality=80)
        original.point(lambda value: min(255, value + 8)).save(f"{stem}_bright.png")
        found[str(seed)] = [
            Path(f"{stem}{end}") for end in (".png", ".jpg", "_half.jpg", ".webp", "_bright.png")
        ]
    return found


def test_copies_join_and_scenes_do_not(pictures: dict[str, list[Path]]) -> None:
    paths = [path for copies in pictures.values() for path in copies]
    groups = near_duplicate_groups(paths)
    expected = [str(copies[0]) for copies in pictures.values() for _ in copies]
    assert groups.tolist() == expected


def test_without_tolerance_only_equal_hashes_join(pictures: dict[str, list[Path]]) -> None:
    paths = [copies[0] for copies in pictures.values()]
    assert len(set(near_duplicate_groups(paths, max_distance=0))) == len(paths)


def test_unreadable_pictures_stand_alone(tmp_path: Path) -> None:
    scene(0).save(tmp_path / "good.png")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0 broken")
    paths = [
        tmp_path / "a.jpg",
        tmp_path / "b.jpg",
        tmp_path / "missing.png",
        tmp_path / "good.png",
    ]
    assert near_duplicate_groups(paths).tolist() == [str(path) for path in paths]
    with pytest.raises(ImageError, match=r"a\.jpg"):
        perceptual_hash(tmp_path / "a.jpg")


def test_flat_pictures_have_a_defined_hash(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "flat.png")
    assert perceptual_hash(tmp_path / "flat.png") == 0


def components_by_brute_force(hashes: list[int], distance: int) -> list[int]:
    label = list(range(len(hashes)))
    for i, one in enumerate(hashes):
        for j in range(i):
            if (one ^ hashes[j]).bit_count() <= distance and label[i] != label[j]:
                old, new = label[i], label[j]
                label = [new if each == old else each for each in label]
    return label


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 63), max_size=7)), max_size=20),
    st.integers(0, 15),
)
def test_the_search_finds_what_brute_force_finds(
    centres: list[int], flips: list[tuple[int, set[int]]], distance: int
) -> None:
    hashes = list(centres)
    for centre, bits in flips:
        hashes.append(centres[centre % len(centres)] ^ sum(1 << bit for bit in bits))
    found = similar_hashes(np.array(hashes, dtype=np.uint64), max_distance=distance).tolist()
    expected = components_by_brute_force(hashes, distance)
    same = [[a == b for b in found] for a in found]
    assert same == [[a == b for b in expected] for a in expected]
    assert sorted(set(found)) == list(range(len(set(found))))


def test_large_buckets_are_compared_in_blocks() -> None:
    # All hashes share the upper half, so one bucket holds them all.
    random = np.random.default_rng(0)
    low = random.choice(2**31, size=5000, replace=False).astype(np.uint64)
    hashes = low | (np.uint64(0xABCD) << np.uint64(48))
    twin = hashes[-1] ^ np.uint64(1 << 40)
    component = similar_hashes(np.append(hashes, twin), max_distance=1)
    assert component[-1] == component[-2]


def test_no_hashes() -> None:
    assert len(similar_hashes(np.empty(0, dtype=np.uint64))) == 0
    assert len(near_duplicate_groups([])) == 0


@pytest.mark.parametrize("distance", [-1, 16])
def test_the_distance_is_checked(distance: int) -> None:
    with pytest.raises(DatasetError, match="0 to 15 bits"):
        similar_hashes(np.zeros(2, dtype=np.uint64), max_distance=distance)


def test_groups_are_joined_and_never_taken_apart(pictures: dict[str, list[Path]]) -> None:
    zero, one, two = pictures["0"], pictures["1"], pictures["2"]
    dataset = Dataset.build(
        zero[0].parent,
        "example",
        [zero[0], zero[1], one[0], two[0]],
        ["real", "fake", "real", "fake"],
        groups=["", "pair", "pair", ""],
    )
    joined = with_groups(dataset)
    # 0.png and 0.jpg are copies; 0.jpg and 1.png were a pair already.
    assert joined.groups.tolist() == ["0.png", "0.png", "0.png", "2.png"]
    assert joined.notes == ("groups joined by near-duplicate: 1 fewer",)


def test_grouping_by_source() -> None:
    dataset = Dataset.build(
        Path("d"),
        "example",
        [Path(f"d/{i}.png") for i in range(4)],
        ["real", "fake", "real", "fake"],
        sources=["camera", "", "camera", ""],
        groups=["", "", "", "camera"],
    )
    assert with_groups(dataset, by="source").groups.tolist() == [
        "0.png",
        "1.png",
        "0.png",
        "camera",
    ]


def test_grouping_by_source_needs_sources() -> None:
    dataset = Dataset.build(Path("d"), "example", [Path("d/a.png")], ["real"])
    with pytest.raises(DatasetError, match="no picture names its source"):
        with_groups(dataset, by="source")
    with pytest.raises(DatasetError, match="'colour' are unknown"):
        with_groups(dataset, by="colour")  # type: ignore[arg-type]


def test_a_copy_of_a_corpus_picture_is_found(corpus: Path, tmp_path: Path) -> None:
    originals = [*sorted((corpus / "real-ffhq1024").glob("*.png"))[:12]]
    copies = []
    for path in originals:
        copies.append(tmp_path / f"{path.stem}.jpg")
        with Image.open(path) as image:
            image.convert("RGB").save(copies[-1], quality=60)
    groups = near_duplicate_groups([*originals, *copies])
    assert groups[:12].tolist() == groups[12:].tolist()
    assert len(set(groups)) == 12
