"""What a search left, as the board reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workbench.board.pareto import front
from workbench.specs.methods import METHODS
from workbench.specs.search import SearchSpec


@dataclass(frozen=True)
class Candidate:
    """One candidate of a search.

    Attributes:
        number: From 0, in the order in which candidates were asked for.
        point: What was looked for: axis -> value.
        state: `scored` on every item, `stopped` early, or `failed`.
        values: Its objectives, 0 to 1, higher is better; of one that was stopped an estimate of the first; else empty.
        items: Validation items that it answered.
        seconds: What it took.
        reason: Why it was stopped or failed.
        breaks: Why one that was scored may not be chosen.
        spread: Standard deviation of its mean between draws.
    """

    number: int
    point: Mapping[str, bool | float]
    state: Literal["scored", "stopped", "failed"]
    values: tuple[float, ...]
    items: int
    seconds: float
    reason: str = ""
    breaks: str = ""
    spread: float | None = None

    @property
    def name(self) -> str:
        """What the search calls it."""
        return f"candidate {self.number}"


@dataclass(frozen=True)
class Searched:
    """One search of a run.

    Attributes:
        name: As declared; the merge that it came to stands on the board under it.
        method: The merge method.
        sampler: Who made the candidates.
        objectives: Measures of a candidate; the winner is the best on the first, the mean.
        draws: Seeds of every candidate; 1 where the method draws nothing.
        raced: Whether candidates that were behind were stopped early.
        best: `candidate N`, or a baseline.
        score: Its validation mean.
        recipe: Its merge, without defaults.
        tried: All candidates by number.
        baselines: Validation means of simple merges, by name; of those that a race stopped, estimates.
        exhaustive: Items that asking every candidate that did not fail everything takes.
    """

    name: str
    method: str
    sampler: str
    objectives: tuple[str, ...]
    draws: int
    raced: bool
    best: str
    score: float
    recipe: Mapping[str, Any]
    tried: tuple[Candidate, ...]
    baselines: Mapping[str, float]
    exhaustive: int

    @property
    def file(self) -> str:
        """Where all its candidates are, beside the leaderboard."""
        return f"search-{self.name}.csv"

    @property
    def scored(self) -> tuple[Candidate, ...]:
        """Candidates that answered every item and may be chosen."""
        return tuple(one for one in self.tried if one.state == "scored" and not one.breaks)

    @property
    def broken(self) -> tuple[Candidate, ...]:
        """Candidates that answered every item and may not be chosen."""
        return tuple(one for one in self.tried if one.state == "scored" and one.breaks)

    @property
    def winner(self) -> Candidate | None:
        """The candidate that the search came to; None if that is a baseline."""
        return next((one for one in self.tried if one.name == self.best), None)

    @property
    def front(self) -> tuple[Candidate, ...]:
        """Those of `scored` on the Pareto front of the objectives, by number."""
        on_it = set(front({one.name: one.values for one in self.scored}))
        return tuple(one for one in self.scored if one.name in on_it)


def searched(name: str, spec: SearchSpec, found: Mapping[str, Any]) -> Searched:
    """The record of a search from its declaration and what it wrote (found.json)."""
    return Searched(
        name=name,
        method=spec.merge_method,
        sampler=spec.sampler,
        objectives=tuple(spec.objectives),
        draws=spec.draws if METHODS[spec.merge_method].seeded else 1,
        raced=spec.race is not False and len(spec.objectives) == 1,
        best=found["name"],
        score=found["score"],
        recipe=found["recipe"],
        tried=tuple(_candidate(one) for one in found["tried"]),
        baselines=found["baselines"],
        exhaustive=found["exhaustive"],
    )


def _candidate(raw: Mapping[str, Any]) -> Candidate:
    return Candidate(
        number=raw["number"],
        point=raw["point"],
        state=raw["state"],
        values=tuple(raw["values"]),
        items=raw["items"],
        seconds=raw["seconds"],
        reason=raw.get("reason", ""),
        breaks=raw.get("breaks", ""),
        spread=raw.get("spread"),
    )
