"""What greedy decoding takes, told from logits."""

from __future__ import annotations

import torch

from workbench.scoring.tree import is_greedy


def test_of_equal_logits_the_first_is_taken_as_argmax_does() -> None:
    found = torch.tensor([[1.0, 3.0, 3.0], [1.0, 3.0, 3.0], [3.0, 1.0, 2.0], [0.0, 0.0, 1.0], [2.0, 2.0, 2.0]])
    goal = torch.tensor([1, 2, 1, 2, 0])
    assert is_greedy(found, goal).tolist() == [True, False, False, True, True]
    assert is_greedy(found, goal).equal(found.argmax(-1) == goal)


def test_no_target_reaches_the_largest() -> None:
    assert is_greedy(torch.tensor([[1.0, 2.0]]), torch.tensor([0])).tolist() == [False]
