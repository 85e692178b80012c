"""A merge from disk to disk, tensor by tensor: memory is bounded by a few of the largest tensors."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.blocks import BLOCK
from workbench.merging.kernels.cpu import CpuPasses
from workbench.merging.kernels.passes import Passes
from workbench.merging.kernels.workers import CHUNK_BLOCKS, Workers
from workbench.merging.merger import Merger
from workbench.merging.writer import Slot, writing
from workbench.progress import Progress, silent

LARGE = 4 * CHUNK_BLOCKS * BLOCK
"""Elements from which on the threads share one tensor; smaller ones take a thread each."""
AHEAD = 8
"""Tensors that the system is asked to read before they are needed."""
SHARD_BYTES = 5_000_000_000


@dataclass(frozen=True)
class Options:
    """How a merge is computed, never what comes out."""

    threads: int = os.cpu_count() or 1
    device: str = "cpu"
    shard_bytes: int = SHARD_BYTES


class Buffers:
    """Memory for results, used again: fresh memory costs more than the merge of what it holds."""

    def __init__(self, device: str) -> None:
        self._are_results = device == "cpu"  # elsewhere a result is a copy of what is in the buffer
        self._free: dict[tuple[int, str], list[Any]] = {}
        self._lock = Lock()

    def take(self, passes: Passes, slot: Slot) -> Any:
        """Room for a slot's elements."""
        n = int(np.prod(slot.shape, dtype=np.int64))
        with self._lock:
            free = self._free.get((n, slot.dtype))
            if free:
                return free.pop()
        return passes.empty(n, slot.dtype)

    def give(self, data: Any, slot: Slot) -> None:
        """Take a buffer back."""
        if self._are_results and slot.dtype in ("F32", "BF16"):  # float16 and integers were copied out of another
            with self._lock:
                self._free.setdefault((len(data), slot.dtype), []).append(data)


def stream(merger: Merger, out: Path, options: Options, progress: Progress = silent) -> dict[str, str]:
    """Write the merged weights into the folder `out`; the sha256 of every file comes back."""
    total = sum(slot.bytes for slot in merger.slots)
    with (
        ThreadPoolExecutor(options.threads, "merge") as pool,
        writing(out, merger.slots, options.shard_bytes) as writer,
    ):
        wide, narrow = passes_on(options.device, Workers(pool)), passes_on(options.device, Workers())
        merger.prepare(wide)
        buffers = Buffers(options.device)
        waiting: deque[tuple[Slot, Future[NDArray[Any]] | NDArray[Any]]] = deque()
        written = 0

        def drain(leave: int) -> None:
            nonlocal written
            while len(waiting) > leave:
                slot, result = waiting.popleft()
                data = result.result() if isinstance(result, Future) else result
                written += data.nbytes
                writer.put(data, partial(buffers.give, data, slot))
                progress(written / 1e6, total / 1e6, "MB")

        try:
            for index, slot in enumerate(merger.slots):
                for later in merger.slots[index + 1 : index + 1 + AHEAD] if index % AHEAD == 0 else []:
                    merger.ahead(later.name)
                if np.prod(slot.shape, dtype=np.int64) < LARGE and options.device == "cpu":
                    waiting.append(
                        (slot, pool.submit(merger.tensor, slot, narrow, partial(buffers.take, narrow, slot)))
                    )
                    drain(2 * options.threads)
                else:
                    drain(options.threads)
                    waiting.append((slot, merger.tensor(slot, wide, partial(buffers.take, wide, slot))))
            drain(0)
        except BaseException:
            for _, future in waiting:
                if isinstance(future, Future):
                    future.cancel()
            raise
    return writer.sha256


def passes_on(device: str, workers: Workers) -> Passes:
    """The passes of a device: compiled loops on the CPU, torch elsewhere."""
    if device == "cpu":
        return CpuPasses(workers)
    from workbench.merging.kernels.device import DevicePasses

    return DevicePasses(device)
