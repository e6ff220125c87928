"""The command line, run as a user runs it."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from convtrace.cli.loading import loading


def run(
    *arguments: object, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "convtrace", *map(str, arguments)]
    env = os.environ | (environment or {})
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False, env=env
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with two pictures and every kind of bad one."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, quality in (("a.jpg", 90), ("inner/b.jpg", 60)):
        small = rng.integers(0, 256, size=(20, 24, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((120, 100), Image.Resampling.BICUBIC)
        (root / name).parent.mkdir(exist_ok=True)
        picture.save(root / name, quality=quality)
    (root / "text.jpg").write_text("this is no picture")
    (root / "empty.png").touch()
    (root / "cut.jpg").write_bytes((root / "a.jpg").read_bytes()[:900])
    return root


def test_scan_does_the_rest_and_exits_with_3(folder):
    done = run("scan", "--json", folder)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 5
    for line in lines:
        assert set(line) == {
            "path", "label", "probability", "generator", "reasons", "error", "provenance",
        }  # fmt: skip
        if line["error"] is None:
            assert line["label"] in ("real", "generated", "unsure")
            assert 0 <= line["probability"] <= 1
            assert line["reasons"]
        else:
            assert line["label"] is line["probability"] is line["generator"] is None
    bad = {Path(line["path"]).name for line in lines if line["error"] is not None}
    assert bad == {"text.jpg", "empty.png", "cut.jpg"}


def test_scan_for_people_and_csv(folder, tmp_path):
    out = tmp_path / "verdicts.csv"
    done = run("scan", folder / "a.jpg")
    assert done.returncode == 0
    assert "a.jpg" in done.stdout
    done = run("scan", folder / "a.jpg", "--csv", out)
    assert done.returncode == 0
    header, row = out.read_text().splitlines()[:2]
    assert header == "path,label,probability,generator,reasons,error"
    assert row.startswith(str(folder / "a.jpg"))
    assert list(tmp_path.iterdir()) == [out]


def test_missing_path_names_it(tmp_path):
    done = run("scan", tmp_path / "none.jpg")
    assert done.returncode == 3
    assert "none.jpg" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no FIFOs")
def test_fifo_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    done = run("scan", tmp_path / "pipe.jpg")
    assert done.returncode == 3
    assert "pipe.jpg" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan",),
        ("nonsense",),
        ("scan", "--model", "/no/such.convtrace", "x.jpg"),
        ("audit", "/no/such/folder"),
        ("train",),
        ("extract", "x.jpg", "-o", "out.parquet", "--kernel-size", "4"),
        ("extract", "x.jpg", "-o", "out.parquet", "--engine", "nonsense"),
        ("extract", "x.jpg", "-o", "out.parquet", "--device", "tpu"),
        ("evaluate", "/no/such/folder", "--model", "bundled", "-o", "out"),
        ("models", "verify", "/no/such.convtrace"),
        ("explain", "x.jpg", "-o", "report.docx"),
        ("explain", "x.jpg", "-o", "/no/such/folder/report.html"),
        ("explain", ".", "-o", "report.html"),
        ("scan", "x.jpg", "--explain"),
        ("scan", "x.jpg", "--html", "report.txt"),
        ("scan", "x.jpg", "--html", "report.pdf"),
        ("reproduce",),
        ("reproduce", "subjects", "-o", "out", "--detector", "npr"),
        ("reproduce", "--check", "/no/such.md"),
    ],
)
def test_wrong_usage_exits_with_2(arguments, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_empty_folder_is_wrong_usage(tmp_path):
    done = run("scan", tmp_path)
    assert done.returncode == 2
    assert "no pictures" in done.stderr


@pytest.mark.parametrize("suffix", ["html", "pdf", "png"])
def test_explain_writes_a_report(folder, tmp_path, suffix):
    out = tmp_path / f"report.{suffix}"
    done = run("explain", folder / "a.jpg", "-o", out)
    assert done.returncode == 0, done.stderr
    assert "a.jpg" in done.stdout
    assert list(tmp_path.iterdir()) == [out]
    start = {"html": b"<!doctype html>", "pdf": b"%PDF-", "png": b"\x89PNG"}[suffix]
    assert out.read_bytes().startswith(start)


def test_explain_of_what_is_no_picture_writes_nothing(folder, tmp_path):
    done = run("explain", folder / "text.jpg", "-o", tmp_path / "report.html")
    assert done.returncode == 3
    assert "text.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_scan_writes_a_report_with_explanations(folder, tmp_path):
    out = tmp_path / "report.html"
    csv = tmp_path / "v.csv"
    done = run("scan", folder, "--html", out, "--explain", "--csv", csv)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    links = sorted(path.name for path in (tmp_path / "report_files").iterdir())
    assert len(links) == 2
    page = out.read_text("utf-8")
    assert all(f'"report_files/{link}"' in page for link in links)
    assert len(csv.read_text().splitlines()) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report.html",
        "report_files",
        "v.csv",
    ]


def test_extract_takes_several_sizes_and_resumes(folder, tmp_path):
    out = tmp_path / "traces.parquet"
    done = run("extract", folder, "-o", out, "--kernel-size", "3", "5")
    assert done.returncode == 3
    table = pq.read_table(out).to_pylist()
    assert len(table) == 5
    good = [row for row in table if row["error"] is None]
    assert len(good) == 2
    assert len(good[0]["trace_3"]) == 24
    assert len(good[0]["trace_5"]) == 72
    again = run("extract", folder, "-o", out, "--kernel-size", "3", "5")
    # The pictures that could not be read are tried again.
    assert again.returncode == 3
    after = pq.read_table(out).to_pylist()
    assert sorted(after, key=lambda row: row["path"]) == sorted(table, key=lambda row: row["path"])
    other = run("extract", folder, "-o", out, "--kernel-size", "7")
    assert other.returncode == 2
    assert "traces.parquet" in other.stderr
    assert pq.read_table(out).num_rows == 5


def test_extract_says_in_one_line_that_there_is_no_cuda(folder, tmp_path):
    # None is to be seen, whatever the machine has; without PyTorch that is what is said.
    done = run(
        "extract", folder, "-o", tmp_path / "t.parquet", "--device", "cuda",
        environment={"CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no CUDA device" in done.stderr or "convtrace[gpu]" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_extract_auto_is_the_cpu_where_there_is_no_cuda(folder, tmp_path):
    tables = []
    for device in ("auto", "cpu"):
        out = tmp_path / f"{device}.parquet"
        done = run(
            "extract", folder / "a.jpg", "-o", out, "-k", "3", "--device", device,
            environment={"CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip
        assert done.returncode == 0
        tables.append(pq.read_table(out).to_pylist())
    assert tables[0] == tables[1]


def test_demo_judges_every_example():
    done = run("demo", "--json")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= 3
    assert all(line["error"] is None and line["reasons"] for line in lines)


def test_models_show_and_verify():
    assert "# bundled" in run("models", "show").stdout
    assert "sha-256" in run("models", "verify", "bundled").stdout.lower()


def test_closed_pipe_ends_quietly(folder):
    command = [sys.executable, "-m", "convtrace", "scan", "--json", *[str(folder)] * 3]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("{")
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_version_is_quick_to_print():
    done = run("--version")
    assert done.stdout.startswith("convtrace ")
    code = "import sys, convtrace.cli; print('numba' in sys.modules, 'sklearn' in sys.modules)"
    light = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert light.stdout.split() == ["False", "False"]


def test_reproduce_writes_the_story_and_the_second_time_finds_it(tmp_path):
    out, environment = tmp_path / "out", {**os.environ, "CONVTRACE_CACHE": str(tmp_path / "kept")}
    command = [sys.executable, "-m", "convtrace", "reproduce", "subjects", "--only", "editing-app",
               "--quick", "-o", str(out)]  # fmt: skip
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert str(out / "README.md") in done.stderr
    story = (out / "README.md").read_text()
    assert "## Faces and other subjects" in story
    assert "| 93% on FACEAPP | no data |" in story
    assert len(list((tmp_path / "kept").rglob("*.json"))) == 2


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_reproduce_interrupted_at_work_ends_quietly(tmp_path):
    command = [sys.executable, "-m", "convtrace", "reproduce", "all-generators", "--workers", "2",
               "-o", str(tmp_path / "out")]  # fmt: skip
    environment = {**os.environ, "CONVTRACE_CACHE": str(tmp_path / "kept")}
    # As from a terminal: the workers get the signal, too, and it is not ignored, as it would be in
    # all that a shell runs in the background, these tests perhaps.
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        ending = time.monotonic() + 120
        # Two workers and the tracker of their resources, which complains of what is left.
        while len(children.read_text().split()) < 3:
            assert process.poll() is None
            assert time.monotonic() < ending
            time.sleep(0.1)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "interrupted\n"


def test_evaluate_killed_at_work_goes_on_from_what_it_measured(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("real", "fake"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for index in range(6):
            pixels = rng.integers(0, 256, size=(300, 300, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / label / f"{index}.png")
    arguments = ["evaluate", str(tmp_path / "set"), "--model", "bundled", "--workers", "1"]
    kept = tmp_path / "out" / ".measured"
    command = [sys.executable, "-m", "convtrace", *arguments, "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        ending = time.monotonic() + 120
        while len(list(kept.rglob("*.npy"))) < 5:
            assert process.poll() is None
            assert time.monotonic() < ending
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "out" / "predictions.csv").exists()
    assert 5 <= len(list(kept.rglob("*.npy"))) < 12 * 4
    for out in ("out", "undisturbed"):
        done = run(*arguments, "-o", tmp_path / out)
        assert done.returncode == 0, done.stderr
        assert "share called the opposite" in done.stdout
        assert not (tmp_path / out / ".measured").exists()
    first, second = ((tmp_path / out / "predictions.csv").read_bytes()
                     for out in ("out", "undisturbed"))  # fmt: skip
    assert first == second


def test_train_that_fails_keeps_what_it_measured_and_says_so(tmp_path):
    rng = np.random.default_rng(0)
    # Two groups are too few to train on, which is known only after they are measured.
    for label in ("real", "fake"):
        (tmp_path / "set" / label).mkdir(parents=True)
        pixels = rng.integers(0, 256, size=(72, 72, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / label / "0.png")
    model = tmp_path / "my.convtrace"
    done = run("train", tmp_path / "set", "-o", model, "--recipe", "ct3-lda")
    assert done.returncode == 2
    assert ".my.convtrace.measured: what was measured so far is kept" in done.stderr
    assert not model.exists()


def test_reproduce_lists_experiments_and_suggests_a_name(tmp_path):
    done = run("reproduce", "--help")
    assert done.returncode == 0
    for name in ("matched-pairs", "unseen-generators", "peers"):
        assert name in done.stdout
    done = run("reproduce", "atribution", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "did you mean 'attribution'" in done.stderr


def test_what_is_loaded_is_not_looked_through_for_garbage() -> None:
    running, before = gc.isenabled(), gc.get_freeze_count()
    with loading():
        inside = gc.isenabled()
    assert not inside
    assert gc.isenabled() == running
    assert gc.get_freeze_count() > before
    gc.unfreeze()
