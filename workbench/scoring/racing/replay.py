"""Racing on results that are already known: what it would have cost, and what it would have chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias

from workbench.scoring.racing.race import TIE, race
from workbench.scoring.racing.settings import Settings

Table: TypeAlias = Mapping[str, Mapping[str, Sequence[float]]]
"""Candidate -> task -> value of every item. All candidates have the same tasks and items."""


@dataclass(frozen=True)
class Replay:
    """Races over one table, or several, that differ in the seed.

    Attributes:
        races: How many.
        same_winner: Share of them that chose what scoring exhaustively chooses, or another of the very same score.
        mean_share: Mean part of the exhaustive items that was asked.
        largest_share: The largest such part.
        mean_regret: Mean of the exhaustive winner's full score minus the chosen one's, 0 to 1.
    """

    races: int
    same_winner: float
    mean_share: float
    largest_share: float
    mean_regret: float


def replay(tables: Iterable[Table], settings: Settings, seeds: Sequence[int]) -> Replay:
    """Race over every table with every seed in place of the settings' own."""
    outcomes = [_outcome(table, dataclasses.replace(settings, seed=seed)) for table in tables for seed in seeds]
    regrets, shares = [regret for regret, _, _ in outcomes], [share for _, share, _ in outcomes]
    return Replay(
        races=len(outcomes),
        same_winner=fmean(same for _, _, same in outcomes),
        mean_share=fmean(shares),
        largest_share=max(shares),
        mean_regret=fmean(regrets),
    )


def _outcome(table: Table, settings: Settings) -> tuple[float, float, bool]:
    """Regret, share of the items, whether the winner is the exhaustive one or its equal."""

    def ask(candidate: str, wanted: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
        return {task: [table[candidate][task][item] for item in items] for task, items in wanted.items()}

    sizes = {task: len(values) for task, values in next(iter(table.values())).items()}
    names = list(table)
    record = race(names, sizes, ask, settings).record
    best = race(names, sizes, ask, dataclasses.replace(settings, first=1.0)).record
    regret = best.score - record.score
    return regret, record.share, best.winner == record.winner or regret <= TIE
