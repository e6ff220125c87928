"""Single-precision exponential and logarithm that a compiler can vectorise.

A call of the C library's ``expf`` in a loop keeps LLVM from vectorising it. These
are range reduction plus polynomial, free of calls and branches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from convtrace.traces._compile import compiled

__all__ = ["exp32", "log32"]

_LOG2E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_SQRT_HALF = np.float32(0.70710678)


@intrinsic  # type: ignore[untyped-decorator]
def _float_bits(typingctx: Any, value: Any) -> Any:  # noqa: ARG001
    """Reinterpret a float32 as an int32."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _bits_float(typingctx: Any, value: Any) -> Any:  # noqa: ARG001
    """Reinterpret an int32 as a float32."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


# "contract" only: reassociation would undo the two-part range reduction.
@compiled(fast={"contract"})
def exp32(x):  # type: ignore[no-untyped-def]
    """Return ``exp(x)`` for -86 <= x <= 86, to about 1e-7 relative (Cephes ``expf``)."""
    # A shift keeps the operand of the truncation positive, so that it rounds to nearest.
    n = np.int32(np.int32(x * _LOG2E + np.float32(128.5)) - np.int32(128))
    f = np.float32(n)
    y = x - f * _LN2_HIGH
    y = y - f * _LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * y + np.float32(1.3981999507e-3)
    p = p * y + np.float32(8.3334519073e-3)
    p = p * y + np.float32(4.1665795894e-2)
    p = p * y + np.float32(1.6666665459e-1)
    p = p * y + np.float32(5.0000001201e-1)
    p = p * y * y + y + _ONE
    return p * _bits_float(np.int32(np.int32(n + np.int32(127)) << np.int32(23)))


@compiled(fast={"contract"})
def log32(x):  # type: ignore[no-untyped-def]
    """Return ``log(x)`` for normal positive x, to about 1e-7 (Cephes ``logf``)."""
    bits = _float_bits(x)
    # Split x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
    shifted = np.int32(bits - np.int32(0x3F3504F3))
    e = np.float32(np.int32(shifted >> np.int32(23)))
    m = _bits_float(np.int32(np.int32(shifted & np.int32(0x007FFFFF)) + np.int32(0x3F3504F3)))
    y = m - _ONE
    p = np.float32(7.0376836292e-2)
    p = p * y + np.float32(-1.1514610310e-1)
    p = p * y + np.float32(1.1676998740e-1)
    p = p * y + np.float32(-1.2420140846e-1)
    p = p * y + np.float32(1.4249322787e-1)
    p = p * y + np.float32(-1.6668057665e-1)
    p = p * y + np.float32(2.0000714765e-1)
    p = p * y + np.float32(-2.4999993993e-1)
    p = p * y + np.float32(3.3333331174e-1)
    z = y * y
    return y + (y * z * p + e * _LN2_LOW - _HALF * z) + e * _LN2_HIGH
