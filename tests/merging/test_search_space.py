"""The space of a search: what its axes are, which merge a point stands for, where a search starts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workbench.merging.search.space import Space
from workbench.merging.search.starts import baselines, starts
from workbench.specs.merge import Input
from workbench.specs.search import SearchSpec

MODELS = [{"model": "a"}, {"model": "b"}]


def spec(**given: Any) -> SearchSpec:
    plain = {"merge_method": "ties", "models": MODELS, "space": {"weight": [0.0, 1.0]}, "budget": 5, "seed": 1}
    return SearchSpec.model_validate({**plain, **given})


def space(**given: Any) -> Space:
    return Space(spec(**given), tuple(Input(model=one["model"]) for one in MODELS), "base")


def test_an_axis_for_the_merge_for_each_expert_for_each_layer_and_for_each_switch() -> None:
    found = space(
        space={
            "weight": {"low": 0.1, "high": 0.9, "each": True},
            "lambda": {"low": 0.5, "high": 1.5, "layers": 2},
            "density": {"values": [0.3, 0.7]},
        },
        switches=True,
    )
    assert [axis.name for axis in found.axes] == [
        "weight of a", "weight of b", "lambda at 0", "lambda at 1", "density", "use a", "use b",
    ]  # fmt: skip


def test_a_point_is_a_merge_with_the_numbers_in_their_places() -> None:
    found = space(
        space={"weight": {"low": 0.1, "high": 0.9, "each": True, "layers": 2}, "density": [0.2, 1.0]},
        parameters={"lambda": 1.5},
    )
    point = {"weight of a at 0": 0.2, "weight of a at 1": 0.3, "weight of b at 0": 0.4, "weight of b at 1": 0.5}
    merge = found.merge({**point, "density": 0.6})
    assert [(one.model, one.parameters) for one in merge.models] == [
        ("a", {"weight": [0.2, 0.3]}),
        ("b", {"weight": [0.4, 0.5]}),
    ]
    assert merge.parameters == {"lambda": 1.5, "density": 0.6}
    assert (merge.base_model, merge.out_dtype, merge.seed) == ("base", "bfloat16", None)


def test_an_expert_that_is_switched_off_is_not_in_the_merge() -> None:
    found = space(switches=True, space={"weight": {"low": 0.0, "high": 1.0, "each": True}})
    point = {"weight of a": 0.2, "weight of b": 0.9, "use a": False, "use b": True}
    assert [one.model for one in found.merge(point).models] == ["b"]


def test_without_any_expert_a_point_is_no_merge() -> None:
    found = space(switches=True)
    with pytest.raises(ValueError, match="takes at least 1 model besides the base, 0 given"):
        found.merge({"weight": 0.5, "use a": False, "use b": False})


def test_a_method_that_draws_has_a_seed_a_draw() -> None:
    found = space(merge_method="dare_ties", space={"weight": [0.0, 1.0], "density": [0.2, 1.0]})
    assert found.drawn
    assert found.merge({"weight": 0.5, "density": 0.5}, seed=3).seed == 3
    assert not space().drawn


def test_a_search_starts_at_the_recipes_that_people_use() -> None:
    found = starts(space(space={"weight": [0.0, 1.0], "density": [0.6, 1.0], "lambda": [0.2, 0.8]}))
    assert [point["weight"] for point in found] == [0.5, 0.3, 1.0], "one over the number of experts first, each once"
    assert {(point["density"], point["lambda"]) for point in found} == {(0.6, 0.8)}, "as near as the space has them"


def test_choices_start_at_the_nearest_value_and_switches_on() -> None:
    found = space(space={"density": {"values": [0.1, 0.45, 0.9]}}, parameters={"weight": 1.0}, switches=True)
    [point, *_] = starts(found)
    assert point == {"density": 0.45, "use a": True, "use b": True}


def test_the_baselines_are_merges_of_all_experts_with_small_weights() -> None:
    found = dict(baselines(space()))
    assert list(found) == [
        "linear", "task_arithmetic, weight 0.5", "task_arithmetic, weight 1", "task_arithmetic, weight 1.5",
    ]  # fmt: skip
    assert all([one.model for one in merge.models] == ["a", "b"] for merge in found.values())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"space": {}}, "the search space is empty"),
        ({"space": {"weight": [1.0, 0.5]}}, "from 1 to 0.5 is empty: give the smaller number first"),
        ({"space": {"weigth": [0.0, 1.0]}}, r"'ties' has no parameter 'weigth'\. Did you mean 'weight'"),
        ({"space": {"lambda": {"low": 0.0, "high": 1.0, "each": True}}}, "'lambda' is a parameter of the whole merge"),
        ({"parameters": {"weight": 0.5}}, "'weight' is looked for and given: take one away"),
        ({"space": {"density": [0.2, 0.9]}}, "'ties' needs 'weight': give it in 'parameters', of each model, or look"),
        ({"budget": None}, "give a 'budget' in candidates, or 'minutes'"),
        ({"objectives": ["mean", "icd10cm"]}, "several objectives go with 'sampler: nsga2'"),
        ({"sampler": "nsga2"}, "and nsga2 with several objectives"),
        ({"merge_method": "ram", "space": {"epsilon": [0.1, 0.2]}}, "'ram' is computed by mergekit, on disk"),
        ({"merge_method": "tiess"}, r"unknown merge method 'tiess'\. Did you mean 'ties'"),
        ({"draws": 2}, "greater than or equal to 3"),
        ({"sampler": "cmaes", "space": {"weight": {"values": [0.1]}}}, "give at least one range"),
    ],
)
def test_what_is_no_search_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**given)
