"""mergekit as the oracle of our kernels: one tensor through its own code, in float32, with our random numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from mergekit.merge_methods.api import merge_tensors

from workbench.merging.kernels.cpu import CpuPasses
from workbench.merging.kernels.device import draws
from workbench.merging.kernels.draws import key_of
from workbench.merging.kernels.group import Group, Kind, Operand
from workbench.merging.kernels.table import KERNELS
from workbench.specs.methods import METHODS

Array = np.ndarray
Settings = Mapping[str, Any]

BF16_ULP = 2.0**-7
"""One unit in the last place of a bfloat16, relative, at most."""


def defaults(method: str, count: int, **given: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Settings of the merge and of each of `count` models: the method's defaults, changed by `given`.

    A list in `given` has a value for each model.
    """
    row = METHODS[method]
    shared = {name: given.get(name, parameter.default) for name, parameter in row.shared.items()}
    each = [
        {name: value[i] if isinstance(value, list) else value for name, value in _own(row.each, given).items()}
        for i in range(count)
    ]
    return {**shared, "seed": given.get("seed", 3), "variant": given.get("variant", "mergekit")}, each


def _own(each: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given.get(name, parameter.default) for name, parameter in each.items()}


def operand(name: str, tensor: torch.Tensor) -> Operand:
    """A tensor as an operand: bfloat16 by its bits, everything else in float32."""
    if tensor.dtype == torch.bfloat16:
        return Operand(name, Kind.BF16, tensor.contiguous().view(torch.uint16).numpy().reshape(-1).copy())
    return Operand(name, Kind.F32, tensor.float().numpy().reshape(-1).copy())


def group(name: str, base: torch.Tensor | None, models: Sequence[torch.Tensor]) -> Group:
    """Models "e0", "e1", ... and perhaps a base."""
    operands = tuple(operand(f"e{i}", model) for i, model in enumerate(models))
    return Group(name, tuple(models[0].shape), None if base is None else operand("base", base), operands)


def ours(method: str, group: Group, shared: Settings, each: Sequence[Settings], passes: Any = None) -> Array:
    """The result of our kernel in float32, flat."""
    passes = passes or CpuPasses()
    out = passes.empty(group.n, "F32")
    assert KERNELS[method](passes, group, shared, each, out)
    return np.asarray(passes.fetch(out))


def theirs(
    method: str, name: str, base: torch.Tensor | None, models: Sequence[torch.Tensor], shared: Settings,
    each: Sequence[Settings],
) -> Array:  # fmt: skip
    """mergekit's result in float32, flat. Its sorts are made stable and its draws are ours; nothing else is touched."""
    inputs = [*([] if base is None else [base]), *models]
    offset = len(inputs) - len(models)
    parameters: dict[str, Any] = {k: v for k, v in shared.items() if k not in ("seed", "variant")}
    if "max_iter" in parameters:
        parameters["max_iter"] = int(parameters["max_iter"])
    for key in each[0] if each else ():
        values = [own[key] for own in each]
        parameters[key] = {i + offset: value for i, value in enumerate(values)} if base is not None else values
    keys = [
        key_of(shared["seed"], name, f"e{i}") for i, own in enumerate(each) if "density" in own and own["density"] < 1
    ]
    with _deterministic(keys):
        result = merge_tensors(
            [tensor.float() for tensor in inputs],
            method,
            parameters=parameters,
            base_index=0 if base is not None else None,
            name=name,
        )
    return result.numpy().reshape(-1)


@contextmanager
def _deterministic(keys: list[int]) -> Iterator[None]:
    """Stable sorts, so that equal magnitudes have one order; and draws by our generator, an expert after the other."""
    waiting = list(keys)

    def bernoulli(probabilities: torch.Tensor) -> torch.Tensor:
        numbers = draws(probabilities.numel(), waiting.pop(0), torch.device("cpu")).view(probabilities.shape)
        return (numbers < (probabilities.double() * 2**32).round().long()).to(probabilities.dtype)

    argsort, sort = torch.argsort, torch.sort
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "argsort", lambda *a, **k: argsort(*a, **{**k, "stable": True}))
        patch.setattr(torch, "sort", lambda *a, **k: sort(*a, **{**k, "stable": True}))
        patch.setattr(torch, "bernoulli", bernoulli)
        yield


def ulps(found: Array, wanted: Array) -> Array:
    """Distance in units in the last place of a bfloat16."""
    a, b = (torch.from_numpy(x.copy()).bfloat16().view(torch.int16).int() for x in (found, wanted))
    ordered = [torch.where(x < 0, -(x & 0x7FFF), x) for x in (a, b)]
    return (ordered[0] - ordered[1]).abs().numpy()
