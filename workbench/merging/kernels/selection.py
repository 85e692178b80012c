"""Exact order statistics of 32-bit keys without a sort: a sample says where to look, one pass gathers what is there.

The pass counts the keys below a bracket around each rank and gathers those inside; the answer is then found among a few
per cent of the elements. It is exact whatever the sample was: a rank that fell outside its bracket, or one with half of
all elements equal to it, is found by two histograms over the keys' bits instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.uint64]
"""key << 32 | index: orders by key, and equal keys by position."""

SMALL = 1 << 15
"""Elements up to which all keys are gathered."""
RUN = 64
"""Neighbours that are sampled together: a cache line or more for one miss."""
CROWDED = 0.2
"""Share of sampled keys inside the brackets from which on gathering does not pay."""


@dataclass(frozen=True, eq=False)
class Position:
    """What stands at a rank of the ascending order: its key, how many smaller ones there are, how many equal ones.

    `nth(ordinal)` is the flat index of the `ordinal`-th (0-based) of the equal ones, in order of position.
    """

    key: int
    before: int
    equal: int
    nth: Callable[[int], int]


class Keys(Protocol):
    """The keys of a tensor's elements. `n` counts them, less than 2^32."""

    n: int

    def sample(self, stride: int, run: int) -> NDArray[np.uint32]:
        """Runs of `run` neighbours, one every `stride` elements."""

    def histogram(self, high: int) -> NDArray[np.int64]:
        """Counts [65536] of the keys' upper 16 bits, or of the lower 16 of those whose upper are `high`."""

    def bracket(self, lows: NDArray[np.uint32], highs: NDArray[np.uint32]) -> tuple[NDArray[np.int64], Pairs]:
        """How many keys are below each bracket, and the pairs of all keys inside one, in order of position."""


def select(keys: Keys, ranks: Sequence[int]) -> list[Position]:
    """What stands at ascending 0-based ranks, of which there are one or more."""
    brackets = _brackets(keys, ranks)
    if brackets is None:
        return by_histogram(keys, ranks)
    lows, highs = brackets
    below, pairs = keys.bracket(lows, highs)
    found = [
        _among(pairs, rank, low, high, int(b)) for rank, low, high, b in zip(ranks, lows, highs, below, strict=True)
    ]
    if None in found:
        return by_histogram(keys, ranks)
    return [position for position in found if position is not None]


def _brackets(keys: Keys, ranks: Sequence[int]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]] | None:
    """Keys between which each rank lies with near certainty, by a sample; None where they would hold too much."""
    if keys.n <= SMALL:
        return np.zeros(len(ranks), np.uint32), np.full(len(ranks), 2**32 - 1, np.uint32)
    size = min(max(keys.n // 64, 4096), 1 << 16)
    sampled = np.sort(keys.sample(keys.n * RUN // size, RUN))
    last = len(sampled) - 1
    shares = np.asarray(ranks) / (keys.n - 1)
    margin = 4.5 * np.sqrt(np.maximum(shares * (1 - shares), 1 / len(sampled)) / len(sampled))
    lows = sampled[np.clip(np.floor((shares - margin) * last), 0, last).astype(np.int64)].copy()
    highs = sampled[np.clip(np.ceil((shares + margin) * last), 0, last).astype(np.int64)].copy()
    lows[shares <= margin] = 0
    highs[shares >= 1 - margin] = 2**32 - 1
    inside = sum(int(((sampled >= low) & (sampled <= high)).sum()) for low, high in zip(lows, highs, strict=True))
    return None if inside > CROWDED * len(sampled) else (lows, highs)


def _among(pairs: Pairs, rank: int, low: np.uint32, high: np.uint32, below: int) -> Position | None:
    """The rank among the gathered pairs of its own bracket; None when it is not there."""
    upper = pairs >> np.uint64(32)
    own = pairs if low == 0 and high == 2**32 - 1 else pairs[(upper >= low) & (upper <= high)]
    if not 0 <= rank - below < len(own):
        return None
    pair = np.partition(own, rank - below)[rank - below]
    key = pair >> np.uint64(32)
    own_keys = own >> np.uint64(32)
    equal = own[own_keys == key] & np.uint64(0xFFFFFFFF)
    before = below + int((own_keys < key).sum())
    return Position(int(key), before, len(equal), lambda ordinal: int(equal[ordinal]))


def by_histogram(keys: Keys, ranks: Sequence[int]) -> list[Position]:
    """The same by two histograms: of the upper bits, then of the lower ones where the rank lies."""
    count = cache(keys.histogram)
    found: list[Position] = []
    for rank in ranks:
        high, smaller = bin_at(count(-1), rank)
        low, before = bin_at(count(high), rank - smaller)
        key = high << 16 | low
        found.append(Position(key, smaller + before, int(count(high)[low]), partial(_nth, keys, key)))
    return found


def bin_at(counts: NDArray[np.int64], rank: int) -> tuple[int, int]:
    """The bin of a histogram that holds a rank, and how many elements the bins before it hold."""
    running = np.cumsum(counts)
    at = int(np.searchsorted(running, rank, side="right"))
    return at, int(running[at] - counts[at])


def _nth(keys: Keys, key: int, ordinal: int) -> int:
    one = np.array([key], np.uint32)
    _, pairs = keys.bracket(one, one)
    return int(pairs[ordinal] & np.uint64(0xFFFFFFFF))
