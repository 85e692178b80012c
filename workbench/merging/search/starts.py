"""Where a search starts: the recipes that people use, and the simple merges that it has to beat."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.merging.search.space import Axis, Point, Space, Value
from workbench.specs.merge import MergeSpec

WEIGHTS = (0.3, 0.5, 1.0)
"""Of every task vector, beside one divided by their number."""
DENSITIES = {"breadcrumbs": 0.9, "breadcrumbs_ties": 0.9}
DENSITY = 0.5
RECIPE = {"gamma": 0.01, "epsilon": 0.15, "lambda": 1.0, "t": 0.5}
"""What the papers of the methods and mergekit's examples take."""

BASELINE_WEIGHTS = (1.0, 2.0, 3.0)
"""Weights of task arithmetic in the baselines, divided by the number of experts."""


def starts(space: Space) -> list[Point]:
    """Points of the recipes that people use, as near as the space has them, each once."""
    weights = (1 / len(space.models), *WEIGHTS)
    found = [{axis.name: _value(axis, weight, space.spec.merge_method) for axis in space.axes} for weight in weights]
    return [point for index, point in enumerate(found) if point not in found[:index]]


def _value(axis: Axis, weight: float, method: str) -> Value:
    if not axis.parameter:
        return True
    usual = {**RECIPE, "weight": weight, "density": DENSITIES.get(method, DENSITY)}
    wanted = usual.get(axis.parameter, (axis.low + axis.high) / 2)
    if axis.values:
        return min(axis.values, key=lambda value: (abs(float(value) - wanted), axis.values.index(value)))
    return min(max(wanted, axis.low), axis.high)


def baselines(space: Space) -> Iterator[tuple[str, MergeSpec]]:
    """Linear merging and task arithmetic with small weights, by name: hard to beat, as studies of merging find."""
    share = 1 / len(space.models)
    plain = {"models": [{"model": one.model} for one in space.models], "out_dtype": space.spec.out_dtype}
    linear = {"merge_method": "linear", "parameters": {"weight": share}}
    yield "linear", MergeSpec.model_validate({**plain, **linear})
    for times in BASELINE_WEIGHTS:
        arithmetic = {
            "merge_method": "task_arithmetic",
            "base_model": space.base,
            "parameters": {"weight": times * share},
        }
        yield f"task_arithmetic, weight {times * share:.2g}", MergeSpec.model_validate({**plain, **arithmetic})
