"""What a LoRA adapter's folder holds: its settings, and its tensors sorted by the tensor that they change.

Refused here is what no dense model of the base's layers comes of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import Incompatible

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
NOT_DENSE = (
    "use_qalora", "use_bdlora", "kasa_config", "monteclora_config", "arrow_config", "alora_invocation_tokens",
    "layer_replication", "target_parameters", "velora_config",
)  # fmt: skip
"""Keys of PEFT's LoraConfig that, when set, make the model something else than a dense one of the base's shape."""
PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal", "mica")
"""Initialisations that leave the base weight alone; PiSSA, OLoRA, CorDA, LoftQ and their like subtract from it."""
CONV1D = ("gpt2", "openai-gpt", "decision_transformer", "imagegpt")
"""Model types whose layers are Conv1D, with weights [in, out]."""
A, B = "lora_A.weight", "lora_B.weight"
EMBEDDING_A, EMBEDDING_B = "lora_embedding_A", "lora_embedding_B"
BIAS, MAGNITUDE, TOKENS, WHOLE = "lora_B.bias", "lora_magnitude_vector", "trainable_tokens_delta", "whole"
_PARTS = re.compile(
    r"\.(?:(lora_A\.weight|lora_B\.weight|lora_B\.bias|lora_embedding_A|lora_embedding_B)"
    r"|(lora_magnitude_vector)(?:\.weight)?|token_adapter\.(trainable_tokens_delta))$"
)


@dataclass(frozen=True)
class Change:
    """What an adapter holds for one tensor of the model: part (A, B, ..., WHOLE) -> name in its file."""

    parts: Mapping[str, str]

    def __contains__(self, part: str) -> bool:
        return part in self.parts

    def __getitem__(self, part: str) -> str:
        return self.parts[part]

    @property
    def whole(self) -> bool:
        """Whether the tensor itself was saved, and nothing to add to it."""
        return self.parts.keys() == {WHOLE}


def settings_of(adapter: Path) -> dict[str, Any]:
    """The adapter's config. Raises Incompatible when there is none, or no dense model comes of it."""
    if not (adapter / WEIGHTS).is_file():
        if (adapter / "adapter_model.bin").is_file():
            raise Incompatible(
                f"{adapter}: its weights are pickled (adapter_model.bin), which can run code when loaded. Load it with "
                "PEFT on a machine you trust and save it again: safetensors are written by default."
            )
        raise Incompatible(f"{adapter}: is no adapter: it holds no {WEIGHTS}. Name the folder that PEFT saved.")
    try:
        settings = json.loads((adapter / CONFIG).read_text())
        kind, unsupported = settings.get("peft_type"), [name for name in NOT_DENSE if settings.get(name)]
    except (OSError, ValueError, AttributeError) as error:
        raise Incompatible(f"{adapter}: its {CONFIG} cannot be read ({error}). Save it again.") from error
    if settings.get("init_lora_weights") not in PLAIN_STARTS:
        unsupported.append(f"init_lora_weights: {settings['init_lora_weights']}")
    if kind != "LORA" or unsupported:
        what = f"uses {', '.join(unsupported)}" if kind == "LORA" else f"is a {kind} adapter"
        raise Incompatible(f"{adapter}: {what}. Fold it with PEFT's merge_and_unload and declare the folder instead.")
    for name in ("r", "lora_alpha"):
        if not isinstance(settings.get(name), int | float):
            raise Incompatible(f"{adapter}: {name} of its {CONFIG} is {settings.get(name)}. Save it again.")
    return dict(settings)


def changes_of(names: Iterable[str]) -> dict[str, Change]:
    """The tensors of an adapter's file by the tensor of the model that they change."""
    found: dict[str, dict[str, str]] = {}
    stems = {name.removeprefix("base_model.model."): name for name in names}
    for stem, name in stems.items():
        if match := _PARTS.search(stem):
            part = next(group for group in match.groups() if group)
            target = f"{stem[: match.start()]}.{'bias' if part == BIAS else 'weight'}"
            found.setdefault(target, {})[part] = name
        elif ".original_module." not in stem:  # what a saved module was before it was trained
            target = re.sub(r"\.(token_adapter\.base_layer|base_layer|modules_to_save)\.(?=\w+$)", ".", stem)
            if target == stem or target not in stems:  # a resized embedding is saved under several names
                found.setdefault(target, {})[WHOLE] = name
    return {target: Change(parts) for target, parts in found.items()}


def shape_of(part: str, shape: tuple[int, ...], rank: int, transposed: bool, rows: int) -> tuple[int, ...]:
    """The shape that a part must have for a tensor of `shape`; `transposed`: [in, out], `rows`: of trained tokens."""
    out, in_ = (shape[-1], shape[0]) if transposed else (shape[0], shape[-1])
    return {
        WHOLE: shape, BIAS: shape, MAGNITUDE: (out,), TOKENS: (rows, shape[-1]),
        A: (rank, in_), B: (out, rank), EMBEDDING_A: (rank, in_), EMBEDDING_B: (out, rank),
    }[part]  # fmt: skip


def by_pattern(patterns: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    """The value of the first pattern that matches a module, by PEFT's own rule."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default
