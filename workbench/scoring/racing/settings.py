"""How a race is run: in which mode, in which rounds, at which risk. Wrong values are refused when they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.errors import UserError

Mode = Literal["halving", "strict"]


@dataclass(frozen=True)
class Settings:
    """Two modes, of which one promises a cost and the other a winner.

    `halving` promises the cost: at most `budget` of what scoring every candidate on every item asks. After a round it
    stops whoever is behind the leader by an approximate bound at level `risk`, and then the worst, until plain
    successive halving from there on fits into what is left of the budget. The exhaustive winner may be among the
    stopped; how often that happens is measured by `replay`, not proven.

    `strict` promises the winner: it stops by a bound only that holds at once for all candidates and all rounds, so the
    exhaustive winner is stopped with probability `alpha` at most. It promises no cost: candidates that are close are
    asked all items.

    Attributes:
        mode: `halving` or `strict`.
        first: Share of each task's items in the first round, above 0 to 1; 1 is scoring exhaustively.
        factor: By how much the share grows from round to round, above 1.
        budget: `halving`: most of the exhaustive cost that may be spent, above 0 to 1. Two candidates that no bound
            separates are taken to the end all the same: among few, a budget below first + 2 (1 - first) / candidates
            does not pay for them.
        risk: `halving`: one-sided level of one comparison.
        alpha: `strict`: one-sided level of the race as a whole.
        seed: Of the order in which a task's items are drawn; the same for all candidates.
    """

    mode: Mode = "halving"
    first: float = 0.15
    factor: float = 3.0
    budget: float = 0.55
    risk: float = 0.01
    alpha: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        _refuse("mode", self.mode, self.mode in ("halving", "strict"), "halving or strict")
        _refuse("first", self.first, 0 < self.first <= 1, "a share above 0, at most 1")
        _refuse("factor", self.factor, self.factor > 1, "above 1, 2 to double the items from round to round")
        _refuse("budget", self.budget, 0 < self.budget <= 1, "a share above 0, at most 1")
        _refuse("risk", self.risk, 0 < self.risk < 0.5, "a level between 0 and 0.5")
        _refuse("alpha", self.alpha, 0 < self.alpha < 0.5, "a level between 0 and 0.5")


def _refuse(name: str, value: object, allowed: bool, meant: str) -> None:
    if not allowed:
        raise UserError(f"racing: `{name}` is {value!r}, but has to be {meant}.")
