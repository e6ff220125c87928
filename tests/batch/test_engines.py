"""An item that crashes, hangs or raises costs itself alone, whatever the engine."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
import threading
import time

import pytest

from convtrace.batch import LocalEngine, ThreadEngine, engines, processes
from convtrace.batch.engines import WorkerError
from convtrace.errors import ConvtraceError


def _reason(_item, reason):
    return f"lost: {reason}"


@pytest.mark.parametrize("ordered", [True, False])
def test_each_misfortune_costs_one_item(misbehaving, ordered):
    items = [1, 2, "crash", 3, "hang", 4, "raise", *range(5, 60)]
    begin = time.monotonic()
    found = list(
        LocalEngine().map(
            misbehaving, items, workers=2, time_limit=2.0, lost=_reason, ordered=ordered
        )
    )
    assert time.monotonic() - begin < 60
    lost = [one for one in found if isinstance(one, str)]
    assert len(lost) == 3
    assert any("SIGSEGV" in one for one in lost)
    assert any("longer than 2 s" in one for one in lost)
    assert any("KeyError" in one and "misbehaviour.py" in one for one in lost)
    expected = [2 * item for item in items if isinstance(item, int)]
    kept = [one for one in found if isinstance(one, int)]
    assert (kept if ordered else sorted(kept)) == expected
    if ordered:
        assert [found.index(one) for one in lost] == [2, 4, 6]


def test_a_killed_worker_costs_nothing(misbehaving, tmp_path):
    items = [1, ("once", str(tmp_path / "mark")), 2, 3]
    found = list(LocalEngine().map(misbehaving, items, workers=1, lost=_reason))
    assert found == [2, "second time", 4, 6]


def test_without_a_stand_in_a_lost_item_ends_the_run(misbehaving):
    with pytest.raises(WorkerError, match="KeyError"):
        list(LocalEngine().map(misbehaving, [1, "raise"], workers=1))


def test_closing_ends_the_workers(misbehaving):
    results = LocalEngine().map(misbehaving, ["pid", *range(1000)], workers=1)
    pid = next(results)
    os.kill(pid, 0)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_work_ahead_is_bounded():
    taken = 0

    def items():
        nonlocal taken
        for index in range(100_000):
            taken += 1
            yield index

    results = LocalEngine().map(operator.neg, items(), workers=2)
    assert [next(results) for _ in range(5)] == [0, -1, -2, -3, -4]
    assert taken <= 5 + 2 * 64 + 4
    results.close()


def test_functions_of_no_module():
    assert list(LocalEngine().map(lambda item: item + 1, [1, 2], workers=1)) == [2, 3]


def test_a_worker_that_cannot_start_ends_the_run(monkeypatch):
    monkeypatch.setattr(processes, "_PROGRAM", "raise SystemExit(3)")
    with pytest.raises(WorkerError, match=r"cannot be started \(exit code 3\)"):
        list(LocalEngine().map(len, ["a"], workers=1))


def test_large_items_do_not_block():
    items = [b"x" * 3_000_000] * 6
    found = LocalEngine().map(len, items, workers=2)
    assert list(found) == [3_000_000] * 6


def test_scripts_need_no_guard(tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(
        "import math\nfrom convtrace.batch import LocalEngine\n"
        "print(list(LocalEngine().map(math.sqrt, [4, 9], workers=2)))\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "[2.0, 3.0]\n"


def test_wrong_use_is_told():
    with pytest.raises(ConvtraceError, match="workers=0"):
        LocalEngine().map(len, [], workers=0)
    lock = threading.Lock()
    with pytest.raises(WorkerError, match="threads"):
        LocalEngine().map(lambda _: lock, [1])
    with pytest.raises(ConvtraceError, match="no address"):
        engines.create("local", address="somewhere")


def test_threads_stand_in_for_what_is_raised(misbehaving):
    found = list(ThreadEngine().map(misbehaving, [1, "raise", 2], workers=2, lost=_reason))
    assert found[::2] == [2, 4]
    assert "KeyError" in found[1]
