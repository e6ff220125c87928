"""Write docs/detector.md: the bundled detector's card, its bars, and what its parts are worth.

    python tools/detector_report.py -o docs/detector.md

The ablation leaves out one domain of the corpus after the other (cameras, subjects and
generators at once) and fits classifiers to the rest: linear discriminants of the ranks, with some
of the descriptors, with and without the simulated generators; and the members of the detector and
others, alone and together.
It needs the packaged tables, no picture; about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory, Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from convtrace.datasets.catalogue import family
from convtrace.descriptors.cache import default_cache_folder
from convtrace.detection import Card, Table, bundled_path, classifiers, read_card
from convtrace.detection.domains import blocks_of, domain_folds
from convtrace.detection.held_out import (
    class_scores,
    fit_model,
    folds_by_group,
    held_out_scores,
)
from convtrace.detection.labels import balanced_weights
from convtrace.detection.members import parse_members
from convtrace.evaluation import BUNDLED
from convtrace.evaluation.bundled_table import (
    BUNDLED_DEGRADATIONS,
    BUNDLED_LEAST_SIDE,
    BUNDLED_SMALL_SIDE,
    BUNDLED_TABLES,
    MEASURED_PARTS,
    SIMULATED,
    bundled_table,
    domains_of,
    simulated_table,
)
from convtrace.evaluation.reproduction.files import write_text
from convtrace.evaluation.tables import FeatureTable

REPORTED = ("none", "jpeg-90", "jpeg-75", "jpeg-50", "rescale-0.75..1.25")
# What was found lies here, so that a report of another detector takes a moment.
KEPT = Memory(default_cache_folder() / "detector-report", verbose=0)
# What the names of the columns begin with.
TRACES, SMALL, COUNTS, RADIAL, LAYERS = "ct", "ct3_", "co_", "radial", "layer_"
BEGINNINGS = {
    "convolutional-traces": SMALL,
    "co-occurrence": COUNTS,
    "radial-spectrum": RADIAL,
    "pretrained-layers": LAYERS,
}
PARTS = {
    "traces of sizes 3, 5 and 7": (TRACES,),
    "traces of size 3": (SMALL,),
    "co-occurrences": (COUNTS,),
    "radial spectrum": (RADIAL,),
    "co-occurrences and spectrum": (COUNTS, RADIAL),
    "the same and traces of size 3": (SMALL, COUNTS, RADIAL),
    "the same and traces of sizes 3, 5 and 7": (TRACES, COUNTS, RADIAL),
    "pretrained layers": (LAYERS,),
    "all of these": (TRACES, COUNTS, RADIAL, LAYERS),
}
RESIDUALS = (SMALL, COUNTS, RADIAL)
# Classifiers that the bundled detector does without, and what they look at.
OTHERS = {
    "lda": ("lda", RESIDUALS),
    "ranked-lda": ("ranked-lda", RESIDUALS),
    "centred-lda of all numbers": ("centred-lda", (*RESIDUALS, LAYERS)),
    "brief-perceptron of the layers": ("brief-perceptron", (LAYERS,)),
}

# Sets of images, and sets of photographs of the same subjects in the same domain.
SUBJECTS = {
    "stgan-celeba128": ("real-celeba128",),
    "stargan-celeba128-jpegstrip": ("real-celeba128-jpegstrip",),
    "dcgan-lfw64": ("real-lfw64",),
    "dcgan-keras-faces64": ("real-lfw64",),
    "began-64": ("real-lfw64",),
    "stylegan2-ffhq1024": ("real-ffhq1024",),
    "stylegan1-128": ("real-ffhq1024",),
    "generatedphotos512-jpeg": ("real-ffhq1024",),
    "cyclegan-horse2zebra-png": ("real-horse2zebra-png",),
    "cyclegan-horse2zebra-jpeg": ("real-horse2zebra-jpeg",),
    "pix2pix-pretrained": ("real-pix2pix-targets",),
    "pix2pix-trained": ("real-pix2pix-targets",),
    "ldm-txt2img256": ("real-imagenet256", "real-imagenet-jpeg", "real-lsun-bedroom256"),
    "sd1-512": ("real-imagenet256", "real-imagenet-jpeg"),
    "dcgan-cifar64": ("real-imagenet256", "real-imagenet-jpeg"),
    "ffpp-c40-deepfakes": ("real-ffpp-original-c40",),
    "ffpp-c40-faceshifter": ("real-ffpp-original-c40",),
}

INTRODUCTION = """# The bundled detector

Written by `python tools/detector_report.py -o docs/detector.md`.

A picture is measured by four descriptors: its convolutional trace of kernel size 3, its radial
spectrum and the upper layers of a network that was trained to name the subjects of photographs
(EfficientNet-Lite0 as its authors trained it), all three on the central 256x256 pixels, and the
co-occurrences of its rounded differences on the central 512x512. Each number becomes its rank among
the training rows (as a normal score).

Four classifiers score the ranks, two those of trace, co-occurrences and spectrum and two those of
the network: linear discriminants and a small perceptron of a few epochs. Three of them are learnt
within each domain (below) and compression: all of these are moved to where the middle of their
class means is zero, so that what tells domains apart, which hold the classes in different shares,
is not taken for what tells the classes apart. Of the network's covariance most is shrunk away. The
mean of the four log-odds becomes a probability for each class of compression. The limits of the
verdicts are those of split conformal prediction for each class and compression, set so that of
held-out photographs 1 in 100 is called generated and of held-out images 5 in 100 real, or of
pictures from a domain that was left out of training 5 and 10 in 100, whichever is wider; and of the
images of any single generator 25 in 100 are called real at most, since 5 in 100 of all may be most
of one's, and again where its domain was left out of training, since nobody knows all generators.
The table of verdicts says how that holds on pictures that had no part in the limits. What lies
between is unsure, and so is a picture whose trace, co-occurrences or spectrum are unlike all
training rows, and one with a side under {least_side} pixels. Pictures that small are trained on and
scored as the others are, but have no part in probabilities and limits. A generator is named, by all
of the numbers, where the probability and the distance to its images allow it; otherwise it is
unknown. The five methods of FaceForensics++ are attributed as one, as in the original study. The
windows of 128x128 pixels in explanations have probabilities and limits of their own, by the same
rule, set on windows of half of the pictures that are large enough; no classifier is trained on
windows. Pictures with a side under {small_side} pixels, of which many were scaled down, have limits
of their own, which are set on the training pictures of that size and on half of the larger ones,
scaled down to it and stored as they are and in JPEG 90, 75 and 50; no classifier is trained on
these either.

A verdict on 512x512 pixels takes what
[inference.md](../benchmarks/results/inference.md) says, stage by stage; how well a pasted part is
found is in [localisation.md](../benchmarks/results/localisation.md).

## How close to the bars

Read off the card below, but for the methods apart, whose table is further on. Verdicts and
calibration errors are those of pictures with a side of {least_side} pixels or more; smaller ones
get no verdict, and so none that is wrong, the photographs of lfw64 among them.

{bars}
## What each part is worth

Mean AUC over {count} domains, each left out of training with its cameras, subjects and generators;
plain linear discriminants of the ranks alone. Simulated generators are photographs that went
through small decoders (`tools/simulate_generators.py`); they are trained on and never tested.

{parts}
## What scores them

The same domains, the numbers that the detector measures, with simulated generators. The mean is of
scores divided by their standard deviations.

{scorers}
## The same subjects

Subjects alone tell many photographs of the data from many images, and the network sees subjects
first. Here images stand beside photographs of the same subjects, where the data has them: AUC with
the domain left out, as they are and after JPEG 75, of the two classifiers of trace, co-occurrences
and spectrum, the two of the network, and all four.

{subjects}
## Named apart

The detector attributes the five methods of FaceForensics++ as one. Here each is a generator of its
own: grouped 5-fold held-out scores of the same discriminants, all degradations together. Of all
wrong names {within:.0%} are of one method of FaceForensics++ for another.

{names}"""

LIMITS = """
Ranks instead of the numbers themselves are what helps most in JPEG: compression moves and stretches
the distribution of every co-occurrence, and a value beyond those of training counts as the largest
seen, no more. A perceptron of forty epochs, which an earlier bundled detector had, knew its domains
better and others worse, so it is stopped after eight. Tried and left out, since they changed
nothing or harmed, in trials that are not in this repository: classifiers for single compressions,
weights that even out the domains, random Fourier features of a Gaussian kernel beside the two;
co-occurrences of residuals rounded by the picture's own noise, of every second pixel, and of the
picture at a half and a quarter of its size; and training on both classes after random retouching
(rescaling, sharpening, blur, contrast, noise, WebP, JPEG twice). Twelve further decoders, half of
them with blurred up-sampling as in StyleGAN2 and most with noise added to their last features, were
no better than the present ones on domains left out, instead of them or beside them; windows of 128
pixels among the training rows helped windows and harmed whole pictures.

Relatives of the trace (across channels, of the planes that JPEG stores, of every second pixel, of
windows and others), what to train on and what to classify by are compared in
[trace-study.md](trace-study.md), with numbers.

By themselves the kernels of sizes 5 and 7 tell more than those of size 3, but beside the
co-occurrences they move these figures by less than a hundredth, up in JPEG and down after
rescaling, and they take three quarters of the time of a verdict; so the detector measures size 3
alone. On domains that it knows this costs a little (the changelog has both). A network of residual
blocks on pixels, trained on the corpus, is compared in [reproduction.md](reproduction.md).

The pretrained layers were never trained to tell photographs from images. By themselves they do so
worse than the co-occurrences where nothing was compressed and about as well in JPEG, since
compression and rescaling hardly change what they say; but their mistakes are others, and on the
mean of domains left out both together are better than either. What they tell apart is, before
anything else, subjects: a perceptron of theirs that may learn which domain holds which class does
worse on others than the one that learns within domains, and better on the same ones
([trace-study.md](trace-study.md) has what that gains and costs). One classifier of all numbers is
as good in JPEG as those of each, and worse otherwise. Also tried, in trials that are not in this
repository: the lower blocks of the network, its last convolution and the deviations of the
channels, which added nothing, and slopes of the members for each compression, which changed
nothing. The network was trained on ImageNet, of which two sets of the corpus are a sample.

It is not subjects alone that the network tells apart: beside photographs of the same subjects it
finds images from domains that were left out about as well in JPEG as without, and better than the
other numbers do in JPEG (the table above). It finds none of Stable Diffusion 1's, though, and where
the others are near perfect it takes a little away.

The ranks, the perceptron's epochs, batches and weight decay and the classifiers were chosen
by the mean AUC on these same domains, among a dozen settings; that size 3 is enough, and that
discriminants learnt within domains and compressions are better than others (tried too: within
domains alone, and within the single sets of the data), was seen on them too; so were the blocks of
the network and the shrinkage, among some forty settings of which all did better than no network
where their scores were added to those of the residuals, and the four classifiers, among thirty sets
of them; so that the tables of domains left out lean to the
good side by what such a choice gains by chance. That 25 in 100 images of a generator may be called
real was chosen, for an earlier detector and among six shares, by the verdicts after JPEG 80 that
the card has. No other pictures were at hand.

The network costs something too. Images whose subjects are those of photographs that were trained on
look to it like these: left out of training, CycleGAN, StyleGAN2, Stable Diffusion 1 and Latent
Diffusion are told from photographs worse than by the detector before, without layers (the changelog
has the means). In JPEG nothing that is measured tells images of Stable Diffusion 1 from
photographs where their domain was left out: they look more like photographs than photographs do. A
limit below which few of them lie has hardly a photograph below it either, so that in JPEG there are
two verdicts, generated and unsure. An earlier detector, whose limits were those of the generators
that it knew, called 12 to 22% of photographs in JPEG below quality 95 real, and 64% of the rows of
Stable Diffusion 1 with their domain left out (its card).

The limits rest on the images of generators that were left out of training, and so do the shares of
these that are called real. In a trial with limits that were set without its own images, more than a
third of the rows of Stable Diffusion 1 were called real instead of a quarter, and of others hardly
more, since most of the limits are set by Stable Diffusion 1. That is what to expect of a generator
that nobody knows.

All five methods of FaceForensics++ blend a face into the same compressed videos, so that they are
hardly told from each other (the table above); with each a generator of its own the bar of 0.92 is
missed. A generator that is left out is not always unknown: its images are named after one that
leaves a trace like its own, those of STGAN nearly always (the table below). In a trial with the
methods apart a perceptron of a few epochs was right for 0.848, and with the discriminants together
for 0.859.

Two more trials that are not in this repository. All weights of the network trained further on the
corpus and the simulated images, within domains (500 batches of 32, JPEG and rescaling as above):
worse on two domains left out than discriminants of the layers as they are (AUC 0.72 and 0.56
instead of 0.76 and 0.80 where nothing was compressed, 0.73 and 0.62 instead of 0.76 and 0.81 at
JPEG 75). And members that may learn which domain holds which class, for pictures whose layers lie
near those of training rows: better on known domains in JPEG as far as it is worse on those left out
whose subjects are known, faces above all, which the distance does not tell from known domains.

What limits it: of a domain left out, the photographs differ from those of training as much as the
images do. The worst are the compressed video frames (FaceForensics++, of which only the face is
made), told from their originals hardly better than by chance; in JPEG no domain comes near what it
has without (the table of domains left out, below).

A source of photographs that is left out is called generated where images like it stay: the
originals of FaceForensics++ are all frames of such videos that nobody changed; CelebA-HQ was
enhanced by a network before it was published. What tells a codec may then tell the class.

So may what tells a size: three quarters of the pictures of 64 pixels are images. An earlier
detector, which judged them, called 24 in 100 photographs generated that were scaled down so far, 9
at 96 pixels and 2 to 4 at 128 (the changelog), and 46 in 100 of lfw64, all photographs of 64
pixels, when these were left out. Hence the least side, which was chosen by these photographs. The
next detector had the same limits for all sizes, and called 8 in 100 of those of 128 pixels
generated in JPEG 75, none from 160 on; hence limits of their own for the sizes between, by which 1
of 125 photographs is that had no part in them
([thumbnails.md](../benchmarks/results/thumbnails.md)). Probabilities of their own, too, were no
better in a trial: those of large pictures held less well in JPEG then (expected calibration error
up to 0.043). In trials that are not in this repository it did not help to train otherwise.
Without the pictures of 64 pixels the others were told apart a little better on known domains and
worse on those left out (mean AUC 0.857 instead of 0.869 where nothing was compressed); with
pictures of both classes scaled down to 64 to 192 pixels among the training rows
worse still (0.841), and those scaled down hardly better than by chance where their domain was left
out (0.51 to 0.60 at 64 and 96 pixels): what tells images from photographs does not survive.

"""


Scores = NDArray[np.float64]
# A classifier, and what the names of the columns that it looks at begin with.
Kind = tuple[str, tuple[str, ...]]


def _measured() -> FeatureTable:
    """Return all that was measured, what the detector does without too."""
    return bundled_table(parts=MEASURED_PARTS)


def _columns(*beginnings: str) -> NDArray[np.bool_]:
    """Tell which columns have names that begin so."""
    names = _measured().names
    columns = np.logical_or.reduce([np.char.startswith(names, one) for one in beginnings])
    if not columns.any():
        raise SystemExit(f"no column of {', '.join(beginnings)}")
    return columns


def _scored(kinds: Sequence[Kind], simulate: bool, fold: int) -> tuple[NDArray[np.intp], Scores]:
    """Return the rows of a domain that is left out, and their score by each classifier."""
    table, simulated = _measured(), simulated_table(parts=MEASURED_PARTS)
    domains = domains_of(table.subsets)
    codes = (table.labels == "fake").astype(np.intp)
    measured = np.ones(len(table), dtype=bool)
    train, test = domain_folds(domains, table.groups, codes, measured)[fold]
    X, y = table.features[train], codes[train]
    blocks = blocks_of(domains, table.conditions)[train]
    if simulate:
        apart = domains_of(simulated.subsets) != domains[test[0]]
        apart &= ~np.isin(simulated.groups, table.groups[test])
        X = np.concatenate([X, simulated.features[apart]])
        y = np.concatenate([y, np.ones(int(apart.sum()), dtype=np.intp)])
        others = blocks_of(domains_of(simulated.subsets), simulated.conditions)
        blocks = np.concatenate([blocks, others[apart]])
    weights = balanced_weights(y == 1, balance="class")
    margins: list[Scores] = []
    with threadpool_limits(limits=1):
        for name, beginnings in kinds:
            columns = _columns(*beginnings)
            make = partial(classifiers.create, name, seed=0)
            seen = X[:, columns].astype(np.float64)
            model = fit_model(make, seen, y, weights, blocks=blocks, n_jobs=1)
            scores = class_scores(model, table.features[test][:, columns].astype(np.float64))
            margins.append((scores[:, 1] - scores[:, 0]) / (scores[:, 1] - scores[:, 0]).std())
    return test, np.array(margins)


def _fitted(kinds: Sequence[Kind], simulate: bool, fold: int) -> Any:
    """Return the AUC of each classifier, and of their mean, for one domain that is left out."""
    table = _measured()
    test, margins = _scored(kinds, simulate, fold)
    rows = [table.templates[test] == name for name in REPORTED]
    codes = table.labels[test] == "fake"
    return [
        [float(roc_auc_score(codes[row], margin[row])) for row in rows]
        for margin in (*margins, np.mean(margins, axis=0))
    ]


@KEPT.cache
def _foreign(
    kinds: Sequence[Kind],
    of: tuple[str, ...],  # noqa: ARG001, the key
) -> Scores:
    """Return the score of each row by each classifier, its domain left out."""
    domains = domains_of(bundled_table().subsets)
    count = len(set(domains.tolist()))
    folds = Parallel(n_jobs=-1)(delayed(_scored)(kinds, True, fold) for fold in range(count))
    found = np.empty((len(kinds), len(domains)))
    for test, margins in folds:
        found[:, test] = margins
    return found


@KEPT.cache
def _over_domains(
    kinds: Sequence[Kind],
    simulate: bool,
    of: tuple[str, ...],  # noqa: ARG001, the key
) -> Scores:
    """Return the mean AUC over domains: one row for each classifier, the last for their mean."""
    count = len(set(domains_of(bundled_table().subsets).tolist()))
    found = Parallel(n_jobs=-1)(delayed(_fitted)(kinds, simulate, fold) for fold in range(count))
    mean: Scores = np.mean(found, axis=0)
    return mean


def _tables() -> tuple[str, ...]:
    """Return the digests of the packaged tables."""
    paths = [BUNDLED_TABLES[name].path for name in ("traces", "residuals", "layers")]
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in (*paths, SIMULATED))


def of_parts() -> Table:
    """Measure the descriptors, alone and together."""
    rows = []
    for label, beginnings in PARTS.items():
        kinds: tuple[Kind, ...] = (("ranked-lda", beginnings),)
        for simulate, ending in ((False, ""), (True, ", simulated")):
            found = _over_domains(kinds, simulate, _tables())[0].tolist()
            rows.append((label + ending, int(_columns(*beginnings).sum()), *found))
            print(rows[-1], file=sys.stderr, flush=True)
    return Table("", ("trained on", "numbers", *REPORTED), tuple(rows), "")


def _members() -> list[Kind]:
    """Return the classifiers of the detector."""
    return [
        (name, tuple(BEGINNINGS[part] for part in parts))
        for name, parts in parse_members(BUNDLED.classifier)
    ]


def of_subjects() -> Table:
    """Measure the members of the detector on images and photographs of the same subjects."""
    kinds, table = _members(), bundled_table()
    scores = _foreign(tuple(kinds), _tables())
    layers = np.array([LAYERS in seen for _, seen in kinds])
    which = {"residuals": ~layers, "network": layers, "all": np.ones_like(layers)}
    names = ("none", "jpeg-75")
    rows = []
    for images, photographs in SUBJECTS.items():
        cells: list[float] = []
        for name in names:
            of = np.isin(table.subsets, [images, *photographs]) & (table.templates == name)
            cells += [
                float(
                    roc_auc_score(table.labels[of] == "fake", scores[members][:, of].mean(axis=0))
                )
                for members in which.values()
            ]
        rows.append((images, ", ".join(photographs), *cells))
    means = np.mean([row[2:] for row in rows], axis=0)
    rows.append(("mean", "", *means.tolist()))
    columns = [f"{label}, {name}" for name in names for label in which]
    return Table("", ("images", "photographs", *columns), tuple(rows), "")


def of_classifiers() -> Table:
    """Measure the members of the detector and other classifiers, alone and together."""
    looking = _members()
    found = {label: _over_domains((kind,), True, _tables())[0] for label, kind in OTHERS.items()}
    measured = _over_domains(tuple(looking), True, _tables())
    labels = [f"{name} of the layers" if LAYERS in seen else name for name, seen in looking]
    labels.append("mean of these, as the detector has it")
    for label, row in zip(labels, measured, strict=True):
        found[f"**{label}**"] = row
    fewer = tuple(kind for kind in looking if LAYERS not in kind[1])
    found["mean of those not of the layers"] = _over_domains(fewer, True, _tables())[-1]
    larger = tuple(
        (name, tuple(TRACES if part == SMALL else part for part in seen)) for name, seen in looking
    )
    found["mean, kernel sizes 3, 5 and 7"] = _over_domains(larger, True, _tables())[-1]
    rows = tuple((name, *row.tolist()) for name, row in found.items())
    return Table("", ("classifier", *REPORTED), rows, "")


def bars(card: Card, apart: float) -> Table:
    """Lay what was asked beside what the card says, and what is right with all methods apart."""
    tables = {table.title: table for table in card.results}

    def column(title: str, name: str) -> dict[str, float]:
        table = tables[title]
        place = table.columns.index(name)
        cells = [(str(row[0]), row[place]) for row in table.rows]
        return {key: cell[0] if isinstance(cell, Sequence) else cell for key, cell in cells}

    whole = "Held-out results by degradation"
    overall = column(whole, "balanced accuracy")
    large = column(f"{whole}, pictures large enough for a verdict", "balanced accuracy")
    asked = (("none", 0.95), ("jpeg-75", 0.85), ("web", 0.85), ("hard", 0.78))
    error = column("Reliability of the held-out probabilities", "expected calibration error")
    trained_on = {name for name in error if name in BUNDLED_DEGRADATIONS}
    within = max(trained_on, key=lambda name: error[name])
    beyond = max(set(error) - trained_on, key=lambda name: error[name])
    left_out = "AUC on generators left out entirely"
    clean, compressed = (column(left_out, name) for name in ("none", "jpeg-75"))
    lowest = min(clean, key=lambda name: clean[name])
    sources = column("Photographs of sources left out entirely, called generated", "all")
    worst = max(sources, key=lambda name: sources[name])
    verdicts = column("Verdicts by part of the data set", "wrong")
    fold = max(value for name, value in verdicts.items() if name.startswith("fold"))
    changes = tables["Verdicts after a small change"]
    named = column("Which generator", "accuracy")
    wanted = [
        *((f"balanced accuracy, {name}", overall[name], bar, 1) for name, bar in asked),
        *((f"balanced accuracy, {name}, large enough for a verdict", large[name], bar, 1)
          for name, bar in asked),
        ("generators left out, mean AUC, none", clean["mean"], 0.92, 1),
        ("generators left out, mean AUC, jpeg-75", compressed["mean"], 0.80, 1),
        (f"generators left out, least AUC, none ({lowest})", clean[lowest], 0.70, 1),
        ("generator, accuracy, FaceForensics++ as one", max(named.values()), 0.92, 1),
        ("generator, accuracy, its methods apart", apart, 0.92, 1),
        ("photographs called generated, worst fold", fold, 0.03, -1),
        (f"photographs called generated, source left out ({worst})", sources[worst], 0.05, -1),
        *((f"opposite verdicts after {row[0]} ({row[1]})", row[-1], 0.01, -1)
          for row in changes.rows),
        (f"expected calibration error, in distribution ({within})", error[within], 0.03, -1),
        (f"expected calibration error, not trained on ({beyond})", error[beyond], 0.03, -1),
    ]  # fmt: skip
    rows = tuple(
        (name, f"{'at least' if sign > 0 else 'at most'} {bar}", float(value),
         "yes" if sign * (value - bar) >= 0 else "no")
        for name, value, bar, sign in wanted
    )  # fmt: skip
    return Table("", ("figure", "bar", "measured", "met"), rows, "")


def of_names() -> tuple[Table, float]:
    """Return how often generators are named right, and the share of errors within a family."""
    table = bundled_table()
    rows = np.flatnonzero((table.labels == "fake") & (table.generators != ""))
    images = table.select(rows)
    names, codes = np.unique(images.generators, return_inverse=True)
    families = np.array([family(name) for name in names.tolist()])
    weights = (len(codes) / len(names) / np.bincount(codes))[codes]
    make = partial(classifiers.create, "ranked-lda", seed=0)
    folds = folds_by_group(codes, images.groups, seed=0)
    X = images.features.astype(np.float64)
    best = held_out_scores(make, X, codes, weights, folds, n_jobs=-1).argmax(axis=1)
    right = best == codes
    found = [
        (name, int((codes == code).sum()), float(right[codes == code].mean()))
        for code, name in enumerate(names.tolist())
        if families[code] != name
    ]
    found.append((f"all {len(names)}", len(right), float(right.mean())))
    within = float(np.mean((families[best] == families[codes])[~right]))
    return Table("", ("generator", "rows", "right"), tuple(found), ""), within


def lines(table: Table) -> str:
    """Return a table in Markdown, without its title."""
    return "".join(f"{row}\n" for row in table.to_markdown().splitlines() if row.startswith("|"))


def main() -> int:
    """Write the report. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    card = read_card(bundled_path())
    apart, within = of_names()
    introduction = INTRODUCTION.format(
        least_side=BUNDLED_LEAST_SIDE,
        small_side=BUNDLED_SMALL_SIDE,
        count=len(set(domains_of(bundled_table().subsets).tolist())),
        bars=lines(bars(card, apart.rows[-1][-1])),
        parts=lines(of_parts()),
        scorers=lines(of_classifiers()),
        subjects=lines(of_subjects()),
        names=lines(apart),
        within=within,
    )
    body = card.to_markdown().replace("\n#", "\n##")
    text = introduction + LIMITS + ("#" + body if body.startswith("#") else body)
    write_text(options.output, text.rstrip() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
