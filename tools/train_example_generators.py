"""Train the two small generators whose pictures stand under ``examples/``.

Both are generative adversarial networks that turn 64 normal random numbers into
a 128x128 RGB picture, alike in everything but the last step that this project is about:

``transposed-convolution``
    DCGAN style: every doubling of the size is a 4x4 transposed convolution of stride 2.
``upsample-convolution``
    Every doubling is a nearest-neighbour up-sampling followed by a 3x3 convolution.

The training pictures are random crops of photographs of landscapes with animals
from the corpus (see ``--corpus``); pictures in which a person can be made out are
left out. The discriminator has spectral normalisation, the hinge loss and
differentiable augmentation, the generator's weights are averaged over the steps.

After training the script draws the pictures from a fixed seed, in order and without
choosing among them, measures how near each comes to a training picture beside
photographs that the network never saw, prints the figures, and refuses to write
pictures that come as near as a copy would.

PyTorch is needed here and nowhere else in the project. On one thread of one CPU of 2023,
the defaults take about a quarter of an hour for each generator::

    pip install '.[generator]'
    python tools/train_example_generators.py --corpus ../shared/corpus

References
----------
A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", ICLR 2016, arXiv:1511.06434.

A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts", Distill
2016, doi:10.23915/distill.00003.

T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
ICLR 2018, arXiv:1802.05957.

S. Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training",
NeurIPS 2020, arXiv:2006.10738.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

ROOT = Path(__file__).resolve().parents[1]

GENERATORS = ("transposed-convolution", "upsample-convolution")
SETS = ("real-horse2zebra-png", "real-horse2zebra-jpeg")

# Photographs of those sets in which a person can be made out.
WITH_PEOPLE = (
    "real-horse2zebra-jpeg/0003.jpg",
    "real-horse2zebra-jpeg/0004.jpg",
    "real-horse2zebra-jpeg/0067.jpg",
)

SIZE = 128
SOURCE_SIZE = 256
SMALLEST_CROP = 176
NOISE = 64
CHANNELS = (256, 160, 96, 48, 16)
LAYERS = len(CHANNELS)

# The weights are averaged over roughly the last 1 / (1 - 0.998) = 500 steps.
AVERAGING = 0.998
LEARNING_RATE = 3e-4
BETAS = (0.5, 0.99)

# Nearness is measured on pictures of this side: enough to recognise a scene, small
# enough that a picture moved by a few pixels still counts as the same.
THUMBNAIL = 16
CROPS_PER_TRAINING_PICTURE = 128
CROPS_PER_MEASURED_PICTURE = 8
# A picture less than half as far from one photograph as from all others is held a copy.
COPY_RATIO = 0.5


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph of the corpus: where it lies, its group, its pixels.

    Attributes
    ----------
    path : str
        Path relative to the corpus.
    group : str
        Photographs of one group must not be parted by the split.
    pixels : Tensor
        (3, 256, 256) float32 in [-1, 1].
    """

    path: str
    group: str
    pixels: Tensor


def read_photographs(
    corpus: Path, sets: Sequence[str], left_out: Sequence[str]
) -> list[Photograph]:
    """Read the real photographs of the named sets, each as its central 256x256 pixels.

    A photograph of another size is scaled until its shorter side is 256.

    Raises
    ------
    SystemExit
        If the manifest is missing, a set is unknown or not of real photographs, or a
        picture to leave out is not in the sets.
    """
    manifest = corpus / "manifest.tsv"
    if not manifest.is_file():
        raise SystemExit(f"{manifest}: no such file; give the corpus folder with --corpus")
    with manifest.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["set"] in sets]
    for name in sets:
        if not any(row["set"] == name for row in rows):
            raise SystemExit(f"{name}: no such set in {manifest}")
    if wrong := sorted({row["set"] for row in rows if row["label"] != "real"}):
        raise SystemExit(f"{', '.join(wrong)}: not a set of real photographs")
    if unknown := sorted(set(left_out) - {row["path"] for row in rows}):
        raise SystemExit(f"{', '.join(unknown)}: to be left out, but not in the sets")

    photographs = []
    for row in rows:
        if row["path"] in left_out:
            print(f"left out: {row['path']}")
            continue
        with Image.open(corpus / row["path"]) as image:
            picture = image.convert("RGB")
        scale = SOURCE_SIZE / min(picture.size)
        if scale != 1.0:
            width, height = (round(side * scale) for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        left, top = ((side - SOURCE_SIZE) // 2 for side in picture.size)
        picture = picture.crop((left, top, left + SOURCE_SIZE, top + SOURCE_SIZE))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1.0
        photographs.append(Photograph(row["path"], row["group"], pixels))
    return photographs


def split_by_group(
    photographs: Sequence[Photograph], *, held_out: float, seed: int
) -> tuple[list[Photograph], list[Photograph]]:
    """Part the photographs into those to train on and those held out, group by group."""
    groups = sorted({photograph.group for photograph in photographs})
    order = np.random.default_rng(seed).permutation(len(groups))
    chosen = {groups[index] for index in order[: round(held_out * len(groups))]}
    training = [photograph for photograph in photographs if photograph.group not in chosen]
    return training, [photograph for photograph in photographs if photograph.group in chosen]


def random_crop(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Return a random square of a photograph, half of the time mirrored, as (3, 128, 128)."""
    side = int(rng.integers(SMALLEST_CROP, SOURCE_SIZE + 1))
    top, left = rng.integers(0, SOURCE_SIZE - side + 1, size=2)
    crop = pixels[:, top : top + side, left : left + side]
    if rng.random() < 0.5:
        crop = crop.flip(2)
    return functional.interpolate(
        crop[None], size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False
    )[0]


def batches(
    photographs: Sequence[Photograph], *, batch_size: int, rng: np.random.Generator
) -> Iterator[Tensor]:
    """Yield batches of random crops without end, every photograph once in each round."""
    queue: list[int] = []
    while True:
        while len(queue) < batch_size:
            queue.extend(rng.permutation(len(photographs)).tolist())
        chosen, queue = queue[:batch_size], queue[batch_size:]
        yield torch.stack([random_crop(photographs[index].pixels, rng) for index in chosen])


class Generator(nn.Module):
    """A generator of 128x128 pictures from (n, 64) normal noise.

    Parameters
    ----------
    kind : str
        One of ``GENERATORS``: how the size is doubled.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.start = nn.Linear(NOISE, CHANNELS[0] * 4 * 4)
        layers: list[nn.Module] = [nn.BatchNorm2d(CHANNELS[0]), nn.ReLU()]
        for index, inputs in enumerate(CHANNELS):
            last = index + 1 == LAYERS
            outputs = 3 if last else CHANNELS[index + 1]
            if kind == "transposed-convolution":
                layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1))
            elif kind == "upsample-convolution":
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
                layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            else:
                raise ValueError(f"{kind}: no such generator; one of {', '.join(GENERATORS)}")
            layers.extend([nn.Tanh()] if last else [nn.BatchNorm2d(outputs), nn.ReLU()])
        self.layers = nn.Sequential(*layers)

    def forward(self, noise: Tensor) -> Tensor:
        """Return (n, 3, 128, 128) pictures in [-1, 1]."""
        start = self.start(noise).view(-1, CHANNELS[0], 4, 4)
        pictures: Tensor = self.layers(start.contiguous(memory_format=torch.channels_last))
        return pictures


class Discriminator(nn.Module):
    """A spectrally normalised discriminator of (n, 3, 128, 128) pictures."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for outputs in reversed(CHANNELS):
            layers.append(spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)))
            if inputs != 3:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(0.2))
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        # One more channel tells how much the pictures of the batch differ from each
        # other, so that a generator of one picture over and over is found out.
        self.mix = spectral_norm(nn.Conv2d(inputs + 1, inputs, 3, padding=1))
        self.score = spectral_norm(nn.Linear(inputs * 4 * 4, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (n,) scores, high for real."""
        features = self.layers(pictures.contiguous(memory_format=torch.channels_last))
        spread = features.float().std(dim=0, unbiased=False).mean()
        extra = spread.to(features.dtype).expand(features.shape[0], 1, *features.shape[2:])
        features = functional.leaky_relu(self.mix(torch.cat([features, extra], dim=1)), 0.2)
        scores: Tensor = self.score(features.flatten(1))[:, 0].float()
        return scores


def augment(pictures: Tensor) -> Tensor:
    """Change brightness, saturation, contrast and position of each picture.

    Real and generated pictures alike go through this before the discriminator, and
    the gradient flows through it, so that few photographs last longer and the changes
    do not leak into what is generated.
    """
    count = len(pictures)

    def draw() -> Tensor:
        return torch.rand(count, 1, 1, 1) - 0.5

    pictures = pictures + 0.5 * draw()
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = (pictures - grey) * (1.0 + draw()) + grey
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    pictures = (pictures - mean) * (1.0 + 0.5 * draw()) + mean

    reach = SIZE // 8
    padded = functional.pad(pictures, (reach,) * 4, mode="replicate")
    shifts = torch.randint(0, 2 * reach + 1, (count, 2)).tolist()
    return torch.stack(
        [
            one[:, top : top + SIZE, left : left + SIZE]
            for one, (top, left) in zip(padded, shifts, strict=True)
        ]
    )


@torch.no_grad()
def average_weights(average: nn.Module, current: nn.Module, *, step: int) -> None:
    """Move the averaged weights towards the current ones, faster in the first steps."""
    keep = min(AVERAGING, (1 + step) / (10 + step))
    for old, new in zip(average.parameters(), current.parameters(), strict=True):
        old.lerp_(new, 1.0 - keep)


@torch.no_grad()
def settle_normalisation(generator: nn.Module, *, seed: int) -> None:
    """Measure the batch normalisations anew for averaged weights, over 32 batches."""
    layers = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches
    source = torch.Generator().manual_seed(seed)
    generator.train()
    for _ in range(32):
        generator(torch.randn(32, NOISE, generator=source))
    generator.eval()


def train(
    kind: str,
    photographs: Sequence[Photograph],
    *,
    steps: int,
    batch_size: int,
    seed: int,
    report_every: int,
    progress: Path | None,
) -> Generator:
    """Train one generator and return it with averaged weights, ready to draw from.

    Convolutions run in bfloat16 where the processor does them faster so; the weights,
    losses and updates are float32.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    generator, discriminator = Generator(kind), Discriminator()
    for model in (generator, discriminator):
        model.to(memory_format=torch.channels_last)
    average = copy.deepcopy(generator)
    optimise_g = torch.optim.Adam(generator.parameters(), lr=LEARNING_RATE, betas=BETAS)
    optimise_d = torch.optim.Adam(discriminator.parameters(), lr=LEARNING_RATE, betas=BETAS)
    parameters = sum(weight.numel() for weight in generator.parameters())
    print(
        f"{kind}: {parameters} parameters in the generator, "
        f"{sum(weight.numel() for weight in discriminator.parameters())} in the discriminator"
    )

    started = time.process_time()
    sums = np.zeros(4)
    stream = batches(photographs, batch_size=batch_size, rng=rng)
    for step in range(1, steps + 1):
        # The learning rate falls to nothing over the last third, for a calm end.
        fade = min(1.0, 3.0 * (1.0 - (step - 1) / steps))
        for group in optimise_g.param_groups:
            group["lr"] = LEARNING_RATE * fade
        for group in optimise_d.param_groups:
            group["lr"] = LEARNING_RATE * fade

        real = next(stream)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                fake = generator(torch.randn(batch_size, NOISE)).float()
            on_real = discriminator(augment(real))
            on_fake = discriminator(augment(fake))
        loss_d = functional.relu(1.0 - on_real).mean() + functional.relu(1.0 + on_fake).mean()
        optimise_d.zero_grad(set_to_none=True)
        loss_d.backward()
        optimise_d.step()

        discriminator.requires_grad_(False)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fake = generator(torch.randn(batch_size, NOISE)).float()
            loss_g = -discriminator(augment(fake)).mean()
        optimise_g.zero_grad(set_to_none=True)
        loss_g.backward()
        optimise_g.step()
        discriminator.requires_grad_(True)

        average_weights(average, generator, step=step)
        figures = (loss_d, loss_g, on_real.mean(), on_fake.mean())
        sums += [float(figure.detach()) for figure in figures]
        if not np.isfinite(sums).all():
            raise SystemExit(f"{kind}: the loss is no longer finite at step {step}")
        if step % report_every == 0 or step == steps:
            span = (step - 1) % report_every + 1
            d, g, r, f = sums / span
            sums[:] = 0.0
            print(
                f"{kind}: step {step} of {steps}, mean of the last {span}: "
                f"loss D {d:.3f}, loss G {g:.3f}, score real {r:+.3f}, score generated {f:+.3f}; "
                f"{(time.process_time() - started) / 60:.1f} CPU minutes",
                flush=True,
            )
            if progress is not None:
                shown = copy.deepcopy(average)
                settle_normalisation(shown, seed=seed)
                write_sheet(progress / f"{kind}-{step:05d}.png", draw(shown, count=24, seed=seed))
    settle_normalisation(average, seed=seed)
    return average


@torch.no_grad()
def draw(generator: Generator, *, count: int, seed: int) -> np.ndarray:
    """Draw pictures from the prior in float32: (count, 128, 128, 3) uint8."""
    generator.eval()
    noise = torch.randn(count, NOISE, generator=torch.Generator().manual_seed(seed))
    return to_uint8(generator(noise))


def to_uint8(pictures: Tensor) -> np.ndarray:
    """Turn (n, 3, h, w) in [-1, 1] into (n, h, w, 3) uint8."""
    scaled = ((pictures + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().numpy()


def thumbnails(pictures: np.ndarray) -> Tensor:
    """Turn (n, 128, 128, 3) uint8 into (n, 3072) rows of mean 0 and length 1.

    Taking out mean and contrast keeps a pale or dark copy a copy, and keeps a
    picture of low contrast from being near to everything.
    """
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    small = functional.adaptive_avg_pool2d(tensor, THUMBNAIL).flatten(1)
    return functional.normalize(small - small.mean(dim=1, keepdim=True), dim=1)


def several_crops(
    photographs: Sequence[Photograph], *, crops: int, rng: np.random.Generator
) -> np.ndarray:
    """Return several random crops of each photograph, (n * crops, 128, 128, 3) uint8."""
    return np.concatenate(
        [
            to_uint8(torch.stack([random_crop(photograph.pixels, rng) for _ in range(crops)]))
            for photograph in photographs
        ]
    )


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near pictures come to the training photographs.

    Attributes
    ----------
    distances : ndarray
        (n,) distance to the nearest training crop, between thumbnails of mean 0 and
        length 1: 0 is the same picture, sqrt(2) = 1.41 is unrelated, 2 the negative.
    ratios : ndarray
        (n,) that distance over the distance to the nearest crop of any other
        photograph: near 1 where no photograph stands out, small for a copy, however
        blurred or plain the picture is.
    crops : ndarray
        (n,) number of the nearest training crop.
    """

    distances: np.ndarray
    ratios: np.ndarray
    crops: np.ndarray


def measure_nearness(pictures: np.ndarray, reference: Tensor) -> Nearness:
    """Measure how near pictures, as they are or mirrored, come to the training photographs.

    Parameters
    ----------
    pictures : ndarray
        (n, 128, 128, 3) uint8.
    reference : Tensor
        The thumbnails of the training crops, ``CROPS_PER_TRAINING_PICTURE`` rows of
        each photograph, one photograph after the other.
    """
    likeness = torch.maximum(
        thumbnails(pictures) @ reference.T,
        thumbnails(np.ascontiguousarray(pictures[:, :, ::-1])) @ reference.T,
    )
    distances = (2.0 - 2.0 * likeness).clamp(min=0.0).sqrt()
    by_photograph = distances.view(len(pictures), -1, CROPS_PER_TRAINING_PICTURE).amin(dim=2)
    first, second = by_photograph.topk(2, dim=1, largest=False).values.unbind(dim=1)
    return Nearness(first.numpy(), (first / second).numpy(), distances.argmin(dim=1).numpy())


def describe(nearness: Nearness) -> str:
    """Return minimum, 5% and median of distances and ratios in one line."""
    parts = []
    for name, values in (("distance", nearness.distances), ("ratio", nearness.ratios)):
        low, fifth, middle = np.quantile(values, [0, 0.05, 0.5])
        parts.append(f"{name} min {low:.3f}, 5% {fifth:.3f}, median {middle:.3f}")
    return f"{'; '.join(parts)} (n {len(nearness.distances)})"


def save_png(path: Path, pixels: np.ndarray) -> None:
    """Write a picture under a temporary name in the same folder, then move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        Image.fromarray(pixels).save(temporary, format="PNG", optimize=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_sheet(path: Path, pictures: np.ndarray, *, columns: int = 6) -> None:
    """Write pictures side by side, for looking at."""
    rows = math.ceil(len(pictures) / columns)
    sheet = np.zeros((rows * SIZE, columns * SIZE, 3), dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * SIZE, index % columns * SIZE
        sheet[top : top + SIZE, left : left + SIZE] = picture
    save_png(path, sheet)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train the two generators of examples/ and write a dozen pictures of each.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus", help="corpus folder")
    add("--output", type=Path, default=ROOT / "examples", help="a folder of each kind goes here")
    add("--generators", nargs="+", choices=GENERATORS, default=GENERATORS, help="which to train")
    add("--sets", nargs="+", default=SETS, help="sets of the corpus to train on")
    add("--leave-out", nargs="*", default=WITH_PEOPLE, help="pictures not to train on")
    add("--steps", type=int, default=3000, help="training steps of each generator")
    add("--batch-size", type=int, default=16, help="pictures a step")
    add("--count", type=int, default=12, help="pictures to write of each generator")
    add("--seed", type=int, default=2008, help="seed of split, training and noise")
    add("--held-out", type=float, default=0.2, help="share of groups kept for comparison")
    add("--threads", type=int, default=1, help="threads; the figures are for 1")
    add("--report-every", type=int, default=250, help="steps between two printed lines")
    add(
        "--progress",
        type=Path,
        help="folder for contact sheets during training and of the nearest training crops; "
        "shows corpus pictures, so keep it outside the repository",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, write. Return the exit status."""
    options = parse_arguments(arguments)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)

    photographs = read_photographs(options.corpus, options.sets, options.leave_out)
    training, held_out = split_by_group(photographs, held_out=options.held_out, seed=options.seed)
    print(f"{len(training)} photographs to train on, {len(held_out)} held out")

    rng = np.random.default_rng(options.seed)
    crops = several_crops(training, crops=CROPS_PER_TRAINING_PICTURE, rng=rng)
    reference = thumbnails(crops)
    print(f"nearness to {len(reference)} training crops, and as much of their mirror images:")
    for name, photographs in (("training", training), ("held-out", held_out)):
        others = several_crops(photographs, crops=CROPS_PER_MEASURED_PICTURE, rng=rng)
        print(f"  new crops of {name} photographs: {describe(measure_nearness(others, reference))}")

    for kind in options.generators:
        generator = train(
            kind,
            training,
            steps=options.steps,
            batch_size=options.batch_size,
            seed=options.seed,
            report_every=options.report_every,
            progress=options.progress,
        )
        pictures = draw(generator, count=options.count, seed=options.seed)
        nearness = measure_nearness(pictures, reference)
        print(f"{kind}: nearness of the {len(pictures)} pictures: {describe(nearness)}")
        print("  distances " + " ".join(f"{value:.3f}" for value in nearness.distances))
        print("  ratios " + " ".join(f"{value:.3f}" for value in nearness.ratios))
        others = draw(generator, count=1000, seed=options.seed + 1)
        print(f"{kind}: of 1000 others: {describe(measure_nearness(others, reference))}")
        if options.progress is not None:
            pairs = np.stack([pictures, crops[nearness.crops]], axis=1)
            write_sheet(options.progress / f"{kind}-nearest.png", pairs.reshape(-1, SIZE, SIZE, 3))
        if float(nearness.ratios.min()) < COPY_RATIO:
            raise SystemExit(f"{kind}: a picture stands out as a copy; nothing is written")
        for index, picture in enumerate(pictures):
            save_png(options.output / kind / f"{index:02d}.png", picture)
        print(f"{kind}: {len(pictures)} pictures written to {options.output / kind}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
