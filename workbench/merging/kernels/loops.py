"""The compiled loops of cpu.py: each walks the elements [start, stop) of one tensor, block by block.

`addresses` and `kinds` [m + 1] describe the models in order and the base last (blocks.py). `rule` [10] int64 is a Keep
in numbers: kind, low, first, last, high, high_last or bound, key, address of mask or ranks, of bounds, of scales.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from workbench.merging.kernels.blocks import (
    BLOCK,
    INFINITE,
    LANES,
    MAGNITUDE,
    as_f32,
    as_u8,
    as_u32,
    compiled,
    lane_sum,
    read,
    read_delta,
    write,
)
from workbench.merging.kernels.draws import draw

EVERY_BIT = np.uint32(0xFFFFFFFF)
KEEP_ALL, KEEP_NOTHING, KEEP_BAND, KEEP_DRAW, KEEP_MASK, KEEP_RANKED = 0, 1, 2, 3, 4, 5
BY_MAGNITUDE, BY_VARIANCE, BY_IMPORTANCE = 0, 1, 2
ELECT_NONE, ELECT_WEIGHTED, ELECT_PLAIN = 0, 1, 2
HIGH_BITS = 65536
"""Bins of a histogram's first pass: the upper 16 of a key's 32 bits. The second pass tells the lower 16 apart."""
LOW_BITS = 16


# --- is it finite? ---------------------------------------------------------------------------------------------------


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


# --- scores: a key an element, a 32-bit number that orders as the score does -----------------------------------------


@compiled
def _magnitude(n: int, bits: Any) -> None:
    for j in range(n):
        bits[j] = bits[j] & MAGNITUDE


@compiled
def _add(n: int, block: Any, total: Any) -> None:
    for j in range(n):
        total[j] += block[j]


@compiled
def _divide(n: int, divisor: Any, block: Any) -> None:
    for j in range(n):
        block[j] = block[j] / divisor


@compiled
def _add_square(n: int, block: Any, mean: Any, total: Any) -> None:
    for j in range(n):
        away = block[j] - mean[j]
        total[j] += away * away


@compiled
def _times_row(start: int, n: int, columns: int, factors: Any, block: Any) -> None:
    for j in range(n):
        block[j] = abs(block[j]) * factors[(start + j) // columns]


@compiled
def _signed_keys(n: int, bits: Any) -> None:
    for j in range(n):
        bits[j] = bits[j] ^ (np.uint32(0xFFFFFFFF) if bits[j] > MAGNITUDE else np.uint32(0x80000000))


@compiled
def _variance(addresses: Any, kinds: Any, at: int, n: int, base: Any, block: Any, mean: Any, score: Any) -> None:
    models = len(addresses) - 1
    mean[:n] = np.float32(0)
    score[:n] = np.float32(0)
    for e in range(models):
        read_delta(addresses[e], kinds[e], at, n, base, block)
        _add(n, block, mean)
    _divide(n, np.float32(models), mean)
    for e in range(models):
        read_delta(addresses[e], kinds[e], at, n, base, block)
        _add_square(n, block, mean, score)
    _divide(n, np.float32(models), score)


@compiled
def _score(
    addresses: Any, kinds: Any, by: int, i: int, factors: Any, columns: int, at: int, n: int, scratch: Any
) -> None:
    """Keys of elements [at, at + n) into the bits of scratch[0]; scratch [4, BLOCK] float32."""
    read(addresses[-1], kinds[-1], at, n, scratch[1])
    if by == BY_VARIANCE:
        _variance(addresses, kinds, at, n, scratch[1], scratch[2], scratch[3], scratch[0])
    else:
        read_delta(addresses[i], kinds[i], at, n, scratch[1], scratch[0])
        if by == BY_IMPORTANCE:
            _times_row(at, n, columns, factors, scratch[0])
            _signed_keys(n, scratch[0].view(np.uint32))
            return
    _magnitude(n, scratch[0].view(np.uint32))


@compiled
def _count_high(n: int, bits: Any, counts: Any) -> None:
    for j in range(n):
        counts[bits[j] >> np.uint32(LOW_BITS)] += 1


@compiled
def _count_low(n: int, bits: Any, high: Any, counts: Any) -> None:
    for j in range(n):
        if bits[j] >> np.uint32(LOW_BITS) == high:
            counts[bits[j] & np.uint32(0xFFFF)] += 1


@compiled
def histogram(
    addresses: Any, kinds: Any, by: int, i: int, factors: Any, columns: int, high: int, counts: Any,
    start: int, stop: int,
) -> None:  # fmt: skip
    """Add to `counts` the upper bits of the scores (`high` < 0), or the lower bits of those whose upper are `high`."""
    scratch = np.empty((4, BLOCK), np.float32)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        _score(addresses, kinds, by, i, factors, columns, at, n, scratch)
        if high < 0:
            _count_high(n, scratch[0].view(np.uint32), counts)
        else:
            _count_low(n, scratch[0].view(np.uint32), np.uint32(high), counts)
        at += n


@compiled
def sample(
    addresses: Any, kinds: Any, by: int, i: int, factors: Any, columns: int, stride: int, run: int, keys: Any
) -> None:
    """Keys of runs of `run` neighbours (up to 2,048), one run every `stride` elements, into keys [runs, run]."""
    scratch = np.empty((4, BLOCK), np.float32)
    for r in range(keys.shape[0]):
        _score(addresses, kinds, by, i, factors, columns, r * stride, run, scratch)
        keys[r] = scratch[0].view(np.uint32)[:run]


@compiled
def _inside(n: int, bits: Any, low: Any, high: Any, flags: Any) -> None:
    for j in range(n):
        flags[j] = np.uint8((bits[j] >= low) & (bits[j] <= high))


@compiled
def _inside_either(n: int, bits: Any, low: Any, high: Any, flags: Any) -> None:
    for j in range(n):
        flags[j] |= np.uint8((bits[j] >= low) & (bits[j] <= high))


@compiled
def _below(n: int, bits: Any, low: Any) -> Any:
    count = np.uint32(0)
    for j in range(n):
        count += np.uint32(bits[j] < low)
    return np.int64(count)


@compiled
def _gather(n: int, at: int, bits: Any, flags: Any, found: Any, filled: Any) -> Any:
    words = flags.view(np.uint64)
    for word in range((n + 7) // 8):
        if words[word] != 0:  # most words hold no element of a narrow bracket
            for j in range(word * 8, word * 8 + 8):
                found[filled] = (np.uint64(bits[j]) << np.uint64(32)) | np.uint64(at + j)
                filled += np.int64(flags[j])
    return filled


@compiled
def bracket(
    addresses: Any, kinds: Any, by: int, i: int, factors: Any, columns: int, lows: Any, highs: Any, below: Any,
    found: Any, start: int, stop: int,
) -> Any:  # fmt: skip
    """Gather (key << 32 | index - start) of all keys inside any bracket [low, high] into `found`; how many.

    Adds to below [brackets] how many keys are smaller than each low.
    """
    scratch = np.empty((4, BLOCK), np.float32)
    flags = np.zeros(BLOCK, np.uint8)
    at, filled = start, np.int64(0)
    while at < stop:
        n = min(BLOCK, stop - at)
        _score(addresses, kinds, by, i, factors, columns, at, n, scratch)
        bits = scratch[0].view(np.uint32)
        if n < BLOCK:
            flags[n:] = np.uint8(0)
        _inside(n, bits, lows[0], highs[0], flags)
        below[0] += _below(n, bits, lows[0])
        for b in range(1, len(lows)):
            _inside_either(n, bits, lows[b], highs[b], flags)
            below[b] += _below(n, bits, lows[b])
        filled = _gather(n, at - start, bits, flags, found, filled)
        at += n
    return filled


# --- what stays ------------------------------------------------------------------------------------------------------


@compiled
def _clip(index: int, at: int, n: int) -> Any:
    return np.uint32(min(max(index - at, 0), n))


@compiled
def _band(
    n: int, bits: Any, cover: Any, low: Any, first: Any, last: Any, high: Any, high_last: Any, stays: Any
) -> None:
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
def _ranked(n: int, ranks: Any, random: Any, bounds: Any, scales: Any, block: Any) -> None:
    for j in range(n):
        rank = ranks[j]
        bound, value = bounds[rank], block[j] * scales[rank]  # read in any case: a branch on chance is never foreseen
        block[j] = value if random[j] < bound else np.float32(0)


@compiled
def _erase(n: int, stays: Any, block: Any) -> None:
    for j in range(n):
        block[j] = block[j] if stays[j] != 0 else np.float32(0)


@compiled
def _sparsify(rule: Any, at: int, n: int, block: Any, random: Any, stays: Any) -> None:
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
        columns = rule[1]
        _ranked(
            n, carray(as_u32(rule[7] + 4 * at), (n,)), random, carray(as_u32(rule[8]), (columns,)),
            carray(as_f32(rule[9]), (columns,)), block,
        )  # fmt: skip
        return
    if kind == KEEP_DRAW:
        draw(at, rule[6], random)
        _drawn(n, random, np.uint32(rule[5]), stays)
    else:
        _band(
            n, block.view(np.uint32), MAGNITUDE, np.uint32(rule[1]), _clip(rule[2], at, n), _clip(rule[3], at, n),
            np.uint32(rule[4]), _clip(rule[5], at, n), stays,
        )  # fmt: skip
    _erase(n, stays, block)


@compiled
def mask(
    addresses: Any, kinds: Any, by: int, i: int, factors: Any, columns: int, rule: Any, out: Any,
    start: int, stop: int,
) -> None:  # fmt: skip
    """A byte an element: whether its score lies in the rule's band."""
    scratch = np.empty((4, BLOCK), np.float32)
    at = start
    while at < stop:
        n = min(BLOCK, stop - at)
        _score(addresses, kinds, by, i, factors, columns, at, n, scratch)
        _band(
            n, scratch[0].view(np.uint32), EVERY_BIT, np.uint32(rule[1]), _clip(rule[2], at, n), _clip(rule[3], at, n),
            np.uint32(rule[4]), _clip(rule[5], at, n), out[at : at + n],
        )  # fmt: skip
        at += n


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
            out[at + np.int64(keys[at - start + rank] & np.uint64(0xFFFFFFFF))] = np.uint32(rank)
        at += columns


# --- sums ------------------------------------------------------------------------------------------------------------


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
        _sparsify(rule, at, n, block, random, stays)
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
        _sparsify(rule, at, n, block, random, stays)
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
        if about_base:
            read(addresses[-1], kinds[-1], at, n, base)
        for e in range(operands):
            if about_base:
                read_delta(addresses[e], kinds[e], at, n, base, blocks[e])
            else:
                read(addresses[e], kinds[e], at, n, blocks[e])
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
        if about_base:
            read(addresses[-1], kinds[-1], at, n, base)
        for e in range(operands):
            if about_base:
                read_delta(addresses[e], kinds[e], at, n, base, blocks[e])
            else:
                read(addresses[e], kinds[e], at, n, blocks[e])
        for e in range(operands):
            for f in range(e, operands):
                _add_products(n, columns, at, blocks[e], blocks[f], total[e, f])
        at += n


# --- results ---------------------------------------------------------------------------------------------------------


@compiled
def _scale(n: int, factor: Any, block: Any) -> None:
    for j in range(n):
        block[j] *= factor


@compiled
def _add_scaled(n: int, factor: Any, block: Any, total: Any) -> None:
    for j in range(n):
        total[j] += factor * block[j]


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
        total[:n] = np.float32(0)
        if about_base:
            read(addresses[-1], kinds[-1], at, n, base)
        for e in range(operands):
            if about_base:
                read_delta(addresses[e], kinds[e], at, n, base, block)
            else:
                read(addresses[e], kinds[e], at, n, block)
            if along.shape[1] == 0:
                _add_scaled(n, scalars[e], block, total)
            elif rows:
                _add_scaled_along(n, at, columns, along[e].reshape(-1, 1), block, total)
            else:
                _add_scaled_along(n, at, columns, along[e].reshape(1, -1), block, total)
        if divisor != np.float32(1):
            _divide(n, divisor, total)
        if about_base:
            _add(n, base, total)
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
            _sparsify(rules[e], at, n, deltas[e], random, stays)
            if ratios[e] != np.float32(1):
                _scale(n, ratios[e], deltas[e])
            if elect != ELECT_PLAIN:
                _scale(n, shares[e], deltas[e])
            _add(n, deltas[e], total)
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
            _divide(n, divisor, mixed)
        if scale != np.float32(1):
            _scale(n, scale, mixed)
        _add(n, base, mixed)
        good = write(out, out_kind, at, n, mixed) and good
        at += n
    return good
