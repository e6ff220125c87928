from __future__ import annotations

import os

import pytest

from convtrace.image import find_pictures


def test_walks_sorted_and_skips_hidden_and_others(tmp_path):
    for name in ("b/2.png", "b/10.JPEG", "a.webp", "c.heic", ".hidden/x.png", "b/.y.png", "t.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures([tmp_path])]
    assert found == ["a.webp", "b/10.JPEG", "b/2.png", "c.heic"]


def test_named_paths_are_always_yielded(tmp_path):
    named = [tmp_path / "odd.xyz", tmp_path / "missing.png", tmp_path / ".hidden.png"]
    named[0].touch()
    assert list(find_pictures(named)) == named


def test_one_path_needs_no_list(tmp_path):
    (tmp_path / "a.png").touch()
    assert list(find_pictures(str(tmp_path))) == [tmp_path / "a.png"]
    assert list(find_pictures(tmp_path)) == [tmp_path / "a.png"]


def test_order_of_arguments_is_kept(tmp_path):
    for name in ("z", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").touch()
    found = list(find_pictures([tmp_path / "z", tmp_path / "a"]))
    assert [path.parent.name for path in found] == ["z", "a"]


def test_loops_of_links_end_and_linked_folders_are_followed(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "a.png").touch()
    (outside / "b.png").touch()
    (inside / "loop").symlink_to(inside)
    (inside / "other").symlink_to(outside)
    (outside / "back").symlink_to(inside)
    (inside / "self.png").symlink_to(inside / "self.png")
    (inside / "gone.png").symlink_to(tmp_path / "nowhere.png")
    names = [path.name for path in find_pictures([inside])]
    assert names == ["a.png", "gone.png", "b.png", "self.png"]


def test_folder_named_like_a_picture_is_walked(tmp_path):
    (tmp_path / "album.jpg").mkdir()
    (tmp_path / "album.jpg" / "1.png").touch()
    assert [path.name for path in find_pictures([tmp_path])] == ["1.png"]


def test_folder_that_may_not_be_listed_is_yielded(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("permissions do not bind this user")
    assert list(find_pictures([tmp_path])) == [closed]


def test_many_and_deep(tmp_path):
    folder = tmp_path
    for _ in range(150):
        folder = folder / "d"
    folder.mkdir(parents=True)
    for number in range(3000):
        (tmp_path / f"{number:05}.png").touch()
    (folder / "last.png").touch()
    found = list(find_pictures([tmp_path]))
    assert len(found) == 3001
    assert [path.name for path in found[:2]] == ["00000.png", "00001.png"]
    assert found[-1].name == "last.png"
