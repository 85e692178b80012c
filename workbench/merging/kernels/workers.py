"""Threads that share out the blocks of one tensor. The compiled loops release Python's lock, so threads do scale."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from workbench.merging.kernels.blocks import BLOCK

Result = TypeVar("Result")
CHUNK_BLOCKS = 128
"""Blocks of a chunk, 262,144 elements. Fixed: sums are added up chunk by chunk, whatever the number of threads."""


class Workers:
    """Runs a function over the chunks of a tensor; without a pool, one after the other in the caller's thread."""

    def __init__(self, pool: ThreadPoolExecutor | None = None) -> None:
        self._pool = pool

    def each(self, run: Callable[[int, int], Result], n: int, multiple: int = BLOCK) -> list[Result]:
        """`run(start, stop)` for every chunk of [0, n), in order; borders are multiples of `multiple`."""
        size = max(1, CHUNK_BLOCKS * BLOCK // multiple) * multiple
        chunks = [(start, min(start + size, n)) for start in range(0, n, size)]
        if self._pool is None or len(chunks) < 2:
            return [run(start, stop) for start, stop in chunks]
        return [future.result() for future in [self._pool.submit(run, *chunk) for chunk in chunks]]
