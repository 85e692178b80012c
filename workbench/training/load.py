"""The model that a pass trains: the base, what an earlier pass made of it, and the adapter that is to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import MissingExtra
from workbench.specs.models import ExpertSpec
from workbench.specs.training import LoraSpec


def trainable(spec: ExpertSpec, base: Path, earlier: Path | None) -> Any:
    """The model in `base`, or what an earlier pass left in `earlier`, with its adapter if it has one.

    All weights that learn are in float32, because a small update would vanish in bfloat16; frozen ones stay small.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if spec.lora is None:
        return AutoModelForCausalLM.from_pretrained(earlier or base, dtype=torch.float32)
    frozen = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, **_quantized(spec.lora))
    if spec.lora.quantized:
        from peft import prepare_model_for_kbit_training

        frozen = prepare_model_for_kbit_training(frozen, use_gradient_checkpointing=False)
    from peft import PeftModel, get_peft_model

    if earlier is None:
        return get_peft_model(frozen, _config(spec.lora))
    return PeftModel.from_pretrained(frozen, earlier, is_trainable=True)


def _config(lora: LoraSpec) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets or "all-linear",
        task_type="CAUSAL_LM",
    )


def _quantized(lora: LoraSpec) -> dict[str, Any]:
    if lora.quantized is None:
        return {}
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise MissingExtra("'quantized: nf4'", "qlora") from error
    import torch
    from transformers import BitsAndBytesConfig

    how = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=lora.quantized,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": how}
