"""Upper bounds of how far a candidate can be ahead of the leader, from the items that both have answered.

The difference is that of the scores over all items, (1/K) sum_t mean_i d_ti, where d_ti in [-1, 1] is candidate minus
leader on item i of task t. Items are a finite set, drawn without replacement; only the order of drawing is random.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from workbench.scoring.racing.schedule import Floats, Schedule
from workbench.scoring.racing.settings import Settings

Bound: TypeAlias = Callable[[Floats, int], Floats]
"""Differences to the leader (candidates, items) and the round, from 0 -> upper bounds (candidates)."""

STAKES = (0.03, 0.06, 0.12, 0.24, 0.48)
"""Bets on the first item of a task of average length. The bound averages over them, so none has to be right."""
LARGEST_STAKE = 0.75
"""Of what is lost when an item goes against the bet: at 1 a single one would ruin it."""


def bound_of(schedule: Schedule, settings: Settings, alpha: float) -> Bound:
    """The bound of a mode: at level `alpha` in `strict` mode, at the settings' own risk in `halving`."""
    return anytime(schedule, alpha) if settings.mode == "strict" else approximate(schedule, settings.risk)


def approximate(schedule: Schedule, risk: float) -> Bound:
    """The normal bound at one-sided level `risk` for a single comparison; a guarantee for none.

    The estimate of a stratified sample without replacement and its variance, (1/K^2) sum_t (1 - m_t/n_t) s_t^2 / m_t
    (Cochran, Sampling Techniques, 1977, ch. 5), normal by the central limit theorem for finite populations (Hajek
    1960). s_t^2 is the mean of d^2 and not of its deviations, as in McNemar's test: the variance if the two were
    equal, which does not vanish when the first few items all go one way.
    """
    quantile = NormalDist().inv_cdf(1 - risk)

    def bound(differences: Floats, number: int) -> Floats:
        parts = zip(schedule.drawn(number), schedule.asked(number), schedule.sizes, strict=True)
        variances = [(1 - m / n) / m * np.square(differences[:, drawn]).mean(axis=1) for drawn, m, n in parts]
        error = np.sqrt(np.sum(variances, axis=0)) / len(variances)
        return np.asarray(schedule.score(differences, number) + quantile * error)

    return bound


def anytime(schedule: Schedule, alpha: float) -> Bound:
    """The bound that holds for one pair in all rounds at once with probability 1 - `alpha`, whatever the values.

    Leave out the tasks for a moment. With y = -d, the conditional mean of the next of n items after i are drawn is
    C = (n mu - sum of those drawn) / (n - i), and for a bet 0 <= b < 1 that was fixed before,

        E exp(b y - psi(b) y^2) <= 1 + b C <= exp(b C),    psi(b) = -log(1 - b) - b,

    by the inequality exp(b y - psi(b) y^2) <= 1 + b y for y >= -1 (Fan, Grama and Liu 2015; the empirical Bernstein
    supermartingale of Howard et al. 2021, and of Waudby-Smith and Ramdas, NeurIPS 2020, for sampling without
    replacement). So the product over items of exp(b (y - C) - psi(b) y^2) is a nonnegative supermartingale from 1 in
    whatever order tasks are drawn, their orders being independent; so is the mean of several, with other bets; by
    Ville's inequality it ever exceeds 1 / alpha with probability alpha at most, in no matter how many rounds. The
    lowest mean of y at which it does not is the bound.

    Bets are fixed before the first draw. They grow as 1 / (n - i), which gives the width its factor sqrt(1 - m/n), and
    are scaled within a round so that the coefficients of all open tasks' means are the same: then the product depends
    on these means through their sum alone, which is what is bounded. The mean of a task whose items have all been
    asked is known, and is put in as it is.
    """
    rounds = range(len(schedule.rounds) - 1)
    bets = [_Bets(schedule, stake, len(rounds)) for stake in STAKES]
    threshold = float(np.log(len(STAKES) / alpha))

    def bound(differences: Floats, number: int) -> Floats:
        if number not in rounds:
            return schedule.score(differences, number)
        lines = [bet.line(-differences, number) for bet in bets]
        heights, slopes = np.array([height for height, _ in lines]), np.array([slope for _, slope in lines])
        return -_lowest(heights, slopes[:, None], threshold)

    return bound


class _Bets:
    """One stake's bets on every item, and what they have won by the end of a round."""

    def __init__(self, schedule: Schedule, stake: float, rounds: int) -> None:
        self._schedule = schedule
        self._bets = np.zeros(schedule.total)
        self._left = np.concatenate([np.arange(n, 0, -1.0) for n in schedule.sizes])
        self._sizes = np.repeat(np.asarray(schedule.sizes, float), schedule.sizes)
        for number in range(rounds):
            self._bet(stake, number)

    def _bet(self, stake: float, number: int) -> None:
        """Fix the bets on the items of a round; on those of a task that it completes, none."""
        before, after = self._schedule.drawn(number - 1), self._schedule.drawn(number)
        tasks = zip(before, after, self._schedule.slices, strict=True)
        fresh = [slice(old.stop, new.stop) for old, new, task in tasks if new.stop < task.stop]
        if not fresh:
            return
        growth = [(self._sizes[items] / self._left[items] ** 2).sum() for items in fresh]
        for items, own in zip(fresh, growth, strict=True):
            self._bets[items] = stake * np.mean(self._schedule.sizes) / self._left[items] * np.mean(growth) / own
        largest = max(self._bets[items].max() for items in fresh)
        for items in fresh:
            self._bets[items] *= min(1.0, LARGEST_STAKE / largest)

    def line(self, values: Floats, number: int) -> tuple[Floats, float]:
        """Height and slope of a line: the log of what was won by the end of a round if the mean of all values is x.

        It is height - slope x; the larger, the less believable is x. Values (candidates, items) -> heights
        (candidates) and the one slope.
        """
        heights, slope, known = np.zeros(len(values)), 0.0, 0
        for task, drawn in zip(self._schedule.slices, self._schedule.drawn(number), strict=True):
            bets, y = self._bets[drawn], values[:, drawn]
            past = np.cumsum(y, axis=1) - y
            heights += y @ bets + past @ (bets / self._left[drawn]) - np.square(y) @ (-np.log1p(-bets) - bets)
            weight = float((bets * self._sizes[drawn] / self._left[drawn]).sum())
            if drawn.stop < task.stop:
                slope = weight
            else:
                heights -= weight * y.mean(axis=1)
                known = known + y.mean(axis=1)
        return heights + slope * known, slope * len(self._schedule.sizes)


def _lowest(heights: Floats, slopes: Floats, threshold: float) -> Floats:
    """The lowest x in [-1, 1] at which log sum exp(height - slope x) is below the threshold, by bisection.

    Heights (stakes, candidates), slopes (stakes, 1).
    """
    low, high = np.full(heights.shape[1], -1.0), np.full(heights.shape[1], 1.0)
    for _ in range(40):
        middle = (low + high) / 2
        believable = np.logaddexp.reduce(heights - slopes * middle, axis=0) < threshold
        low, high = np.where(believable, low, middle), np.where(believable, middle, high)
    return low
