"""Every way to name pictures leads to the same pixels."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convtrace.batch import extract_many, find_inputs, scan_many
from convtrace.batch.inputs import streamed
from convtrace.batch.inputs.records import BytesInput
from convtrace.errors import ConvtraceError, ImageError
from convtrace.image import read


def names(*addresses, **options):
    return [one.name for one in find_inputs(addresses, **options)]


def same_pixels(inputs, pictures):
    """Check what inputs read, after a journey to another process, against the files."""
    found = [pickle.loads(pickle.dumps(one)) for one in inputs]  # noqa: S301, of a moment ago
    expected = [read(path) for path in sorted(pictures.iterdir())]
    assert len(found) == len(expected)
    for one, picture in zip(found, expected, strict=True):
        read_back = one.picture()
        assert read_back.name == one.name
        assert read_back.sha256 == picture.sha256
        np.testing.assert_array_equal(read_back.pixels, picture.pixels)
        assert one.stamp()[0] == picture.nbytes


def test_patterns_and_folders(pictures):
    expected = [str(path) for path in sorted(pictures.iterdir())]
    assert names(pictures) == expected
    assert names(f"{pictures}/*.png") == expected
    assert names(f"{pictures}/**/0[3-4].png") == expected[3:5]
    assert names(f"file://{pictures}/03.png") == expected[3:4]


def test_a_missing_file_is_an_input_whose_reading_says_so(tmp_path):
    (one,) = find_inputs([tmp_path / "none.jpg"])
    with pytest.raises(ImageError, match="no such file"):
        one.picture()
    assert names(str(tmp_path / "*.nothing")) == [str(tmp_path / "*.nothing")]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet"])
def test_manifests(pictures, tmp_path, suffix):
    listed = [str(path) for path in sorted(pictures.iterdir())]
    manifest = tmp_path / f"list{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table({"path": listed, "other": range(len(listed))}), manifest)
    elif suffix in (".csv", ".tsv"):
        mark = "," if suffix == ".csv" else "\t"
        manifest.write_text("\n".join([f"path{mark}note"] + [f"{name}{mark}x" for name in listed]))
    elif suffix == ".json":
        manifest.write_text(json.dumps([{"path": name} for name in listed]))
    else:
        manifest.write_text("\n".join(json.dumps({"path": name}) for name in listed))
    assert names(manifest) == listed


def test_a_manifest_is_relative_to_itself_and_may_name_anything(pictures, tmp_path):
    (tmp_path / "a.png").write_bytes((pictures / "00.png").read_bytes())
    (tmp_path / "list.csv").write_text(f"path\na.png\n{pictures}\n")
    assert names(tmp_path / "list.csv") == [str(tmp_path / "a.png"), *names(pictures)]
    (tmp_path / "bad.csv").write_text("file\na.png\n")
    with pytest.raises(ConvtraceError, match="column 'path'"):
        names(tmp_path / "bad.csv")


def _tar(path, pictures, mode):
    with tarfile.open(path, mode) as tar:
        for picture in sorted(pictures.iterdir()):
            tar.add(picture, arcname=f"s/{picture.name}")
            label = tarfile.TarInfo(f"s/{picture.stem}.cls")
            label.size = 1
            tar.addfile(label, io.BytesIO(b"1"))
            hidden = tarfile.TarInfo(f"s/._{picture.name}")
            tar.addfile(hidden, io.BytesIO())
    return path


def test_shards(pictures, tmp_path):
    shard = _tar(tmp_path / "shard-000.tar", pictures, "w")
    inputs = list(find_inputs([shard]))
    assert inputs[0].name == f"{shard}/s/00.png"
    same_pixels(inputs, pictures)
    # In a folder, by pattern, and a single member by its name.
    assert names(tmp_path) == names(f"{tmp_path}/shard-*.tar") == [one.name for one in inputs]
    assert list(find_inputs([inputs[4].name])) == [inputs[4]]


@pytest.mark.parametrize(("suffix", "mode"), [(".tar.gz", "w:gz"), (".txz", "w:xz")])
def test_compressed_tars_are_unpacked_once(pictures, tmp_path, suffix, mode):
    archive = _tar(tmp_path / f"many{suffix}", pictures, mode)
    inputs = list(find_inputs([archive]))
    same_pixels(inputs, pictures)
    passed_on = list(streamed(inputs[::3]))
    assert all(isinstance(one, BytesInput) for one in passed_on)
    assert [one.name for one in passed_on] == [one.name for one in inputs[::3]]
    assert [one.picture().sha256 for one in passed_on] == [
        one.picture().sha256 for one in inputs[::3]
    ]


def test_zip(pictures, tmp_path):
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for picture in sorted(pictures.iterdir()):
            zipped.write(picture, f"a/{picture.name}")
            zipped.writestr(f"__MACOSX/a/{picture.name}", b"x")
    inputs = list(find_inputs([archive]))
    same_pixels(inputs, pictures)
    # A folder's zip files are not looked into unless they are named.
    assert names(tmp_path) == []


def test_damaged_archives(pictures, tmp_path):
    shard = _tar(tmp_path / "shard.tar", pictures, "w")
    inputs = list(find_inputs([shard]))
    shard.write_bytes(shard.read_bytes()[: inputs[-1].offset + 10])
    with pytest.raises(ImageError, match="cut short"):
        inputs[-1].picture()
    (tmp_path / "no.zip").write_bytes(b"no zip at all")
    with pytest.raises(ConvtraceError, match=r"no\.zip"):
        names(tmp_path / "no.zip")


def test_extraction_from_an_archive_equals_that_from_files(pictures, tmp_path):
    archive = _tar(tmp_path / "many.tgz", pictures, "w:gz")
    extract_many(find_inputs([archive]), tmp_path / "a.parquet", kernel_sizes=(3,))
    extract_many(find_inputs([pictures]), tmp_path / "b.parquet", kernel_sizes=(3,))
    packed, plain = (
        pq.read_table(tmp_path / f"{name}.parquet").sort_by("path").to_pydict() for name in "ab"
    )
    for column in ("sha256", "trace_3", "sigma_3", "iterations_3", "bytes"):
        assert packed[column] == plain[column]
    again = extract_many(find_inputs([archive]), tmp_path / "a.parquet", kernel_sizes=(3,))
    assert (again.kept, again.measured) == (12, 0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    av = pytest.importorskip("av", reason="the extra 'video' is not installed")
    path = tmp_path_factory.mktemp("video") / "clip.mkv"
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, size=(48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        stream.gop_size = 10
        for index in range(30):
            frame = av.VideoFrame.from_ndarray(np.roll(base, index, axis=1), format="rgb24")
            for packet in stream.encode(frame.reformat(format="bgr0")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path, base


def test_frames_of_a_video(clip):
    path, base = clip
    inputs = list(find_inputs([path], frame_step=7))
    assert [round(one.time, 6) for one in inputs] == [0.0, 0.28, 0.56, 0.84, 1.12]
    assert inputs[1].name == f"{path}#t=0.280000"
    # Forwards, and backwards, so that both ways of finding a frame are gone.
    for index, one in [*enumerate(inputs), *reversed(list(enumerate(inputs)))]:
        picture = one.picture()
        np.testing.assert_array_equal(picture.pixels, np.roll(base, 7 * index, axis=1))
        assert picture.format == "FFV1"
        assert "converted to RGB" in picture.notes[-1]
    keys = list(find_inputs([path]))
    assert 1 <= len(keys) <= 30
    assert names(path.parent) == []
    assert len(names(path.parent, videos=True, frame_step=7)) == 5


def test_a_video_in_the_table(clip, tmp_path):
    path, _ = clip
    inputs = list(find_inputs([path], frame_step=10))
    extract_many(inputs, tmp_path / "out", kernel_sizes=(3,), engine="threads")
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert sorted(row["video_time"] for row in rows) == pytest.approx([0.0, 0.4, 0.8])
    assert all(row["error"] is None for row in rows)


def test_not_a_video(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(ConvtraceError, match=r"no\.mp4: cannot be read as a video"):
        names(tmp_path / "no.mp4")


def test_scan_takes_any_input(pictures, tmp_path):
    class Detector:
        def verdict(self, source):
            from convtrace.detection import Verdict

            picture = read(source)
            return Verdict(picture.name, "unsure", 0.5, None, ())

    shard = _tar(tmp_path / "shard.tar", pictures, "w")
    inputs = [*find_inputs([shard]), tmp_path / "none.png"]
    verdicts = list(scan_many(inputs, Detector(), engine="threads"))
    assert [verdict.path for verdict in verdicts] == [*names(shard), str(tmp_path / "none.png")]
    assert [verdict.error is None for verdict in verdicts] == [True] * 12 + [False]
