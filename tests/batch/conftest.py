"""Small pictures, and a module of functions that worker processes can import."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Twelve small pictures, smooth enough to have a trace."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for index in range(12):
        noise = rng.normal(128, 40, size=(26, 30, 3)).cumsum(axis=0) % 256
        Image.fromarray(noise.astype(np.uint8)).save(root / f"{index:02d}.png")
    return root


@pytest.fixture
def misbehaving(tmp_path, monkeypatch):
    """Import a module, here and in workers, whose function crashes, hangs or raises."""
    (tmp_path / "misbehaviour.py").write_text(
        textwrap.dedent(
            """
            import os, pathlib, signal, time

            def work(item):
                kind, *rest = item if isinstance(item, tuple) else (item,)
                if kind == "crash":
                    os.kill(os.getpid(), signal.SIGSEGV)
                if kind == "hang":
                    time.sleep(1000)
                if kind == "raise":
                    raise KeyError("what nobody expected")
                if kind == "once":
                    mark = pathlib.Path(rest[0])
                    if not mark.exists():
                        mark.touch()
                        os.kill(os.getpid(), signal.SIGKILL)
                    return "second time"
                if kind == "pid":
                    return os.getpid()
                return kind * 2
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    import misbehaviour

    yield misbehaviour.work
    import sys

    sys.modules.pop("misbehaviour")
