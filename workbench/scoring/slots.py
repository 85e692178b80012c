"""Keys and values of prompts that are answered side by side, each in a slot of its own.

A slot is a row of one large tensor a layer, set aside once; a prompt writes its own columns from the left. So a
prompt that ends makes room for the next one while its neighbours go on, and nothing is copied as texts grow.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class Slots(Cache):  # type: ignore[misc, unused-ignore]
    """Keys and values [rows, heads, width, head size] of every layer. `at` says where the next tokens are written.

    `before` tokens stand before every slot's first: a beginning that all prompts share and that is kept elsewhere.
    """

    def __init__(self, layers: int, rows: int, width: int, before: int = 0) -> None:
        self.rows, self.width, self.before = rows, width, before
        self.lengths = torch.zeros(rows, dtype=torch.long)
        """Tokens that each slot holds, on the CPU."""
        super().__init__(layers=[_Layer(self) for _ in range(layers)])
        self.written: tuple[torch.Tensor, torch.Tensor] = (self.lengths, self.lengths)
        """Where the open slots are written: rows [count, 1] and columns [count, tokens]."""
        self.seen = (slice(0, 0), slice(None), slice(0, 0))
        """What of a layer's tensors they see."""

    def at(self, first: int, count: int, tokens: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Open slots `first` to `first + count` for `tokens` more tokens each.

        Returns their positions [count, tokens] and the mask [count, 1, tokens, shown]: who sees which column.
        """
        lengths = self.lengths[first : first + count]
        positions = lengths[:, None] + torch.arange(tokens)
        shown = int(lengths.max()) + tokens
        mask = torch.arange(shown) <= positions[:, :, None]
        positions = positions.to(device)
        self.written = (torch.arange(first, first + count, device=device)[:, None], positions)
        self.seen = (slice(first, first + count), slice(None), slice(0, shown))
        return positions + self.before, mask[:, None].to(device)

    @torch.inference_mode()
    def copy(self, source: int, targets: slice, tokens: int) -> None:
        """The first `tokens` tokens that slot `source` holds, to all of `targets`."""
        for layer in self.layers:
            if layer.keys is not None and layer.values is not None:
                layer.keys[targets, :, :tokens] = layer.keys[source, :, :tokens]
                layer.values[targets, :, :tokens] = layer.values[source, :, :tokens]
        self.lengths[targets] = tokens


class _Layer(CacheLayerMixin):  # type: ignore[misc, unused-ignore]
    is_sliding = False

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self._all = slots

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        shape = (self._all.rows, key_states.shape[1], self._all.width)
        self.keys = key_states.new_zeros(*shape, key_states.shape[-1])  # not empty: a masked NaN would still be one
        self.values = value_states.new_zeros(*shape, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, columns = self._all.written
        self.keys[rows, :, columns] = key_states.transpose(1, 2)
        self.values[rows, :, columns] = value_states.transpose(1, 2)
        seen = self._all.seen
        return self.keys[seen], self.values[seen]

    def get_seq_length(self) -> int:
        length: int = self._all.seen[2].stop
        return length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length(), 0

    def get_max_length(self) -> int:
        return self._all.width
