"""Wrong options are chosen so that no guesser of `guessers` gains on chance over the whole topic."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations

from workbench.data.topics.guessers import FEATURES, credit, values
from workbench.data.topics.item import Draft
from workbench.data.topics.words import alike, word_set

TRIES = 120
NEAR = 12
POOL = 400
LENGTHS = (0.5, 2.0)
"""A wrong option is at least and at most so many times as long as the right one, where the pool allows."""


class Balance:
    """Keeps count of what each guesser has scored above chance, and chooses options that bring it back to 0."""

    def __init__(self, options: int, rng: random.Random) -> None:
        self.options = options
        self.rng = rng
        self.excess = [0.0] * (2 * len(FEATURES))

    def choose(self, draft: Draft) -> tuple[str, ...] | None:
        """Wrong options that can be told apart, or None where the pool has too few. Guessers are counted."""
        pool = self._pool(draft)
        wanted = self.options - 1 - len(draft.firm)
        if len(pool) < wanted:
            return None
        asked = word_set(f"{draft.context} {draft.question}")
        value = {text: values(text, asked) for text in (draft.right, *draft.firm, *pool)}
        near = sorted(pool, key=lambda text: -value[text][1])[:NEAR]
        best: tuple[float, tuple[str, ...], list[float]] | None = None
        for _ in range(TRIES):
            wrong = (*draft.firm, *self._drawn(pool, near, wanted))
            if any(alike(one, other) for one, other in combinations(wrong, 2)):
                continue
            excess = self._after(value[draft.right], [value[text] for text in wrong])
            cost = sum(one * one for one in excess)
            if best is None or cost < best[0]:
                best = cost, wrong, excess
        if best is None:
            return None
        self.excess = best[2]
        return best[1]

    def _pool(self, draft: Draft) -> list[str]:
        """Wrong answers that can be told from the right one, of similar length if there are enough."""
        distinct = [text for text in dict.fromkeys(draft.wrong) if text not in draft.firm]
        usable = [text for text in distinct if not alike(text, draft.right)]
        low, high = (len(draft.right) * times for times in LENGTHS)
        similar = [text for text in usable if low <= len(text) <= high]
        pool = similar if len(similar) >= self.options - 1 else usable
        return self.rng.sample(pool, POOL) if len(pool) > POOL else pool

    def _drawn(self, pool: Sequence[str], near: Sequence[str], n: int) -> list[str]:
        """`n` of a pool; about half of them share as many words with what is asked as any."""
        drawn = self.rng.sample(near, min(self.rng.randint(0, n), len(near)))
        rest = [text for text in self.rng.sample(pool, min(len(pool), 2 * n)) if text not in drawn]
        return [*drawn, *rest][:n]

    def _after(self, right: Sequence[float], wrong: Sequence[Sequence[float]]) -> list[float]:
        found = [
            credit(right[i], [one[i] for one in wrong], sign) - 1 / self.options
            for i in range(len(FEATURES))
            for sign in (1, -1)
        ]
        return [one + other for one, other in zip(self.excess, found, strict=True)]
