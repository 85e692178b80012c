"""How often the task vectors of two models have opposite signs: exact counts, eight elements a word.

A sign is a byte: 0 for zero, 1 for positive, 3 for negative. Sixty-four bit words of such bytes are compared at once.
Counts are added byte by byte too, so that no sum has to be widened; the running bytes are emptied before one can
overflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.blocks import BLOCK, read, read_delta
from workbench.merging.kernels.compiling import compiled
from workbench.merging.kernels.cpu import inputs_of
from workbench.merging.kernels.group import Group
from workbench.merging.kernels.workers import Workers

ONES = np.uint64(0x0101010101010101)
WORDS = 128
"""Words that are summed before the running bytes are emptied; a byte holds up to 255."""
_EVEN_BYTES = np.uint64(0x00FF00FF00FF00FF)
_HALVES = np.uint64(0x0001000100010001)


def sign_conflicts(group: Group, workers: Workers) -> NDArray[np.int64]:
    """Counts [2, m, m] for every pair of a group's m models, symmetric; int64, exact.

    [0]: elements where both task vectors are nonzero; [1]: those of them where the signs differ. The diagonal holds
    the nonzero elements of each, and zeros. The group must have a base. NaN counts as positive.
    """
    inputs, m = inputs_of(group), len(group.models)

    def run(start: int, stop: int) -> NDArray[np.int64]:
        counts = np.zeros((2, m, m), np.int64)
        count(*inputs, counts, start, stop)
        return counts

    upper = sum(workers.each(run, group.n), np.zeros((2, m, m), np.int64))
    return upper + np.triu(upper, 1).swapaxes(1, 2)


@compiled
def _encode(n: int, block: Any, signs: Any) -> None:
    for j in range(n):
        signs[j] = np.uint8(block[j] != np.float32(0)) | (np.uint8(block[j] < np.float32(0)) << np.uint8(1))


@compiled
def _both(words: int, a: Any, b: Any) -> Any:
    total = np.uint64(0)
    for j in range(words):
        total += a[j] & b[j] & ONES
    return total


@compiled
def _opposed(words: int, a: Any, b: Any) -> Any:
    total = np.uint64(0)
    for j in range(words):
        total += ((a[j] ^ b[j]) >> np.uint64(1)) & a[j] & b[j] & ONES
    return total


@compiled
def _byte_sum(total: Any) -> Any:
    pairs = (total & _EVEN_BYTES) + ((total >> np.uint64(8)) & _EVEN_BYTES)
    return np.int64((pairs * _HALVES) >> np.uint64(48))


@compiled
def count(addresses: Any, kinds: Any, counts: Any, start: int, stop: int) -> None:
    """Add the counts of [start, stop) to counts [2, m, m] (upper half)."""
    models = len(addresses) - 1
    base, block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    signs = np.zeros((models, BLOCK), np.uint8)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read(addresses[-1], kinds[-1], at, n, base)
        for e in range(models):
            read_delta(addresses[e], kinds[e], at, n, base, block)
            _encode(n, block, signs[e])
            signs[e, n:] = np.uint8(0)  # of the block before, when this one is shorter
        for e in range(models):
            for f in range(e, models):
                a, b = signs[e].view(np.uint64), signs[f].view(np.uint64)
                for half in range(0, BLOCK // 8, WORDS):
                    x, y = a[half : half + WORDS], b[half : half + WORDS]
                    counts[0, e, f] += _byte_sum(_both(WORDS, x, y))
                    counts[1, e, f] += _byte_sum(_opposed(WORDS, x, y))
        at += n
