"""Random numbers by counter: Philox 4x32-7 (Salmon et al. 2011), keyed by seed, tensor name and expert.

Element i of a tensor always draws the same number, whatever thread, shard, order or device asks for it, and whichever
other experts take part. Tiles of 2,048 elements share 512 counters; lane l of a counter serves the l-th quarter of
its tile, so that neighbours in memory are neighbours in a lane.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.blocks import BLOCK
from workbench.merging.kernels.compiling import compiled

QUARTER = BLOCK // 4
ROUNDS = 7
"""The fewest with which the generator's authors found it to pass every test of BigCrush."""
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)


def key_of(seed: int, tensor: str, expert: str) -> int:
    """The 64-bit key of one expert's draws for one tensor."""
    text = f"{seed}\0{tensor}\0{expert}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def below(probability: float | NDArray[np.float64]) -> NDArray[np.uint32]:
    """The 32-bit bounds that a draw lies below with these probabilities, to 2^-32; shaped like them."""
    return np.rint(np.multiply(probability, 2.0**32)).clip(0, 2**32 - 1).astype(np.uint32)


@compiled
def philox(counter: int, key: int, a: Any, b: Any, c: Any, d: Any, n: int) -> None:
    """Four words for each of the counters [counter, counter + n), one word into each array."""
    for j in range(n):
        at = np.uint64(counter) + np.uint64(j)
        x0, x1 = np.uint32(at), np.uint32(at >> np.uint64(32))
        x2, x3 = np.uint32(0), np.uint32(0)
        k0, k1 = np.uint32(key), np.uint32(np.uint64(key) >> np.uint64(32))
        for _ in range(ROUNDS):
            p0, p1 = np.uint64(x0) * _M0, np.uint64(x2) * _M1
            x0 = np.uint32(p1 >> np.uint64(32)) ^ x1 ^ k0
            x1 = np.uint32(p1)
            x2 = np.uint32(p0 >> np.uint64(32)) ^ x3 ^ k1
            x3 = np.uint32(p0)
            k0 = np.uint32(k0 + _W0)  # numba widens sums of small integers
            k1 = np.uint32(k1 + _W1)
        a[j], b[j], c[j], d[j] = x0, x1, x2, x3


@compiled
def draw(start: int, key: int, out: Any) -> None:
    """The draws of the tile that begins at element `start` (a multiple of 2,048) into `out` [2048]."""
    first = (start // BLOCK) * QUARTER
    philox(
        first,
        key,
        out[:QUARTER],
        out[QUARTER : 2 * QUARTER],
        out[2 * QUARTER : 3 * QUARTER],
        out[3 * QUARTER :],
        QUARTER,
    )
