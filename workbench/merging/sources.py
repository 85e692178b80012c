"""The inputs of a merge as tensors by name: checkpoints as they lie on disk, and adapters on top of a checkpoint.

Files are mapped, not read: a tensor takes memory while it is merged and gives it back afterwards, whatever the size of
the model.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible
from workbench.merging.headers import TensorHeader, config_of, read_folder
from workbench.merging.kernels.group import Kind, Operand
from workbench.merging.kernels.workers import Workers

FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
"""Element types that are merged; bfloat16 comes as its bits."""
OTHERS = {
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U32": np.uint32,
    "U16": np.uint16, "U8": np.uint8, "BOOL": np.uint8,
}  # fmt: skip
"""Element types that are copied when all inputs agree."""


class Source(Protocol):
    """One input of a merge. `expert` keys its random draws."""

    name: str
    expert: str

    @property
    def folder(self) -> Path:
        """Where its config is."""

    @property
    def tokenizer(self) -> Path:
        """Where its tokenizer is."""

    @property
    def headers(self) -> Mapping[str, TensorHeader]:
        """Its tensors as a dense model."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Its config.json."""

    @property
    def bytes(self) -> int:
        """Bytes that reading it once takes."""

    def operand(self, tensor: str, about: Source | None, workers: Workers) -> Operand:
        """A floating-point tensor, flat; as a task vector relative to `about` when the input is one by nature."""

    def raw(self, tensor: str) -> NDArray[Any]:
        """A tensor's elements as they lie on disk, flat."""

    def place(self, tensor: str) -> Path:
        """The file that holds a tensor."""

    def ahead(self, tensor: str) -> None:
        """Ask the system to read a tensor that is needed soon."""

    def done(self, tensor: str) -> None:
        """Give back the memory of a tensor."""


class Checkpoint:
    """A folder in the transformers layout, sharded or not."""

    def __init__(self, name: str, expert: str, folder: Path) -> None:
        self.name = name
        self.expert = expert
        self._folder = folder
        self._files: dict[str, mmap.mmap] = {}

    @property
    def folder(self) -> Path:
        """The checkpoint's folder."""
        return self._folder

    @property
    def tokenizer(self) -> Path:
        """The checkpoint's folder."""
        return self._folder

    @cached_property
    def headers(self) -> Mapping[str, TensorHeader]:
        """Its tensors; a tied output matrix that a file holds all the same is left out."""
        found = read_folder(self.folder)
        return {name: header for name, header in found.items() if name not in self._tied(found)}

    def _tied(self, found: Mapping[str, TensorHeader]) -> set[str]:
        embedding = next((name for name in found if name.endswith("embed_tokens.weight")), None)
        tied = {"lm_head.weight"} & found.keys()
        if not tied or embedding is None or not self.config.get("tie_word_embeddings"):
            return set()
        if not np.array_equal(self._view(found["lm_head.weight"]), self._view(found[embedding])):
            raise Incompatible(
                f"'{self.name}': config.json ties lm_head.weight to {embedding}, but the file holds another matrix. "
                "Set tie_word_embeddings to false if it is meant, or save the model again."
            )
        return tied

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its config.json."""
        return config_of(self.folder)

    @property
    def bytes(self) -> int:
        """Bytes of its tensors."""
        return sum(header.bytes for header in self.headers.values())

    def operand(self, tensor: str, about: Source | None, workers: Workers) -> Operand:
        """A floating-point tensor; float16 and float64 are widened or rounded to float32."""
        header = self.headers[tensor]
        data = self._view(header)
        if header.dtype in ("F16", "F64"):
            with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is then reported
                data = data.astype(np.float32)
        elif not data.flags.aligned:  # older writers did not pad the header
            data = data.copy()
        return Operand(self.expert, Kind.BF16 if header.dtype == "BF16" else Kind.F32, data)

    def raw(self, tensor: str) -> NDArray[Any]:
        """A tensor's elements as they lie on disk, flat."""
        return self._view(self.headers[tensor])

    def place(self, tensor: str) -> Path:
        """The file that holds a tensor."""
        return self.folder / self.headers[tensor].file

    def _view(self, header: TensorHeader) -> NDArray[Any]:
        dtype = np.dtype(FLOATS.get(header.dtype) or OTHERS[header.dtype])
        count = header.bytes // dtype.itemsize
        if not count:
            return np.zeros(0, dtype)
        return np.frombuffer(self._file(header.file), dtype, count, header.start)

    def _file(self, name: str) -> mmap.mmap:
        if name not in self._files:
            with (self.folder / name).open("rb") as file:
                self._files[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._files[name]

    def ahead(self, tensor: str) -> None:
        """Ask the system to read a tensor that is needed soon."""
        self._advise(tensor, "MADV_WILLNEED")

    def done(self, tensor: str) -> None:
        """Give back the memory of a tensor; the system may keep the file in its cache."""
        self._advise(tensor, "MADV_DONTNEED")

    def _advise(self, tensor: str, advice: str) -> None:
        header = self.headers[tensor]
        if header.bytes and hasattr(mmap, advice):  # not on Windows, where the system decides
            begin = header.start // mmap.PAGESIZE * mmap.PAGESIZE
            self._file(header.file).madvise(getattr(mmap, advice), begin, header.start + header.bytes - begin)


def widened(operand: Operand) -> NDArray[np.float32]:
    """A copy of an operand's elements in float32."""
    if operand.kind == Kind.BF16:
        return (operand.data.astype(np.uint32) << np.uint32(16)).view(np.float32)  # type: ignore[no-any-return]
    return operand.data.astype(np.float32)  # type: ignore[no-any-return]
