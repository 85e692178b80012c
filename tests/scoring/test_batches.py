"""Which requests go through the model together."""

from __future__ import annotations

import itertools

import pytest

from workbench.scoring.batches import generation_batches


@pytest.mark.parametrize(("rows", "tokens"), [(1, 10**6), (3, 10**6), (8, 100), (8, 1), (100, 10**6)])
def test_every_request_is_in_one_batch_of_equal_settings_within_both_bounds(rows: int, tokens: int) -> None:
    sizes = [("a", 10), ("b", 30), ("a", 50), ("a", 20), ("b", 30), ("a", 20), ("b", 5)]
    found = list(generation_batches(sizes, rows, tokens))
    assert sorted(itertools.chain(*found)) == list(range(len(sizes)))
    for batch in found:
        assert len({sizes[index][0] for index in batch}) == 1
        assert len(batch) <= rows
        assert len(batch) == 1 or len(batch) * max(sizes[index][1] for index in batch) <= tokens


def test_long_requests_come_first_and_batches_are_as_full_as_they_may_be() -> None:
    sizes = [("a", 10), ("a", 40), ("a", 20), ("a", 30)]
    assert list(generation_batches(sizes, 2, 10**6)) == [[1, 3], [2, 0]]
    assert list(generation_batches(sizes, 4, 80)) == [[1, 3], [2, 0]]
    assert list(generation_batches([], 4, 80)) == []
