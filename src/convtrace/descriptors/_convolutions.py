"""The inner loops of a convolutional network: its two kinds of convolution.

Each is cut off where it is computed (ReLU6), and sums in an order of its own, whatever number of
threads there is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from convtrace.traces._compile import compiled

__all__ = ["depthwise", "pointwise"]

# Of the products of a few channels with a few pixels the sums stay in vector registers: twelve,
# with three of pixels and one weight, fill the sixteen of AVX2.
_CHANNELS = 4
_LANES = 8
_VECTORS = 3
_PIXELS = _LANES * _VECTORS


@compiled(fast=True)
def pointwise(values, weights, bias, top, out):  # type: ignore[no-untyped-def]
    """Mix the channels of each pixel, and cut off below 0 and above `top`.

    Parameters
    ----------
    values : ndarray of shape (C, P), float32
        Channels of P pixels.
    weights : ndarray of shape (D, C), float32
        Of D channels, a multiple of 4.
    bias : ndarray of shape (D,), float32
        What is added.
    top : float
        6 for a ReLU6; 0 for no cut at all.
    out : ndarray of shape (D, P), float32
        Filled.
    """
    channels, pixels = values.shape
    least = np.float32(0.0 if top > 0 else -np.inf)
    most = np.float32(top if top > 0 else np.inf)
    panel = np.zeros((channels, _PIXELS), np.float32)
    rest = np.empty((_CHANNELS, _PIXELS), np.float32)
    for start in range(0, pixels, _PIXELS):
        count = min(_PIXELS, pixels - start)
        # In one piece, since rows that lie a power of two apart push each other out of the cache.
        for c in range(channels):
            row = values[c, start:]
            if count == _PIXELS:
                for p in range(_PIXELS):
                    panel[c, p] = row[p]
            else:
                panel[c, :count] = row[:count]
        for d in range(0, len(weights), _CHANNELS):
            if count == _PIXELS:
                _tile(weights, bias, d, panel, least, most, out, d, start)
            else:
                _tile(weights, bias, d, panel, least, most, rest, 0, 0)
                out[d : d + _CHANNELS, start:] = rest[:, :count]


@intrinsic
def _tile(  # type: ignore[no-untyped-def]
    context,  # noqa: ARG001
    weights,
    bias,
    first,  # noqa: ARG001
    panel,
    least,
    most,
    out,
    row,  # noqa: ARG001
    column,  # noqa: ARG001
):
    """Mix a panel of pixels to a few channels, at a place of `out`; the first argument is Numba's.

    In the words of LLVM, since Numba keeps no sums of several vectors in registers: plain loops
    take twice the time.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), _LANES)
        data, widths = {}, {}
        for name, place in (("weights", 0), ("bias", 1), ("panel", 3), ("out", 6)):
            array = context.make_array(signature.args[place])(context, builder, args[place])
            data[name] = array.data
            widths[name] = builder.extract_value(array.shape, array.shape.type.count - 1)
        first, least, most, row, column = args[2], args[4], args[5], args[7], args[8]
        integer = first.type

        def number(value: int) -> Any:
            return ir.Constant(integer, value)

        def load(name: str, place: Any) -> Any:
            return builder.load(builder.gep(data[name], [place]))

        def vectors(name: str, place: Any) -> list[Any]:
            """Return where the vectors of a row of pixels lie."""
            places = [builder.add(place, number(v * _LANES)) for v in range(_VECTORS)]
            pointer = vector.as_pointer()
            return [builder.bitcast(builder.gep(data[name], [each]), pointer) for each in places]

        def spread(value: Any) -> Any:
            """Return a vector of a value alone."""
            alone = builder.insert_element(
                ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
            )
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
            return builder.shuffle_vector(alone, ir.Constant(vector, ir.Undefined), lanes)

        def cut(value: Any) -> Any:
            for sign, limit in ((">", spread(least)), ("<", spread(most))):
                inside = builder.fcmp_ordered(sign, value, limit)
                value = builder.select(inside, value, limit)
            return value

        each = range(_CHANNELS)
        own = [builder.add(first, number(d)) for d in each]
        sums = [
            [cgutils.alloca_once_value(builder, start) for _ in range(_VECTORS)]
            for start in [spread(load("bias", d)) for d in own]
        ]
        starts = [builder.mul(d, widths["weights"]) for d in own]
        with cgutils.for_range(builder, widths["weights"]) as loop:
            pixels = [
                builder.load(place, align=4)
                for place in vectors("panel", builder.mul(loop.index, number(_PIXELS)))
            ]
            for d in each:
                weight = spread(load("weights", builder.add(starts[d], loop.index)))
                for total, values in zip(sums[d], pixels, strict=True):
                    product = builder.fmul(weight, values, flags=("contract",))
                    added = builder.fadd(builder.load(total), product, flags=("contract",))
                    builder.store(added, total)
        for d in each:
            begin = builder.mul(builder.add(row, number(d)), widths["out"])
            places = vectors("out", builder.add(begin, column))
            for total, place in zip(sums[d], places, strict=True):
                builder.store(cut(builder.load(total)), place, align=4)
        return context.get_dummy_value()

    if any(array.layout != "C" for array in (weights, bias, panel, out)):
        raise TypingError("arrays in one piece, row by row, are wanted")
    given = (weights, bias, types.intp, panel, least, most, out, types.intp, types.intp)
    return types.void(*given), codegen


@compiled(fast=True)
def depthwise(values, weights, bias, stride, before, out):  # type: ignore[no-untyped-def]
    """Convolve each channel with a kernel of its own, and cut off below 0 and above 6.

    Parameters
    ----------
    values : ndarray of shape (C, H, W), float32
        Channels; beyond their edges all is zero.
    weights : ndarray of shape (C, K, K), float32
        Kernels, of 3 or 5 rows.
    bias : ndarray of shape (C,), float32
        What is added.
    stride : int
        Every which row and column is kept.
    before : tuple of int
        Rows and columns of zeros before the first.
    out : ndarray of shape (C, H', W'), float32
        Filled.
    """
    channels, height, width = values.shape
    size = weights.shape[1]
    rows, columns = out.shape[1:]
    # All rows in one line, with zeros between them, so that the loops are long however narrow the
    # picture is, and each phase of the stride in a line of its own. What lies between two rows,
    # and columns that are not kept, are left.
    line = width + size
    count = (rows - 1) * line + (columns - 1) * stride + 1
    padded = np.zeros((stride, (rows + size) * line), np.float32)
    sums = np.empty(count, np.float32)
    for c in range(channels):
        for y in range(height):
            phase, place = (y + before[0]) % stride, (y + before[0]) // stride
            row, target = values[c, y], padded[phase, place * line + before[1] :]
            for x in range(width):
                target[x] = row[x]
        sums[:] = bias[c]
        for s in range(size):
            shifted = padded[s % stride, s // stride * line :]
            in0, in1, in2 = shifted[:count], shifted[1:], shifted[2:]
            w0, w1, w2 = weights[c, s, 0], weights[c, s, 1], weights[c, s, 2]
            if size == 3:
                for p in range(count):
                    sums[p] += w0 * in0[p] + w1 * in1[p] + w2 * in2[p]
            else:
                in3, in4 = shifted[3:], shifted[4:]
                w3, w4 = weights[c, s, 3], weights[c, s, 4]
                for p in range(count):
                    sums[p] += w0 * in0[p] + w1 * in1[p] + w2 * in2[p] + w3 * in3[p] + w4 * in4[p]
        for y in range(rows):
            kept, row = sums[y * line :], out[c, y]
            if stride == 1:
                for x in range(columns):
                    row[x] = min(max(kept[x], np.float32(0.0)), np.float32(6.0))
            else:
                for x in range(columns):
                    row[x] = min(max(kept[stride * x], np.float32(0.0)), np.float32(6.0))
