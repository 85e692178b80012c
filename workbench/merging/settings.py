"""The parameters of a merge at each tensor: filters, gradients over the layers, defaults, as in mergekit 0.1.5."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import Incompatible
from workbench.specs.merge import Filtered, Input, MergeSpec, Setting, band_problems
from workbench.specs.methods import METHODS, Parameter

_LAYER = re.compile(r"(.*?)\.(\d+)\.")


@dataclass(frozen=True)
class Settings:
    """Values at one tensor: of the whole merge, and of each model in the order of `inputs_of`."""

    shared: Mapping[str, Any]
    each: tuple[Mapping[str, Any], ...]


def inputs_of(spec: MergeSpec) -> tuple[Input, ...]:
    """The models that a method mixes, in order; without the base unless the method counts it as one more input."""
    listed = [*spec.models]
    if METHODS[spec.merge_method].base == "input":
        if spec.base_model is not None and spec.base_model not in {entry.model for entry in listed}:
            listed.append(Input(model=spec.base_model))
        return tuple(listed)
    return tuple(entry for entry in listed if entry.model != spec.base_model)


def depths(tensors: Sequence[str]) -> dict[str, float]:
    """How deep each tensor lies, 0 to 1: 0 for what is in no layer, 1 for the only layer of a one-layer model."""
    layers: dict[str, tuple[str, int]] = {}
    for tensor in tensors:
        if match := _LAYER.match(tensor):
            layers[tensor] = match[1], int(match[2])
    last: dict[str, int] = {}
    for stack, layer in layers.values():
        last[stack] = max(last.get(stack, 0), layer)
    return {tensor: _depth(layers.get(tensor), last) for tensor in tensors}


def _depth(place: tuple[str, int] | None, last: Mapping[str, int]) -> float:
    if place is None:
        return 0.0
    stack, layer = place
    return layer / last[stack] if last[stack] else 1.0


def resolve(spec: MergeSpec, tensors: Sequence[str]) -> dict[str, Settings]:
    """Settings of every tensor. Raises Incompatible for filters that match nothing and values that cannot be."""
    _check_filters(spec, tensors)
    method, inputs, depth = METHODS[spec.merge_method], inputs_of(spec), depths(tensors)
    found: dict[str, Settings] = {}
    problems: dict[str, str] = {}
    for tensor in tensors:
        at = depth[tensor]
        shared = {n: _value(n, p, [spec.parameters], tensor, at, None) for n, p in method.shared.items()}
        each = tuple(
            {
                n: _value(n, p, [entry.parameters, spec.parameters], tensor, at, entry.model)
                for n, p in method.each.items()
            }
            for entry in inputs
        )
        for entry, values in zip(inputs, each, strict=True):
            for problem in [*band_problems(values), *_no_density(values)]:
                problems.setdefault(f"'{entry.model}' at {tensor}: {problem}.", tensor)
        if undivided := _no_weight(spec, shared, each):
            problems.setdefault(undivided, tensor)
        found[tensor] = Settings({**shared, "seed": spec.seed, "variant": spec.variant}, each)
    if problems:
        raise Incompatible("\n".join(list(problems)[:5]))
    return found


def _value(
    name: str,
    parameter: Parameter,
    scopes: Sequence[Mapping[str, Setting]],
    tensor: str,
    depth: float,
    model: str | None,
) -> Any:
    for scope in scopes:
        if name in scope and (value := evaluate(scope[name], tensor, depth)) is not None:
            return value
    if parameter.required:
        of = f" of '{model}'" if model else ""
        raise Incompatible(
            f"'{name}'{of} has no value at {tensor}: no filter matches it. Add an entry without a filter."
        )
    return parameter.default


def evaluate(setting: Setting, tensor: str, depth: float) -> bool | float | None:
    """A setting's value at a tensor; None when no filter matches."""
    if isinstance(setting, bool | int | float):
        return setting
    if setting and isinstance(setting[0], Filtered):
        for part in setting:
            assert isinstance(part, Filtered)
            if matches(part, tensor):
                return evaluate(part.value, tensor, depth)
        return None
    return _interpolate([value for value in setting if not isinstance(value, Filtered)], depth)


def _interpolate(values: Sequence[bool | float], depth: float) -> bool | float | None:
    if not values:
        return None
    if any(isinstance(value, bool) for value in values):
        return values[int(depth * (len(values) - 1))]
    scaled = depth * (len(values) - 1)
    low = int(scaled)
    high = min(len(values) - 1, low + 1)
    share = scaled - low
    return (1 - share) * values[low] + share * values[high]


def matches(part: Filtered, tensor: str) -> bool:
    """Whether a filtered value is for this tensor."""
    if part.regex is not None:
        return re.search(part.regex, tensor) is not None
    return part.filter in (None, "*") or str(part.filter) in tensor


def _check_filters(spec: MergeSpec, tensors: Sequence[str]) -> None:
    for where, name, part in _filters(spec):
        try:
            used = any(matches(part, tensor) for tensor in tensors)
        except re.error as error:
            raise Incompatible(f"{where}: '{part.regex}' is no regular expression ({error}).") from error
        if not used:
            what = f"regex '{part.regex}'" if part.regex is not None else f"filter '{part.filter}'"
            raise Incompatible(
                f"{where}: the {what} of '{name}' matches no tensor. {_fused(str(part.filter or part.regex), tensors)}"
            )


def _filters(spec: MergeSpec) -> Iterator[tuple[str, str, Filtered]]:
    scopes = [("parameters", spec.parameters), *((f"model '{e.model}'", e.parameters) for e in spec.entries)]
    for where, scope in scopes:
        for name, setting in scope.items():
            for part in setting if isinstance(setting, list) else []:
                if isinstance(part, Filtered):
                    yield where, name, part


def _fused(filter_: str, tensors: Sequence[str]) -> str:
    """The way out: fused matrices of Phi-3 by name, else the kinds of tensors there are."""
    fused = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj"}
    fused |= {"up_proj": "gate_up_proj"}
    for part, whole in fused.items():
        if part in filter_ and any(whole in tensor for tensor in tensors):
            return f"In this model {part} is part of {whole}: filter on that, or on self_attn or mlp."
    kinds = sorted({".".join(re.sub(r"\.\d+\.", ".", tensor).split(".")[-3:-1]) for tensor in tensors})
    shown = ", ".join(kind for kind in kinds[:12])
    return f"Names hold: {shown}{', ...' if len(kinds) > 12 else ''}."


def _no_density(values: Mapping[str, Any]) -> Iterator[str]:
    density = values.get("density")
    if density is not None and not 0 < density <= 1:
        yield f"density must lie above 0 and up to 1 ({density:g})"


def _no_weight(spec: MergeSpec, shared: Mapping[str, Any], each: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a division by the sum of weights cannot be."""
    divides = {
        "linear": shared.get("normalize"),
        "multislerp": shared.get("normalize_weights") and len(each) > 1,
        "task_arithmetic": shared.get("normalize"),
        "dare_linear": shared.get("normalize"),
        "breadcrumbs": shared.get("normalize"),
        "della_linear": shared.get("normalize"),
    }
    if divides.get(spec.merge_method) and abs(sum(float(values["weight"]) for values in each)) < 1e-8:
        return (
            f"'{spec.merge_method}' is normalised, but its weights sum to zero. Set normalize to false, or change them."
        )
    return None
