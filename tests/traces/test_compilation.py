"""The process that compiles the solver says what all later ones say, to the last bit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from convtrace.traces import fit, solver

PROGRAM = """
import hashlib
import numpy as np
from convtrace.traces import extract, is_compiled
print(is_compiled())
digest = hashlib.sha256()
for seed in range(6):
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.normal(size=(60, 70, 3)), axis=1)
    pixels = np.clip(128 + 8 * smooth, 0, 255).astype(np.uint8)
    for size in (3, 5, 7):
        trace = extract(pixels, kernel_size=size)
        digest.update(trace.vector.tobytes() + trace.sigma.tobytes())
print(digest.hexdigest())
"""


def test_the_first_process_and_the_second_agree_to_the_last_bit(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": os.fspath(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    )  # fmt: skip
    assert (first[0], second[0]) == ("False", "True")
    assert first[1] == second[1]


def test_what_was_compiled_from_other_sources_is_not_taken(tmp_path):
    """Numba's cache survives an update of the package, and does not look at what is called."""
    environment = os.environ | {"NUMBA_CACHE_DIR": os.fspath(tmp_path)}
    program = "from convtrace.traces import is_compiled, warm_up; print(is_compiled()); warm_up()"

    def told() -> str:
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True,
            check=True,
        ).stdout.strip()  # fmt: skip

    assert (told(), told()) == ("False", "True")
    (mark,) = tmp_path.rglob("convtrace-solver")
    (index,) = tmp_path.rglob("_optimiser.maximise-*.nbi")
    before = index.stat().st_mtime_ns
    # An update touches files of the same content: that is no other source.
    os.utime(index, ns=(0, 0))
    assert told() == "True"
    mark.write_text("of an older version")
    assert told() == "False"
    assert index.stat().st_mtime_ns > before
    assert told() == "True"


def test_all_that_is_compiled_together_is_looked_at():
    """A constant of another module is compiled in, too."""
    folder = Path(solver.__file__).parent
    found, left = set(), {"_optimiser"}
    while left:
        name = left.pop()
        found.add(name)
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        left |= set(re.findall(r"^from convtrace\.traces\.(\w+) import", text, re.M)) - found
    assert found == set(solver._COMPILED)


def test_no_process_is_started_where_the_solver_is_compiled_or_cannot_be(monkeypatch, tmp_path):
    solver.warm_up()

    def refuse(*_arguments, **_options):
        raise AssertionError

    monkeypatch.setattr(solver, "_prepared", False)
    monkeypatch.setattr(solver.subprocess, "run", refuse)
    fit([np.zeros((8, 8))], 3)
    monkeypatch.setattr(solver, "_prepared", False)
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(solver, "is_compiled", lambda: False)
    monkeypatch.setattr(solver, "_cache_folder", lambda: tmp_path)
    fit([np.zeros((8, 8))], 3)


def test_read_only_planes_are_no_other_type():
    plane = np.random.default_rng(0).normal(128, 20, size=(40, 40)).astype(np.float32)
    before = len(solver._optimiser.maximise.signatures)
    expected = fit([plane], 3)
    plane.flags.writeable = False
    np.testing.assert_array_equal(fit([plane], 3).kernels, expected.kernels)
    assert len(solver._optimiser.maximise.signatures) == max(before, 1)
