"""A LoRA adapter on a base as a dense expert, formed tensor by tensor in float32; no merged checkpoint is written.

The task vector of a plain pair is scale * B A exactly. PEFT's other ways to change a weight are followed to the letter:
rank and alpha patterns, rank-stabilised scaling, DoRA, biases, whole saved modules, embeddings, single token rows.

One departure: where the base ties its output matrix to the embeddings and the adapter was trained to change one of the
two, or each in its own way, the dense model has both. PEFT's merge would add either update to the shared matrix, which
is not the model that was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible
from workbench.merging.adapter_file import AdapterFile
from workbench.merging.adapter_parts import (
    BIAS,
    CONFIG,
    CONV1D,
    EMBEDDING_A,
    EMBEDDING_B,
    MAGNITUDE,
    TOKENS,
    WEIGHTS,
    WHOLE,
    A,
    B,
    Change,
    shape_of,
)
from workbench.merging.headers import TensorHeader
from workbench.merging.kernels.group import Kind, Operand
from workbench.merging.kernels.lowrank import dense_update
from workbench.merging.kernels.workers import Workers
from workbench.merging.sources import FLOATS, Checkpoint, Source, widened
from workbench.merging.vocabulary import is_vocabulary, with_rows

HEAD = "lm_head.weight"
"""The output matrix; a base that ties it to its embeddings has no tensor of that name."""


class Adapted:
    """A base checkpoint with one adapter. Raises Incompatible when the adapter does not fit the base."""

    def __init__(self, name: str, expert: str, base: Checkpoint, adapter: Path) -> None:
        self.name = name
        self.expert = expert
        self.base = base
        self.adapter = adapter
        self._file = AdapterFile(name, expert, adapter)
        self.changes = dict(self._file.changes)
        self._untied = self._unties()
        self._check()

    def _unties(self) -> str | None:
        """The base's embedding if it is its output matrix, too, and the adapted model's is another."""
        tables = (name for name, header in self.base.headers.items() if self._has_rows(header, 2))
        embedding = next(tables, None)
        if HEAD in self.base.headers or embedding is None:
            return None
        if not self._file.ties(HEAD, embedding):
            return embedding
        self.changes.pop(HEAD, None)
        return None

    def _has_rows(self, header: TensorHeader, axes: int) -> bool:
        return len(header.shape) == axes and is_vocabulary(header, self.base.config)

    @property
    def folder(self) -> Path:
        """The base's."""
        return self.base.folder

    @property
    def tokenizer(self) -> Path:
        """The adapter's folder if it brings a tokenizer and embeddings for it, else the base's."""
        own = any(is_vocabulary(self._origin(tensor), self.base.config) for tensor in self.changes)
        return self.adapter if own and (self.adapter / "tokenizer.json").is_file() else self.base.tokenizer

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The base's config, with the rows that the embeddings have, and untied if the adapter unties them."""
        rows = [self.headers[name].shape[0] for name, h in self.base.headers.items() if self._has_rows(h, 2)]
        config = with_rows(self.base.config, rows[0] if rows else None)
        return {**config, "tie_word_embeddings": False} if self._untied else config

    @cached_property
    def headers(self) -> Mapping[str, TensorHeader]:
        """Tensors of the dense model: the base's, with the rows that the adapter's embeddings have."""
        found = {}
        for tensor in (*self.base.headers, *([HEAD] if self._untied else [])):
            header, shape = self._origin(tensor), self._shape(tensor)
            rows = header.shape[0] if header.shape else 1
            size = header.bytes if shape == header.shape else header.bytes // rows * shape[0]
            found[tensor] = replace(header, name=tensor, shape=shape, bytes=size)
        return found

    def _origin(self, tensor: str) -> TensorHeader:
        """The base's tensor of which one is made: of the same name, but for an untied output matrix."""
        return self.base.headers[self._untied if self._untied and tensor == HEAD else tensor]

    def _shape(self, tensor: str) -> tuple[int, ...]:
        """The base's, but for the rows of embeddings that were saved."""
        header, change = self._origin(tensor), self.changes.get(tensor)
        if change is None or WHOLE not in change or not is_vocabulary(header, self.base.config):
            return header.shape
        saved = self._file.headers[change[WHOLE]].shape
        return saved if saved[1:] == header.shape[1:] else header.shape

    @property
    def bytes(self) -> int:
        """Bytes of base and adapter."""
        return self.base.bytes + self._file.bytes

    def operand(self, tensor: str, about: Source | None, workers: Workers) -> Operand:
        """The adapted tensor; a task vector when `about` has the very tensor that the adapter changes."""
        change = self.changes.get(tensor)
        relative = about is not None and self._is_origin(tensor, about)
        if change is None:
            if relative:
                return Operand(self.expert, Kind.ZERO, None)
            return replace(self.base.operand(self._origin(tensor).name, None, workers), expert=self.expert)
        if change.whole:
            return Operand(self.expert, Kind.F32, self._file.floats(change[WHOLE]).reshape(-1))
        delta = self._delta(tensor, change, workers)
        if relative and (WHOLE not in change or np.array_equal(self._before(tensor, change), self._base(tensor))):
            return Operand(self.expert, Kind.DELTA, delta.reshape(-1))
        delta += self._before(tensor, change)
        if TOKENS in change:  # to the bit: what was subtracted and is added again may be rounded
            delta[self._file.token_rows(tensor)] = self._file.floats(change[TOKENS])
        return Operand(self.expert, Kind.F32, delta.reshape(-1))

    def _is_origin(self, tensor: str, about: Source) -> bool:
        """Whether another source's tensor is the base's own, and not that of another adapter on the same base."""
        there = self.base.place(self._origin(tensor).name)
        return tensor in about.headers and about.place(tensor).resolve() == there.resolve()

    def _base(self, tensor: str) -> NDArray[np.float32]:
        header = self._origin(tensor)
        return widened(self.base.operand(header.name, None, Workers())).reshape(header.shape)

    def _before(self, tensor: str, change: Change) -> NDArray[np.float32]:
        """What an update is added to: the tensor that was saved along with it, else the base's."""
        return self._file.floats(change[WHOLE]) if WHOLE in change else self._base(tensor)

    def _delta(self, tensor: str, change: Change, workers: Workers) -> NDArray[np.float32]:
        scale, floats = self._file.scale(tensor), self._file.floats
        if BIAS in change:
            return floats(change[BIAS]) * np.float32(scale)
        delta = np.zeros(self._shape(tensor), np.float32)
        if A in change or EMBEDDING_A in change:
            a, b = (A, B) if A in change else (EMBEDDING_A, EMBEDDING_B)
            left, right = floats(change[b]), floats(change[a])
            if self._is_turned(tensor, change):  # the transpose of B A
                left, right = right.T, left.T
            delta = dense_update(left, right, scale, workers)
        if MAGNITUDE in change:
            delta = self._dora(tensor, change, delta)
        if TOKENS in change:  # the rows themselves, in spite of PEFT's name for them
            rows = self._file.token_rows(tensor)
            delta[rows] = floats(change[TOKENS]) - self._before(tensor, change)[rows]
        return delta

    def _dora(self, tensor: str, change: Change, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """DoRA (Liu et al. 2024): the sum of base and update, each output brought to its learned norm."""
        before = self._before(tensor, change)
        dense = before + delta
        axis = 0 if self._is_turned(tensor, change) else 1
        norm = np.sqrt(np.square(dense, dtype=np.float64).sum(axis=axis, keepdims=True))
        learned = np.expand_dims(self._file.floats(change[MAGNITUDE]), axis)
        scaled: NDArray[np.float32] = (dense * (learned / norm) - before).astype(np.float32)
        return scaled

    def rank(self, half: str) -> int:
        """Rank of a LoRA pair; `half` is its A in the adapter's file."""
        return self._file.headers[half].shape[0]

    def _is_turned(self, tensor: str, change: Change) -> bool:
        """Whether a weight is [in, out]: an embedding, or a Conv1D.

        As in PEFT it is the module that decides; fan_in_fan_out of the config holds for the last module only.
        """
        return EMBEDDING_A in change or (self.base.config.get("model_type") in CONV1D and ".h." in f".{tensor}")

    def _check(self) -> None:
        for tensor, change in self.changes.items():
            if tensor not in self.base.headers and not (self._untied and tensor == HEAD):
                raise Incompatible(f"{self.adapter}: {self._misses(tensor, change)}")
            if (header := self._origin(tensor)).dtype not in FLOATS:
                raise Incompatible(
                    f"{self.adapter}: changes {tensor}, which is {header.dtype} in '{self.base.name}'. Fold it into "
                    "the model that was not quantised."
                )
            self._check_shapes(tensor, change)
        counts = {
            h.shape[0]: name for name, h in self.headers.items() if is_vocabulary(self._origin(name), self.base.config)
        }
        if len(counts) > 1:
            (rows, name), (others, other), *_ = counts.items()
            raise Incompatible(
                f"{self.adapter}: {name} has {rows} rows and {other} {others}. Save the adapter again with "
                "save_embedding_layers=True."
            )

    def _misses(self, tensor: str, change: Change) -> str:
        if BIAS in change:
            return f"lora_bias needs {tensor}, which '{self.base.name}' lacks. Train it again without lora_bias."
        return f"changes {tensor}, which '{self.base.name}' lacks. Name the base that it was trained on."

    def _check_shapes(self, tensor: str, change: Change) -> None:
        shape, rank, rows = self._shape(tensor), self._file.rank(tensor), self._file.token_rows(tensor)
        for part, name in change.parts.items():
            found = self._file.headers[name].shape
            wanted = shape_of(part, shape, rank, self._is_turned(tensor, change), len(rows))
            if found != wanted:
                raise Incompatible(
                    f"{self.adapter}: {name} is {found}, but {wanted} is what {tensor} of '{self.base.name}' and "
                    f"{CONFIG} ask for. Name the base that it was trained on, or save the adapter again."
                )
        if TOKENS in change and not all(0 <= row < shape[0] for row in rows):
            raise Incompatible(
                f"{self.adapter}: trains token {max(rows)} of {tensor}, which has {shape[0]} rows in "
                f"'{self.base.name}'. Save the adapter again with save_embedding_layers=True."
            )

    def raw(self, tensor: str) -> NDArray[Any]:
        """A tensor that is no floating-point one: the base's."""
        return self.base.raw(tensor)

    def place(self, tensor: str) -> Path:
        """The adapter's file where it changes the tensor, else the base's."""
        return self.adapter / WEIGHTS if tensor in self.changes else self.base.place(self._origin(tensor).name)

    def ahead(self, tensor: str) -> None:
        """Ask the system to read a tensor that is needed soon."""
        self.base.ahead(self._origin(tensor).name)

    def done(self, tensor: str) -> None:
        """Give back the memory of a tensor."""
        self.base.done(self._origin(tensor).name)
