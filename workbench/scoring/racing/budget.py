"""How many candidates a race can afford to keep."""

from __future__ import annotations

from itertools import pairwise

from workbench.scoring.racing.schedule import Schedule


def affordable(schedule: Schedule, number: int, alive: int, left: float) -> int:
    """The most candidates, of those `alive` after a round, with which plain successive halving costs at most `left`.

    Plain halving keeps candidates in inverse proportion to the items that each has been asked, so that rounds of the
    same growth cost the same (Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016), and takes two to the end.
    Two are kept whatever they cost.
    """
    totals = [sum(schedule.asked(later)) for later in range(number, len(schedule.rounds))]
    for kept in range(alive, 2, -1):
        cost = sum(max(2, kept * totals[1] // after) * (after - before) for before, after in pairwise(totals))
        if cost <= left:
            return kept
    return min(alive, 2)
