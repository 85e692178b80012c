"""A causal model's body and head, called apart: which models may be, and what such a call must not leave out."""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers import PreTrainedModel

TYPES = frozenset({"gemma", "gemma2", "gemma3_text", "llama", "mistral", "phi3", "qwen2", "qwen3"})
"""Model types whose logits are the head's product with the last hidden state, soft-capped where the config says so."""

MASKED = frozenset({"eager", "sdpa"})
"""Attention that sees what a mask of ours shows; the others know causal order alone."""


def can_be_read_apart(model: Any) -> bool:
    """Whether a model is one of the `TYPES`, whole, on one device, and its attention obeys our masks."""
    return (
        isinstance(model, PreTrainedModel)  # an adapter's wrapper hides another body
        and model.config.model_type in TYPES
        and model.config._attn_implementation in MASKED
        and not getattr(model.config, "use_bidirectional_attention", None)
        and len(set((getattr(model, "hf_device_map", None) or {}).values())) <= 1
    )


def longest_read_apart(config: Any) -> float:
    """Tokens up to which all layers see a whole text and read its positions alike, however it is cut into passes.

    Beyond them stand what falls out of a sliding window, and frequencies that change with a text's length.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    ropes = [rope, *(one for one in rope.values() if isinstance(one, dict))]  # Gemma 3 has one a kind of layer
    bounds = [getattr(config, "sliding_window", None)]
    bounds += [one["original_max_position_embeddings"] for one in ropes if one.get("rope_type") == "longrope"]
    bounds += [config.max_position_embeddings for one in ropes if one.get("rope_type") == "dynamic"]
    return min((bound for bound in bounds if bound is not None), default=math.inf)


def attends_plainly(model: Any) -> bool:
    """Whether attention is the softmax of the scaled products, with no soft cap on them."""
    return getattr(model.config, "attn_logit_softcapping", None) is None


def mask_for(model: Any, seen: torch.Tensor) -> torch.Tensor:
    """Who sees whom [rows, 1, tokens, columns] as the model's attention takes it: itself, or what it adds."""
    if model.config._attn_implementation == "sdpa":
        return seen
    hidden = torch.finfo(model.dtype).min
    return torch.zeros(seen.shape, dtype=model.dtype, device=seen.device).masked_fill_(~seen, hidden)


def logits(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Logits [..., vocabulary] of last hidden states [..., width], rounded as the model does it, then float32."""
    found: torch.Tensor = model.get_output_embeddings()(hidden)
    if cap := getattr(model.config, "final_logit_softcapping", None):
        found = torch.tanh(found / cap) * cap
    return found.float()


def bytes_per_token(model: Any) -> int:
    """Bytes of the keys and values of one token in all layers."""
    config = model.config.get_text_config()
    queries: int = getattr(config, "num_attention_heads", None) or 1
    size: int = getattr(config, "head_dim", None) or config.hidden_size // queries
    heads: int = getattr(config, "num_key_value_heads", None) or queries
    element: int = model.dtype.itemsize
    layers: int = config.num_hidden_layers
    return 2 * layers * heads * size * element
