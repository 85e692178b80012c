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
    config: dict[str, Any] = json.loads((adapter / ADAPTER_CONFIG).read_text())
    unsupported = [
        name
        for name, plain in (("use_dora", False), ("bias", "none"), ("modules_to_save", None))
        if config.get(name, plain) not in (plain, [])
    ]
    if config.get("peft_type") != "LORA" or unsupported:
        what = f"uses {', '.join(unsupported)}" if unsupported else f"is a {config.get('peft_type')} adapter"
        raise Incompatible(f"{adapter}: {what}. Fold it with PEFT's merge_and_unload and declare the folder instead.")
    weights = read_folder(base)
    for name, header in read_file(adapter / ADAPTER_WEIGHTS).items():
        target = target_of(name)
        if target not in weights:
            raise Incompatible(
                f"{adapter}: adapts {target}, which '{base_name}' lacks. It was trained on another base."
            )
        out_features, in_features = weights[target].shape
        wanted = in_features if ".lora_A." in name else out_features
        if wanted not in header.shape:
            raise Incompatible(
                f"{adapter}: {name} is {header.shape}, but {target} of '{base_name}' is {weights[target].shape}. "
                "It was trained on another base."
            )
    return config


def target_of(adapter_tensor: str) -> str:
    """The base tensor that a LoRA tensor belongs to: "base_model.model.X.lora_A.weight" -> "X.weight"."""
    stem = adapter_tensor.removeprefix("base_model.model.")
    return stem.replace(".lora_A.weight", ".weight").replace(".lora_B.weight", ".weight")
