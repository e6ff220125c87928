"""The engine of a Ray cluster: the same table, and a machine that is lost in mid-run."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pyarrow.parquet as pq
import pytest

from convtrace.batch import engines, extract_many
from convtrace.batch.engines import WorkerError

ray = pytest.importorskip("ray", reason="the extra 'cluster' is not installed")


@pytest.fixture
def shut():
    yield
    ray.shutdown()


@pytest.mark.usefixtures("shut")
def test_a_local_ray_makes_the_same_table(pictures, tmp_path):
    paths = sorted(pictures.iterdir())
    extract_many(paths, tmp_path / "local.parquet", kernel_sizes=(3,))
    extract_many(paths, tmp_path / "ray.parquet", kernel_sizes=(3,), engine="ray", workers=2)
    local, cluster = (
        pq.read_table(tmp_path / f"{name}.parquet").sort_by("path").to_pylist()
        for name in ("local", "ray")
    )
    assert local == cluster


def _poison(item):
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "raise":
        raise KeyError(item)
    if item == "hang":
        time.sleep(1000)
    return item


@pytest.mark.usefixtures("shut")
def test_each_misfortune_costs_one_item(monkeypatch):
    from convtrace.batch import cluster

    monkeypatch.setattr(cluster, "_RETRIES", 0)
    # By value: the workers cannot import this module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        items = ["a", "crash", "b", "hang", "raise", "c"]
        found = list(
            engines.create("ray").map(
                _poison, items, workers=2, time_limit=8.0, lost=lambda _, reason: reason
            )
        )
    finally:
        ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert [found[0], found[2], found[5]] == ["a", "b", "c"]
    assert "crashed its worker" in found[1]
    assert "longer than 8 s" in found[3]
    assert "KeyError" in found[4]


@pytest.mark.usefixtures("shut")
def test_a_node_is_lost_in_mid_run(pictures, tmp_path):
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        connect=False,
        head_node_args={"num_cpus": 1, "include_dashboard": False},
    )
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        paths = sorted(pictures.iterdir())
        copies = []
        for index in range(20):
            for path in paths:
                copy = tmp_path / f"{index:02d}-{path.name}"
                copy.write_bytes(path.read_bytes())
                copies.append(copy)
        killed = threading.Event()

        def kill(done, _total):
            if done == 40 and not killed.is_set():
                killed.set()
                cluster.remove_node(second, allow_graceful=False)

        summary = extract_many(
            copies,
            tmp_path / "ray.parquet",
            kernel_sizes=(3, 5),
            engine=engines.create("ray", address=cluster.address),
            progress=kill,
        )
        assert killed.is_set()
        assert (summary.measured, summary.failed) == (240, 0), summary.failures
    finally:
        ray.shutdown()
        cluster.shutdown()
    extract_many(copies, tmp_path / "local.parquet", kernel_sizes=(3, 5))
    local, found = (
        pq.read_table(tmp_path / f"{name}.parquet").sort_by("path").to_pylist()
        for name in ("local", "ray")
    )
    assert local == found


def test_a_cluster_that_is_not_there():
    with pytest.raises(WorkerError, match=r"Ray at 127\.0\.0\.1:1: nobody answers"):
        engines.create("ray", address="127.0.0.1:1").map(len, ["a"])
