"""Reductions of one tensor: norms, inner products, and whether all of it is finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.merging.kernels.blocks import BLOCK, INFINITE, LANES, lane_sum, read, read_all, read_delta
from workbench.merging.kernels.compiling import compiled
from workbench.merging.kernels.loops.sparse import sparsify


@compiled
def _finite_block(bits: Any, n: int) -> Any:
    bad = np.uint32(0)
    for j in range(n):
        bad |= np.uint32((bits[j] & INFINITE) == INFINITE)
    return bad == 0


@compiled
def finite(address: int, kind: int, start: int, stop: int) -> bool:
    """Whether all elements are finite."""
    block = np.empty(BLOCK, np.float32)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read(address, kind, at, n, block)
        if not _finite_block(block.view(np.uint32), n):
            return False
        at += n
    return True


@compiled
def norms(addresses: Any, kinds: Any, i: int, rule: Any, sums: Any, start: int, stop: int) -> None:
    """L1 norms of task vector i, whole and of what stays, of each block into sums [2, blocks]."""
    base, block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    random, stays, lanes = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint8), np.empty(LANES, np.float64)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read(addresses[-1], kinds[-1], at, n, base)
        read_delta(addresses[i], kinds[i], at, n, base, block)
        sums[0, at // BLOCK] = lane_sum(block, n, lanes)
        sparsify(rule, at, n, block, random, stays)
        sums[1, at // BLOCK] = lane_sum(block, n, lanes)
        at += n


@compiled
def _dot(n: int, a: Any, b: Any, lanes: Any) -> float:
    lanes[:] = 0.0
    whole = n // LANES
    for row in range(whole):
        for lane in range(LANES):
            lanes[lane] += np.float64(a[row * LANES + lane]) * np.float64(b[row * LANES + lane])
    for lane in range(n - whole * LANES):
        lanes[lane] += np.float64(a[whole * LANES + lane]) * np.float64(b[whole * LANES + lane])
    return float(lanes.sum())


@compiled
def squares(addresses: Any, kinds: Any, i: int, rule: Any, sums: Any, start: int, stop: int) -> None:
    """Sums of squares of what stays of task vector i, of each block into sums [blocks]."""
    base, block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    random, stays, lanes = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint8), np.empty(LANES, np.float64)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read(addresses[-1], kinds[-1], at, n, base)
        read_delta(addresses[i], kinds[i], at, n, base, block)
        sparsify(rule, at, n, block, random, stays)
        sums[at // BLOCK] = _dot(n, block, block, lanes)
        at += n


@compiled
def gram(addresses: Any, kinds: Any, operands: int, about_base: bool, total: Any, start: int, stop: int) -> None:
    """Add the inner products of the first `operands` inputs over [start, stop) to total [m, m] (upper half)."""
    base, blocks = np.empty(BLOCK, np.float32), np.empty((operands, BLOCK), np.float32)
    lanes = np.empty(LANES, np.float64)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read_all(addresses, kinds, operands, about_base, at, n, base, blocks)
        for e in range(operands):
            for f in range(e, operands):
                total[e, f] += _dot(n, blocks[e], blocks[f], lanes)
        at += n


@compiled
def gram_rows(
    addresses: Any, kinds: Any, operands: int, about_base: bool, columns: int, total: Any, start: int, stop: int
) -> None:
    """The same for each row of [start, stop), which are whole rows: into total [rows, m, m]."""
    row = start // columns
    while row * columns < stop:
        gram(addresses, kinds, operands, about_base, total[row], row * columns, (row + 1) * columns)
        row += 1


@compiled
def _add_products(n: int, columns: int, at: int, a: Any, b: Any, total: Any) -> None:
    for j in range(n):
        total[(at + j) % columns] += np.float64(a[j]) * np.float64(b[j])


@compiled
def gram_columns(
    addresses: Any, kinds: Any, operands: int, about_base: bool, columns: int, total: Any, start: int, stop: int
) -> None:
    """The same down each column: added to total [m, m, columns]."""
    base, blocks = np.empty(BLOCK, np.float32), np.empty((operands, BLOCK), np.float32)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read_all(addresses, kinds, operands, about_base, at, n, base, blocks)
        for e in range(operands):
            for f in range(e, operands):
                _add_products(n, columns, at, blocks[e], blocks[f], total[e, f])
        at += n
