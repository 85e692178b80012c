"""Declarations of searches: a merge whose numbers are looked for, within a budget, on validation items alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from workbench.specs.candidate import Each, Entry
from workbench.specs.common import Dtype, Spec
from workbench.specs.load import did_you_mean
from workbench.specs.merge import Scalar
from workbench.specs.methods import METHODS

Sampler = Literal["tpe", "cmaes", "nsga2", "random", "grid"]
"""Optuna's: tree-structured Parzen estimator, CMA-ES, NSGA-II (several objectives), random, grid."""

MEAN = "mean"


def _pair(given: Any) -> Any:
    """`[low, high]`, the short form of a range."""
    if isinstance(given, list) and len(given) == 2 and all(isinstance(one, int | float) for one in given):
        return {"low": given[0], "high": given[1]}
    return given


class Range(Spec):
    """A number from `low` to `high`: one for the merge, or one for each expert; a gradient of `layers` points if given.

    `steps` is how many values a grid has of it.
    """

    low: float
    high: float
    each: bool = False
    layers: Annotated[int, Field(ge=2)] | None = None
    steps: Annotated[int, Field(ge=2)] = 5

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"the range from {self.low:g} to {self.high:g} is empty: give the smaller number first")
        return self


class Choice(Spec):
    """One of some values: one for the merge, or one for each expert."""

    values: Annotated[list[Scalar], Field(min_length=1)]
    each: bool = False


Dimension = Annotated[
    Range | Choice, BeforeValidator(_pair, json_schema_input_type=Range | Choice | tuple[float, float])
]


READ_BY = {"risk": ("approximate", "halving"), "alpha": ("strict",), "budget": ("halving",)}
"""The modes of a race that read a setting; what no mode names is read by all."""


class Race(Spec):
    """How a candidate that is behind is stopped before it has answered every item (workbench/scoring/racing).

    `strict` stops the best candidate of the whole search with probability `alpha` at most; `approximate` compares each
    with the leader at level `risk`, which costs much less and promises nothing. `halving` takes all candidates through
    the rounds side by side, and stops the worst as well, so that at most `budget` of all items is asked. `first` is the
    share of each task's items in the first round, `factor` its growth from round to round.
    """

    mode: Literal["approximate", "strict", "halving"] = "approximate"
    first: Annotated[float, Field(gt=0, le=1)] = 0.2
    factor: Annotated[float, Field(gt=1)] = 3.0
    risk: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    budget: Annotated[float, Field(gt=0, le=1)] = 0.55

    @model_validator(mode="after")
    def _reads_what_is_given(self) -> Self:
        for name, modes in READ_BY.items():
            if name in self.model_fields_set and self.mode not in modes:
                raise ValueError(
                    f"'mode: {self.mode}' does not read '{name}' (it is for {' and '.join(modes)}): take it away"
                )
        return self


class SearchSpec(Spec):
    """Merges of one method, declared as a candidate is, and the `space` of the numbers that are looked for.

    `switches` lets every expert be left out. `budget` counts candidates, `minutes` the time that all processes take;
    either ends the search. `objectives` are `mean` and columns of the validation suite. Methods that draw are judged by
    the mean of `draws` seeds. `baselines` scores linear merging and task arithmetic with small weights first: what a
    search has to beat. `race: false` asks every candidate every item.
    """

    merge_method: str
    models: list[Entry] | Each
    base_model: str | None = None
    parameters: dict[str, Any] = {}
    variant: Literal["mergekit", "paper"] = "mergekit"
    dtype: Dtype = "float32"
    out_dtype: Dtype = "bfloat16"
    space: dict[str, Dimension] = {}
    switches: bool = False
    sampler: Sampler = "tpe"
    objectives: Annotated[list[str], Field(min_length=1)] = [MEAN]
    budget: Annotated[int, Field(gt=0)] | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None
    draws: Annotated[int, Field(ge=3)] = 3
    baselines: bool = True
    race: Race | Literal[False] = Race()
    seed: int

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        method = METHODS.get(self.merge_method)
        if method is None:
            raise ValueError(f"unknown merge method '{self.merge_method}'. {did_you_mean(self.merge_method, METHODS)}")
        if not method.kernel:
            raise ValueError(f"'{method.name}' is computed by mergekit, on disk: searches take methods of our kernels")
        problems = [
            f"'{method.name}' has no parameter '{name}'. {did_you_mean(name, {*method.each, *method.shared})}"
            for name in self.space
            if name not in {*method.each, *method.shared}
        ]
        problems += [
            f"'{name}' is a parameter of the whole merge: take 'each' away"
            for name, dimension in self.space.items()
            if dimension.each and name in method.shared
        ]
        problems += [
            f"'{name}' is looked for and given: take one away" for name in self.space if name in self.parameters
        ]
        given = self.models.parameters if isinstance(self.models, Each) else {}
        listed = [] if isinstance(self.models, Each) else self.models
        problems += [
            f"'{method.name}' needs '{name}': give it in 'parameters', of each model, or look for it in 'space'"
            for name, parameter in {**method.each, **method.shared}.items()
            if parameter.required
            and name not in {*self.space, *self.parameters, *given}
            and not (listed and all(name in entry.parameters for entry in listed))
        ]
        if not self.space and not self.switches:
            problems.append("the search space is empty: give at least one range in 'space', or 'switches: true'")
        if self.budget is None and self.minutes is None:
            problems.append("give a 'budget' in candidates, or 'minutes'")
        if (len(self.objectives) > 1) != (self.sampler == "nsga2"):
            problems.append("several objectives go with 'sampler: nsga2', and nsga2 with several objectives")
        if self.objectives[0] != MEAN:
            problems.append(f"the first objective is '{MEAN}', by which the winner is chosen")
        if self.side_by_side and (self.sampler not in ("grid", "random") or self.budget is None):
            problems.append(
                "'mode: halving' takes candidates that are all known at the start: give 'sampler: grid' or 'random', "
                "and a 'budget' in candidates"
            )
        if self.side_by_side and self.minutes is not None:
            problems.append("'mode: halving' ends with its 'budget': take 'minutes' away")
        if len(self.objectives) > 1 and self.race is not False and "race" in self.model_fields_set:
            problems.append("with several objectives every candidate is asked every item: take 'race' away")
        if self.sampler == "cmaes" and not any(isinstance(one, Range) for one in self.space.values()):
            problems.append("'sampler: cmaes' moves numbers: give at least one range")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def side_by_side(self) -> bool:
        """Whether all candidates are raced at once, not each against the best so far."""
        return self.race is not False and self.race.mode == "halving"
