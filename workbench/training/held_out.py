"""Loss on documents that no training reads: what a pass changed, measured the same way before and after it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.data.example import Example
from workbench.specs.training import Training
from workbench.training.sequences import IGNORED, Tokens, in_tokens

MOST_TOKENS = 30_000
"""Of held-out text, so that a look takes seconds on a CPU too."""


@dataclass(frozen=True)
class HeldOut:
    """Mean loss (nats a token) on held-out documents, its deviation between documents, and what was read."""

    loss: float
    deviation: float
    documents: int
    tokens: int
    seconds: float

    @property
    def perplexity(self) -> float:
        """E to the mean loss: the tokens between which the model is as good as undecided."""
        return math.exp(self.loss)

    @property
    def samples_per_second(self) -> float:
        """Documents read in a second."""
        return self.documents / max(self.seconds, 1e-9)


def kept_out(examples: Sequence[Example], how: Training, tokenizer: Any) -> list[Tokens]:
    """Held-out documents in the template of a pass, each at most as long as it reads, up to MOST_TOKENS in all."""
    found: list[Tokens] = []
    room = MOST_TOKENS
    whole = how.model_copy(update={"reads": "document"})
    for example in examples:
        for one in in_tokens(example, whole, tokenizer):
            cut = Tokens(one.input_ids[: how.max_length], one.labels[: how.max_length])
            if len(cut.input_ids) > room:
                return found
            if any(label != IGNORED for label in cut.labels[1:]):
                room -= len(cut.input_ids)
                found.append(cut)
    return found


def measure(model: Any, documents: Sequence[Tokens]) -> HeldOut | None:
    """The model's loss on the documents, one at a time; None without any."""
    import torch

    from workbench.training.cpu_loss import label_loss

    if not documents:
        return None
    training = model.training
    model.eval()
    if torch.cuda.is_available() and not getattr(model, "is_quantized", False):
        model.to("cuda")
    losses: list[float] = []
    read: list[int] = []
    started = time.monotonic()
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16):
        for one in documents:
            inputs = {
                "input_ids": torch.tensor([one.input_ids], device=model.device),
                "labels": torch.tensor([one.labels], device=model.device),
            }
            losses.append(float(label_loss(model, inputs)))
            read.append(sum(label != IGNORED for label in one.labels[1:]))
    model.train(training)
    total = sum(read)
    mean = sum(loss * n for loss, n in zip(losses, read, strict=True)) / total
    deviation = statistics.stdev(losses) if len(losses) > 1 else 0.0
    return HeldOut(round(mean, 5), round(deviation, 5), len(losses), total, round(time.monotonic() - started, 2))
