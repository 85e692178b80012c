"""A LoRA adapter on a base as a dense expert, formed tensor by tensor in float32; no merged checkpoint is written.

The task vector of a plain pair is scale * B A exactly. PEFT's other ways to change a weight are followed to the letter:
rank and alpha patterns, rank-stabilised scaling, DoRA, biases, whole saved modules, embeddings, single token rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible
from workbench.merging.headers import TensorHeader, read_file
from workbench.merging.kernels.group import Kind, Operand
from workbench.merging.kernels.lowrank import dense_update
from workbench.merging.kernels.workers import Workers
from workbench.merging.sources import Checkpoint, Source

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
NOT_DENSE = (
    "use_qalora", "use_bdlora", "kasa_config", "monteclora_config", "arrow_config", "alora_invocation_tokens",
    "layer_replication", "target_parameters", "velora_config",
)  # fmt: skip
"""Keys of PEFT's LoraConfig that, when set, make the model something else than a dense one of the base's shape."""
PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
"""Initialisations that leave the base weight alone; PiSSA, OLoRA, CorDA, LoftQ and their like subtract from it."""
_PARTS = re.compile(
    r"\.(lora_A\.weight|lora_B\.weight|lora_B\.bias|lora_magnitude_vector(?:\.weight)?|lora_embedding_A|lora_embedding_B"
    r"|token_adapter\.trainable_tokens_delta)$"
)


@dataclass(frozen=True)
class Change:
    """What an adapter holds for one tensor of the base: part ("lora_A.weight", ..., "whole") -> tensor of its file."""

    parts: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, part: str) -> bool:
        return part in self.parts

    def __getitem__(self, part: str) -> str:
        return self.parts[part]


class Adapted:
    """A base checkpoint with one adapter. Raises Incompatible when the adapter does not fit the base."""

    def __init__(self, name: str, expert: str, base: Checkpoint, adapter: Path) -> None:
        self.name = name
        self.expert = expert
        self.base = base
        self.adapter = adapter
        self.settings = _settings(adapter)
        self._file = Checkpoint(name, expert, adapter)
        self._file.__dict__["headers"] = read_file(adapter / WEIGHTS)
        self.changes = _changes(self._file.headers, self)
        self._check()

    @property
    def folder(self) -> Path:
        """The base's: config and tokenizer are there."""
        return self.base.folder

    @property
    def config(self) -> Mapping[str, Any]:
        """The base's config."""
        return self.base.config

    @property
    def headers(self) -> Mapping[str, TensorHeader]:
        """Tensors of the dense model: the base's."""
        return self.base.headers

    @property
    def bytes(self) -> int:
        """Bytes of base and adapter."""
        return self.base.bytes + sum(header.bytes for header in self._file.headers.values())

    def operand(self, tensor: str, about: Source | None, workers: Workers) -> Operand:
        """The adapted tensor; a task vector when `about` is the adapter's own base."""
        change = self.changes.get(tensor)
        relative = about is not None and about.folder.resolve() == self.base.folder.resolve()
        if change is None:
            if relative:
                return Operand(self.expert, Kind.ZERO, None)
            return replace(self.base.operand(tensor, None, workers), expert=self.expert)
        if "whole" in change:
            return Operand(self.expert, Kind.F32, self._floats(change["whole"]).reshape(-1))
        delta = self._delta(tensor, change, workers).reshape(-1)
        if relative:
            return Operand(self.expert, Kind.DELTA, delta)
        delta += widened(self.base.operand(tensor, None, workers))
        return Operand(self.expert, Kind.F32, delta)

    def _delta(self, tensor: str, change: Change, workers: Workers) -> NDArray[np.float32]:
        shape = self.base.headers[tensor].shape
        if "lora_B.bias" in change:
            return self._floats(change["lora_B.bias"]) * np.float32(self.scale(tensor, None))
        delta = np.zeros(shape, np.float32)
        if "lora_A.weight" in change:
            a, b = self._floats(change["lora_A.weight"]), self._floats(change["lora_B.weight"])
            delta = dense_update(b, a, self.scale(tensor, a.shape[0]), workers)
            if self.settings.get("fan_in_fan_out"):
                delta = np.ascontiguousarray(delta.T)
        elif "lora_embedding_A" in change:
            a, b = self._floats(change["lora_embedding_A"]), self._floats(change["lora_embedding_B"])
            delta = dense_update(a.T, b.T, self.scale(tensor, a.shape[0]), workers)
        if "lora_magnitude_vector" in change:
            delta = self._dora(tensor, change, delta, workers)
        if "token_adapter.trainable_tokens_delta" in change:  # the rows themselves, in spite of the name
            rows = self.token_rows(change["token_adapter.trainable_tokens_delta"])
            base = widened(self.base.operand(tensor, None, workers)).reshape(shape)
            delta[rows] = self._floats(change["token_adapter.trainable_tokens_delta"]) - base[rows]
        return delta

    def _dora(self, tensor: str, change: Change, delta: NDArray[np.float32], workers: Workers) -> NDArray[np.float32]:
        """DoRA (Liu et al. 2024): the sum of base and update, each output row brought to its learned norm."""
        base = widened(self.base.operand(tensor, None, workers)).reshape(delta.shape)
        dense = base + delta
        axis = 0 if self.settings.get("fan_in_fan_out") else 1
        norm = np.sqrt(np.square(dense, dtype=np.float64).sum(axis=axis, keepdims=True))
        learned = np.expand_dims(self._floats(change["lora_magnitude_vector"]), axis)
        scaled: NDArray[np.float32] = (dense * (learned / norm) - base).astype(np.float32)
        return scaled

    def scale(self, tensor: str, rank: int | None) -> float:
        """Alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA, with patterns. `rank` is the tensor's own."""
        module = tensor.rpartition(".")[0]
        alpha = _by_pattern(self.settings.get("alpha_pattern"), module, self.settings["lora_alpha"])
        rank = rank or int(_by_pattern(self.settings.get("rank_pattern"), module, self.settings["r"]))
        return float(alpha) / (rank**0.5 if self.settings.get("use_rslora") else rank)

    def rank(self, half: str) -> int:
        """Rank of a pair, read off the adapter's own tensor A."""
        return self._file.headers[half].shape[0]

    def token_rows(self, tensor: str) -> list[int]:
        """Rows of an embedding that were trained alone; `tensor` is the adapter's, "X.token_adapter. ..."."""
        rows = self.settings.get("trainable_token_indices")
        if isinstance(rows, dict):
            module = tensor.partition(".token_adapter.")[0]
            rows = next((given for suffix, given in rows.items() if module.endswith(suffix)), [])
        return list(rows or [])

    def _floats(self, tensor: str) -> NDArray[np.float32]:
        header = self._file.headers[tensor]
        return widened(self._file.operand(tensor, None, Workers())).reshape(header.shape)

    def _check(self) -> None:
        for tensor, change in self.changes.items():
            shape, where = self.base.headers[tensor].shape, f"{self.adapter}: "
            for part, name in change.parts.items():
                other = self._file.headers[name].shape
                fits = _expected(part, change, shape, self) == other
                if not fits:
                    raise Incompatible(
                        f"{where}{name} is {other}, but {tensor} of '{self.base.name}' is {shape}. "
                        "It was trained on another base, or with another vocabulary."
                    )
            for half, partner in (("lora_A.weight", "lora_B.weight"), ("lora_embedding_A", "lora_embedding_B")):
                if (half in change) != (partner in change):
                    raise Incompatible(f"{where}{tensor} has half of a LoRA pair. Fold it with PEFT, or save it again.")

    def raw(self, tensor: str) -> NDArray[Any]:
        """A tensor that is no floating-point one: the base's."""
        return self.base.raw(tensor)

    def place(self, tensor: str) -> Path:
        """The adapter's file where it changes the tensor, else the base's."""
        return self.adapter / WEIGHTS if tensor in self.changes else self.base.place(tensor)

    def ahead(self, tensor: str) -> None:
        """Ask the system to read a tensor that is needed soon."""
        self.base.ahead(tensor)

    def done(self, tensor: str) -> None:
        """Give back the memory of a tensor."""
        self.base.done(tensor)


def widened(operand: Operand) -> NDArray[np.float32]:
    """A copy of an operand's elements in float32."""
    if operand.kind == Kind.BF16:
        return (operand.data.astype(np.uint32) << np.uint32(16)).view(np.float32)  # type: ignore[no-any-return]
    return operand.data.astype(np.float32)  # type: ignore[no-any-return]


def _settings(adapter: Path) -> dict[str, Any]:
    """The adapter's config, if a dense model of the base's shape comes of it."""
    if not (adapter / WEIGHTS).is_file():
        pickled = "adapter_model.bin" if (adapter / "adapter_model.bin").is_file() else None
        why = f"its weights are pickled ({pickled}); save them as safetensors" if pickled else "it holds no weights"
        raise Incompatible(f"{adapter}: is no usable adapter: {why}.")
    try:
        settings: dict[str, Any] = json.loads((adapter / CONFIG).read_text())
    except (FileNotFoundError, ValueError) as error:
        raise Incompatible(f"{adapter}: its {CONFIG} cannot be read ({error}). Save it again.") from error
    unsupported = [name for name in NOT_DENSE if settings.get(name) not in (None, False, [], {})]
    if settings.get("init_lora_weights") not in PLAIN_STARTS:
        unsupported.append(f"init_lora_weights: {settings['init_lora_weights']}")
    if settings.get("peft_type") != "LORA" or unsupported:
        what = f"uses {', '.join(unsupported)}" if unsupported else f"is a {settings.get('peft_type')} adapter"
        raise Incompatible(f"{adapter}: {what}. Fold it with PEFT's merge_and_unload and declare the folder instead.")
    return settings


def _changes(headers: Mapping[str, TensorHeader], adapted: Adapted) -> dict[str, Change]:
    """Every tensor of the adapter, sorted by the tensor of the base that it changes."""
    found: dict[str, dict[str, str]] = {}
    for name in headers:
        stem = name.removeprefix("base_model.model.")
        match = _PARTS.search(stem)
        part = match[1].removesuffix(".weight") if match and "magnitude" in match[1] else match[1] if match else "whole"
        module = stem[: match.start()] if match else stem.replace(".base_layer.", ".")
        target = module if part == "whole" else f"{module}.{'bias' if part == 'lora_B.bias' else 'weight'}"
        if part == "whole" and f"{module.rpartition('.')[0]}.lora_embedding_A" in {
            other.removeprefix("base_model.model.") for other in headers
        }:
            continue  # the unchanged embedding, saved along with its LoRA pair
        if target not in adapted.base.headers:
            raise Incompatible(
                f"{adapted.adapter}: adapts {target}, which '{adapted.base.name}' lacks. It was trained on another "
                "base, or unties what the base ties; fold it with PEFT's merge_and_unload then."
            )
        found.setdefault(target, {})[part] = name
    return {target: Change(parts) for target, parts in found.items()}


def _expected(part: str, change: Change, shape: tuple[int, ...], adapted: Adapted) -> tuple[int, ...]:
    """The shape that a part must have for a base tensor of this shape."""
    out, in_ = (shape[-1], shape[0]) if adapted.settings.get("fan_in_fan_out") else (shape[0], shape[-1])
    if part in ("whole", "lora_B.bias"):
        return shape
    if part == "lora_magnitude_vector":
        return (out,)
    if part == "token_adapter.trainable_tokens_delta":
        return (len(adapted.token_rows(change[part])), shape[-1])
    half = "lora_embedding_A" if "embedding" in part else "lora_A.weight"
    rank = adapted.rank(change[half]) if half in change else 0
    return {
        "lora_A.weight": (rank, in_),
        "lora_B.weight": (out, rank),
        "lora_embedding_A": (rank, shape[0]),
        "lora_embedding_B": (shape[-1], rank),
    }[part]


def _by_pattern(patterns: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    """The value of the first pattern that matches a module, by PEFT's own rule."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default
