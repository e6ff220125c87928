"""Every experiment in its quick form, from the packaged tables; outside detectors; tests."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from convtrace.errors import ConvtraceError
from convtrace.evaluation import outside
from convtrace.evaluation.experiments import EXPERIMENTS, Context, Result
from convtrace.evaluation.experiments.matched_pairs import joint_choice
from convtrace.evaluation.learning import Comparison
from convtrace.evaluation.paired import holm, mcnemar, paired_difference, verdict
from convtrace.evaluation.pairs import MATCHED
from convtrace.evaluation.store import BundledStore

QUICK = ["subjects", "editing-app", "kernel-size", "training-size", "robustness", "peers"]


@pytest.fixture(scope="module")
def store():
    return BundledStore()


@pytest.mark.parametrize("name", QUICK)
def test_quick_run_gives_tables_that_survive_storing(name, store):
    result = EXPERIMENTS.get(name).run(Context(store, quick=True, n_jobs=1))
    assert result.tables
    stored = json.loads(json.dumps(result.to_dict()))
    again = json.loads(json.dumps(Result.from_dict(stored).to_dict()))
    assert again == stored


def test_larger_kernels_tell_more(store):
    table = EXPERIMENTS.get("kernel-size").run(Context(store, quick=True, n_jobs=1)).tables[0]
    for row in table.rows:
        assert row[3][0] > row[1][0] + 0.05


def test_data_sets_have_one_choice_by_the_mean_over_all():
    one, other = np.array([[0.9, 0.9], [0.8, 0.8]]), np.array([[0.1, 0.1], [0.7, 0.7]])
    # Alone, the first would choose candidate 0; the other has more to gain. It has one fold.
    assert joint_choice([Comparison((), (one, one)), Comparison((), (other,))]) == [1, 0]


def test_pairs_that_are_chosen_for_together_share_no_picture(store):
    facts = store.facts()
    seen: set[str] = set()
    for pair in MATCHED:
        if pair.lossless:
            own = set(facts.groups[np.isin(facts.subsets, [*pair.fakes, *pair.reals])].tolist())
            assert not seen & own
            seen |= own
    assert len(seen) > 500


def test_missing_data_is_said_and_not_made_up(store):
    (row,) = EXPERIMENTS.get("editing-app").run(Context(store, quick=True)).tables[0].rows
    assert row == ("FACEAPP", "no data", "no data", "no data", "", "0.93")


def test_mcnemar_and_holm_by_hand():
    right, other = np.array([1, 1, 1, 1, 0, 1], bool), np.array([0, 0, 0, 0, 1, 1], bool)
    assert mcnemar(right, other) == pytest.approx(2 * (1 + 5) / 32)
    assert mcnemar(right, right) == 1
    assert holm([0.5, 0.01]) == [0.5, 0.02]


def test_a_better_method_is_found_better_and_itself_is_not():
    rng = np.random.default_rng(0)
    truth = rng.random(300) < 0.5
    good, bad = truth ^ (rng.random(300) < 0.05), truth ^ (rng.random(300) < 0.3)
    groups = np.arange(300)
    difference = paired_difference(truth, good, bad, groups)
    assert difference[1] > 0
    assert verdict(difference, mcnemar(good == truth, bad == truth)) == "better"
    assert paired_difference(truth, good, good, groups) == (0, 0, 0)


def test_outside_detector_gets_paths_and_gives_scores(tmp_path):
    program = tmp_path / "detector.py"
    program.write_text(
        "import sys\nprint('path,score')\n"
        "for line in open(sys.argv[1]):\n    print(line.strip() + ',' + str(len(line)))\n"
    )
    paths = [tmp_path / "a.png", tmp_path / "bb.png"]
    detector = outside.parse(f"mine={sys.executable} {program}")
    scores = outside.score(detector, paths)
    assert scores[1] == scores[0] + 1


@pytest.mark.parametrize("text", ["npr", "=cmd", "npr=", "npr='"])
def test_detector_that_is_not_name_and_command(text):
    with pytest.raises(ConvtraceError, match="detector"):
        outside.parse(text)


@pytest.mark.parametrize(
    ("code", "reason"),
    [("raise SystemExit('no weights')", "no weights"), ("print('a,b')", "columns"),
     ("print('path,score')", "no finite score")],
)  # fmt: skip
def test_detector_that_fails_is_named(code, reason, tmp_path):
    detector = outside.OutsideDetector("mine", (sys.executable, "-c", code))
    with pytest.raises(ConvtraceError, match=f"mine.*{reason}"):
        outside.score(detector, [tmp_path / "a.png"])
