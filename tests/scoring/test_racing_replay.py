"""What racing saves and what it misses, on simulated tables. The tables and the order of items are seeded."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.scoring.racing.replay import replay
from workbench.scoring.racing.settings import Settings
from workbench.scoring.racing.simulated import Simulation

SIXTEEN = list(np.linspace(0, 0.06, 16))
UNLIKE = [50, 64, 77, 91, 105, 118, 132, 145, 159, 173, 186, 200]
CLOSE = Simulation(UNLIKE, SIXTEEN)


def test_simulated_answers_have_the_correlation_and_the_means_that_they_are_drawn_with():
    table = Simulation([40_000], [0.0, 0.1], correlation=0.7, taste=0, chances=(0.45, 0.45)).table(0)
    values = np.array([table[name]["t0"] for name in table])
    assert sorted(values.mean(axis=1)) == pytest.approx([0.45, 0.55], abs=0.01)
    assert np.corrcoef(values)[0, 1] == pytest.approx(0.7, abs=0.03)
    assert Simulation([5], [0, 0]).table(1) == Simulation([5], [0, 0]).table(1) != Simulation([5], [0, 0]).table(2)


def test_halving_finds_the_exhaustive_winner_in_nine_of_ten_for_half_of_the_items():
    found = replay((CLOSE.table(seed) for seed in range(50)), Settings(), [0])
    assert found.races == 50
    assert found.same_winner >= 0.9
    assert found.mean_share <= 0.5
    assert found.largest_share <= Settings().budget
    assert found.mean_regret < 0.001


def test_whether_one_table_is_decided_alike_by_all_seeds_hangs_on_how_close_its_best_are():
    tables = [Simulation(UNLIKE, [0.0, 0.01, 0.02, ahead]).table(3) for ahead in (0.022, 0.06)]
    close, apart = (replay([table], Settings(), range(20)) for table in tables)
    assert close.same_winner < apart.same_winner == 1
    assert max(close.mean_regret, apart.mean_regret) < 0.002


def test_a_winner_that_is_the_equal_of_the_exhaustive_one_is_the_same():
    rng = np.random.default_rng(0)
    equals = {name: {"t": rng.permutation([1.0] * 40 + [0.0] * 60).tolist()} for name in "abcdefgh"}
    found = replay([equals], Settings(budget=0.3), range(10))  # stops the first listed now and then
    assert (found.same_winner, found.mean_regret) == (1, pytest.approx(0, abs=1e-12))


def test_easy_races_cost_far_less_than_the_budget():
    easy = Simulation(UNLIKE, [0.0] * 15 + [0.2])
    found = replay((easy.table(seed) for seed in range(20)), Settings(), [0])
    assert found.same_winner == 1
    assert found.mean_share < 0.3


def test_hard_races_keep_the_budget_and_lose_next_to_nothing():
    hard = Simulation(UNLIKE, [0.0] * 16, taste=0)
    found = replay((hard.table(seed) for seed in range(20)), Settings(budget=0.4), [0])
    assert found.largest_share <= 0.4
    assert found.same_winner < 0.9  # nobody can tell them apart, and no guarantee is claimed
    assert found.mean_regret < 0.005


@pytest.mark.parametrize(
    "simulation",
    [
        Simulation([30, 60, 45], [0.0, 0.0, 0.0, 0.0], taste=0),
        Simulation([60, 30], [0.0, 0.05, 0.1, 0.3], correlation=0.2),
        Simulation([80, 20, 20], [0.0, 0.01, 0.02], correlation=0.9, chances=(0.02, 0.1)),
    ],
)
def test_strict_misses_the_exhaustive_winner_in_at_most_alpha_of_the_races(simulation):
    # More than 500 races over the three; a large alpha, so that bounds would stop the wrong one if they could.
    tables = [simulation.table(seed) for seed in range(35)]
    found = replay(tables, Settings(mode="strict", alpha=0.3), range(5))
    assert found.races == 175
    assert found.same_winner >= 0.7
    assert found.mean_share < 1
    # Looking every round at a bound that holds for one look, and is right nine times of ten, goes wrong on these.
    assert replay(tables, Settings(budget=1, risk=0.1), range(2)).same_winner < found.same_winner


def test_strict_saves_items_where_candidates_are_apart():
    apart = Simulation([200] * 6, list(np.linspace(0, 0.2, 8)))
    found = replay((apart.table(seed) for seed in range(10)), Settings(mode="strict"), [0])
    assert found.same_winner == 1
    assert found.mean_share < 0.7
