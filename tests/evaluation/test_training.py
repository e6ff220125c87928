"""From pictures to a detector with a card, and the packaged table."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from convtrace import datasets, descriptors, scan
from convtrace.detection import Detector, Recipe, bundled, bundled_path, read_card, recipes
from convtrace.detection.conditions import is_small, of_small, of_whole
from convtrace.detection.windows import WINDOW
from convtrace.errors import DatasetError
from convtrace.evaluation import (
    BUNDLED,
    FeatureTable,
    bundled_table,
    measure,
    read_table,
    resolve,
    train,
    write_table,
)
from convtrace.evaluation.bundled_table import (
    BUNDLED_DEGRADATIONS,
    BUNDLED_LEAST_SIDE,
    BUNDLED_SMALL_SIDE,
    BUNDLED_TABLES,
    MEASURED_PARTS,
    SCORED_DEGRADATIONS,
    SMALL_DEGRADATIONS,
    WINDOW_DEGRADATIONS,
    domains_of,
    scored_table,
    sides_of,
    simulated_table,
    small_table,
    windows_table,
)
from convtrace.evaluation.training import _limits, train_on_table
from convtrace.image import degradations

RECIPE = Recipe(
    name="small",
    descriptor_params=MappingProxyType({"kernel_size": 3}),
    classifier="lda",
    degradations=("none", "jpeg-60..90"),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Return noise photographs and up-sampled images that traces tell apart easily."""
    root = tmp_path_factory.mktemp("set")
    rng = np.random.default_rng(0)
    for label in ("real", "fake"):
        (root / label).mkdir()
        for index in range(12):
            pixels = rng.integers(0, 256, size=(72, 72, 3), dtype=np.uint8)
            picture = Image.fromarray(pixels)
            if label == "fake":
                picture = picture.resize((36, 36)).resize((72, 72), Image.Resampling.BILINEAR)
            picture.save(root / label / f"{index:02d}.png")
    return datasets.load(root)


def test_trained_detector_tells_them_apart_and_says_how_well(dataset, tmp_path):
    detector = train(dataset, recipe=RECIPE)
    path = tmp_path / "small.convtrace"
    detector.save(path)
    loaded = Detector.load(path)
    fake = str(dataset.paths[list(dataset.labels).index("fake")])
    real = str(dataset.paths[list(dataset.labels).index("real")])
    probability = loaded.predict_proba([real, fake])[:, 1]
    assert probability[0] < 0.5 < probability[1]
    titles = [table.title for table in loaded.card_.results]
    assert "Held-out results by degradation" in titles


def test_training_keeps_what_it_measures(dataset, tmp_path):
    first = train(dataset, recipe=RECIPE, cache=tmp_path / "kept")
    kept = {path: path.read_bytes() for path in (tmp_path / "kept").rglob("*.npy")}
    assert len(kept) == len(dataset) * len(RECIPE.degradations)
    # Entries of other pictures are recognised in the result, so it is these that are taken.
    values = sorted(kept.values())
    for path, value in zip(sorted(kept), values, strict=True):
        path.write_bytes(value)
    second, third = (train(dataset, recipe=RECIPE, cache=folder) for folder in
                     (tmp_path / "kept", None))  # fmt: skip
    picture = str(dataset.paths[0])
    scores = [float(each.decision_function([picture])[0]) for each in (first, second, third)]
    assert scores[0] == scores[2] != scores[1]


def test_table_survives_parquet(dataset, tmp_path):
    descriptor = descriptors.create("ct", kernel_size=3)
    table, errors = measure(dataset, descriptor, RECIPE.degradations)
    assert not errors
    assert len(table) == 48
    write_table(table, tmp_path / "t.parquet")
    again = read_table(tmp_path / "t.parquet")
    np.testing.assert_allclose(again.features, table.features, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(again.names, table.names)
    np.testing.assert_array_equal(again.conditions, table.conditions)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_table(tmp_path / "none.parquet")


def test_ranges_are_drawn_within_their_bounds():
    drawn = [resolve("rescale-0.75..1.25+jpeg-50..100", str(n)) for n in range(200)]
    factors = np.array([float(name.split("+")[0].split("-")[1]) for name in drawn])
    qualities = np.array([int(name.split("-")[-1]) for name in drawn])
    assert 0.75 <= factors.min() < 0.8
    assert 1.2 < factors.max() <= 1.25
    assert qualities.min() >= 50
    assert qualities.max() <= 100
    assert len(set(qualities)) > 30


def test_packaged_table_is_what_the_bundled_detector_was_trained_on():
    table = bundled_table()
    assert set(table.templates.tolist()) == set(BUNDLED.degradations)
    assert np.isfinite(table.features).all()
    card = bundled().card_
    assert card.training["rows"] == len(table)
    descriptor = descriptors.create(BUNDLED.descriptor, **dict(BUNDLED.descriptor_params))
    assert table.names.tolist() == descriptor.get_feature_names_out().tolist()
    assert bundled().n_features_in_ == table.features.shape[1]


def test_simulated_rows_belong_to_photographs_and_are_only_trained_on():
    """A copy of a photograph must never train where the photograph is tested."""
    table, simulated = bundled_table(), simulated_table()
    real = table.labels == "real"
    subset_of = dict(zip(table.groups[real].tolist(), table.subsets[real].tolist(), strict=True))
    assert set(simulated.labels.tolist()) == {"fake"}
    assert [subset_of[group] for group in simulated.groups.tolist()] == simulated.subsets.tolist()
    assert simulated.names.tolist() == table.names.tolist()
    assert bundled().card_.training["auxiliary_rows"] == len(simulated)
    domain = dict(zip(table.groups.tolist(), domains_of(table.subsets).tolist(), strict=True))
    for group, of in zip(table.groups.tolist(), domains_of(table.subsets).tolist(), strict=True):
        assert domain[group] == of
    with pytest.raises(DatasetError, match="my-set"):
        domains_of(np.array(["my-set"]))


def test_verdicts_are_counted_by_limits_that_had_no_part_of_them():
    count, simulated = 1200, 120
    rng = np.random.default_rng(0)
    fake = np.arange(count + simulated) % 2 == 1
    fake[count:] = True
    groups = np.array([f"{index // 4:08x}" for index in range(count)])
    groups = np.concatenate([groups, groups[:simulated]])
    domains = np.array([f"domain {int(group, 16) % 4}" for group in groups[:count]])
    table = FeatureTable(
        (rng.normal(size=(count + simulated, 6)) + 1.5 * fake[:, None]).astype(np.float32),
        np.array([f"x{index}" for index in range(6)]),
        picture=np.arange(count + simulated).astype(str),
        labels=np.where(fake, "fake", "real"),
        generators=np.where(fake, "one", ""),
        groups=groups,
        subsets=np.concatenate(
            [np.char.add(domains, fake[:count].astype(str)), groups[:simulated]]
        ),
        formats=np.full(count + simulated, "PNG"),
        templates=np.full(count + simulated, "none"),
        degradations=np.full(count + simulated, "none"),
        conditions=np.full(count + simulated, "lossless"),
    )
    rows = np.arange(count)
    detector = train_on_table(
        table.select(rows),
        RECIPE,
        domains=domains,
        simulated=table.select(np.arange(count, count + simulated)),
    )
    found = {each.title: each for each in detector.card_.results}[
        "Verdicts by part of the data set"
    ]
    counts = {(row[0], row[1]): row for row in found.rows}
    assert counts["all", "real"][2] == counts["all", "generated"][2] == count // 2
    assert counts["all", "real"][3] < 0.03
    assert counts["all", "generated"][3] < 0.08
    folds = [row for row in found.rows if row[0].startswith("fold")]
    assert sum(row[2] for row in folds) == count // 2
    assert np.average([r[3] for r in folds], weights=[r[2] for r in folds]) == pytest.approx(
        counts["all", "real"][3]
    )
    held_out, verdicts = detector.held_out_, detector.held_out_verdicts_
    assert len(held_out.generated) == count
    real = ~held_out.generated
    wrong = held_out.probabilities[real] >= verdicts.high[real]
    assert counts["all", "real"][3] == pytest.approx(wrong.mean())
    assert len(np.unique(verdicts.high)) > 1  # each fold by the others


def test_rows_in_further_degradations_are_reported_and_not_trained_on(dataset):
    descriptor = descriptors.create("ct", kernel_size=3)
    table, _ = measure(dataset, descriptor, RECIPE.degradations)
    scored, _ = measure(dataset, descriptor, ("web", "rescale-0.9", "jpeg-80"))
    detector = train_on_table(table, RECIPE, scored=scored)
    assert detector.card_.training["rows"] == len(table)
    tables = {each.title: each for each in detector.card_.results}
    overall = {row[0]: row for row in tables["Held-out results by degradation"].rows}
    assert set(overall) == {"none", "web"}
    assert overall["web"][1] == 24
    reliability = tables["Reliability of the held-out probabilities"].rows
    assert [row[0] for row in reliability] == ["none", "web"]
    changes = tables["Verdicts after a small change"].rows
    assert [row[:3] for row in changes] == [
        ("rescale-0.9", "held out", 24),
        ("jpeg-80", "held out", 24),
    ]
    for _, _, _, sure, same, unsure, opposite in changes:
        assert same + unsure + opposite == pytest.approx(sure)
        assert sure > 0


def test_pictures_too_small_for_a_verdict_are_unsure_and_water_no_share_down(dataset):
    descriptor = descriptors.create("ct", kernel_size=3)
    table, _ = measure(dataset, descriptor, RECIPE.degradations)
    parts = np.char.add(table.labels, np.where(np.arange(len(table)) % 4 < 2, " one", " two"))
    table = replace(table, subsets=parts)
    small = parts == "real one"
    detector = train_on_table(
        table,
        RECIPE,
        domains=np.array([f"domain {int(group, 16) % 3}" for group in table.groups]),
        least_side=72,
        sides=np.where(small, 71, 72),
        leave_out=True,
        n_jobs=1,
    )
    tables = {each.title: each for each in detector.card_.results}
    every = tables["Held-out results by degradation"].rows
    large = tables["Held-out results by degradation, pictures large enough for a verdict"].rows
    assert [row[:2] for row in every] == [("none", 24)]
    assert [row[:2] for row in large] == [("none", 18)]
    assert tables["Reliability of the held-out probabilities"].rows[0][1] == 18
    rows = {row[:2]: row[2:] for row in tables["Verdicts by part of the data set"].rows}
    assert rows["real one", "real"] == (12, 0.0, 1.0, 0.0, 1.0)
    assert rows["all", "real"][0] == 12
    assert rows["all", "generated"][0] == 24
    assert sum(found[0] for (name, _), found in rows.items() if name.startswith("fold")) == 12
    left_out = tables["Photographs of sources left out entirely, called generated"].rows
    assert left_out[0][0] == "real one"
    assert left_out[0][2] == 0.0
    assert left_out[0][-1] == 1.0
    assert "under 72 pixels" in " ".join(detector.card_.limits)


def test_sides_are_those_of_what_was_measured():
    table = bundled_table()
    rows = np.flatnonzero(table.subsets == "real-celeba128")[: len(BUNDLED_DEGRADATIONS) * 3]
    few = table.select(rows)
    photograph = np.zeros((128, 128), dtype=np.uint8)
    expected = [degradations.apply(name, photograph).shape[0] for name in few.degradations.tolist()]
    assert sides_of(few).tolist() == expected
    assert len(set(expected)) > 2
    scored = scored_table()
    hard = scored.select(scored.templates == "hard")
    assert sides_of(hard).max() <= 512
    assert set(sides_of(windows_table()).tolist()) == {WINDOW}
    unknown = replace(few, picture=np.full(len(few), "0123"))
    with pytest.raises(DatasetError, match="1 pictures are none of the corpus, such as 0123"):
        sides_of(unknown)


def test_the_bundled_detector_judges_no_thumbnails():
    assert bundled().least_side == BUNDLED_LEAST_SIDE == 128
    noise = np.random.default_rng(0).normal(128, 30, (128, 160, 3)).clip(0, 255).astype(np.uint8)
    assert "too small" not in " ".join(scan(noise).reasons)
    verdict = scan(noise[:, :127])
    assert verdict.label == "unsure"
    assert "127x128 pixels: too small" in verdict.reasons[0]


def test_the_bundled_detector_judges_small_pictures_by_limits_of_their_own():
    detector = bundled()
    assert detector.small_side == BUNDLED_SMALL_SIDE == 160
    kinds = [name for name in detector.condition_calibrations_ if is_small(name)]
    assert set(kinds) > {of_small(""), of_small("lossless"), of_small("jpeg-70-84")}
    for name in set(kinds) - {of_small("")}:
        own, large = (detector.calibration_for(each) for each in (name, of_whole(name)))
        scores = np.linspace(-5.0, 5.0, 11)
        np.testing.assert_array_equal(own.probability(scores), large.probability(scores))
        assert (own.low, own.high) != (large.low, large.high)
    photograph = load_sample_image("china.jpg")[200:360, 100:270]
    assert "of test pictures" in " ".join(scan(photograph).reasons)
    assert "of small test pictures" in " ".join(scan(photograph[:159]).reasons)


def test_sources_left_out_are_reported(dataset):
    descriptor = descriptors.create("ct", kernel_size=3)
    table, _ = measure(dataset, descriptor, RECIPE.degradations)
    parts = np.where(np.arange(len(table)) % 4 < 2, "one", "two")
    table = replace(table, subsets=parts)
    detector = train_on_table(table, RECIPE, leave_out=True, n_jobs=1)
    found = {each.title: each for each in detector.card_.results}[
        "Photographs of sources left out entirely, called generated"
    ]
    assert [row[0] for row in found.rows] == ["one", "two"]
    assert all(0.0 <= row[2] <= 1.0 for row in found.rows)
    assert sum(row[1] for row in found.rows) == 12


def _four_generators(names: tuple[str, str, str, str]) -> FeatureTable:
    """Return rows of photographs and of generators, the first two of which leave one trace."""
    rng = np.random.default_rng(0)
    each = 60
    centres = {"": 0.0, names[0]: 12.0, names[1]: 12.0, names[2]: 6.0, names[3]: 18.0}
    generators = np.repeat(list(centres), each)
    count = len(generators)
    features = rng.normal(size=(count, 4)) + np.repeat(list(centres.values()), each)[:, None]
    return FeatureTable(
        features.astype(np.float32),
        np.array([f"x{index}" for index in range(4)]),
        picture=np.arange(count).astype(str),
        labels=np.where(generators == "", "real", "fake"),
        generators=generators,
        groups=np.array([f"{index:08x}" for index in range(count)]),
        subsets=np.where(np.arange(count) % 2, "odd", "even"),
        formats=np.full(count, "PNG"),
        templates=np.full(count, "none"),
        degradations=np.full(count, "none"),
        conditions=np.full(count, "lossless"),
    )


def test_generators_left_out_that_are_named_after_others_are_reported():
    table = _four_generators(("twin", "other twin", "third", "fourth"))
    detector = train_on_table(table, RECIPE, leave_out=True, n_jobs=1)
    found = {each.title: each for each in detector.card_.results}[
        "Images of generators left out entirely, named after another one"
    ]
    assert found.columns == ("generator", "pictures", "none", "most often")
    rows = {row[0]: row for row in found.rows}
    assert list(rows) == ["fourth", "other twin", "third", "twin"]
    assert rows["twin"][1:] == (60, pytest.approx(0.9, abs=0.1), "other twin")
    assert rows["other twin"][1:] == (60, pytest.approx(0.9, abs=0.1), "twin")
    assert rows["third"][2] < 0.5


def test_images_may_be_attributed_to_families():
    names = ("FaceForensics++ FaceSwap", "FaceForensics++ DeepFakes", "StyleGAN2", "BEGAN")
    table = _four_generators(names)
    detector = train_on_table(table, RECIPE, leave_out=True, n_jobs=1, by_family=True)
    families = ("BEGAN", "FaceForensics++", "StyleGAN2")
    assert detector.attribution_.names == families
    assert detector.attribution_.measured["accuracy"] > 0.95
    tables = {each.title: each for each in detector.card_.results}
    elsewhere = tables["Images of generators left out entirely, named after another one"]
    assert tuple(row[0] for row in elsewhere.rows) == families
    # All else is by method.
    by_generator = tables["AUC on generators left out entirely"]
    assert {row[0] for row in by_generator.rows} > set(names)
    apart = train_on_table(table, RECIPE)
    assert set(apart.attribution_.names) == set(names)
    assert apart.attribution_.measured["accuracy"] < 0.85


def test_packaged_rows_that_are_only_scored_are_of_pictures_that_were_trained_on():
    table, scored = bundled_table(), scored_table()
    assert set(scored.templates.tolist()) == set(SCORED_DEGRADATIONS)
    assert set(scored.picture.tolist()) < set(table.picture.tolist())
    assert scored.names.tolist() == table.names.tolist()
    assert np.isfinite(scored.features).all()


def test_packaged_windows_are_of_pictures_that_were_trained_on(corpus):
    table, windows = bundled_table(), windows_table()
    assert set(windows.templates.tolist()) == set(WINDOW_DEGRADATIONS)
    assert set(windows.groups.tolist()) < set(table.groups.tolist())
    assert windows.names.tolist() == table.names.tolist()
    packaged = BUNDLED_TABLES["windows"]
    chosen = datasets.load(corpus)
    chosen = chosen.select(packaged.chosen(chosen)).select(np.arange(3))
    again, _ = measure(chosen, packaged.descriptor(), packaged.degradations)
    for picture in np.unique(again.picture):
        mine, theirs = (each.select(each.picture == picture) for each in (again, windows))
        np.testing.assert_array_equal(theirs.conditions, mine.conditions)
        np.testing.assert_allclose(theirs.features, mine.features, rtol=2e-3, atol=2e-4)


def test_packaged_small_pictures_are_of_pictures_that_were_trained_on(corpus):
    table, small = bundled_table(), small_table()
    assert set(small.templates.tolist()) == set(SMALL_DEGRADATIONS)
    assert set(small.groups.tolist()) < set(table.groups.tolist())
    assert small.names.tolist() == table.names.tolist()
    sides = sides_of(small)
    # A few that were no squares are too small for a verdict; none is no small picture.
    assert sides.max() < BUNDLED_SMALL_SIDE
    for label in ("real", "fake"):
        judged = (sides >= BUNDLED_LEAST_SIDE) & (small.labels == label)
        assert judged.sum() > 0.95 * (small.labels == label).sum()
    packaged = BUNDLED_TABLES["small"]
    chosen = datasets.load(corpus)
    chosen = chosen.select(packaged.chosen(chosen)).select(np.arange(3))
    again, _ = measure(chosen, packaged.descriptor(), packaged.degradations)
    for picture in np.unique(again.picture):
        mine, theirs = (each.select(each.picture == picture) for each in (again, small))
        np.testing.assert_array_equal(theirs.conditions, mine.conditions)
        np.testing.assert_array_equal(theirs.degradations, mine.degradations)
        np.testing.assert_allclose(theirs.features, mine.features, rtol=2e-3, atol=2e-4)


def test_packaged_table_is_what_the_pictures_give(corpus):
    """A few pictures measured anew agree with the packaged numbers."""
    table = bundled_table(parts=MEASURED_PARTS)
    chosen = datasets.load(corpus).select(np.arange(0, 3486, 700))
    descriptor = descriptors.create("joined", parts=MEASURED_PARTS)
    again, _ = measure(chosen, descriptor, BUNDLED.degradations)
    for picture in np.unique(again.picture):
        packaged = table.select(table.picture == picture)
        mine = again.select(again.picture == picture)
        np.testing.assert_array_equal(packaged.degradations, mine.degradations)
        np.testing.assert_allclose(packaged.features, mine.features, rtol=2e-3, atol=2e-4)


def test_a_card_claims_of_ones_own_detector_nothing_that_was_not_measured() -> None:
    own = " ".join(_limits(recipes.get("ct3-lda"), by_domain=False))
    assert "never proof" in own
    for claim in ("hardly a photograph", "512x512"):
        assert claim not in own
        assert claim in " ".join(_limits(BUNDLED, by_domain=True))
    bundled_limits = _limits(BUNDLED, by_domain=True, least_side=BUNDLED_LEAST_SIDE)
    assert tuple(read_card(bundled_path()).limits) == bundled_limits
