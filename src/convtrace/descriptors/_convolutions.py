"""The inner loops of a convolutional network: its two kinds of convolution.

Each is cut off where it is computed (ReLU6), and sums in an order of its own, whatever number of
threads there is.
"""

from __future__ import annotations

import numpy as np

from convtrace.traces._compile import compiled

__all__ = ["depthwise", "pointwise"]

# Pixels at once, so that all channels of them stay in the second cache.
_TILE = 256


@compiled(fast=True)
def pointwise(values, weights, bias, top, out):  # type: ignore[no-untyped-def]
    """Mix the channels of each pixel, and cut off below 0 and above `top`.

    Parameters
    ----------
    values : ndarray of shape (C, P), float32
        Channels, a multiple of 4, of P pixels.
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
    for start in range(0, pixels, _TILE):
        stop = min(pixels, start + _TILE)
        for d in range(0, weights.shape[0], 4):
            out0 = out[d, start:stop]
            out1 = out[d + 1, start:stop]
            out2 = out[d + 2, start:stop]
            out3 = out[d + 3, start:stop]
            out0[:] = bias[d]
            out1[:] = bias[d + 1]
            out2[:] = bias[d + 2]
            out3[:] = bias[d + 3]
            # Four by four: sixteen products for each time that sums are loaded and stored.
            for c in range(0, channels, 4):
                a00, a01, a02, a03 = weights[d, c : c + 4]
                a10, a11, a12, a13 = weights[d + 1, c : c + 4]
                a20, a21, a22, a23 = weights[d + 2, c : c + 4]
                a30, a31, a32, a33 = weights[d + 3, c : c + 4]
                in0 = values[c, start:stop]
                in1 = values[c + 1, start:stop]
                in2 = values[c + 2, start:stop]
                in3 = values[c + 3, start:stop]
                for p in range(stop - start):
                    v0, v1, v2, v3 = in0[p], in1[p], in2[p], in3[p]
                    out0[p] += a00 * v0 + a01 * v1 + a02 * v2 + a03 * v3
                    out1[p] += a10 * v0 + a11 * v1 + a12 * v2 + a13 * v3
                    out2[p] += a20 * v0 + a21 * v1 + a22 * v2 + a23 * v3
                    out3[p] += a30 * v0 + a31 * v1 + a32 * v2 + a33 * v3
            if top > 0:
                for e in range(d, d + 4):
                    row = out[e, start:stop]
                    for p in range(stop - start):
                        row[p] = min(max(row[p], np.float32(0.0)), np.float32(top))


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
    # One line of all rows, with zeros between them, so that the loops are long however narrow
    # the picture is; those columns of the sums are left.
    line = width + size
    count = ((rows - 1) * stride + 1) * line
    padded = np.zeros((height + 2 * size) * line, np.float32)
    sums = np.empty(count, np.float32)
    for c in range(channels):
        for y in range(height):
            start = (y + before[0]) * line + before[1]
            padded[start : start + width] = values[c, y]
        sums[:] = bias[c]
        for s in range(size):
            in0 = padded[s * line : s * line + count]
            in1 = padded[s * line + 1 : s * line + 1 + count]
            in2 = padded[s * line + 2 : s * line + 2 + count]
            w0, w1, w2 = weights[c, s, 0], weights[c, s, 1], weights[c, s, 2]
            if size == 3:
                for p in range(count):
                    sums[p] += w0 * in0[p] + w1 * in1[p] + w2 * in2[p]
            else:
                in3 = padded[s * line + 3 : s * line + 3 + count]
                in4 = padded[s * line + 4 : s * line + 4 + count]
                w3, w4 = weights[c, s, 3], weights[c, s, 4]
                for p in range(count):
                    sums[p] += w0 * in0[p] + w1 * in1[p] + w2 * in2[p] + w3 * in3[p] + w4 * in4[p]
        for y in range(rows):
            kept = sums[y * stride * line :]
            row = out[c, y]
            if stride == 1:
                for x in range(columns):
                    row[x] = min(max(kept[x], np.float32(0.0)), np.float32(6.0))
            else:
                for x in range(columns):
                    row[x] = min(max(kept[stride * x], np.float32(0.0)), np.float32(6.0))
