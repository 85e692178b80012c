"""Newcomers against the best so far, one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import StepFailed
from workbench.scoring.racing.challenge import Challenge, Leader, challenge
from workbench.scoring.racing.settings import Settings
from workbench.scoring.racing.simulated import Simulation

ITEMS = {"t": 80, "u": 120}


def flat(value: float, other: float | None = None) -> dict[str, list[float]]:
    return {"t": [value] * 80, "u": [value if other is None else other] * 120}


def against(leader: Leader | None, values, settings: Settings = Settings(), number: int = 2) -> Challenge:  # noqa: B008
    def ask(candidate, wanted):
        return {task: [values[task][item] for item in items] for task, items in wanted.items()}

    return challenge("new", leader, ITEMS, ask, settings, number)


def test_the_first_candidate_is_asked_everything_and_leads():
    done = against(None, flat(0.4, 0.6), number=1)
    assert done.leader == Leader("new", pytest.approx(0.5), {"t": (0.4,) * 80, "u": (0.6,) * 120})
    assert done.entry.status == "winner"
    assert len(done.comparisons) == 1


@pytest.mark.parametrize("mode", ["halving", "strict"])
def test_who_is_clearly_behind_is_stopped_early(mode):
    leader = Leader("old", 0.9, flat(0.9))
    done = against(leader, flat(0.1), Settings(mode=mode))
    assert done.entry.status == "stopped"
    assert sum(done.entry.items.values()) < 100
    assert done.leader is leader
    assert done.entry.last is not None
    assert done.entry.last.bound < 0
    assert done.entry.reason.startswith(f"stopped by bound in round {done.entry.round}, 0.8000 behind old; ")


@pytest.mark.parametrize("mode", ["halving", "strict"])
def test_who_is_ahead_takes_the_lead_on_all_items(mode):
    done = against(Leader("old", 0.5, flat(0.5)), flat(0.51), Settings(mode=mode))
    assert done.leader is not None
    assert (done.leader.candidate, done.leader.score) == ("new", pytest.approx(0.51))
    assert done.entry.items == ITEMS


def test_a_tie_leaves_the_lead_with_the_earlier():
    leader = Leader("old", 0.5, flat(0.4, 0.6))
    done = against(leader, flat(0.6, 0.4), Settings(mode="strict"))
    assert (done.leader, done.entry.status) == (leader, "finished")


def test_items_are_paired_by_their_numbers():
    values = {"t": [i / 80 for i in range(80)], "u": [i / 120 for i in range(120)]}
    done = against(Leader("old", 0.5, values), values)
    assert [one.difference for one in done.comparisons] == [0.0] * len(done.comparisons)


def test_every_newcomer_is_asked_in_an_order_of_its_own_that_the_seed_decides():
    def asked(number: int, seed: int) -> list[int]:
        items: list[int] = []

        def ask(candidate, wanted):
            for numbers in wanted.values():
                items.extend(numbers)
            return {task: [0.5] * len(numbers) for task, numbers in wanted.items()}

        challenge("new", Leader("old", 0.5, flat(0.5)), ITEMS, ask, Settings(seed=seed), number)
        return items

    assert asked(2, 0) == asked(2, 0)
    assert len({tuple(asked(number, seed)) for number in (2, 3) for seed in (0, 1)}) == 4


def test_a_failure_is_recorded_and_the_leader_stays():
    def ask(candidate, wanted):
        raise StepFailed("model.norm has a NaN")

    leader = Leader("old", 0.5, flat(0.5))
    done = challenge("new", leader, ITEMS, ask, Settings(), 2)
    assert (done.entry.status, done.entry.reason, done.entry.round) == ("failed", "model.norm has a NaN", 0)
    assert done.leader is leader
    assert challenge("new", None, ITEMS, ask, Settings(), 1).leader is None


def test_later_newcomers_need_clearer_evidence_in_strict_mode_alone():
    # All items differ alike, so that their order changes nothing.
    leader, close = Leader("old", 0.6, flat(0.6)), flat(0.3)
    strict, halving = (
        [against(leader, close, Settings(mode=mode), number).comparisons[0] for number in (1, 10_000)]
        for mode in ("strict", "halving")
    )
    assert strict[0].bound < strict[1].bound
    assert halving[0] == halving[1]


@pytest.mark.parametrize("mode", ["halving", "strict"])
def test_one_at_a_time_chooses_as_exhaustive_scoring_does_for_less(mode):
    table = Simulation([150] * 8, list(np.linspace(0, 0.1, 12))).table(4)
    items, leader, asked = dict.fromkeys(table["c0"], 150), None, 0

    def ask(candidate, wanted):
        return {task: [table[candidate][task][item] for item in numbers] for task, numbers in wanted.items()}

    for number, name in enumerate(table, 1):
        done = challenge(name, leader, items, ask, Settings(mode=mode), number)
        leader, asked = done.leader, asked + sum(done.entry.items.values())
    assert leader is not None
    assert leader.candidate == max(table, key=lambda name: np.mean([np.mean(v) for v in table[name].values()]))
    assert asked < 0.85 * 12 * 8 * 150
