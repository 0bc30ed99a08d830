"""Hints to the processor, for which numba has no function."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skgrad._kernels._compile import compiled
from skgrad._typing import FloatArray, IntArray

CACHE_LINE = 64  # bytes, on most processors
READ, KEEP, DATA = 0, 3, 1  # the arguments of LLVM's prefetch


def _prefetch(_: Any, array: Any, index: Any) -> Any:
    """Ask for array[index], array contiguous, to be brought into the cache, and go on.

    Rows in random order are what the processor itself cannot foresee. An index beyond the end does
    no harm.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(start, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(hint, [place, *(number(flag) for flag in (READ, KEEP, DATA))])
        return context.get_dummy_value()

    return types.void(array, index), generate


prefetch: Any = intrinsic(_prefetch)


@compiled
def ask_for_row(data: FloatArray, indices: IntArray, start: np.uint64) -> None:
    """Ask for the first entries of a row: two cache lines of data and one of indices."""
    prefetch(data, start)
    prefetch(data, start + np.uint64(CACHE_LINE // data.itemsize))
    prefetch(indices, start)
