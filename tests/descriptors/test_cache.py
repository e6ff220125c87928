"""The cache: hits, damage, and where it lies."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from convtrace.descriptors.cache import DescriptorCache, cache_key, default_cache_folder
from convtrace.errors import ConvtraceError

KEY = cache_key("ab" * 32, "demo", "1", {"crop": 256})


def test_what_was_put_is_got(tmp_path: Path) -> None:
    cache = DescriptorCache(tmp_path / "new" / "folder")
    assert cache.get(KEY, 3) is None
    cache.put(KEY, np.array([1.0, np.nan, -2.5]))
    np.testing.assert_array_equal(cache.get(KEY, 3), [1.0, np.nan, -2.5])
    assert [path.suffix for path in cache.path(KEY).parent.iterdir()] == [".npy"]


def test_an_entry_of_another_length_is_no_hit(tmp_path: Path) -> None:
    cache = DescriptorCache(tmp_path)
    cache.put(KEY, np.zeros(3))
    assert cache.get(KEY, 2) is None


@pytest.mark.parametrize("keep", [0, 1, 60, 128, 150])
def test_a_truncated_entry_counts_as_absent(tmp_path: Path, keep: int) -> None:
    cache = DescriptorCache(tmp_path)
    cache.put(KEY, np.arange(4.0))
    whole = cache.path(KEY).read_bytes()
    assert keep < len(whole)
    cache.path(KEY).write_bytes(whole[:keep])
    assert cache.get(KEY, 4) is None


def test_a_changed_number_is_noticed(tmp_path: Path) -> None:
    cache = DescriptorCache(tmp_path)
    cache.put(KEY, np.arange(4.0))
    changed = bytearray(cache.path(KEY).read_bytes())
    changed[-20] ^= 1
    cache.path(KEY).write_bytes(changed)
    assert cache.get(KEY, 4) is None


def test_a_pickled_entry_is_not_read(tmp_path: Path) -> None:
    cache = DescriptorCache(tmp_path)
    cache.path(KEY).parent.mkdir()
    np.save(cache.path(KEY), np.array([{}, {}], dtype=object), allow_pickle=True)
    assert cache.get(KEY, 1) is None


def test_all_that_numbers_depend_on_is_in_the_key() -> None:
    keys = {
        KEY,
        cache_key("cd" * 32, "demo", "1", {"crop": 256}),
        cache_key("ab" * 32, "other", "1", {"crop": 256}),
        cache_key("ab" * 32, "demo", "2", {"crop": 256}),
        cache_key("ab" * 32, "demo", "1", {"crop": None}),
    }
    assert len(keys) == 5
    assert cache_key("a", "b", "c", {"x": 1, "y": 2}) == cache_key("a", "b", "c", {"y": 2, "x": 1})


def test_many_writers_leave_one_whole_entry(tmp_path: Path) -> None:
    cache = DescriptorCache(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cache.put(KEY, np.arange(50.0)), range(40)))
    np.testing.assert_array_equal(cache.get(KEY, 50), np.arange(50.0))
    assert len(list(cache.path(KEY).parent.iterdir())) == 1


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvtraceError, match="the cache cannot be written"):
        DescriptorCache(tmp_path / "file").put(KEY, np.zeros(1))


def test_a_full_disk_costs_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = DescriptorCache(tmp_path)
    monkeypatch.setattr(np, "save", full)
    cache.put(KEY, np.zeros(3))
    assert cache.get(KEY, 3) is None
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_the_last_of_a_disk_is_left_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = DescriptorCache(tmp_path)
    for free, kept in ((2**25, False), (2**27, True)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda _, usage=usage: usage)
        cache.put(KEY, np.zeros(3))
        assert (cache.get(KEY, 3) is not None) == kept


def test_the_default_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONVTRACE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_folder() == tmp_path / "own"
    monkeypatch.delenv("CONVTRACE_CACHE")
    assert default_cache_folder() == tmp_path / "xdg" / "convtrace"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_cache_folder() == tmp_path / ".cache" / "convtrace"
    assert not (tmp_path / ".cache").exists()
