"""The divergence that arcee_fusion weighs rows by: torch on every device, because it is all exponentials."""

from __future__ import annotations

from typing import Any


def row_divergence(model: Any, base: Any) -> Any:
    """KL(softmax(model) || softmax(base)) of each row, float32 [rows, columns] -> [rows].

    Written as mergekit writes it, float32 and the 1e-8 included: small updates differ by little more than its rounding
    errors, so that another order of operations would choose other elements.
    """
    import torch

    p = torch.softmax(model, dim=-1) + 1e-8
    q = torch.softmax(base, dim=-1) + 1e-8
    return torch.sum(p * torch.log(p / q), dim=-1)
