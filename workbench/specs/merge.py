"""One merge, in mergekit's vocabulary: method, models, parameters. Ready to run once its names are resolved."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from workbench.specs.common import Dtype, Spec
from workbench.specs.load import did_you_mean
from workbench.specs.methods import METHODS, RANGES, Method


class Filtered(Spec):
    """A value for the tensors whose name holds `filter` (mergekit: first match wins; no filter catches all)."""

    value: bool | float | list[float]
    filter: str | None = None


Parameter = bool | float | int | list[float | int] | list[Filtered]
"""A scalar, a gradient over the layers (list of numbers), or a list of filtered values."""


class Input(Spec):
    """One model of a merge with its own parameters."""

    model: str
    parameters: dict[str, Parameter] = {}


class MergeSpec(Spec):
    """A complete merge. `seed` is part of the recipe: methods that draw need one, others refuse it."""

    merge_method: str
    models: list[Input]
    base_model: str | None = None
    parameters: dict[str, Parameter] = {}
    seed: int | None = None
    dtype: Dtype = "float32"
    out_dtype: Dtype = "bfloat16"

    @model_validator(mode="after")
    def _fits_method(self) -> Self:
        method = METHODS.get(self.merge_method)
        if method is None:
            raise ValueError(f"unknown merge method '{self.merge_method}'. {did_you_mean(self.merge_method, METHODS)}")
        problems = [*_inputs(self, method), *_parameters(self, method), *_ranges(self)]
        if self.seed is None and method.seeded:
            problems.append(f"'{method.name}' draws random numbers: add a 'seed', it is part of the recipe")
        if self.seed is not None and not method.seeded:
            problems.append(f"'{method.name}' draws nothing, so 'seed' ({self.seed}) has no meaning: remove it")
        if problems:
            raise ValueError("; ".join(dict.fromkeys(problems)))
        return self


def _inputs(spec: MergeSpec, method: Method) -> list[str]:
    problems = []
    least, most = method.inputs
    n = len(spec.models)
    if n < least or (most is not None and n > most):
        wanted = f"exactly {least}" if least == most else f"at least {least}"
        problems.append(f"'{method.name}' takes {wanted} models, {n} listed")
    names = [entry.model for entry in spec.models]
    problems += [f"model '{name}' is listed twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if method.base == "refused" and spec.base_model is not None:
        problems.append(f"'{method.name}' has no base model: list it under models, or remove 'base_model'")
    return problems


def _parameters(spec: MergeSpec, method: Method) -> list[str]:
    problems = []
    known = sorted(method.each | method.shared)
    given = [(name, "parameters") for name in spec.parameters]
    given += [(name, f"the parameters of '{entry.model}'") for entry in spec.models for name in entry.parameters]
    for name, where in given:
        if name not in known:
            problems.append(f"unknown parameter '{name}' in {where} of '{method.name}'. {did_you_mean(name, known)}")
        elif where != "parameters" and name not in method.each:
            problems.append(f"'{name}' is a parameter of the whole merge, not of one model: move it up")
    for name in sorted(method.required - spec.parameters.keys()):
        lacking = [e.model for e in spec.models if name not in e.parameters and e.model != spec.base_model]
        if name not in method.each:
            problems.append(f"'{method.name}' needs the parameter '{name}'")
        elif lacking:
            problems.append(f"'{method.name}' needs '{name}' for {', '.join(lacking)}")
    return problems


def _ranges(spec: MergeSpec) -> list[str]:
    every = [*spec.parameters.items(), *(item for entry in spec.models for item in entry.parameters.items())]
    return [
        f"'{name}' must lie from {RANGES[name][0]:g} to {RANGES[name][1]:g} ({value:g})"
        for name, given in every
        if name in RANGES
        for value in _numbers(given)
        if not RANGES[name][0] <= value <= RANGES[name][1]
    ]


def _numbers(given: Parameter) -> list[float]:
    if isinstance(given, bool):
        return []
    if isinstance(given, int | float):
        return [float(given)]
    found: list[float] = []
    for part in given:
        found += _numbers(part.value if isinstance(part, Filtered) else part)
    return found
