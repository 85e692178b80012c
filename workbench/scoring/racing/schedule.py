"""Which items are asked in which round: the same share of each task, in a seeded order."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np

from workbench.errors import UserError
from workbench.scoring.racing.settings import Settings

Floats: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

NEARLY_ALL = 0.9
"""A round that would reach this share of the items asks all of them: the few that are left are not worth another."""


@dataclass(frozen=True)
class Schedule:
    """The items of a race, laid out side by side: task after task, those of a task in the order in which it is drawn.

    Attributes:
        order: Task -> its item numbers as drawn.
        rounds: Task -> items asked by the end of the round, a mapping for each round; by the end of the last, all.
    """

    order: Mapping[str, Sequence[int]]
    rounds: Sequence[Mapping[str, int]]

    @property
    def sizes(self) -> list[int]:
        """Items of each task."""
        return [len(numbers) for numbers in self.order.values()]

    @property
    def slices(self) -> list[slice]:
        """Where each task lies."""
        return [slice(start, end) for start, end in pairwise(accumulate(self.sizes, initial=0))]

    @property
    def total(self) -> int:
        """All items of all tasks."""
        return sum(self.sizes)

    def asked(self, number: int) -> list[int]:
        """Items of each task that are asked by the end of round `number`, which counts from 0; none before it."""
        return [self.rounds[number][task] if number >= 0 else 0 for task in self.order]

    def drawn(self, number: int) -> list[slice]:
        """Where the items of each task lie that are asked by the end of a round."""
        return [slice(of.start, of.start + n) for of, n in zip(self.slices, self.asked(number), strict=True)]

    def score(self, values: Floats, number: int) -> Floats:
        """Unweighted mean over tasks of the mean over the items asked by the end of a round; (..., items) -> (...)."""
        return np.asarray(np.mean([values[..., drawn].mean(axis=-1) for drawn in self.drawn(number)], axis=0))


def schedule(items: Mapping[str, int], settings: Settings, draw: str = "") -> Schedule:
    """The rounds over tasks of so many items; a task's order hangs on the seed, its name and the name of the draw.

    Raises:
        UserError: there is no task, or a task has no item.
    """
    empty = [task for task, number in items.items() if number < 1]
    if empty or not items:
        what = f"task '{empty[0]}' has no item" if empty else "there is no task"
        raise UserError(f"Nothing to race on: {what}. Name a validation suite whose tasks all have items.")
    order = {task: random.Random(f"{settings.seed}{draw} {task}").sample(range(n), n) for task, n in items.items()}
    return Schedule(order, _rounds(items, settings))


def _rounds(items: Mapping[str, int], settings: Settings) -> list[Mapping[str, int]]:
    """At least two items of a task, and one more in every round: one item has no spread, and bounds weigh rounds."""
    share, asked = settings.first, dict.fromkeys(items, 0)
    rounds: list[Mapping[str, int]] = []
    while asked != items:
        # Less a little: 3 * 0.1 is above 0.3 in floating point, and would be rounded up to one item too many.
        asked = {task: min(n, max(2, asked[task] + 1, math.ceil(share * n - 1e-9))) for task, n in items.items()}
        rounds.append(asked)
        share = share * settings.factor if share * settings.factor < NEARLY_ALL else 1.0
    return rounds
