"""From pictures to a detector with a card, and the packaged table."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from convtrace import datasets, descriptors
from convtrace.detection import Detector, Recipe, bundled
from convtrace.errors import DatasetError
from convtrace.evaluation import (
    BUNDLED,
    bundled_table,
    measure,
    read_table,
    resolve,
    train,
    write_table,
)

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
    assert bundled().n_features_in_ == table.features.shape[1]


def test_packaged_table_is_what_the_pictures_give(corpus):
    """A few pictures measured anew agree with the packaged numbers."""
    table = bundled_table()
    chosen = datasets.load(corpus).select(np.arange(0, 3486, 700))
    descriptor = descriptors.create(BUNDLED.descriptor, **dict(BUNDLED.descriptor_params))
    again, _ = measure(chosen, descriptor, BUNDLED.degradations)
    for picture in np.unique(again.picture):
        packaged = table.select(table.picture == picture)
        mine = again.select(again.picture == picture)
        np.testing.assert_array_equal(packaged.degradations, mine.degradations)
        np.testing.assert_allclose(packaged.features, mine.features, rtol=2e-3, atol=2e-4)
