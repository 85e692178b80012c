"""Scores of elements as keys, 32-bit numbers that order alike; and what selection.py counts and gathers of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.merging.kernels.blocks import BLOCK, MAGNITUDE, read, read_delta
from workbench.merging.kernels.compiling import compiled
from workbench.merging.kernels.loops.elements import add, divide
from workbench.merging.kernels.loops.sparse import EVERY_BIT, band, clip

BY_MAGNITUDE, BY_VARIANCE, BY_IMPORTANCE = 0, 1, 2
HIGH_BITS = 65536
"""Bins of a histogram's first pass: the upper 16 of a key's 32 bits. The second pass tells the lower 16 apart."""
LOW_BITS = 16


@compiled
def _magnitude(n: int, bits: Any) -> None:
    for j in range(n):
        bits[j] = bits[j] & MAGNITUDE


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
        add(n, block, mean)
    divide(n, np.float32(models), mean)
    for e in range(models):
        read_delta(addresses[e], kinds[e], at, n, base, block)
        _add_square(n, block, mean, score)
    divide(n, np.float32(models), score)


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
        band(
            n, scratch[0].view(np.uint32), EVERY_BIT, np.uint32(rule[1]), clip(rule[2], at, n), clip(rule[3], at, n),
            np.uint32(rule[4]), clip(rule[5], at, n), out[at : at + n],
        )  # fmt: skip
        at += n
