"""Attention of many texts over one beginning that they share and over what each holds by itself.

The beginning's keys and values are read once for all texts instead of once for each (Juravsky et al. 2024, arXiv
2402.05099): softmax over both parts is the two softmaxes, weighted by the sums of their exponentials.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "workbench_shared"
FLASH = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
"""The kernel behind torch's own attention on CPUs; called by its name because it also gives the sums."""

KeysValues = tuple[torch.Tensor, torch.Tensor]


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    beginning: list[KeysValues] | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Queries [texts, query heads, tokens, size] over keys [texts, heads, columns, size] and the layer's beginning.

    The beginning is [1, heads, shared, size] and is seen whole; `attention_mask` [texts, 1, tokens, columns] says which
    columns are seen. Returns [texts, tokens, query heads, size], as transformers' attention functions do.
    """
    assert beginning is not None
    first_keys, first_values = beginning[module.layer_idx]  # type: ignore[index]
    texts, shared = query.shape[0], first_keys.shape[2]
    if query.device.type != "cpu" or FLASH is None:
        key = torch.cat([first_keys.expand(texts, -1, -1, -1), key], dim=2)
        value = torch.cat([first_values.expand(texts, -1, -1, -1), value], dim=2)
        seen = attention_mask.new_ones(*attention_mask.shape[:-1], shared)
        whole = torch.cat([seen, attention_mask], dim=-1)
        found, _none = sdpa_attention_forward(module, query, key, value, whole, scaling=scaling)
        return found, None
    heads, groups, tokens, size = key.shape[1], query.shape[1] // key.shape[1], query.shape[2], query.shape[3]
    packed = query.reshape(texts, heads, groups * tokens, size)
    bias = torch.zeros(attention_mask.shape, dtype=query.dtype).masked_fill_(~attention_mask, float("-inf"))
    own, own_sum = FLASH(packed, key, value, attn_mask=bias.repeat(1, 1, groups, 1), scale=scaling)
    together = packed.transpose(0, 1).reshape(1, heads, texts * groups * tokens, size)
    common, common_sum = FLASH(together, first_keys, first_values, scale=scaling)
    common = common.reshape(heads, texts, groups * tokens, size).transpose(0, 1)
    common_sum = common_sum.reshape(heads, texts, groups * tokens).transpose(0, 1)
    share = torch.sigmoid(own_sum.reshape(common_sum.shape) - common_sum)[..., None]
    found = (common.float().lerp_(own.float(), share)).to(query.dtype)
    return found.reshape(texts, heads * groups, tokens, size).transpose(1, 2), None


ALL_ATTENTION_FUNCTIONS.register(NAME, attention)


@contextmanager
def sharing(model: Any) -> Iterator[None]:
    """The model with this attention; it has its own back afterwards."""
    own = model.config._attn_implementation
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = own
