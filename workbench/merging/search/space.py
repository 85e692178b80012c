"""The space of a search as named numbers, and the merge that a point of it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.specs.merge import Input, MergeSpec
from workbench.specs.methods import METHODS
from workbench.specs.search import Choice, Range, SearchSpec

Value = bool | float
Point = Mapping[str, Value]
"""A value for every axis, by its name."""


@dataclass(frozen=True)
class Axis:
    """One number that is looked for: from `low` to `high`, or one of `values`. `parameter` is the merge's name of it.

    `model` is whose it is (None: the merge's), `layer` its place in a gradient over the layers. Of a switch, the
    parameter is empty.
    """

    name: str
    parameter: str
    low: float = 0.0
    high: float = 1.0
    values: tuple[Value, ...] = ()
    grid: tuple[Value, ...] = ()
    model: str | None = None
    layer: int | None = None


@dataclass(frozen=True)
class Space:
    """What is looked for in merges of `models` on `base`, which methods that have none do not read."""

    spec: SearchSpec
    models: tuple[Input, ...]
    base: str

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All axes, in the order of the declaration, switches last."""
        names = [one.model for one in self.models]
        found = [axis for name, one in self.spec.space.items() for axis in _axes(name, one, names)]
        if self.spec.switches:
            found += [Axis(f"use {name}", "", values=(True, False), grid=(True, False), model=name) for name in names]
        return tuple(found)

    def merge(self, point: Point, seed: int | None = None) -> MergeSpec:
        """The merge of a point; `seed` is of one draw, for methods that draw.

        Raises ValueError for a point that is no merge: no expert left, or a density that leaves no room for gamma.
        """
        shared: dict[str, Any] = dict(self.spec.parameters)
        of_model: dict[str, dict[str, Any]] = {one.model: dict(one.parameters) for one in self.models}
        for axis in self.axes:
            if not axis.parameter:
                if not point[axis.name]:
                    of_model.pop(str(axis.model), None)
                continue
            if axis.model is not None and axis.model not in of_model:
                continue
            place = shared if axis.model is None else of_model[axis.model]
            if axis.layer is None:
                place[axis.parameter] = point[axis.name]
            else:
                place.setdefault(axis.parameter, []).append(point[axis.name])
        return MergeSpec(
            merge_method=self.spec.merge_method,
            models=[Input(model=name, parameters=parameters) for name, parameters in of_model.items()],
            base_model=self.base if METHODS[self.spec.merge_method].base == "required" else None,
            parameters=shared,
            seed=seed,
            variant=self.spec.variant,
            dtype=self.spec.dtype,
            out_dtype=self.spec.out_dtype,
        )

    @property
    def drawn(self) -> bool:
        """Whether a candidate is a draw from a distribution."""
        return METHODS[self.spec.merge_method].seeded


def _axes(parameter: str, given: Range | Choice, models: Sequence[str]) -> Iterator[Axis]:
    for model in models if given.each else [None]:
        name = parameter if model is None else f"{parameter} of {model}"
        if isinstance(given, Choice):
            yield Axis(name, parameter, values=tuple(given.values), grid=tuple(given.values), model=model)
            continue
        grid = tuple(float(one) for one in np.linspace(given.low, given.high, given.steps))
        for layer in [None] if given.layers is None else range(given.layers):
            full = name if layer is None else f"{name} at {layer}"
            yield Axis(full, parameter, given.low, given.high, (), grid, model, layer)
