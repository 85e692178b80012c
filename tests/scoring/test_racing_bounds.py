"""Bounds are checked over every order in which a small set can be drawn, and over many races on large ones."""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest

from workbench.scoring.racing.bounds import STAKES, _Bets, anytime, approximate
from workbench.scoring.racing.schedule import Schedule, schedule
from workbench.scoring.racing.settings import Settings

RARE_LOSS = ([1.0, 0.0, -1.0, 0.0, 1.0], [-1.0, 1.0, 0.0])
POPULATIONS = [
    RARE_LOSS,
    ([-1.0, -1.0, -1.0, 1.0], [1.0, 1.0, -1.0, -1.0]),
    ([0.3, -0.2, 0.9, 0.1], [0.0, 0.0, 0.0, 1.0]),
    ([0.5, -1.0, 1.0, -1.0, 0.2], [1.0, -0.3]),  # the second task is known after the first round
]


def in_rounds(*rounds: tuple[int, ...]) -> Schedule:
    """Tasks t0, t1, ... of which so many items are asked by the end of each round, in the order given."""
    order = {f"t{i}": range(n) for i, n in enumerate(rounds[-1])}
    return Schedule(order, [{f"t{i}": n for i, n in enumerate(asked)} for asked in rounds])


def sizes_of(population: tuple[list[float], ...]) -> tuple[int, ...]:
    return tuple(len(values) for values in population)


def every_order(population: tuple[list[float], ...]) -> np.ndarray:
    """Each order of each task with each of the others: (orders, items)."""
    orders = itertools.product(*(itertools.permutations(values) for values in population))
    return np.array([list(itertools.chain(*order)) for order in orders])


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("stake", [*STAKES, 5.0])
def test_what_a_bet_wins_is_at_most_one_on_average_over_every_order(population, stake):
    sizes = sizes_of(population)
    plan = in_rounds((2, 2), (3, min(3, sizes[1])), sizes)
    bets, drawn = _Bets(plan, stake, 2), every_order(population)
    truth = np.mean([np.mean(values) for values in population])
    for number in (0, 1):
        height, slope = bets.line(drawn, number)
        won = np.exp(height - slope * truth)
        assert np.mean(won) <= 1 + 1e-12
        assert np.ptp(won) > 1e-4  # there was a bet


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.45])
def test_the_anytime_bound_fails_in_any_round_in_at_most_alpha_of_every_order(population, alpha):
    sizes = sizes_of(population)
    plan = in_rounds((2, 2), (3, min(3, sizes[1])), sizes)
    bound, drawn = anytime(plan, alpha), every_order(population)
    truth = np.mean([np.mean(values) for values in population])
    wrong = np.any([bound(drawn, number) < truth for number in (0, 1)], axis=0)
    assert wrong.mean() <= alpha


def test_the_anytime_bound_fails_in_at_most_alpha_of_many_races():
    # Rare items that the leader alone has right, and two tasks of unlike length: what a normal bound gets wrong.
    rng, alpha = np.random.default_rng(3), 0.1
    plan = schedule({"t0": 40, "t1": 120}, Settings())
    population = [np.r_[np.ones(3), np.zeros(37)], np.r_[-np.ones(9), np.zeros(111)]]
    drawn = np.array([np.concatenate([rng.permutation(values) for values in population]) for _ in range(4000)])
    truth = np.mean([values.mean() for values in population])
    bound, rounds = anytime(plan, alpha), range(len(plan.rounds) - 1)
    assert truth == pytest.approx(0.0)
    wrong = np.any([bound(drawn, number) < truth for number in rounds], axis=0)
    normal = approximate(plan, alpha)
    assert wrong.mean() <= alpha
    assert np.mean(np.any([normal(drawn, number) < truth for number in rounds], axis=0)) > alpha


def test_the_anytime_bound_finds_what_is_clear_and_narrows_as_items_are_asked():
    rng = np.random.default_rng(0)
    plan = schedule(dict.fromkeys("abcd", 200), Settings())
    behind = rng.choice([-1.0, 0.0, 1.0], p=[0.25, 0.65, 0.10], size=(1, 800))
    bounds = [float(anytime(plan, 0.01)(behind, number)[0]) for number in range(len(plan.rounds))]
    widths = [bound - float(plan.score(behind, number)[0]) for number, bound in enumerate(bounds)]
    assert bounds[0] > 0 > bounds[-2]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(0)
    assert bounds[-1] == pytest.approx(behind.mean())


def test_the_anytime_bound_is_wider_than_the_normal_one_by_less_than_three_times():
    rng = np.random.default_rng(1)
    plan = schedule(dict.fromkeys("abcdef", 150), Settings())
    values = rng.choice([-1.0, 0.0, 1.0], p=[0.06, 0.88, 0.06], size=(20, 900))
    for number in range(1, len(plan.rounds) - 1):
        means = plan.score(values, number)
        ratio = (anytime(plan, 0.05)(values, number) - means) / (approximate(plan, 0.05)(values, number) - means)
        assert np.all((ratio > 1) & (ratio < 3))


def test_equal_answers_bound_the_difference_from_above_and_never_stop():
    plan = schedule({"t0": 60, "t1": 30}, Settings())
    same = np.zeros((1, 90))
    for number in range(len(plan.rounds) - 1):
        assert 0 < anytime(plan, 0.05)(same, number)[0] <= 1
        assert approximate(plan, 0.05)(same, number)[0] == 0


def test_the_normal_bound_is_that_of_a_stratified_sample():
    plan = in_rounds((4, 2), (10, 5))
    first, second = [1.0, -1.0, 0.0, 0.0], [1.0, 0.0]
    values = np.array([[*first, *[math.nan] * 6, *second, *[math.nan] * 3]])
    variance = ((1 - 4 / 10) * (2 / 4) / 4 + (1 - 2 / 5) * (1 / 2) / 2) / 2**2
    expected = (0 + 0.5) / 2 + NormalDist().inv_cdf(0.95) * math.sqrt(variance)
    assert approximate(plan, 0.05)(values, 0) == pytest.approx([expected])


def test_a_few_items_that_all_go_one_way_do_not_convince_the_normal_bound():
    plan = in_rounds((3,), (30,))
    assert approximate(plan, 0.01)(np.full((1, 30), -1.0), 0)[0] > 0
