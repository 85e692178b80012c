from __future__ import annotations

import pytest

from workbench.board.recipe import line

A, B = {"model": "a"}, {"model": "b"}


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [
        ({"models": [A, B]}, "ties of a, b"),
        ({"models": [A, B], "parameters": {"weight": 0.5}}, "ties of a, b: weight 0.5"),
        (
            {"models": [{**A, "parameters": {"weight": 0.73125}}, {**B, "parameters": {"weight": 1.0}}]},
            "ties of a, b: weight 0.731, 1",
        ),
        (
            {"models": [{**A, "parameters": {"weight": 0.5}}, {**B, "parameters": {"weight": 0.5}}]},
            "ties of a, b: weight 0.5",
        ),
        ({"models": [{**A, "parameters": {"weight": 0.5}}, B]}, "ties of a, b: weight 0.5, –"),
        (
            {"models": [A], "parameters": {"weight": [0.1, 0.25], "normalize": False, "max_iter": 1000}},
            "ties of a: weight [0.1, 0.25]; normalize false; max_iter 1000",
        ),
        (
            {"models": [A], "parameters": {"weight": [{"filter": "mlp", "value": 0.2}, {"value": 1.0}]}},
            "ties of a: weight [mlp 0.2, others 1]",
        ),
        ({"models": [A], "seed": 7000, "variant": "paper"}, "ties of a: seed 7000; variant paper"),
    ],
)
def test_the_numbers_of_a_merge_in_one_line(recipe, wanted):
    assert line({"merge_method": "ties", **recipe}) == wanted
