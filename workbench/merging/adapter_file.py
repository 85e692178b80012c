"""The file of a LoRA adapter as arrays by part, with the scales and token rows that its config says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible
from workbench.merging.adapter_parts import (
    CONFIG,
    EMBEDDING_A,
    EMBEDDING_B,
    MAGNITUDE,
    TOKENS,
    WEIGHTS,
    WHOLE,
    A,
    B,
    Change,
    by_pattern,
    changes_of,
    settings_of,
)
from workbench.merging.headers import TensorHeader, read_file
from workbench.merging.kernels.workers import Workers
from workbench.merging.sources import FLOATS, Checkpoint, widened


class AdapterFile(Checkpoint):
    """An adapter's own tensors. Raises Incompatible when they are no whole LoRA adapter."""

    def __init__(self, name: str, expert: str, folder: Path) -> None:
        super().__init__(name, expert, folder)
        self.settings = settings_of(folder)
        self.changes = changes_of(self.headers)
        for header in self.headers.values():
            if header.dtype not in FLOATS:
                raise Incompatible(
                    f"{folder}: {header.name} is {header.dtype}, which cannot be folded. Save the adapter again in "
                    "bfloat16 or float32."
                )
        for tensor, change in self.changes.items():
            self._check_whole(tensor, change)

    @cached_property
    def headers(self) -> Mapping[str, TensorHeader]:
        """Its tensors by the names of its file."""
        return read_file(self.folder / WEIGHTS)

    def _check_whole(self, tensor: str, change: Change) -> None:
        for half, partner in ((A, B), (B, A), (EMBEDDING_A, EMBEDDING_B), (EMBEDDING_B, EMBEDDING_A)):
            if half in change and partner not in change:
                raise Incompatible(f"{self.folder}: {change[half]} is one half of a LoRA pair. Save the adapter again.")
        dora = bool(self.settings.get("use_dora")) and (A in change or EMBEDDING_A in change)
        if dora != (MAGNITUDE in change):
            has = "has no" if dora else "has a"
            raise Incompatible(
                f"{self.folder}: {tensor} {has} {MAGNITUDE}, but use_dora of its {CONFIG} is "
                f"{self.settings.get('use_dora')}. Save the adapter again."
            )

    def floats(self, name: str) -> NDArray[np.float32]:
        """A copy of a tensor of the file, in float32."""
        return widened(self.operand(name, None, Workers())).reshape(self.headers[name].shape)

    def scale(self, tensor: str) -> float:
        """What B A is multiplied with: alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA, with patterns."""
        module, rank = tensor.rpartition(".")[0], self.rank(tensor)
        alpha = by_pattern(self.settings.get("alpha_pattern"), module, self.settings["lora_alpha"])
        return float(alpha) / (rank**0.5 if self.settings.get("use_rslora") else rank)

    def rank(self, tensor: str) -> int:
        """Rank of a tensor's pair."""
        module = tensor.rpartition(".")[0]
        return int(by_pattern(self.settings.get("rank_pattern"), module, self.settings["r"]))

    def token_rows(self, tensor: str) -> list[int]:
        """Rows of a tensor that were trained alone; those of the embeddings hold for an output matrix tied to them."""
        rows = self.settings.get("trainable_token_indices") or []
        if isinstance(rows, dict):
            module = tensor.rpartition(".")[0]
            rows = next((given for end, given in rows.items() if module.endswith(end)), next(iter(rows.values())))
        return list(rows)

    def ties(self, head: str, embedding: str) -> bool:
        """Whether the adapter leaves a tied output matrix equal to the embeddings: it changes both alike, or none.

        PEFT ties the rows of single tokens by itself.
        """
        ours, theirs = self.changes.get(head), self.changes.get(embedding)
        if ours is None or theirs is None:
            return ours is theirs or (ours is None and theirs is not None and theirs.parts.keys() == {TOKENS})
        alike = {WHOLE: WHOLE, TOKENS: TOKENS, A: EMBEDDING_B, B: EMBEDDING_A}
        if {alike.get(part) for part in ours.parts} != theirs.parts.keys():
            return False
        if TOKENS in ours and self.token_rows(head) != self.token_rows(embedding):
            return False
        return all(self._alike(name, theirs[alike[part]], part in (A, B)) for part, name in ours.parts.items())

    def _alike(self, name: str, other: str, turned: bool) -> bool:
        ours = self.floats(name)
        return np.array_equal(ours.T if turned else ours, self.floats(other))
