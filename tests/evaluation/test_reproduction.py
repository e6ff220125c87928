"""The whole run: its files, what is kept, what is told of failures, the document's currency."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convtrace.detection import Table
from convtrace.errors import ConvtraceError, DatasetError
from convtrace.evaluation import check_document, outside, reproduce
from convtrace.evaluation.experiments import EXPERIMENTS, IN_ORDER, Result, peers
from convtrace.evaluation.reproduction import currency, fingerprints, running
from convtrace.evaluation.reproduction.document import read_record
from convtrace.evaluation.reproduction.fingerprints import code_digest, result_key, stripped
from convtrace.evaluation.reproduction.formats import to_csv, to_latex
from convtrace.evaluation.reproduction.kept import KeptResults
from convtrace.evaluation.reproduction.pictures import picture_table
from convtrace.evaluation.store import BundledStore

FAST = ("editing-app", "subjects")


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def done(tmp_path_factory, kept):
    folder = tmp_path_factory.mktemp("run") / "results"
    return reproduce(folder, experiments=("kernel-size", *FAST), quick=True, n_jobs=1, cache=kept)


@pytest.fixture
def replaced(monkeypatch):
    """Return a function that puts an experiment of one's own in place of one."""

    def put(name, run):
        changed = replace(EXPERIMENTS.get(name), run=run)
        monkeypatch.setitem(EXPERIMENTS._things, name, changed)
        monkeypatch.setattr(running, "result_key", lambda one, *_, **__: f"test-{one.name}")
        return changed

    return put


def test_folder_holds_pages_tables_and_figures(done):
    folder = done.index.parent
    assert not done.failed
    for name in ("kernel-size", *FAST):
        text = (folder / f"{name}.md").read_text()
        assert text.startswith(f"# {EXPERIMENTS.get(name).title}\n")
    tables = {path.name for path in (folder / "tables").iterdir()}
    assert {"kernel-size-kernel-size-by-classifier.csv",
            "kernel-size-kernel-size-by-classifier.tex",
            "subjects-the-pictures-by-pair.csv"} <= tables  # fmt: skip
    with Image.open(folder / "figures" / "kernel-size.png") as picture:
        assert picture.width > 700
    assert (folder / "figures" / "kernel-size.svg").read_text().startswith("<?xml")
    assert not [path for path in folder.rglob("*") if "tmp" in path.name]


def test_index_sets_published_beside_measured(done):
    text = done.index.read_text()
    assert "| 93% on FACEAPP | no data |" in text
    kernel = next(line for line in text.splitlines() if line.startswith("| [Kernel size"))
    assert "| not known | RBF SVM 0." in kernel
    for linked in ("figures/kernel-size.png", "figures/kernel-size.svg"):
        assert f"({linked})" in text
        assert (done.index.parent / linked).is_file()


def test_csv_has_the_numbers_of_the_result(done):
    path = done.index.parent / "tables" / "kernel-size-kernel-size-by-classifier.csv"
    rows = list(csv.DictReader(path.open()))
    (outcome,) = (one for one in done.outcomes if one.experiment.name == "kernel-size")
    table = outcome.result.tables[0]
    assert [float(row["N = 7 low"]) for row in rows] == [row[3][1] for row in table.rows]


def test_second_run_runs_nothing(done, kept, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("it was run again")

    for one in IN_ORDER:
        monkeypatch.setitem(EXPERIMENTS._things, one.name, replace(one, run=_same(one.run, refuse)))
    again = reproduce(tmp_path, experiments=FAST, quick=True, n_jobs=1, cache=kept)
    assert all(one.cached for one in again.outcomes)
    before = {one.experiment.name: one.result for one in done.outcomes}
    assert [before[one.experiment.name] for one in again.outcomes] == [
        one.result for one in again.outcomes
    ]


def _same(run, instead):
    """Return a function that the digest takes for `run`."""

    def call(context):
        return instead(context)

    call.__module__ = run.__module__
    return call


def test_other_options_data_or_code_are_another_key():
    store, one = BundledStore(), EXPERIMENTS.get("subjects")
    key = result_key(one, store, seed=0, quick=False)
    assert key == result_key(one, store, seed=0, quick=False)
    others = [
        result_key(one, store, seed=1, quick=False),
        result_key(one, store, seed=0, quick=True),
        result_key(replace(one, version="2"), store, seed=0, quick=False),
        result_key(replace(one, protocol={"folds": "10"}), store, seed=0, quick=False),
        result_key(one, store, seed=0, quick=False, detectors=(outside.parse("a=b"),)),
    ]
    assert len({key, *others}) == 6


def test_all_that_experiments_compute_with_is_in_their_digest():
    seen = {*fingerprints._SHARED, *fingerprints._OF_DETECTORS}
    # Of the training they take a list alone, which their protocol declares.
    seen.add("convtrace.evaluation.training")
    used = set()
    for one in IN_ORDER:
        for name in fingerprints._own_modules(one.run.__module__):
            source = fingerprints._source(name)
            used |= set(re.findall(r"^from (convtrace\.evaluation\.\w+) import", source, re.M))
    assert len(used) > 5
    assert used <= seen | {fingerprints._ROOM}


def test_comments_do_not_make_other_code_and_statements_do():
    source = 'def f():\n    """About."""\n    return 1\n'
    assert stripped(source) == stripped('def f():\n    """New."""\n\n    # why\n    return 1\n')
    assert stripped(source) != stripped(source.replace("1", "2"))


def test_damaged_result_counts_as_absent(tmp_path):
    store = KeptResults(tmp_path)
    result = Result((Table("t", ("a",), ((1.5,),)),), measured="one")
    assert store.keep("k", result, 2.0, ["bad.png: damaged"]) == result
    assert store.find("k") == (result, 2.0, ["bad.png: damaged"])
    path = tmp_path / "k.json"
    path.write_text(path.read_text()[:-20])
    assert store.find("k") is None
    assert store.find("other") is None


def test_interruption_keeps_what_is_done(replaced, tmp_path, kept):
    def interrupt(_):
        raise KeyboardInterrupt

    replaced("subjects", lambda _: Result(findings=("Found.",), measured="0.9"))
    replaced("peers", interrupt)
    with pytest.raises(KeyboardInterrupt):
        reproduce(tmp_path, experiments=("subjects", "peers", "robustness"), cache=kept)
    text = (tmp_path / "README.md").read_text()
    assert "Found." in text
    assert text.count("not run: interrupted") == 2
    assert (tmp_path / "subjects.md").is_file()
    assert not (tmp_path / "peers.md").exists()


def test_a_defect_is_no_reason_but_an_error(replaced, tmp_path, kept):
    def fail(_):
        raise ValueError("operands could not be broadcast")

    replaced("subjects", fail)
    with pytest.raises(ValueError, match="broadcast"):
        reproduce(tmp_path, experiments=("subjects",), cache=kept / "other")


def test_nothing_is_prepared_for_what_cannot_be_used(tmp_path):
    def prepare():
        raise AssertionError("it was prepared for")

    with pytest.raises(DatasetError, match="no such file"):
        reproduce(tmp_path / "out", data=tmp_path / "none", cache=tmp_path, prepare=prepare)


def test_what_cannot_be_run_is_told_and_the_rest_is_run(replaced, tmp_path, kept):
    def fail(_):
        raise DatasetError("too few photographs")

    lines: list[str] = []
    replaced("subjects", fail)
    replaced("editing-app", lambda _: Result(measured="0.8"))
    found = reproduce(tmp_path, experiments=FAST, cache=kept / "other", notify=lines.append)
    assert [one.experiment.name for one in found.failed] == ["subjects"]
    assert lines == ["subjects: not run: too few photographs"]
    assert "not run: too few photographs" in found.index.read_text()
    with pytest.raises(ConvtraceError, match="too few photographs"):
        reproduce(tmp_path, experiments=("subjects",), cache=kept / "other")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"experiments": ("nonsense",)}, "no experiment is called"),
        ({"detectors": (outside.parse("a=b"),)}, "needs pictures"),
        ({"experiments": FAST, "detectors": (outside.parse("a=b"),)}, "experiment peers"),
        ({"experiments": FAST, "network": True}, "the network is compared with in"),
        ({"network": True}, "the network needs (PyTorch|pictures)"),
        ({"data": "/no/such/folder"}, "no such file"),
    ],
)
def test_wrong_usage_is_said_before_any_work(options, reason, tmp_path):
    with pytest.raises(ConvtraceError, match=reason):
        reproduce(tmp_path / "out", cache=tmp_path / "kept", **options)
    assert not list(tmp_path.iterdir())


def test_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(DatasetError, match="out"):
        reproduce(tmp_path / "out", experiments=("subjects",), cache=tmp_path)


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    """Return small copies of two sets of the paper: noise, and noise that was enlarged."""
    root = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    for number in range(14):
        noise = rng.integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
        for folder in ("CelebA/img_align_celeba", "StarGAN"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        name = f"{number:06}"
        Image.fromarray(noise).save(root / "CelebA" / "img_align_celeba" / f"{name}.png")
        small = Image.fromarray(noise[:32, :32])
        small.resize((64, 64), Image.Resampling.BILINEAR).save(root / "StarGAN" / f"{name}.png")
    (root / "StarGAN" / "broken.png").write_text("this is no picture")
    return root


def test_own_pictures_go_the_same_way(sets, tmp_path, monkeypatch, request):
    # One peer is as good as six, and measured in a sixth of the time.
    monkeypatch.setattr(peers, "PEERS", peers.PEERS[:1])
    lines: list[str] = []
    program = tmp_path / "size.py"
    program.write_text(
        "import os, sys\nprint('path,score')\n"
        "for line in open(sys.argv[1]):\n"
        "    p = line.strip()\n    print(f'{p},{-os.path.getsize(p)}')\n"
    )
    monkeypatch.setattr(peers, "QUICK_STEPS", 1)
    torch = importlib.util.find_spec("torch") is not None
    if torch:
        # Threads of PyTorch wait for each other, on a busy machine for most of the time.
        import torch as library

        threads = library.get_num_threads()
        library.set_num_threads(1)
        request.addfinalizer(lambda: library.set_num_threads(threads))
    options = {"quick": True, "data": sets, "n_jobs": 1, "cache": tmp_path / "kept"}
    found = reproduce(
        tmp_path / "out",
        experiments=("matched-pairs", "peers"),
        detectors=(outside.parse(f"size={sys.executable} {program}"),),
        notify=lines.append,
        network=torch,
        **options,
    )
    assert not found.failed, found.failed
    missing = {one.name for one in found.missing}
    assert "AttGAN" in missing
    assert "StarGAN" not in missing
    assert any(line.startswith("AttGAN was not found; it is described in Z. He") for line in lines)
    pairs, compared = (one.result for one in found.outcomes)
    # Enlarged noise is as different from noise as can be.
    assert pairs.tables[0].rows[0][:4] == ("StarGAN", 14, 14, (1, 1, 1))
    mean, table = compared.tables[:2]
    size = table.columns.index("size")
    assert table.rows[0][size][0] == 1
    assert (peers.NETWORK in table.columns) == torch
    assert [row[0] for row in mean.rows] == list(table.columns[3:])
    (error,) = found.errors
    assert "broken.png" in error
    # What was measured is not measured again, and what could not be is still told.
    again = reproduce(tmp_path / "out", experiments=("matched-pairs",), **options)
    assert again.outcomes[0].cached
    assert again.errors == found.errors


def test_story_says_where_nothing_is_known_of_the_history(sets, tmp_path):
    options = {"experiments": ("editing-app",), "quick": True, "n_jobs": 1, "cache": tmp_path}
    own = reproduce(tmp_path / "own", data=sets, **options).index.read_text()
    packaged = reproduce(tmp_path / "packaged", **options).index.read_text()
    said = "Nothing is known of the history of these pictures"
    assert said in own
    assert said not in packaged


def test_packaged_scores_are_in_the_digest_of_what_uses_them(tmp_path):
    one = EXPERIMENTS.get("peers")
    assert [path.name for path in one.files] == ["network-pairs.parquet"]
    other = tmp_path / "network-pairs.parquet"
    other.write_bytes(b"others")
    assert code_digest(one) != code_digest(replace(one, files=(other,)))


def test_picture_table_counts_and_sizes():
    facts = BundledStore().facts()
    table = picture_table(facts, "lossless", ("crop-128+jpeg-95",))
    row = next(row for row in table.rows if row[0] == "StyleGAN2: generated")
    assert row == ("StyleGAN2: generated", 54, 54, "PNG 54", "none", "320x320", "128x128, JPEG 95")
    every = picture_table(facts, "all")
    assert sum(row[1] for row in every.rows) == len(facts)


def test_tables_as_csv_and_latex_escape_what_they_must():
    table = Table("50% of a_b", ("a,b", "c"), (('x "y"', (0.5, 0.25, 0.75)), ("z", None)))
    assert to_csv(table) == "a,b,c,c low,c high\n".replace("a,b", '"a,b"') + (
        '"x ""y""",0.5,0.25,0.75\nz,,,\n'
    )
    text = to_latex(table)
    assert r"\caption{50\% of a\_b}" in text
    assert "0.500 (0.250 to 0.750)" in text


def test_long_latex_table_goes_over_pages():
    long = Table("t", ("a",), tuple((number,) for number in range(60)))
    text = to_latex(long)
    assert text.startswith("\\begin{longtable}{r}\n\\caption{t} \\\\\n\\toprule\n")
    assert "\\endhead\n0 \\\\\n" in text
    assert text.endswith("\\end{longtable}\n")
    assert r"\begin{table}" in to_latex(replace(long, rows=long.rows[:40]))


@pytest.fixture
def document(tmp_path, kept, monkeypatch):
    monkeypatch.setattr(currency, "RUN_AGAIN", ("subjects",))
    monkeypatch.setattr(currency, "IN_ORDER", tuple(map(EXPERIMENTS.get, ("kernel-size", *FAST))))
    path = tmp_path / "story.md"
    reproduce(
        tmp_path / "out", experiments=("kernel-size", *FAST), quick=True, n_jobs=1, cache=kept,
        markdown=path,
    )  # fmt: skip
    return path


def test_document_is_current_until_something_changes(document, monkeypatch):
    assert check_document(document, n_jobs=1) == []
    (document.with_suffix("") / "kernel-size.png").unlink()
    assert check_document(document, numbers=False) == ["the figure kernel-size.png is missing"]
    text = document.read_text()
    document.write_text(text.replace("0.9", "1.0", 1))
    assert "its text was changed by hand" in check_document(document, numbers=False)
    monkeypatch.setattr(currency, "code_digest", lambda one: f"another {one.name}")
    assert "the code of experiment subjects has changed" in check_document(document, numbers=False)


def test_document_with_other_numbers_is_not_current(document):
    record, body = read_record(document.read_text())
    assert record["experiments"]["subjects"]["code"] == code_digest(EXPERIMENTS.get("subjects"))
    record["quick runs"]["subjects"][0] += 0.1
    document.write_text(f"{body}\n\n<!-- convtrace-reproduction\n{json.dumps(record)}\n-->\n")
    (line,) = check_document(document, n_jobs=1)
    assert line.startswith("the quick run of subjects gives 0.")


def test_document_without_record_is_refused(tmp_path):
    path = tmp_path / "story.md"
    path.write_text("# A story\n")
    with pytest.raises(DatasetError, match="records nothing"):
        check_document(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        check_document(tmp_path / "none.md")
