"""Killed, cut and starved runs, taken up again, end with the table of an undisturbed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
from PIL import Image

from convtrace.batch import OutputError, extract_many, parts
from convtrace.batch.stores import LocalStore


def table(where):
    rows = ds.dataset(where, format="parquet").to_table().sort_by("path").to_pylist()
    assert len({row["path"] for row in rows}) == len(rows)
    return rows


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    root = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(1)
    for index in range(150):
        noise = rng.normal(128, 40, size=(64, 64, 3)).cumsum(axis=1) % 256
        Image.fromarray(noise.astype(np.uint8)).save(root / f"{index:03d}.png")
    return root


@pytest.fixture(scope="module")
def undisturbed(many, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    extract_many(sorted(many.iterdir()), out, kernel_sizes=(3, 5))
    return table(out)


PROGRAM = """
import sys
from pathlib import Path
from convtrace.batch import extract_many, parts
parts._ROWS = 10
extract_many(sorted(Path(sys.argv[1]).iterdir()), sys.argv[2], kernel_sizes=(3, 5), workers=2)
"""


def _children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_sigkill_of_parent_and_workers(many, undisturbed, tmp_path, name):
    out = tmp_path / name
    folder = tmp_path / (name if name == "out" else f"{name}.parts")
    ends = []
    for attempt in range(6):
        with subprocess.Popen([sys.executable, "-c", PROGRAM, many, out]) as process:
            before = set(LocalStore(folder).parts())
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
                if len(set(LocalStore(folder).parts()) - before) >= 2:
                    victims = _children(process.pid)
                    if attempt == 1 and victims:
                        # A worker alone: the run itself goes on to its end.
                        os.kill(victims[0], signal.SIGKILL)
                        break
                    process.kill()
                    for victim in victims:
                        # They end by themselves once they find nobody listening.
                        end = time.monotonic() + 20
                        while Path(f"/proc/{victim}").exists() and time.monotonic() < end:
                            time.sleep(0.05)
                        assert not Path(f"/proc/{victim}").exists()
                    break
            ends.append(process.wait(timeout=120))
        if ends[-1] == 0:
            break
    assert ends[0] == -signal.SIGKILL
    assert ends[-1] == 0
    assert table(out) == undisturbed
    assert not list(tmp_path.glob("**/*.tmp"))


def test_truncated_part_is_set_aside(many, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_ROWS", 40)
    paths = sorted(many.iterdir())
    out = tmp_path / "out"
    extract_many(paths, out, kernel_sizes=(3, 5))
    victim = sorted(out.glob("part-*"))[1]
    victim.write_bytes(victim.read_bytes()[:-100])
    again = extract_many(paths, out, kernel_sizes=(3, 5))
    assert again.measured == 40
    assert len(again.notes) == 1
    assert victim.name in again.notes[0]
    assert table(out) == undisturbed


def test_error_of_the_disk_loses_nothing_written(many, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_ROWS", 40)
    paths = sorted(many.iterdir())
    real = parts.pq.write_table
    calls = []

    def full(table, file, **options):
        calls.append(1)
        if len(calls) == 3:
            file.write(b"half a part")
            raise OSError(28, "No space left on device")
        real(table, file, **options)

    monkeypatch.setattr(parts.pq, "write_table", full)
    with pytest.raises(OutputError, match="free some space") as caught:
        extract_many(paths, tmp_path / "out", kernel_sizes=(3, 5))
    assert caught.value.failed_device
    monkeypatch.setattr(parts.pq, "write_table", real)
    again = extract_many(paths, tmp_path / "out", kernel_sizes=(3, 5))
    assert again.kept == 80
    assert table(tmp_path / "out") == undisturbed


def test_full_disk(many, undisturbed, tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        monkeypatch.setattr(parts, "_ROWS", 10)
        paths = sorted(many.iterdir())
        with pytest.raises(OutputError, match="free some space"):
            extract_many(paths, disk / "out", kernel_sizes=(3, 5))
        assert LocalStore(disk / "out").parts()
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        again = extract_many(paths, disk / "out", kernel_sizes=(3, 5))
        assert again.kept > 0
        assert table(disk / "out") == undisturbed
    finally:
        subprocess.run(["umount", disk], check=True)


def test_checksum_tells_what_size_and_time_do_not(many, tmp_path):
    picture = tmp_path / "a.bmp"

    def store(source):
        # Uncompressed, so that both have the same size.
        Image.open(source).save(picture)
        os.utime(picture, ns=(10**9, 10**9))

    first, second, *_ = sorted(many.iterdir())
    out = tmp_path / "out"
    store(first)
    extract_many([picture], out, kernel_sizes=(3,))
    os.utime(picture, ns=(1, 1))
    touched = extract_many([picture], out, kernel_sizes=(3,), checksum=True)
    assert (touched.kept, touched.measured) == (1, 0)
    store(second)
    assert extract_many([picture], out, kernel_sizes=(3,)).measured == 0
    again = extract_many([picture], out, kernel_sizes=(3,), checksum=True)
    assert (again.kept, again.measured) == (0, 1)
    assert len(table(out)) == 1
