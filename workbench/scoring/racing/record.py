"""What a race leaves on record: who was asked how many items, every decision with its numbers, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from workbench.scoring.racing.settings import Settings

Verdict = Literal["leads", "goes on", "finished", "stopped by bound", "stopped by budget"]
Status = Literal["winner", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Comparison:
    """A candidate beside the leader of a round, on the items that both have answered.

    Attributes:
        candidate: Its name.
        score: Unweighted mean over tasks of its mean over these items, 0 to 1.
        difference: Its score minus the leader's.
        bound: The most that the difference over all items can be, at the level of the mode; exact in the last round.
        verdict: What became of it.
    """

    candidate: str
    score: float
    difference: float
    bound: float
    verdict: Verdict


@dataclass(frozen=True)
class Round:
    """A round of a race, counted from 1: the leader, the items of each task asked so far, and who is still in it."""

    number: int
    items: Mapping[str, int]
    leader: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Entry:
    """How far a candidate came.

    Attributes:
        candidate: Its name.
        status: `winner` and `finished` were asked every item; `stopped` and `failed` may not have been.
        round: The last round in which it answered everything, counted from 1; 0 if none.
        items: Task -> items that it answered.
        last: Its last comparison; None if it failed in the first round.
        reason: Why it was stopped or failed, in a sentence; empty for the others.
    """

    candidate: str
    status: Status
    round: int
    items: Mapping[str, int]
    last: Comparison | None
    reason: str


@dataclass(frozen=True)
class RaceRecord:
    """A decided race; `dataclasses.asdict` makes it JSON-ready.

    Attributes:
        winner: The best of those who were asked every item; on a tie the one listed first.
        score: The winner's score, over all items.
        settings: How it was run.
        entries: The candidates as listed.
        rounds: Every decision.
        asked: Items asked of all candidates together.
        exhaustive: Items that scoring them all would have asked; of those that failed, what they were asked here.
    """

    winner: str
    score: float
    settings: Settings
    entries: tuple[Entry, ...]
    rounds: tuple[Round, ...]
    asked: int
    exhaustive: int

    @property
    def share(self) -> float:
        """The part of the exhaustive cost that was spent."""
        return self.asked / self.exhaustive


def why_stopped(last: Comparison, leader: str, number: int) -> str:
    """A sentence from the comparison with the leader after which a candidate was stopped."""
    behind = f"{last.verdict} in round {number}, {-last.difference:.4f} behind {leader}"
    return f"{behind}; over all items the bound puts the difference at {last.bound:+.4f} at most"
