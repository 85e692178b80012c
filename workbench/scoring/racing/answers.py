"""What candidates have answered so far: asked round by round, never twice, and checked as it comes in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from workbench.errors import Incompatible, StepFailed, UserError
from workbench.scoring.racing.schedule import Floats, Schedule

Ask: TypeAlias = Callable[[str, Mapping[str, Sequence[int]]], Mapping[str, Sequence[float]]]
"""(candidate, task -> item numbers from 0) -> task -> a value of 0 to 1 for each, in order.

StepFailed and Incompatible are the candidate's own failure; anything else ends the race.
"""
Values: TypeAlias = dict[str, dict[int, float]]
"""Task -> item number -> value."""


class Answers:
    """The values of every candidate, laid out as the schedule lays out items, and why the failed ones failed."""

    def __init__(self, schedule: Schedule, ask: Ask) -> None:
        self.failed: dict[str, str] = {}
        self._schedule = schedule
        self._ask = ask
        self._rows: dict[str, Floats] = {}
        self._asked: dict[str, dict[str, int]] = {}

    def up_to(self, number: int, candidate: str) -> bool:
        """Ask a candidate what it lacks up to the end of a round; whether it answered all.

        Raises:
            UserError: a value is not within 0 to 1.
        """
        row = self._rows.setdefault(candidate, np.full(self._schedule.total, np.nan))
        asked = self._asked.setdefault(candidate, dict.fromkeys(self._schedule.order, 0))
        order, until = self._schedule.order, self._schedule.rounds[number]
        wanted = {task: order[task][asked[task] : until[task]] for task in order if asked[task] < until[task]}
        try:
            values = self._checked(candidate, wanted)
        except (StepFailed, Incompatible) as error:
            self.failed[candidate] = str(error)
            return False
        for place, task in zip(self._schedule.slices, order, strict=True):
            if task in wanted:
                row[place.start + asked[task] : place.start + until[task]] = values[task]
                asked[task] = until[task]
        return True

    def rows(self, candidates: Sequence[str]) -> Floats:
        """Values (candidates, items), NaN where not asked."""
        return np.stack([self._rows[candidate] for candidate in candidates])

    def asked(self, candidate: str) -> Mapping[str, int]:
        """Task -> items that a candidate answered."""
        return self._asked[candidate]

    def values(self, candidate: str) -> Values:
        """Everything that a candidate answered, by the items' own numbers."""
        row, asked = self._rows[candidate], self._asked[candidate]
        places = zip(self._schedule.slices, self._schedule.order.items(), strict=True)
        return {
            task: dict(sorted(zip(order[: asked[task]], row[place].tolist(), strict=False)))
            for place, (task, order) in places
        }

    def _checked(self, candidate: str, wanted: Mapping[str, Sequence[int]]) -> Mapping[str, Sequence[float]]:
        found = self._ask(candidate, wanted) if wanted else {}
        for task, items in wanted.items():
            if len(found[task]) != len(items):
                raise ValueError(f"{candidate}: {len(found[task])} values for {len(items)} items of {task}")
            for item, value in zip(items, found[task], strict=True):
                if not math.isfinite(value):
                    raise StepFailed(f"its value on item {item} of {task} is {value}")
                if not 0 <= value <= 1:
                    raise UserError(
                        f"{task}, item {item}: {candidate} has {value:g}, but a race compares values of 0 to 1. "
                        "Set in_mean to false for this task in the suite, or score without racing."
                    )
        return found
