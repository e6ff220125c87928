"""The audit: it warns where a fact gives the class away, and only there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convtrace.datasets import AuditReport, Dataset, Finding, audit, load, render_audit
from convtrace.datasets.separability import Evidence, facts_scores, held_out_auc
from convtrace.datasets.splits import grouped_folds
from convtrace.errors import DatasetError

PER_CLASS = 60

Saver = Callable[[Image.Image, Path, np.random.Generator], None]


def make(folder: Path, real: Saver, fake: Saver, *, names: tuple[str, str] = ("", "")) -> Path:
    """Save two classes of the same kind of noise, each by its own saver."""
    random = np.random.default_rng(0)
    for label, saver, prefix in (("real", real, names[0]), ("fake", fake, names[1])):
        (folder / label).mkdir(parents=True)
        for i in range(PER_CLASS):
            side = int(random.choice([24, 32, 40]))
            noise = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
            saver(Image.fromarray(noise), folder / label / f"{prefix}{i:04d}", random)
    return folder


def as_png(image: Image.Image, stem: Path, _: np.random.Generator) -> None:
    image.save(f"{stem}.png")


def as_jpeg(image: Image.Image, stem: Path, random: np.random.Generator) -> None:
    image.save(f"{stem}.jpg", quality=int(random.choice([75, 85, 95])))


def finding(report: AuditReport, name: str) -> Finding:
    return next(one for one in report.findings if one.name == name)


def auc(report: AuditReport, name: str) -> float:
    found = finding(report, name).auc
    assert found is not None
    return found.value


def test_format_that_tells_everything(tmp_path: Path) -> None:
    report = audit(load(make(tmp_path, as_jpeg, as_png)))
    assert auc(report, "format") == 1.0
    assert auc(report, "all together") > 0.99
    assert finding(report, "format").level == "strong"
    warning = next(one for one in report.warnings if one.startswith("File format"))
    assert "File format alone tells the classes apart: AUC 1.00 (1.00 to 1.00)." in warning
    assert "Re-save both classes" in warning
    assert finding(report, "JPEG compression").level == "not tested"
    assert "only 0 fake pictures" in finding(report, "JPEG compression").message
    assert auc(report, "file name") == 0.5
    assert auc(report, "size") < 0.65
    assert report.tables["format"] == {
        "JPEG": {"real": PER_CLASS, "fake": 0},
        "PNG": {"real": 0, "fake": PER_CLASS},
    }


def test_nothing_tells_anything(tmp_path: Path) -> None:
    report = audit(load(make(tmp_path, as_jpeg, as_jpeg)))
    assert report.warnings == ()
    for one in report.findings:
        assert one.auc is not None
        assert 0.35 < one.auc.value < 0.65
        assert one.auc.low <= one.auc.value <= one.auc.high
        assert one.auc.low <= 0.55
    assert "No warning" in render_audit(report)


def test_jpeg_quality_that_tells(tmp_path: Path) -> None:
    def strong(image: Image.Image, stem: Path, _: np.random.Generator) -> None:
        image.save(f"{stem}.jpg", quality=60)

    report = audit(load(make(tmp_path, strong, as_jpeg)))
    assert auc(report, "format") == 0.5
    assert auc(report, "JPEG compression") == 1.0
    assert report.tables["JPEG quality"]["60 to 64"] == {"real": PER_CLASS, "fake": 0}


def test_size_that_tells(tmp_path: Path) -> None:
    def wide(image: Image.Image, stem: Path, _: np.random.Generator) -> None:
        image.resize((48, 32)).save(f"{stem}.png")

    report = audit(load(make(tmp_path, wide, as_png)))
    assert auc(report, "size") == 1.0
    assert auc(report, "format") == 0.5


def test_metadata_that_tells(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = "Canon"

    def camera(image: Image.Image, stem: Path, _: np.random.Generator) -> None:
        image.save(f"{stem}.png", exif=exif)

    report = audit(load(make(tmp_path, camera, as_png)))
    assert auc(report, "metadata") == 1.0
    assert report.tables["metadata"]["camera maker"] == {"real": PER_CLASS, "fake": 0}
    assert report.tables["metadata"]["none of these"] == {"real": 0, "fake": PER_CLASS}


def test_names_that_tell(tmp_path: Path) -> None:
    report = audit(load(make(tmp_path, as_png, as_png, names=("IMG_", "seed"))))
    assert auc(report, "file name") == 1.0
    assert auc(report, "all together") == 1.0
    assert auc(report, "format") == 0.5


def test_colour_mode_that_tells(tmp_path: Path) -> None:
    def grey(image: Image.Image, stem: Path, _: np.random.Generator) -> None:
        image.convert("L").save(f"{stem}.png")

    assert auc(audit(load(make(tmp_path, grey, as_png))), "colour mode") == 1.0


def test_the_published_format_is_tested_where_it_is_told(tmp_path: Path) -> None:
    dataset = load(make(tmp_path, as_png, as_png))
    assert "format as published" not in {one.name for one in audit(dataset).findings}
    published = ["jpeg-q75" if label == "real" else "png" for label in dataset.labels]
    told = Dataset.build(
        dataset.root,
        dataset.layout,
        dataset.paths,
        dataset.labels.tolist(),
        published_format=published,
    )
    report = audit(told)
    assert auc(report, "format") == 0.5
    assert auc(report, "format as published") == 1.0
    assert report.tables["format as published"]["jpeg"] == {"real": PER_CLASS, "fake": 0}


def test_unreadable_files_are_listed_and_left_out(tmp_path: Path) -> None:
    make(tmp_path, as_png, as_png)
    (tmp_path / "real" / "broken.png").write_bytes(b"")
    (tmp_path / "fake" / "text.png").write_text("no picture")
    report = audit(load(tmp_path))
    assert dict(report.unreadable) == {
        "real/broken.png": "the file is empty",
        "fake/text.png": "not a picture of a known format",
    }
    assert finding(report, "format").pictures == 2 * PER_CLASS
    assert "2 files could not be read" in render_audit(report)


@pytest.mark.filterwarnings("error")
def test_damaged_exif_is_no_matter(tmp_path: Path) -> None:
    make(tmp_path, as_jpeg, as_jpeg)
    damaged = tmp_path / "real" / "damaged.jpg"
    Image.new("RGB", (8, 8)).save(damaged, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    assert audit(load(tmp_path)).unreadable == ()


def test_the_report_is_json_and_text(tmp_path: Path) -> None:
    report = audit(load(make(tmp_path, as_jpeg, as_png)))
    content = json.loads(json.dumps(report.to_dict()))
    assert content["counts"]["real"] == PER_CLASS
    assert content["findings"][0]["auc"]["value"] == 1.0
    assert content["warnings"] == list(report.warnings)
    text = render_audit(report, width=70)
    assert "format            1.00 (1.00 to 1.00)" in text
    assert f"{PER_CLASS} (100%)" in text
    assert max(len(line) for line in text.splitlines() if line.startswith("  ! ")) <= 70


def test_the_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    dataset = load(make(tmp_path, as_jpeg, as_jpeg))
    assert audit(dataset, seed=3).to_dict() == audit(dataset, seed=3, n_jobs=1).to_dict()


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    dataset = load(make(tmp_path, as_png, as_png))
    audit(dataset, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, len(dataset)) for i in range(1, len(dataset) + 1)]


def test_one_class_cannot_be_audited(tmp_path: Path) -> None:
    dataset = load(make(tmp_path, as_png, as_png))
    with pytest.raises(DatasetError, match="has no fake pictures"):
        audit(dataset.select(dataset.labels == "real"))


def test_too_few_pictures_cannot_be_audited(tmp_path: Path) -> None:
    dataset = load(make(tmp_path, as_png, as_png))
    with pytest.raises(DatasetError, match="has 3 readable fake pictures; an audit needs 10"):
        audit(dataset.select([0, 1, 2, *range(PER_CLASS, 2 * PER_CLASS)]))


def test_few_groups_lower_the_folds_and_one_is_not_tested(tmp_path: Path) -> None:
    dataset = load(make(tmp_path, as_jpeg, as_png))
    real = dataset.labels == "real"

    def grouped(n_groups: int) -> AuditReport:
        groups = [f"real {i % n_groups}" if r else f"fake {i}" for i, r in enumerate(real)]
        return audit(
            Dataset.build(
                dataset.root,
                dataset.layout,
                dataset.paths,
                dataset.labels.tolist(),
                groups=groups,
            )
        )

    assert auc(grouped(2), "format") == 1.0
    assert finding(grouped(1), "format").message == "not tested: all real pictures are one group"


def test_a_classifier_without_knowledge_scores_exactly_one_half() -> None:
    random = np.random.default_rng(0)
    fake = random.random(101) < 0.3
    folds = grouped_folds(fake, np.arange(101))
    found = held_out_auc(
        facts_scores, Evidence(np.ones((101, 1))), fake, np.arange(101), folds, n_resamples=20
    )
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_the_auc_is_that_of_scikit_learn_in_each_fold() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(1)
    fake = random.random(200) < 0.4
    facts = (fake + random.normal(0, 1, 200)).reshape(-1, 1)
    folds = grouped_folds(fake, np.arange(200), n_splits=2)
    found = held_out_auc(
        lambda evidence, _fake, fold, _seed: np.round(evidence.facts[fold[1], 0], 1),
        Evidence(facts),
        fake,
        np.arange(200),
        folds,
    )
    pairs = [np.count_nonzero(fake[t]) * np.count_nonzero(~fake[t]) for _, t in folds]
    each = [roc_auc_score(fake[t], np.round(facts[t, 0], 1)) for _, t in folds]
    assert found.value == pytest.approx(np.average(each, weights=pairs))
    assert found.low < found.value < found.high


def test_the_corpus(corpus: Path) -> None:
    dataset = load(corpus)
    whole = audit(dataset)
    assert whole.unreadable == ()
    assert finding(whole, "JPEG compression").level in ("clear", "strong")
    assert finding(whole, "size").level == "hint"
    pair = audit(dataset.select(np.isin(dataset.subset, ["stgan-celeba128", "real-celeba128"])))
    for name in ("format", "size", "colour mode", "metadata", "file name", "format as published"):
        assert auc(pair, name) == 0.5
