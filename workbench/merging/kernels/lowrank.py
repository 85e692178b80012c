"""The dense update of a LoRA pair, scale * B A (Hu et al. 2021), with sums in one fixed order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.compiling import compiled
from workbench.merging.kernels.workers import Workers


@compiled
def _four(b0: Any, b1: Any, b2: Any, b3: Any, a: Any, k: int, out: Any) -> None:
    first, second, third, fourth = a[k], a[k + 1], a[k + 2], a[k + 3]
    for j in range(len(out)):
        out[j] = out[j] + b0 * first[j] + b1 * second[j] + b2 * third[j] + b3 * fourth[j]


@compiled
def _one(b0: Any, row: Any, out: Any) -> None:
    for j in range(len(out)):
        out[j] += b0 * row[j]


@compiled
def _times(scale: Any, out: Any) -> None:
    for j in range(len(out)):
        out[j] *= scale


@compiled
def _rows(b: Any, a: Any, scale: Any, out: Any, start: int, stop: int) -> None:
    rank, columns = a.shape
    for i in range(start // columns, stop // columns):
        row = out[i]
        row[:] = np.float32(0)
        k = 0
        while k + 4 <= rank:
            _four(b[i, k], b[i, k + 1], b[i, k + 2], b[i, k + 3], a, k, row)
            k += 4
        while k < rank:
            _one(b[i, k], a[k], row)
            k += 1
        _times(scale, row)


def dense_update(b: NDArray[np.float32], a: NDArray[np.float32], scale: float, workers: Workers) -> NDArray[np.float32]:
    """Scale * b @ a: [out, rank] and [rank, in] to [out, in], the same bits on any number of threads.

    A BLAS would be faster on large ranks, but may add the ranks up in another order on another machine.
    """
    out = np.empty((b.shape[0], a.shape[1]), np.float32)
    b, a = np.ascontiguousarray(b), np.ascontiguousarray(a)
    factor = np.float32(scale)
    workers.each(lambda start, stop: _rows(b, a, factor, out, start, stop), out.size, a.shape[1])
    return out
