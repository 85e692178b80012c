"""Refuse what cannot be merged, before a weight is read: one sentence each, with file, value and way out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import Incompatible
from workbench.merging.headers import TensorHeader, config_of, read_file, read_folder

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
LORA_A, LORA_B = ".lora_A.weight", ".lora_B.weight"
MORE_THAN_LORA = (
    "use_dora", "bias", "modules_to_save", "fan_in_fan_out", "lora_bias", "use_qalora", "use_bdlora", "kasa_config",
    "monteclora_config", "arrow_config", "alora_invocation_tokens", "layer_replication", "target_parameters",
    "trainable_token_indices",
)  # fmt: skip
"""Keys of PEFT's LoraConfig that, when set, make the adapted weight something else than W + scale * B A."""
PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
"""Initialisations that leave the base weight alone; PiSSA, OLoRA, CorDA, LoftQ and their like subtract from it."""


def check_models(folders: Sequence[tuple[str, Path]]) -> None:
    """Raise Incompatible unless all models share architecture, tensor names, shapes and vocabulary with the first."""
    (first_name, first), *others = folders
    headers, config = read_folder(first), config_of(first)
    vocabulary = _vocabulary(first)
    for name, folder in others:
        theirs = config_of(folder)
        if theirs.get("architectures") != config.get("architectures"):
            raise Incompatible(
                f"'{name}' is a {_architecture(theirs)} and '{first_name}' a {_architecture(config)}. "
                "Only models of one architecture can be merged."
            )
        _check_tensors(first_name, headers, name, read_folder(folder))
        if vocabulary is not None and (other := _vocabulary(folder)) is not None and other != vocabulary:
            token = next(iter(sorted(set(vocabulary.items()) ^ set(other.items()))))[0]
            raise Incompatible(
                f"'{name}' has another tokenizer than '{first_name}' (first difference: token {token!r}). "
                "Merge models that share one, or transplant the tokenizer first."
            )


def _architecture(config: Mapping[str, Any]) -> str:
    return ", ".join(config.get("architectures") or ["model without an architecture"])


def _check_tensors(a: str, ours: Mapping[str, TensorHeader], b: str, theirs: Mapping[str, TensorHeader]) -> None:
    if missing := sorted(ours.keys() - theirs.keys()):
        raise Incompatible(f"'{b}' lacks {len(missing)} tensors of '{a}', the first is {missing[0]}. Not mergeable.")
    if extra := sorted(theirs.keys() - ours.keys()):
        raise Incompatible(f"'{b}' has {len(extra)} tensors that '{a}' lacks, the first is {extra[0]}. Not mergeable.")
    for name, header in ours.items():
        if theirs[name].shape != header.shape:
            reason = "The vocabularies differ in size." if "embed" in name or "lm_head" in name else "Not mergeable."
            raise Incompatible(f"{name} is {theirs[name].shape} in '{b}' and {header.shape} in '{a}'. {reason}")


def _vocabulary(folder: Path) -> dict[str, int] | None:
    """Token -> id of a fast tokenizer, or None when the folder holds none."""
    try:
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    vocabulary = dict(tokenizer.get("model", {}).get("vocab") or {})
    vocabulary.update({token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])})
    return vocabulary


def check_adapter(adapter: Path, base: Path, base_name: str) -> dict[str, Any]:
    """The adapter's config, if it is a LoRA that fits this base; raises Incompatible otherwise."""
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        pickled = "adapter_model.bin" if (adapter / "adapter_model.bin").is_file() else None
        why = f"its weights are pickled ({pickled}); save them as safetensors" if pickled else "it holds no weights"
        raise Incompatible(f"{adapter}: is no usable adapter: {why}.")
    config = _adapter_config(adapter)
    weights, adapts = read_folder(base), read_file(adapter / ADAPTER_WEIGHTS)
    for name, header in adapts.items():
        side = 1 if name.endswith(LORA_A) else 0  # A is [rank, in], B is [out, rank]
        partner = name.replace(LORA_A, LORA_B) if side else name.replace(LORA_B, LORA_A)
        if partner == name or partner not in adapts:
            raise Incompatible(f"{adapter}: {name} is no half of a LoRA pair. Fold it with PEFT, or save it again.")
        target = target_of(name)
        if target not in weights:
            raise Incompatible(
                f"{adapter}: adapts {target}, which '{base_name}' lacks. It was trained on another base."
            )
        if header.shape[side] != weights[target].shape[side]:
            raise Incompatible(
                f"{adapter}: {name} is {header.shape}, but {target} of '{base_name}' is {weights[target].shape}. "
                "It was trained on another base."
            )
    return config


def _adapter_config(adapter: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((adapter / ADAPTER_CONFIG).read_text())
    except (FileNotFoundError, ValueError) as error:
        raise Incompatible(f"{adapter}: its {ADAPTER_CONFIG} cannot be read ({error}). Save it again.") from error
    unsupported = [name for name in MORE_THAN_LORA if config.get(name) not in (None, False, "none", [], {})]
    if config.get("init_lora_weights") not in PLAIN_STARTS:
        unsupported.append(f"init_lora_weights: {config['init_lora_weights']}")
    if config.get("peft_type") != "LORA" or unsupported:
        what = f"uses {', '.join(unsupported)}" if unsupported else f"is a {config.get('peft_type')} adapter"
        raise Incompatible(f"{adapter}: {what}. Fold it with PEFT's merge_and_unload and declare the folder instead.")
    return config


def target_of(adapter_tensor: str) -> str:
    """The base tensor that a LoRA tensor belongs to: "base_model.model.X.lora_A.weight" -> "X.weight"."""
    stem = adapter_tensor.removeprefix("base_model.model.")
    return stem.replace(LORA_A, ".weight").replace(LORA_B, ".weight")
