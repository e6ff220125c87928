"""Planes of one size on a device, and the passes over them that the ascent is fed with.

On CUDA the passes are the kernels of `convtrace.traces._triton`: no design matrix is there. On
PyTorch's CPU build, and where Triton is missing, only a band of it is, so that memory is bounded
by `BAND_BYTES` and the pictures themselves; its products with itself, with the kernel and with
the weighted residual are batched matrix products, nearly all of the arithmetic.

Pixels are float32 and the sums over them float32 within a group of pixels and float64 across
groups; the last passes are float64 altogether.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convtrace.traces import _optimiser as scheme
from convtrace.traces._passes import GRADIENT, LEAST_SQUARES, OBSERVED

__all__ = ["BAND_BYTES", "Batch"]

BAND_BYTES = {"cpu": 1 << 25, "cuda": 1 << 31}
"""Most bytes that the bands of the design matrix of all planes take together, by device."""

# Pixels over which a float32 sum runs at most, about; as on the CPU.
_GROUP = 2048
_LOWEST = -60.0


def _kernels() -> Any:
    """Return the module of Triton kernels, or None where Triton is missing."""
    try:
        from convtrace.traces import _triton
    except ImportError:
        return None
    return _triton


@dataclass(slots=True)
class Batch:
    """Planes on a device and how a pass walks over them."""

    torch: Any
    pixels: Any  # (B, H, W) float32
    size: int
    kernels: Any  # the module of Triton kernels, or None
    planes: Any  # the pixels as the kernels read them, where there are kernels

    @classmethod
    def over(cls, torch: Any, pixels: Any, size: int) -> Batch:
        """Return the batch of some planes, with kernels where they can run."""
        kernels = _kernels() if pixels.is_cuda else None
        if kernels is None:
            return cls(torch, pixels.to(torch.float32), size, None, None)
        planes = kernels.Planes.of(pixels)
        return cls(torch, planes.pixels, size, kernels, planes)

    @property
    def d(self) -> int:
        return self.size * self.size - 1

    @property
    def count(self) -> int:
        _, height, width = self.pixels.shape
        return int((height - self.size + 1) * (width - self.size + 1))

    def evaluate(
        self, rows: Any, theta: Any, mode: int, *, precise: bool = False
    ) -> tuple[Any, Any, Any]:
        """Walk over some planes once; see `convtrace.traces._passes.evaluate`.

        Parameters
        ----------
        rows : tensor of shape (n,), int64
            Which planes.
        theta : tensor of shape (n, d + 1), float64
            Coefficients and log sigma^2 of each.
        mode : int
            As there.
        precise : bool
            As there.

        Returns
        -------
        sums (n, 3), gradient (n, d + 1), information (n, d + 1, d + 1) : tensors, float64
            The information says nothing if the mode is `GRADIENT`.
        """
        if self.kernels is not None:
            found: tuple[Any, Any, Any] = self.kernels.evaluate(
                self.planes, rows, theta, self.size, mode, precise=precise
            )
            return found
        torch, d = self.torch, self.d
        n, centre = len(rows), d // 2
        double = torch.float64
        kind = double if precise else torch.float32
        device = self.pixels.device
        sigma2 = torch.exp(theta[:, d])
        scale, shift = -0.5 / sigma2, torch.log(256.0 / torch.sqrt(2 * np.pi * sigma2))
        # r = I - k * I in one product: the centre has coefficient 1, the others -k.
        filters = torch.ones((n, d + 1), dtype=double, device=device)
        filters[:, :centre] = -theta[:, :centre]
        filters[:, centre + 1 :] = -theta[:, centre:d]
        filters = filters.to(kind)
        sums = torch.zeros((n, 3), dtype=double, device=device)
        gradient = torch.zeros((n, d + 1), dtype=double, device=device)
        squares = torch.zeros((n, d + 1, d + 1), dtype=double, device=device)
        cross = torch.zeros((n, d + 1), dtype=double, device=device)
        tau = torch.zeros(n, dtype=double, device=device)
        matrix = mode != GRADIENT
        for groups, columns in self._bands(rows, kind):

            def spread(values: Any, groups: int = groups) -> Any:
                return values.to(kind).repeat_interleave(groups, dim=0)

            def total(values: Any, groups: int = groups) -> Any:
                return values.view(n, groups, *values.shape[1:]).sum(1, dtype=double)

            r = (spread(filters)[:, None, :] @ columns)[:, 0, :]
            square = r * r
            if mode == LEAST_SQUARES:
                w = torch.ones_like(r)
            else:
                z = square * spread(scale)[:, None] + spread(shift)[:, None]
                ratio = torch.exp(torch.clamp(z, min=_LOWEST))
                w = ratio / (1.0 + ratio)
                sums[:, 2] += total(torch.log1p(ratio).sum(1))
            sums[:, 0] += total(w.sum(1))
            sums[:, 1] += total((w * square).sum(1))
            gradient += total((columns @ (w * r)[:, :, None])[:, :, 0])
            if not matrix:
                continue
            v = w
            if mode == OBSERVED:
                z = square / spread(sigma2)[:, None]
                doubt = 1.0 - w
                v = w * (1.0 - doubt * z)
                u = w * r * (1.0 - doubt * 0.5 * (z - 1.0))
                part = w * (0.5 * z - doubt * 0.25 * (z - 1.0) * (z - 1.0))
                tau += total(part.sum(1))
                cross += total((columns @ u[:, :, None])[:, :, 0])
            squares += total((columns * v[:, None, :]) @ columns.transpose(1, 2))
        others = [index for index in range(d + 1) if index != centre]
        out = torch.empty_like(gradient)
        out[:, :d] = gradient[:, others] / sigma2[:, None]
        out[:, d] = 0.5 * (sums[:, 1] / sigma2 - sums[:, 0])
        information = torch.zeros((n, d + 1, d + 1), dtype=double, device=device)
        if matrix:
            block = squares[:, others][:, :, others] / sigma2[:, None, None]
            information[:, :d, :d] = 0.5 * (block + block.transpose(1, 2))
            information[:, :d, d] = cross[:, others] / sigma2[:, None]
            information[:, d, :d] = information[:, :d, d]
            information[:, d, d] = tau if mode == OBSERVED else 0.5 * sums[:, 0]
        return sums, out, information

    def invert(self, matrix: Any) -> tuple[Any, Any]:
        """Invert symmetric matrices; tell which are positive definite."""
        if self.kernels is not None:
            found: tuple[Any, Any] = self.kernels.invert(matrix, ridge=False)
            return found
        return _invert(self.torch, matrix, self.torch.zeros_like(matrix[:, 0, 0]))

    def invert_metric(self, matrix: Any) -> tuple[Any, Any]:
        """Invert the information of EM steps; tell which took a ridge."""
        if self.kernels is not None:
            inverse, sound = self.kernels.invert(matrix, ridge=True)
            return inverse, ~sound
        return _expected_inverse(self.torch, matrix)

    def _bands(self, rows: Any, kind: Any) -> Any:
        """Yield the neighbours of the pixels, centres among them: (n * groups, N * N, pixels).

        A group is as many rows as float32 sums may run over: the neighbours of a smooth
        picture are so nearly dependent that longer ones lose what tells them apart.
        """
        size = self.size
        _, height, width = self.pixels.shape
        tall, wide = height - size + 1, width - size + 1
        itemsize = 8 if kind == self.torch.float64 else 4
        fit = BAND_BYTES[self.pixels.device.type] // (len(rows) * size * size * wide * itemsize)
        group = min(tall, max(1, _GROUP // wide))
        step = max(1, fit // group) * group
        chosen = self.pixels[rows]
        top = 0
        while top < tall:
            here = min(step, tall - top)
            # The last rows may be too few for a group: they are a shorter one.
            here = here // group * group or here
            tops = max(1, here // group)
            window = chosen[:, top : top + here + size - 1].to(kind)
            # (n, rows, wide, N, N) as a view; the reshape writes the band.
            view = window.unfold(1, size, 1).unfold(2, size, 1)
            view = view.unflatten(1, (tops, here // tops)).permute(0, 1, 4, 5, 2, 3)
            yield tops, view.reshape(len(rows) * tops, size * size, here // tops * wide)
            top += here


def _invert(torch: Any, matrix: Any, ridge: Any) -> tuple[Any, Any]:
    """Invert symmetric matrices, scaled to a unit diagonal; tell which are positive definite."""
    n = matrix.shape[1]
    diagonal = torch.diagonal(matrix, dim1=1, dim2=2)
    positive = diagonal > 0.0
    scale = torch.where(positive, diagonal.clamp(min=1e-300).rsqrt(), 1.0)
    scaled = matrix * scale[:, :, None] * scale[:, None, :]
    eye = torch.eye(n, dtype=matrix.dtype, device=matrix.device)
    sound = torch.isfinite(scaled).all(2).all(1) & (positive.all(1) | (ridge > 0.0))
    scaled = torch.where(sound[:, None, None], scaled + ridge[:, None, None] * eye, eye)
    factor, info = torch.linalg.cholesky_ex(scaled)
    pivots = torch.diagonal(factor, dim1=1, dim2=2) ** 2
    sound = sound & (info == 0) & (pivots.min(1).values > scheme._DEPENDENT)
    factor = torch.where(sound[:, None, None], factor, eye)
    inverse = torch.cholesky_inverse(factor) * scale[:, :, None] * scale[:, None, :]
    return inverse, sound


def _expected_inverse(torch: Any, matrix: Any) -> tuple[Any, Any]:
    """Invert the information of EM steps, with the least ridge that is enough.

    See `_optimiser._expected_inverse`.
    """
    ridge = torch.zeros(len(matrix), dtype=matrix.dtype, device=matrix.device)
    inverse, sound = _invert(torch, matrix, ridge)
    ridged = ~sound
    size = scheme._RIDGE
    while not bool(sound.all()):
        rest = (~sound).nonzero()[:, 0]
        again, fine = _invert(torch, matrix[rest], torch.full_like(ridge[rest], size))
        inverse[rest] = again
        sound[rest] = fine
        size *= 2.0
        if size > scheme._MOST_RIDGE:
            inverse[~sound] = float("nan")
            break
    return inverse, ridged
