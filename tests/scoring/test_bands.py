"""Which prompts are answered side by side."""

from __future__ import annotations

import itertools

import pytest

from workbench.scoring.bands import Band, Prompt, bands, common


def prompts(*sizes: tuple[str, int]) -> list[Prompt]:
    return [Prompt((n, *(7,) * (length - 4)), 3, group) for n, (group, length) in enumerate(sizes)]


@pytest.mark.parametrize(("rows", "tokens"), [(1, 10**6), (3, 10**6), (8, 100), (8, 1), (100, 10**6)])
def test_every_prompt_is_in_one_band_of_its_group_within_both_bounds(rows: int, tokens: int) -> None:
    asked = prompts(("a", 10), ("b", 30), ("a", 50), ("a", 20), ("b", 30), ("a", 20), ("b", 5))
    found = list(bands(asked, rows, tokens))
    assert sorted(itertools.chain(*(band.prompts for band in found))) == list(range(len(asked)))
    for band in found:
        lengths = [asked[index].length for index in band.prompts]
        assert len({asked[index].group for index in band.prompts}) == 1
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] <= 2 * lengths[-1]
        assert 1 <= band.rows <= rows
        assert band.rows == 1 or band.rows * (lengths[0] - band.common) + band.common <= tokens


def test_a_band_is_as_long_and_as_full_as_it_may_be() -> None:
    asked = prompts(("a", 10), ("a", 40), ("a", 20), ("a", 30))
    assert list(bands(asked, 2, 10**6)) == [Band((1, 3, 2), 2), Band((0,), 2)]
    assert list(bands(asked, 4, 80)) == [Band((1, 3, 2), 2), Band((0,), 4)]
    assert list(bands([], 4, 80)) == []


def test_what_all_prompts_of_a_band_begin_with_takes_its_room_once() -> None:
    beginning = tuple(range(100, 140))
    asked = [Prompt((*beginning, n), 9, "a") for n in range(8)]
    assert list(bands(asked, 100, 90)) == [Band(tuple(range(8)), 5, 40)]


@pytest.mark.parametrize(
    ("texts", "shared"),
    [
        ([tuple(range(40)), tuple(range(30))], 29),  # a token of its own is left to each
        ([tuple(range(40)), (*range(20), 7, 8)], 20),
        ([tuple(range(40)), (*range(10), 7, 8)], 0),  # too few to be worth a pass
        ([tuple(range(40))], 0),
    ],
)
def test_the_common_beginning(texts: list[tuple[int, ...]], shared: int) -> None:
    assert common(texts) == shared
