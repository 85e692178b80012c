"""The last pass of a merge: weighted sums of tensors, and mixes of sparse task vectors, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.merging.kernels.blocks import BLOCK, read, read_delta, write
from workbench.merging.kernels.compiling import compiled
from workbench.merging.kernels.loops.elements import add, add_scaled, divide, multiply
from workbench.merging.kernels.loops.sparse import sparsify

ELECT_NONE, ELECT_WEIGHTED, ELECT_PLAIN = 0, 1, 2


@compiled
def _add_scaled_along(n: int, at: int, columns: int, factors: Any, block: Any, total: Any) -> None:
    if factors.shape[0] > 1:
        for j in range(n):
            total[j] += factors[(at + j) // columns, 0] * block[j]
    else:
        for k in range(n):
            total[k] += factors[0, (at + k) % columns] * block[k]


@compiled
def combine(
    addresses: Any, kinds: Any, operands: int, scalars: Any, along: Any, rows: bool, about_base: bool, columns: int,
    divisor: Any, out: int, out_kind: int, start: int, stop: int,
) -> bool:  # fmt: skip
    """Weighted sum of the first `operands` inputs: weights scalars [m], or along [m, rows or columns] if not empty."""
    base, block, total = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    good = True
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        total[:n] = np.float32(-0.0)  # to which every number can be added, -0 too, and stays the same
        if about_base:
            read(addresses[-1], kinds[-1], at, n, base)
        for e in range(operands):
            if about_base:
                read_delta(addresses[e], kinds[e], at, n, base, block)
            else:
                read(addresses[e], kinds[e], at, n, block)
            if along.shape[1] == 0:
                add_scaled(n, scalars[e], block, total)
            elif rows:
                _add_scaled_along(n, at, columns, along[e].reshape(-1, 1), block, total)
            else:
                _add_scaled_along(n, at, columns, along[e].reshape(1, -1), block, total)
        if divisor != np.float32(1):
            divide(n, divisor, total)
        if about_base:
            add(n, base, total)
        good = write(out, out_kind, at, n, total) and good
        at += n
    return good


@compiled
def _elect(n: int, total: Any, block: Any, factor: Any, weight: Any, mixed: Any, weights: Any) -> None:
    """Add factor * what has the sign of `total` (zero counts as positive; zeros never match), and its weight."""
    for j in range(n):
        value = block[j]
        match = ((total[j] >= np.float32(0)) & (value > np.float32(0))) | (
            (total[j] < np.float32(0)) & (value < np.float32(0))
        )
        mixed[j] += factor * value if match else np.float32(0)
        weights[j] += weight if match else np.float32(0)


@compiled
def _divide_each(n: int, floor: Any, weights: Any, mixed: Any) -> None:
    for j in range(n):
        by = max(weights[j], floor)
        mixed[j] /= by if by != np.float32(0) else np.float32(1)


@compiled
def mix(
    addresses: Any, kinds: Any, rules: Any, ratios: Any, shares: Any, elect: int, each: bool, floor: Any,
    divisor: Any, scale: Any, out: int, out_kind: int, start: int, stop: int,
) -> bool:  # fmt: skip
    """Base + the mix of sparse, weighted task vectors (passes.Mix). ratios, shares [m]; `each`: divide by element."""
    models = len(addresses) - 1
    base, total = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    mixed, weights = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    deltas = np.empty((models, BLOCK), np.float32)
    random, stays = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint8)
    good = True
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        read(addresses[-1], kinds[-1], at, n, base)
        total[:n] = np.float32(0)
        for e in range(models):
            read_delta(addresses[e], kinds[e], at, n, base, deltas[e])
            sparsify(rules[e], at, n, deltas[e], random, stays)
            if ratios[e] != np.float32(1):
                multiply(n, ratios[e], deltas[e])
            if elect != ELECT_PLAIN:
                multiply(n, shares[e], deltas[e])
            add(n, deltas[e], total)
        if elect == ELECT_NONE:
            mixed[:n] = total[:n]
        else:
            mixed[:n] = np.float32(0)
            weights[:n] = np.float32(0)
            for e in range(models):
                factor = shares[e] if elect == ELECT_PLAIN else np.float32(1)
                _elect(n, total, deltas[e], factor, shares[e], mixed, weights)
        if each:
            _divide_each(n, floor, weights, mixed)
        elif divisor != np.float32(1):
            divide(n, divisor, mixed)
        if scale != np.float32(1):
            multiply(n, scale, mixed)
        add(n, base, mixed)
        good = write(out, out_kind, at, n, mixed) and good
        at += n
    return good
