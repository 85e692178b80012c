"""The run's constraints as a search needs them: against the base, on the validation items that candidates answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    """Why a candidate may not be chosen, and by how much; `excess` is above 0 and falls towards what is allowed."""

    sentence: str
    excess: float


@dataclass(frozen=True)
class Limits:
    """What a candidate must reach.

    Attributes:
        baseline: Name of the model that gains are measured against.
        scores: Its score by task, 0 to 1.
        datasets_gained: Smallest number of tasks on which a candidate is strictly better.
        max_drop: Largest fall below the baseline on any task; None allows any.
    """

    baseline: str
    scores: Mapping[str, float]
    datasets_gained: int = 0
    max_drop: float | None = None

    def broken_by(self, scores: Mapping[str, float]) -> Broken | None:
        """What a candidate with these scores by task breaks; None if nothing."""
        from workbench.board.constraints import falls_too_far, gains_too_seldom

        gains = {task: score - self.scores[task] for task, score in scores.items()}
        gained = sum(gain > 0 for gain in gains.values())
        failures = [
            *gains_too_seldom(gained, len(gains), self.datasets_gained),
            *falls_too_far(gains, self.baseline, self.max_drop),
        ]
        if not failures:
            return None
        excess = max(0, self.datasets_gained - gained) / len(gains)
        if self.max_drop is not None:
            excess += max(0.0, -min(gains.values()) - self.max_drop)
        return Broken("; ".join(failure.sentence for failure in failures), excess)
