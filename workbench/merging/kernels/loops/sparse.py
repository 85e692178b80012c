"""What stays of a task vector; and the ranks within rows that DELLA goes by.

`rule` [10] int64 is a Keep in numbers: kind, low or how many bounds, first or bytes of a rank, last, high, high_last or
bound, key, address of mask or ranks, of bounds, of scales or 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from workbench.merging.kernels.blocks import BLOCK, MAGNITUDE, as_f32, as_u8, as_u16, as_u32, read, read_delta
from workbench.merging.kernels.compiling import compiled
from workbench.merging.kernels.draws import draw

EVERY_BIT = np.uint32(0xFFFFFFFF)
KEEP_ALL, KEEP_NOTHING, KEEP_BAND, KEEP_DRAW, KEEP_MASK, KEEP_RANKED = 0, 1, 2, 3, 4, 5


@compiled
def clip(index: int, at: int, n: int) -> Any:
    """A flat index as one within the block that begins at `at`."""
    return np.uint32(min(max(index - at, 0), n))


@compiled
def band(n: int, bits: Any, cover: Any, low: Any, first: Any, last: Any, high: Any, high_last: Any, stays: Any) -> None:
    """A byte an element: whether its key (bits & cover) lies in a band (passes.Band), indices within the block."""
    for j in range(n):
        size, here = bits[j] & cover, np.uint32(j)
        up = (size > low) | ((size == low) & (here >= first) & (here < last))
        down = (size < high) | ((size == high) & (here < high_last))
        stays[j] = np.uint8(up & down)


@compiled
def _drawn(n: int, random: Any, bound: Any, stays: Any) -> None:
    for j in range(n):
        stays[j] = np.uint8(random[j] < bound)


@compiled
def _times_rank(n: int, ranks: Any, scales: Any, block: Any) -> None:
    for j in range(n):
        block[j] *= scales[ranks[j]]


@compiled
def _ranked(n: int, ranks: Any, random: Any, bounds: Any, block: Any) -> None:
    for j in range(n):
        bound, value = bounds[ranks[j]], block[j]  # read in any case: a branch on chance is never foreseen
        block[j] = value if random[j] < bound else np.float32(0)


@compiled
def _by_rank(n: int, ranks: Any, random: Any, bounds: Any, scales: int, block: Any) -> None:
    if scales:
        _times_rank(n, ranks, carray(as_f32(scales), (len(bounds),)), block)
    _ranked(n, ranks, random, bounds, block)


@compiled
def _erase(n: int, stays: Any, block: Any) -> None:
    for j in range(n):
        block[j] = block[j] if stays[j] != 0 else np.float32(0)


@compiled
def sparsify(rule: Any, at: int, n: int, block: Any, random: Any, stays: Any) -> None:
    """Zero what does not stay of a task vector's block, in place."""
    kind = rule[0]
    if kind == KEEP_ALL:
        return
    if kind == KEEP_NOTHING:
        block[:n] = np.float32(0)
        return
    if kind == KEEP_MASK:
        _erase(n, carray(as_u8(rule[7] + at), (n,)), block)
        return
    if kind == KEEP_RANKED:
        draw(at, rule[6], random)
        bounds = carray(as_u32(rule[8]), (rule[1],))
        if rule[2] == 2:
            _by_rank(n, carray(as_u16(rule[7] + 2 * at), (n,)), random, bounds, rule[9], block)
        else:
            _by_rank(n, carray(as_u32(rule[7] + 4 * at), (n,)), random, bounds, rule[9], block)
        return
    if kind == KEEP_DRAW:
        draw(at, rule[6], random)
        _drawn(n, random, np.uint32(rule[5]), stays)
    else:
        band(
            n, block.view(np.uint32), MAGNITUDE, np.uint32(rule[1]), clip(rule[2], at, n), clip(rule[3], at, n),
            np.uint32(rule[4]), clip(rule[5], at, n), stays,
        )  # fmt: skip
    _erase(n, stays, block)


@compiled
def rank_keys(addresses: Any, kinds: Any, i: int, columns: int, keys: Any, start: int, stop: int) -> None:
    """(magnitude bits << 32 | column) of whole rows; sorted, they give the rank of every element of a row."""
    base, block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read(addresses[-1], kinds[-1], at, n, base)
        read_delta(addresses[i], kinds[i], at, n, base, block)
        bits = block.view(np.uint32)
        for j in range(n):
            keys[at - start + j] = (np.uint64(bits[j] & MAGNITUDE) << np.uint64(32)) | np.uint64((at + j) % columns)
        at += n


@compiled
def spread_ranks(keys: Any, columns: int, out: Any, start: int, stop: int) -> None:
    """From sorted keys of whole rows: the rank of every element."""
    at = start
    while at < stop:
        for rank in range(columns):
            out[at + np.int64(keys[at - start + rank] & np.uint64(0xFFFFFFFF))] = rank
        at += columns
