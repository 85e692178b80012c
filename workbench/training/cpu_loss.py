"""Next-token loss for CPUs, in place of TRL's fused head, whose kernels are made for GPUs.

Same value, less work: logits are formed only where a label is read, and the mask of right padding is left out, since
under a causal mask no real token can see what stands to its right. LOG.md has the measurement.
"""

from __future__ import annotations

from typing import Any


def label_loss(model: Any, inputs: dict[str, Any], num_items: Any = None) -> Any:
    """Mean negative log-likelihood (nats) of the labels that are not -100; a scalar tensor.

    `inputs` holds input_ids [batch, seq], labels [batch, seq], and position_ids [1, seq] when documents are packed.
    `num_items` divides the sum instead of this batch's label count, for gradient accumulation.
    """
    import torch

    causal = model.get_base_model() if hasattr(model, "peft_config") else model
    packed = {"position_ids": inputs["position_ids"]} if "position_ids" in inputs else {}
    hidden = causal.base_model(input_ids=inputs["input_ids"], use_cache=False, **packed).last_hidden_state[:, :-1]
    labels = inputs["labels"][:, 1:]
    read = labels != -100
    logits = causal.get_output_embeddings()(hidden[read])
    total = torch.nn.functional.cross_entropy(logits.float(), labels[read], reduction="sum")
    return total / (read.sum().clamp(min=1) if num_items is None else num_items)
