"""Made-up tables of results, to try settings of a race on: items that are right or wrong, harder and easier ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True)
class Simulation:
    """What tables are drawn from.

    Attributes:
        sizes: Items of each task.
        ahead: How far each candidate is ahead of the tasks' chance of a right answer, in expectation; 0.02 is two
            points in a hundred. Shuffled among the candidates.
        correlation: Of two candidates' answers to an item, 0 to below 1: exact where both are right half of the time,
            a little lower elsewhere.
        taste: Standard deviation of what a candidate is better or worse at a task than it is on the whole.
        chances: Lowest and highest chance of a right answer over tasks.
    """

    sizes: Sequence[int]
    ahead: Sequence[float]
    correlation: float = 0.7
    taste: float = 0.02
    chances: tuple[float, float] = (0.25, 0.6)

    def table(self, seed: int) -> dict[str, dict[str, list[float]]]:
        """Candidate -> task -> 1.0 or 0.0 for every item; each seed another draw of candidates, tasks and items.

        An item is right when a normal variable, of which one part is the item's own and shared, falls below the
        normal quantile of the candidate's chance on the task. A latent correlation of sin(pi r / 2) gives answers the
        correlation r (Sheppard 1899).
        """
        rng = np.random.default_rng(seed)
        shared = math.sin(math.pi / 2 * self.correlation)
        ahead = rng.permutation(self.ahead)
        table: dict[str, dict[str, list[float]]] = {f"c{i}": {} for i in range(len(ahead))}
        for number, size in enumerate(self.sizes):
            chances = rng.uniform(*self.chances) + ahead + rng.normal(0, self.taste, len(ahead))
            limits = [NormalDist().inv_cdf(min(max(chance, 0.01), 0.99)) for chance in chances]
            own = rng.standard_normal((len(ahead), size))
            drawn = math.sqrt(shared) * rng.standard_normal(size) + math.sqrt(1 - shared) * own
            for answers, limit, values in zip(table.values(), limits, drawn, strict=True):
                answers[f"t{number}"] = (values < limit).astype(float).tolist()
        return table
