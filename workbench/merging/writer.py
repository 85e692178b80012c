"""Sharded safetensors, written tensor by tensor in one go, hashed on the way.

Whoever gives the folder its final name flushes it to disk first.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.merging.headers import INDEX
from workbench.store import write_json

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}
"""Bytes of an element; 1 for the rest."""
PENDING = 2
"""Tensors that may wait for the disk while the next are computed."""


@dataclass(frozen=True)
class Slot:
    """One tensor of the output: name, safetensors dtype, shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Bytes of its elements."""
        return int(np.prod(self.shape, dtype=np.int64)) * SIZES.get(self.dtype, 1)


def shards(slots: Sequence[Slot], limit: int) -> list[list[Slot]]:
    """The tensors in order, cut where a shard would grow beyond `limit` bytes."""
    found: list[list[Slot]] = [[]]
    size = 0
    for slot in slots:
        if found[-1] and size + slot.bytes > limit:
            found.append([])
            size = 0
        found[-1].append(slot)
        size += slot.bytes
    return found


def shard_names(count: int) -> list[str]:
    """File names of so many shards, as transformers writes them."""
    if count == 1:
        return ["model.safetensors"]
    return [f"model-{i + 1:05d}-of-{count:05d}.safetensors" for i in range(count)]


class Writer:
    """Takes tensors in the order of its slots; a thread writes and hashes them while the next are computed."""

    def __init__(self, out: Path, slots: Sequence[Slot], limit: int) -> None:
        self._out = out
        self._shards = shards(slots, limit)
        self._names = shard_names(len(self._shards))
        self._thread = ThreadPoolExecutor(1, "write")
        self._hasher = ThreadPoolExecutor(1, "hash")
        self._pending: list[Future[None]] = []
        self._steps = self._write_all()
        next(self._steps)
        self.sha256: dict[str, str] = {}

    def put(self, data: NDArray[Any], written: Callable[[], None]) -> None:
        """Hand over the next tensor's elements; `written` is called when they are no longer needed.

        Blocks while too many wait; raises what an earlier write raised.
        """
        while len(self._pending) >= PENDING:
            self._pending.pop(0).result()
        self._pending.append(self._thread.submit(self._write, data, written))

    def _write(self, data: NDArray[Any], written: Callable[[], None]) -> None:
        self._steps.send(data)
        written()

    def _write_all(self) -> Generator[None, NDArray[Any], None]:
        """A coroutine: each tensor is sent to it, in order."""
        for name, slots in zip(self._names, self._shards, strict=True):
            digest = hashlib.sha256()
            with (self._out / name).open("wb", buffering=0) as file:
                head = _header(slots)
                digest.update(head)
                file.write(head)
                for slot in slots:
                    data = yield
                    elements = data.data.cast("B")
                    assert len(elements) == slot.bytes, slot.name
                    hashed = self._hasher.submit(digest.update, elements)
                    at = 0
                    while at < len(elements):  # the system takes 2 GiB at a time
                        at += file.write(elements[at:])
                    hashed.result()
            self.sha256[name] = digest.hexdigest()
        yield

    def close(self) -> None:
        """Wait for the disk, and write the index when there are several shards."""
        for future in self._pending:
            future.result()
        self._shut()
        if len(self._names) > 1:
            places = {slot.name: name for name, part in zip(self._names, self._shards, strict=True) for slot in part}
            total = sum(slot.bytes for part in self._shards for slot in part)
            write_json(self._out / INDEX, {"metadata": {"total_size": total}, "weight_map": places})

    def abandon(self) -> None:
        """Stop without finishing, and leave no file."""
        self._shut()
        for name in self._names:
            (self._out / name).unlink(missing_ok=True)

    def _shut(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._steps.close()
        self._hasher.shutdown()


def _header(slots: Sequence[Slot]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for slot in slots:
        entries[slot.name] = {"dtype": slot.dtype, "shape": list(slot.shape), "data_offsets": [at, at + slot.bytes]}
        at += slot.bytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


@contextmanager
def writing(out: Path, slots: Sequence[Slot], limit: int) -> Iterator[Writer]:
    """A writer that is closed when the body ends, and abandoned when it raises."""
    writer = Writer(out, slots, limit)
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.abandon()
        raise
