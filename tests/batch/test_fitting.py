"""Fits of many pictures together make the table that fits one by one make.

On PyTorch's CPU build, which stands in for a GPU: what it is told of is the same.
"""

from __future__ import annotations

import textwrap
import time

import numpy as np
import pyarrow.dataset as ds
import pytest
from PIL import Image

from convtrace.batch import extract_many, fitting, parts
from convtrace.errors import ConvtraceError, TraceError

torch = pytest.importorskip("torch", reason="the extra 'gpu' is not installed")

from convtrace.traces import _doubt, gpu  # noqa: E402

SIZES = (3, 5)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Pictures of several sizes, some of one channel, one too small for a kernel, one broken."""
    root = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(0)
    for index in range(12):
        shape = [(40, 44, 3), (36, 52, 3), (40, 44)][index % 3]
        noise = rng.normal(size=shape)
        noise = noise + np.roll(noise, 1, 0) + 0.5 * np.roll(noise, 1, 1)
        pixels = np.clip(np.rint(128 + 30 * noise), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"{index:02d}.png")
    small = rng.integers(0, 256, size=(4, 9, 3), dtype=np.uint8)
    Image.fromarray(small).save(root / "small.png")
    deep = rng.integers(0, 65536, size=(40, 44)).astype(np.uint16)
    Image.fromarray(deep).save(root / "deep.png")
    (root / "broken.jpg").write_text("no picture")
    return sorted(root.iterdir())


@pytest.fixture
def stand_in(monkeypatch):
    """Let PyTorch's CPU build stand in for CUDA."""
    monkeypatch.setattr(gpu, "choose_device", lambda _device="auto": "cpu")


@pytest.fixture(scope="module")
def one_by_one(mixed, tmp_path_factory):
    out = tmp_path_factory.mktemp("table") / "out"
    extract_many(mixed, out, kernel_sizes=SIZES, workers=2)
    return _table(out)


def _table(folder):
    return ds.dataset(folder, format="parquet").to_table().sort_by("path").to_pylist()


def _assert_alike(found, expected):
    assert [row["path"] for row in found] == [row["path"] for row in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            kind = name.rpartition("_")[0]
            if kind in ("trace", "sigma", "weight", "log_likelihood") and other[name] is not None:
                np.testing.assert_allclose(one[name], other[name], atol=1e-4, err_msg=name)
            elif kind == "iterations":
                assert (one[name] is None) == (other[name] is None)
            else:
                assert one[name] == other[name], (one["path"], name)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("engine", ["local", "threads"])
def test_same_table_as_one_by_one(mixed, one_by_one, tmp_path, monkeypatch, engine):
    # Each part holds a few pictures, so that there are several.
    monkeypatch.setattr(fitting, "_BYTES", 20_000)
    calls = []
    real = gpu.extract_batch
    monkeypatch.setattr(
        gpu,
        "extract_batch",
        lambda images, **given: calls.append(len(images)) or real(images, **given),
    )
    result = extract_many(
        mixed, tmp_path / "out", kernel_sizes=SIZES, workers=2, engine=engine, device="cuda"
    )
    assert (result.measured, result.failed) == (15, 2)
    # All but the broken and the small one, once for each kernel size.
    assert sum(calls) == 13 * len(SIZES)
    assert len(calls) > 3 * len(SIZES)
    table = _table(tmp_path / "out")
    _assert_alike(table, one_by_one)
    rows = {row["path"].rpartition("/")[2]: row for row in table}
    assert "smaller than the 5x5 kernel" in rows["small.png"]["error"]
    assert len(rows["small.png"]["trace_3"]) == 24
    assert len(rows["02.png"]["sigma_3"]) == 3


@pytest.mark.usefixtures("stand_in")
def test_rows_of_pictures_in_doubt_do_not_depend_on_the_device(monkeypatch, tmp_path):
    # Which of them are in doubt hangs on the rounding of the machine; here all are.
    monkeypatch.setattr(_doubt, "_ROUNDING", 1e9)
    rng = np.random.default_rng(3)
    for index in range(3):
        noise = rng.integers(0, 256, size=(20, 24, 3), dtype=np.uint8)
        # Doubled, or saturated for the greater part: the likelihood has many maxima.
        pixels = noise.repeat(2, 0).repeat(2, 1) if index else np.full((40, 48, 3), 255, np.uint8)
        pixels[-8:, -8:] = noise[:8, :8]
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    pictures = sorted(tmp_path.glob("*.png"))
    extract_many(pictures, tmp_path / "one", kernel_sizes=SIZES)
    extract_many(pictures, tmp_path / "many", kernel_sizes=SIZES, device="cuda")
    table = _table(tmp_path / "many")
    assert min(sigma for row in table for sigma in row["sigma_3"]) < 0.2
    assert table == _table(tmp_path / "one")


@pytest.mark.usefixtures("stand_in")
def test_crop_channels_and_verdict_of_one_by_one(mixed, tmp_path):
    from convtrace.detection import bundled

    options = {"kernel_sizes": (3,), "channels": "luminance", "crop": 30, "detector": bundled()}
    some = [mixed[0], mixed[1], mixed[2], mixed[-1]]
    extract_many(some, tmp_path / "one", **options)
    extract_many(some, tmp_path / "many", device="cuda", **options)
    _assert_alike(_table(tmp_path / "many"), _table(tmp_path / "one"))


@pytest.mark.usefixtures("stand_in")
def test_resumed_after_an_interruption(mixed, one_by_one, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "_BYTES", 1)
    monkeypatch.setattr(parts, "_ROWS", 2)

    def stop(done: int, _total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    options = {"kernel_sizes": SIZES, "workers": 2, "device": "cuda"}
    with pytest.raises(KeyboardInterrupt):
        extract_many(mixed, tmp_path / "out", progress=stop, **options)
    result = extract_many(mixed, tmp_path / "out", **options)
    assert result.kept >= 3
    assert result.kept + result.measured == 15
    _assert_alike(_table(tmp_path / "out"), one_by_one)
    # What one device has measured is kept by the other.
    again = extract_many(mixed, tmp_path / "out", kernel_sizes=SIZES)
    assert again.kept == 13


@pytest.mark.usefixtures("stand_in")
def test_hanging_picture_costs_only_itself(mixed, tmp_path, monkeypatch):
    (tmp_path / "hanging.py").write_text(
        textwrap.dedent(
            """
            import time as clock

            class Hanging:
                name, time = "hanging.png", None

                def stamp(self):
                    return None, None

                def picture(self, *, provenance=False):
                    clock.sleep(1000)
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    from hanging import Hanging

    result = extract_many(
        [Hanging(), *mixed[:3]],
        tmp_path / "out",
        kernel_sizes=(3,),
        workers=2,
        time_limit=4,
        device="cuda",
    )
    assert (result.measured, result.failed) == (4, 1)
    assert "took longer than 4 s" in result.failures[0]


@pytest.mark.usefixtures("stand_in")
def test_parts_too_large_for_the_memory_are_halved(mixed, one_by_one, tmp_path, monkeypatch):
    real = gpu.extract_batch

    def scarce(images, **given):
        if len(images) > 2 or images[0].shape == (36, 52, 3):
            raise MemoryError("cuda: not enough memory for the fits")
        return real(images, **given)

    monkeypatch.setattr(gpu, "extract_batch", scarce)
    extract_many(mixed, tmp_path / "out", kernel_sizes=SIZES, device="cuda")
    _assert_alike(_table(tmp_path / "out"), one_by_one)


@pytest.mark.usefixtures("stand_in")
def test_failing_device_ends_the_run_and_keeps_what_is_done(
    mixed, one_by_one, tmp_path, monkeypatch
):
    real, calls = gpu.extract_batch, []

    def failing(images, **given):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("CUDA error: unspecified launch failure\nmore lines")
        return real(images, **given)

    monkeypatch.setattr(fitting, "_BYTES", 1)
    monkeypatch.setattr(fitting, "_AT_WORK", 1)
    monkeypatch.setattr(gpu, "extract_batch", failing)
    options = {"kernel_sizes": SIZES, "device": "cuda"}
    with pytest.raises(fitting.DeviceError, match="launch failure") as caught:
        extract_many(mixed, tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert extract_many(mixed, tmp_path / "out", **options).kept >= 1
    _assert_alike(_table(tmp_path / "out"), one_by_one)


def test_what_waits_too_long_is_fitted(monkeypatch):
    monkeypatch.setattr(fitting, "_SECONDS", 0.05)
    monkeypatch.setattr(fitting, "_fit_part", lambda part, _options, _device: [len(part)])
    waiting = fitting.Decoded({}, _Picture())

    def results():
        yield waiting
        yield waiting
        time.sleep(0.1)
        yield None
        yield waiting

    assert list(fitting.fit_decoded(results(), None, "cpu")) == [None, 2, 1]


class _Picture:
    pixels = np.zeros((2, 2), np.uint8)


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_device_that_is_not_there_writes_nothing(mixed, tmp_path, monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConvtraceError, match=r"no CUDA device|take auto, cpu, cuda"):
        extract_many(mixed, tmp_path / "out", device=device)
    assert list(tmp_path.iterdir()) == []


def test_auto_is_the_workers_where_there_is_no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fitting.solver_device("auto") is None
    assert fitting.solver_device("cpu") is None

    def missing(_device):
        raise TraceError("fits in batches need PyTorch")

    monkeypatch.setattr(gpu, "choose_device", missing)
    assert fitting.solver_device("auto") is None
    monkeypatch.setattr(gpu, "choose_device", lambda _device: "cuda")
    assert fitting.solver_device("auto") == "cuda"
