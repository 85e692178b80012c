"""A LoRA expert as a dense model: W + scale * B A, formed tensor by tensor in float32 (Hu et al. 2021).

Kept in float32: an update is often smaller than bfloat16's step at the weight it changes, and rounding here would
lose it before the merge adds updates up. The merge rounds once, at its end.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench.errors import Incompatible
from workbench.merging.compatible import ADAPTER_WEIGHTS, check_adapter, target_of
from workbench.merging.finish import copy_companions, write_config
from workbench.merging.headers import read_folder

WEIGHTS = "model.safetensors"


def fold(base: Path, adapter: Path, base_name: str, out: Path) -> None:
    """Write base + adapter into `out` as float32 safetensors with the base's config and tokenizer.

    Raises Incompatible when the adapter does not fit the base, or a result holds NaN or infinity.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    config = check_adapter(adapter, base, base_name)
    dense: dict[str, torch.Tensor] = {}
    with safe_open(adapter / ADAPTER_WEIGHTS, framework="pt") as lora:
        pairs = {target_of(name): name for name in lora.keys() if ".lora_A." in name}  # noqa: SIM118
        for file in sorted({header.file for header in read_folder(base).values()}):
            with safe_open(base / file, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118
                    tensor = weights.get_tensor(name).float()
                    if name in pairs:
                        a = lora.get_tensor(pairs[name]).float()
                        b = lora.get_tensor(pairs[name].replace(".lora_A.", ".lora_B.")).float()
                        tensor += scale_of(config, name, a.shape[0]) * (b @ a)
                    if not torch.isfinite(tensor).all():
                        raise Incompatible(f"{adapter}: {name} holds NaN or infinity once folded. Train it again.")
                    dense[name] = tensor
    save_file(dense, out / WEIGHTS, metadata={"format": "pt"})
    write_config(base, out, "float32")
    copy_companions(base, out)


def scale_of(config: dict[str, Any], tensor: str, rank: int) -> float:
    """Alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA, with alpha patterns. `rank` is the tensor's own."""
    module = tensor.removesuffix(".weight")
    alpha = config["lora_alpha"]
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):  # PEFT's own rule for keys of rank and alpha patterns
            alpha = value
            break
    return float(alpha) / (rank**0.5 if config.get("use_rslora") else rank)
