"""A race one candidate at a time: a newcomer against the best so far, whose answers to all items are known.

What a search needs, which makes the next candidate from the scores of the last ones. Who stays in front is the winner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.scoring.racing.answers import Answers, Ask, Values
from workbench.scoring.racing.bounds import Bound, bound_of
from workbench.scoring.racing.race import TIE
from workbench.scoring.racing.record import Comparison, Entry, Status, Verdict, why_stopped
from workbench.scoring.racing.schedule import Schedule, schedule
from workbench.scoring.racing.settings import Settings


@dataclass(frozen=True)
class Leader:
    """The best so far: its name, its score over all items, and task -> value of every item."""

    candidate: str
    score: float
    values: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Challenge:
    """How a newcomer fared: its entry, its comparison in each round, its answers, and who leads from now on.

    The entry's status is `winner` if the newcomer leads now, for as long as no later one takes the lead. `leader` is
    None as long as every candidate failed.
    """

    entry: Entry
    comparisons: tuple[Comparison, ...]
    values: Values
    leader: Leader | None


def challenge(
    candidate: str, leader: Leader | None, items: Mapping[str, int], ask: Ask, settings: Settings, number: int
) -> Challenge:
    """Ask a candidate round by round until its bound says that it cannot beat the leader, or to the end.

    Every newcomer has an order of items of its own, drawn after it was made. In one order for all, a search would learn
    which candidates do well on the first items, and no bound would hold for what it makes next.

    With no leader yet it is asked everything. It takes the lead by a higher score over all items; on a tie the earlier
    one keeps it. The settings' budget does not apply: it would have to know who is still to come.

    Args:
        candidate: Its name.
        leader: The best so far, over the same items.
        items: Task -> number of items.
        ask: Asks the candidate.
        settings: The same for all candidates, seed included; the order hangs on it and on `number`.
        number: The how-manieth candidate it is, from 1. In `strict` mode its bound is at level
            alpha / (number (number + 1)). Over all candidates, however many come, these levels add up to alpha: with
            probability 1 - alpha nobody is stopped who would have taken the lead.

    Raises:
        UserError: there is no item, or a value is not within 0 to 1.
    """
    plan = schedule(items, settings, f"-{number}")
    answers = Answers(plan, ask)
    comparisons: list[Comparison] = []
    rounds = range(len(plan.rounds)) if leader else range(len(plan.rounds) - 1, len(plan.rounds))
    bound = bound_of(plan, settings, settings.alpha / (number * (number + 1)))
    for one in rounds:
        if not answers.up_to(one, candidate):
            break
        comparisons.append(_compare(candidate, leader, answers, plan, bound, one))
        if comparisons[-1].verdict == "stopped by bound":
            break
    return _decided(candidate, leader, answers, comparisons, rounds.start)


def _compare(
    candidate: str, leader: Leader | None, answers: Answers, plan: Schedule, bound: Bound, number: int
) -> Comparison:
    values = answers.rows([candidate])
    score = float(plan.score(values, number)[0])
    if leader is None:
        return Comparison(candidate, score, 0.0, 0.0, "leads")
    best = np.concatenate([np.asarray(leader.values[task])[list(order)] for task, order in plan.order.items()])
    behind = values - best
    difference, most = float(plan.score(behind, number)[0]), float(bound(behind, number)[0])
    return Comparison(candidate, score, difference, most, _verdict(difference, most, number == len(plan.rounds) - 1))


def _verdict(difference: float, most: float, last: bool) -> Verdict:
    if last:
        return "leads" if difference > TIE else "finished"
    return "stopped by bound" if most < 0 else "goes on"


def _decided(
    candidate: str, leader: Leader | None, answers: Answers, comparisons: Sequence[Comparison], first: int
) -> Challenge:
    last = comparisons[-1] if comparisons else None
    number = first + len(comparisons) if comparisons else 0
    values = answers.values(candidate)
    status: Status = "finished"
    reason = ""
    if candidate in answers.failed:
        status, reason = "failed", answers.failed[candidate]
    elif last is not None and last.verdict == "leads":
        status = "winner"
        leader = Leader(candidate, last.score, {task: tuple(of_task.values()) for task, of_task in values.items()})
    elif last is not None and leader is not None and last.verdict == "stopped by bound":
        status, reason = "stopped", why_stopped(last, leader.candidate, number)
    return Challenge(
        Entry(candidate, status, number, answers.asked(candidate), last, reason), tuple(comparisons), values, leader
    )
