"""Whether a target is what greedy decoding takes, found without looking for the largest logit everywhere; log-sums."""

from __future__ import annotations

import pytest
import torch

from workbench.scoring.tree import is_greedy, log_sum

FOUND = torch.tensor([[1.0, 3.0, 3.0], [3.0, 1.0, 2.0], [0.0, 0.0, 1.0], [2.0, 2.0, 2.0]])


def test_of_equal_logits_the_first_is_taken_as_argmax_does() -> None:
    of, goal = torch.tensor([0, 0, 1, 2, 3]), torch.tensor([1, 2, 1, 2, 0])
    assert is_greedy(FOUND, of, goal).tolist() == [True, False, False, True, True]
    assert is_greedy(FOUND, of, goal).equal(FOUND.argmax(-1)[of] == goal)


def test_no_target_reaches_the_largest() -> None:
    assert is_greedy(torch.tensor([[1.0, 2.0]]), torch.tensor([0]), torch.tensor([0])).tolist() == [False]


@pytest.mark.parametrize("shift", [0.0, 80.0, -300.0])
def test_log_sums_are_torchs(shift: float) -> None:
    found = 20 * torch.randn(7, 5000, generator=torch.Generator().manual_seed(1)) + shift
    torch.testing.assert_close(log_sum(found), torch.logsumexp(found, -1), rtol=1e-6, atol=1e-5)
