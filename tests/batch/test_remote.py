"""Addresses: objects in memory, and an S3 server on loopback."""

from __future__ import annotations

import os
import tarfile

import pyarrow.parquet as pq
import pytest

from convtrace.batch import extract_many, find_inputs, parts
from convtrace.batch.stores import open_store
from convtrace.errors import ConvtraceError, ImageError

fsspec = pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")


@pytest.fixture
def memory(pictures):
    system = fsspec.filesystem("memory")
    system.store.clear()
    for path in sorted(pictures.iterdir()):
        system.pipe_file(f"/photos/{path.name}", path.read_bytes())
    yield system
    system.store.clear()


def test_listing_and_reading(memory, pictures):
    inputs = list(find_inputs(["memory://photos"]))
    assert [one.name for one in inputs] == [f"memory:///photos/{i:02d}.png" for i in range(12)]
    assert inputs[3].picture().name == inputs[3].name
    assert inputs[3].stamp()[0] == (pictures / "03.png").stat().st_size
    assert inputs[3].stamp()[1] is not None
    assert len(list(find_inputs(["memory://photos/0*.png"]))) == 10
    with pytest.raises(ConvtraceError, match="nothing is there"):
        list(find_inputs(["memory://elsewhere/*/a.png", "memory://elsewhere"]))
    memory.rm("/photos/03.png")
    with pytest.raises(ImageError, match="nothing is there"):
        inputs[3].picture()


def test_a_dropped_connection_is_tried_again(memory, monkeypatch):
    from convtrace.batch.inputs import remote

    monkeypatch.setattr(remote, "_PAUSE_SECONDS", 0.0)
    (one,) = find_inputs(["memory://photos/01.png"])
    real, calls = type(memory).cat_file, []

    def shaky(self, *args, **kwargs):
        calls.append(1)
        if len(calls) % 3:
            raise ConnectionResetError("connection reset by peer")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(memory), "cat_file", shaky)
    assert one.picture().width == 30
    assert len(calls) == 3
    monkeypatch.setattr(remote, "_ATTEMPTS", 2)
    with pytest.raises(ImageError, match="connection reset by peer"):
        one.picture()


@pytest.mark.parametrize("out", ["memory://out/t.parquet", "memory://out/parts"])
def test_output_to_an_address(memory, pictures, tmp_path, monkeypatch, out):
    monkeypatch.setattr(parts, "_ROWS", 5)
    extract_many(find_inputs([pictures]), tmp_path / "here.parquet", kernel_sizes=(3,))
    expected = pq.read_table(tmp_path / "here.parquet").sort_by("path")
    options = {"kernel_sizes": (3,), "engine": "threads"}
    half = list(find_inputs([pictures]))[:6]
    extract_many(half, out, **options)
    # As a killed run leaves it: a half-written part.
    store = open_store("memory://out/parts")
    again = extract_many(find_inputs([pictures]), out, **options)
    assert (again.kept, again.measured) == (6, 6)
    if out.endswith(".parquet"):
        with memory.open("/out/t.parquet") as file:
            found = pq.read_table(file)
        assert not memory.exists("/out/t.parquet.parts")
    else:
        assert len(store.parts()) == 4
        found = pq.read_table("/out/parts", filesystem=memory)
    assert found.sort_by("path").to_pylist() == expected.to_pylist()


def test_a_write_that_fails_leaves_nothing(memory):
    store = open_store("memory://out/parts")

    def fail():
        with store.writing("part-000001-x.parquet") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.parts() == []
    assert not [path for path in memory.store if path.startswith("/out")]


@pytest.fixture(scope="module")
def s3():
    server = pytest.importorskip("moto.server", reason="moto's server is not installed")
    pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("bucket")
    yield system
    running.stop()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def test_s3_from_end_to_end(s3, pictures, tmp_path):
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for path in sorted(pictures.iterdir()):
            tar.add(path, arcname=path.name)
    for path in sorted(pictures.iterdir()):
        s3.pipe_file(f"bucket/photos/{path.name}", path.read_bytes())
    s3.put_file(str(tmp_path / "shard.tar"), "bucket/shards/shard.tar")
    extract_many(find_inputs([pictures]), tmp_path / "here.parquet", kernel_sizes=(3,))
    expected = pq.read_table(tmp_path / "here.parquet").sort_by("path").to_pydict()
    # By worker processes, to a folder in the bucket, and a second time from a tar shard.
    for source in ("s3://bucket/photos", "s3://bucket/shards"):
        out = f"s3://bucket/out-{source[-3:]}"
        inputs = list(find_inputs([source]))
        assert all(one.name.startswith("s3://bucket/") for one in inputs)
        done = extract_many(inputs[:7], out, kernel_sizes=(3,), workers=2)
        assert (done.measured, done.failed) == (7, 0), done.failures
        done = extract_many(find_inputs([source]), out, kernel_sizes=(3,), workers=2)
        assert (done.kept, done.measured, done.failed) == (7, 5, 0)
        found = pq.read_table(out.removeprefix("s3://"), filesystem=s3).sort_by("path").to_pydict()
        for column in ("sha256", "trace_3", "sigma_3", "iterations_3"):
            assert found[column] == expected[column]
