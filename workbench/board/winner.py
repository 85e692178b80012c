"""How far the validation score of a chosen candidate can be trusted, given that it was chosen for that score.

Items are taken as a sample of those that could have been asked; tasks are fixed. All candidates answered the same
items, so what is resampled is items, task by task and for all candidates at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from workbench.board.numbers import count, score
from workbench.board.summary import TIE
from workbench.errors import UserError

Values: TypeAlias = Mapping[str, Mapping[str, Mapping[int, float]]]
"""Candidate -> task -> item -> value; validation only."""
Floats: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class RunnerUp:
    """A candidate that may be as good as the winner: how far it is behind, and the paired standard error of that."""

    model: str
    behind: float
    stderr: float


@dataclass(frozen=True)
class Winner:
    """The best of the candidates, and what its score is worth.

    Attributes:
        model: Its name.
        estimate: Its mean over all validation items, tasks weighing the same: the best of many, so optimistic.
        interval: Where its mean over all items that could be asked lies, at `level`, though it was chosen by these.
        corrected: What a choice by this many items is worth on items that it has not seen.
        level: Of the interval and of the runners-up.
        tried: Candidates of whom any item was asked.
        compared: Those of them that answered every item and could be chosen.
        runners_up: Those of them that cannot be told apart from the best, nearest first.
    """

    model: str
    estimate: float
    interval: tuple[float, float]
    corrected: float
    level: float
    tried: int
    compared: int
    runners_up: tuple[RunnerUp, ...]


def winner(
    values: Values, eligible: Sequence[str] | None = None, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Winner:
    """The eligible candidate with the highest mean; on a tie the one named first.

    `interval` is simultaneous: it covers the means of all candidates at once, so also that of whichever is chosen
    (Berk et al. 2013, Valid post-selection inference). Its width is the quantile of the largest studentised deviation
    over candidates in the bootstrap (Westfall and Young 1993; Romano and Wolf 2005); where racing stopped candidates
    early, whose deviations are not known, that of a normal variable at level 1 - (1 - level) / (2 tried).

    `corrected` is BBC-CV (Tsamardinos, Greasidou and Borboudakis 2018): each draw chooses the best of its items and
    scores it on the items that it left out. It is a little pessimistic, as a draw holds 63 % of the items, and knows
    nothing of candidates that racing stopped.

    A runner-up is one for which the hypothesis that nobody is better is not rejected, by the largest studentised paired
    difference over the others; so the best is among winner and runners-up with probability `level` (multiple
    comparisons with the best, Hsu 1981; the model confidence set of Hansen, Lunde and Nason 2011 is kin).

    Args:
        values: Of every candidate that was tried. Those that lack an item which another has answered cannot win.
        eligible: Who may be chosen, in order of preference; all if not given.
        level: Coverage, 0 to 1.
        draws: Bootstrap samples.
        seed: Of the bootstrap.

    Raises:
        UserError: no eligible candidate answered every item.
    """
    names = _complete(values, list(values) if eligible is None else eligible)
    tasks = _tables(values, names)
    means = np.mean([table.mean(axis=1) for table in tasks], axis=0)
    best = int(np.argmax(means >= means.max() - TIE))
    drawn, left_out = _resampled(tasks, draws, seed)
    width = _width(drawn - means, _stderr(tasks), level, len(names) < len(values), len(values))[best]
    close = [i for i in range(len(names)) if i != best and _may_be_best(i, tasks, means, drawn, level)]
    return Winner(
        model=names[best],
        estimate=float(means[best]),
        interval=(float(means[best] - width), float(means[best] + width)),
        corrected=float(left_out[np.arange(draws), drawn.argmax(axis=1)].mean()),
        level=level,
        tried=len(values),
        compared=len(names),
        runners_up=tuple(
            RunnerUp(names[i], float(means[best] - means[i]), float(_stderr([t[best] - t[i] for t in tasks])))
            for i in sorted(close, key=lambda i: -means[i])
        ),
    )


def sentences(found: Winner) -> tuple[str, ...]:
    """What to say of the number beside the choice."""
    low, high = found.interval
    others = found.compared - 1
    lines = [
        f"{found.level:.0%} interval of its mean, corrected for {count(found.tried, 'candidate')} tried: "
        f"{score(low)} to {score(high)}",
        f"a choice like this one scores {score(found.corrected)} on validation items that it has not seen",
    ]
    if found.runners_up:
        named = ", ".join(one.model for one in found.runners_up[:3])
        more = f" and {len(found.runners_up) - 3} more" if len(found.runners_up) > 3 else ""
        lines.append(f"{len(found.runners_up)} of the {others} others cannot be told apart from it: {named}{more}")
    return tuple(lines if found.tried > 1 else lines[:1])


def _complete(values: Values, eligible: Sequence[str]) -> list[str]:
    items = {(task, item) for tasks in values.values() for task, of in tasks.items() for item in of}
    known = {name: {(task, item) for task, of in values.get(name, {}).items() for item in of} for name in eligible}
    complete = [name for name in dict.fromkeys(eligible) if items and known[name] == items]
    if not complete:
        most = max((len(found) for found in known.values()), default=0)
        raise UserError(
            f"None of {count(len(known), 'candidate')} has answered all {len(items)} validation items; the most that "
            f"one has is {most}. Score at least one candidate on all of them."
        )
    return complete


def _tables(values: Values, names: Sequence[str]) -> list[Floats]:
    """One (candidates, items) array a task, items in the same order for all."""
    first = values[names[0]]
    return [np.array([[values[name][task][item] for item in first[task]] for name in names]) for task in first]


def _stderr(tasks: Sequence[Floats]) -> Floats:
    """Standard error of the mean over tasks; (..., items) a task -> (...). A task of one item adds nothing."""
    variances = [table.var(axis=-1, ddof=min(1, table.shape[-1] - 1)) / table.shape[-1] for table in tasks]
    return np.asarray(np.sqrt(np.sum(variances, axis=0)) / len(tasks))


def _resampled(tasks: Sequence[Floats], draws: int, seed: int) -> tuple[Floats, Floats]:
    """Means over tasks of the items of each draw and of those it left out, twice (draws, candidates).

    Where a draw left out none of a task's few items, its own stand in.
    """
    rng = np.random.default_rng(seed)
    drawn, left_out = [], []
    for table in tasks:
        size = table.shape[1]
        picks = rng.integers(size, size=(draws, size)) + size * np.arange(draws)[:, None]
        times = np.bincount(picks.ravel(), minlength=draws * size).reshape(draws, size).astype(float)
        missed = (times == 0).astype(float)
        number = missed.sum(axis=1, keepdims=True)
        drawn.append(times @ table.T / size)
        left_out.append(np.where(number > 0, missed @ table.T / np.maximum(number, 1), drawn[-1]))
    return np.mean(drawn, axis=0), np.mean(left_out, axis=0)


def _width(deviations: Floats, stderrs: Floats, level: float, stopped: bool, tried: int) -> Floats:
    """Half the interval of each candidate."""
    if stopped:
        return NormalDist().inv_cdf(1 - (1 - level) / (2 * tried)) * stderrs
    largest = _studentised(np.abs(deviations), stderrs).max(axis=1)
    return np.asarray(np.quantile(largest, level, method="higher") * stderrs)


def _may_be_best(one: int, tasks: Sequence[Floats], means: Floats, drawn: Floats, level: float) -> bool:
    """Whether no other is ahead of a candidate by more than chance makes the luckiest of them."""
    stderrs = _stderr([table - table[one] for table in tasks])
    ahead = means - means[one]
    by_chance = _studentised(drawn - drawn[:, [one]] - ahead, stderrs).max(axis=1)
    return bool(_studentised(ahead, stderrs).max() <= np.quantile(by_chance, level, method="higher"))


def _studentised(differences: Floats, stderrs: Floats) -> Floats:
    """Differences in standard errors; without any error, 0 for rounding and infinite for more."""
    certain = np.where(np.abs(differences) <= TIE, 0.0, np.copysign(np.inf, differences))
    return np.where(stderrs > 0, differences / np.where(stderrs > 0, stderrs, 1), certain)
