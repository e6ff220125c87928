"""Photographs through small decoders: what up-sampling leaves, beside nothing else.

    python tools/simulate_generators.py pictures --corpus ../shared/corpus -o /tmp/simulated
    python tools/simulate_generators.py measure /tmp/simulated

``pictures`` trains small autoencoders on crops of the corpus's photographs. They differ in how
they up-sample (transposed convolution, nearest or bilinear up-sampling with a convolution,
pixel shuffle), how often, and in their kernels, activations and normalisation. Each photograph
is then passed once through one of them, drawn at random, and stored with the group of the
photograph. ``measure`` turns those pictures, degraded like all that the bundled detector is
trained on, into the packaged table ``corpus-simulated.parquet``; only numbers are stored.

A picture and the photograph it was made from have the same content, size and compression
before, so what tells them apart is the decoder's trace. The rows are for training alone: no
result is measured on them.

PyTorch is needed for ``pictures`` (``pip install '.[generator]'``); on one core of 2023 both
take about half an hour.

References
----------
X. Zhang, S. Karaman, S.-F. Chang, "Detecting and Simulating Artifacts in GAN Fake Images",
WIFS 2019, doi:10.1109/WIFS47025.2019.9035107.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convtrace import datasets, descriptors, image
from convtrace.evaluation import measure, write_table
from convtrace.evaluation.bundled_table import BUNDLED_DEGRADATIONS, MEASURED_PARTS, SIMULATED

ROOT = Path(__file__).resolve().parents[1]
SIDE = 512
PATCH = 64
BATCH = 24
UP_SAMPLINGS = ("transposed", "nearest", "bilinear", "shuffle")


@dataclass(frozen=True)
class Plan:
    """What one autoencoder is like."""

    up_sampling: str
    levels: int
    kernel: int
    last_kernel: int
    activation: str
    bounded: bool
    normalised: bool
    tail: bool
    widths: tuple[int, ...]
    steps: int


def draw(rng: np.random.Generator, steps: int) -> Plan:
    """Draw an autoencoder."""
    fields: dict[str, Any] = {
        "up_sampling": str(rng.choice(UP_SAMPLINGS)),
        "levels": int(rng.choice([1, 1, 1, 2, 2])),
        "kernel": int(rng.choice([3, 3, 5])),
        "last_kernel": int(rng.choice([1, 3, 3, 5, 7])),
        "activation": str(rng.choice(["leaky", "relu", "silu"])),
        "bounded": bool(rng.integers(2)),
        "normalised": bool(rng.integers(2)),
        "tail": bool(rng.integers(0, 2)),
    }
    widths = (int(rng.choice([16, 24, 32])), int(rng.choice([32, 48, 64])), 96)
    return Plan(**fields, widths=widths, steps=int(steps * rng.choice([0.5, 1, 2])))


def network(plan: Plan) -> Any:
    """Return the autoencoder of a plan."""
    from torch import nn

    activations: Mapping[str, Callable[[], Any]] = {
        "leaky": lambda: nn.LeakyReLU(0.2),
        "relu": nn.ReLU,
        "silu": nn.SiLU,
    }
    activation = activations[plan.activation]

    def convolution(before: int, after: int, kernel: int) -> Any:
        return nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode="reflect")

    def doubled(before: int, after: int) -> Any:
        if plan.up_sampling == "transposed":
            if plan.kernel == 3:
                return nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)
            return nn.ConvTranspose2d(before, after, 4, 2, 1)
        if plan.up_sampling == "shuffle":
            return nn.Sequential(convolution(before, 4 * after, plan.kernel), nn.PixelShuffle(2))
        options: dict[str, Any] = {"mode": "nearest"}
        if plan.up_sampling == "bilinear":
            options = {"mode": "bilinear", "align_corners": False}
        return nn.Sequential(
            nn.Upsample(scale_factor=2, **options), convolution(before, after, plan.kernel)
        )

    layers: list[Any] = []
    width = 3
    for level in range(plan.levels):
        wider = plan.widths[level + 1]
        layers += [nn.Conv2d(width, wider, 4, 2, 1, padding_mode="reflect"), activation()]
        width = wider
    layers += [convolution(width, width, 3), activation()]
    for level in reversed(range(plan.levels)):
        layers.append(doubled(width, plan.widths[level]))
        if plan.normalised and level > 0:
            layers.append(nn.GroupNorm(4, plan.widths[level]))
        layers.append(activation())
        width = plan.widths[level]
    if plan.tail:
        layers += [convolution(width, width, 3), activation()]
    layers.append(convolution(width, 3, plan.last_kernel))
    if plan.bounded:
        layers.append(nn.Tanh())
    return nn.Sequential(*layers)


def trained(
    plan: Plan, photographs: list[NDArray[np.uint8]], rng: np.random.Generator
) -> tuple[Any, float]:
    """Train an autoencoder on crops; return it and its peak signal-to-noise ratio in dB."""
    import torch
    from torch.nn import functional

    def crops() -> Any:
        out = np.empty((BATCH, PATCH, PATCH, 3), np.float32)
        for place in range(BATCH):
            photograph = photographs[rng.integers(len(photographs))]
            top = rng.integers(photograph.shape[0] - PATCH + 1)
            left = rng.integers(photograph.shape[1] - PATCH + 1)
            out[place] = photograph[top : top + PATCH, left : left + PATCH]
        return torch.from_numpy(out.transpose(0, 3, 1, 2) / 127.5 - 1)

    net = network(plan)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=plan.steps)
    for _ in range(plan.steps):
        wanted = crops()
        found = net(wanted)
        # Differences of neighbours count as much as the pixels, or the result is a blur.
        loss = functional.l1_loss(found, wanted)
        loss = loss + functional.l1_loss(found.diff(dim=3), wanted.diff(dim=3))
        loss = loss + functional.l1_loss(found.diff(dim=2), wanted.diff(dim=2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    net.eval()
    with torch.no_grad():
        wanted = crops()
        error = functional.mse_loss(net(wanted).clamp(-1, 1), wanted)
    return net, float(10 * torch.log10(4 / error))


def passed(net: Any, levels: int, photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pass a photograph through an autoencoder."""
    import torch
    from torch.nn import functional

    height, width = photograph.shape[:2]
    values = photograph.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
    step = 2**levels
    whole = functional.pad(
        torch.from_numpy(values), (0, -width % step, 0, -height % step), mode="replicate"
    )
    with torch.no_grad():
        found = net(whole)[0, :, :height, :width].clamp(-1, 1)
    rounded = ((found + 1) * 127.5).round().byte().numpy()
    return np.ascontiguousarray(rounded.transpose(1, 2, 0))


def make_pictures(corpus: Path, out: Path, *, networks: int, steps: int, seed: int) -> None:
    """Train the autoencoders and write one picture for each photograph."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    table = datasets.load(corpus)
    rows = [row for row in range(len(table)) if str(table.labels[row]) == "real"]
    photographs = []
    for row in rows:
        pixels = image.to_uint8(image.read(table.paths[row]).pixels)
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[:2])
        photographs.append(np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE, :3]))
    made = []
    for number in range(networks):
        start = time.monotonic()
        plan = draw(rng, steps)
        net, ratio = trained(plan, photographs, rng)
        made.append((plan, net))
        print(f"{number}: {plan}, {ratio:.1f} dB, {time.monotonic() - start:.0f} s", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    records = []
    for row, photograph in zip(rows, photographs, strict=True):
        plan, net = made[int(rng.integers(networks))]
        name = f"{row:05d}.png"
        Image.fromarray(passed(net, plan.levels, photograph)).save(out / name)
        records.append((name, "fake", plan.up_sampling, table.subset[row], table.groups[row]))
    with (out / "manifest.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("path", "label", "generator", "set", "group"))
        writer.writerows(records)


def measure_pictures(pictures: Path) -> int:
    """Write the packaged table of the pictures. Return the exit status."""
    start = time.monotonic()

    def progress(done: int, count: int) -> None:
        if done % 100 == 0 or done == count:
            print(f"{done} of {count}, {time.monotonic() - start:.0f} s", file=sys.stderr)

    table, errors = measure(
        datasets.load(pictures / "manifest.tsv"),
        descriptors.create("joined", parts=MEASURED_PARTS),
        BUNDLED_DEGRADATIONS,
        progress=progress,
    )
    write_table(table, SIMULATED)
    print(f"{len(table)} rows of {table.features.shape[1]} numbers in {SIMULATED}")
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


def main() -> int:
    """Do one of the two steps. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    steps = parser.add_subparsers(dest="step", required=True)
    pictures = steps.add_parser("pictures")
    pictures.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    pictures.add_argument("-o", "--output", type=Path, required=True)
    pictures.add_argument("--networks", type=int, default=18)
    pictures.add_argument("--steps", type=int, default=250, help="of training, on average")
    pictures.add_argument("--seed", type=int, default=1)
    measured = steps.add_parser("measure")
    measured.add_argument("pictures", type=Path)
    options = parser.parse_args()
    if options.step == "measure":
        return measure_pictures(options.pictures)
    make_pictures(
        options.corpus,
        options.output,
        networks=options.networks,
        steps=options.steps,
        seed=options.seed,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
